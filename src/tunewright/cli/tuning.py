"""Commands that run or end jobs: tune, resume, stop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

from tunewright.cli import options
from tunewright.errors import InvalidInput

if TYPE_CHECKING:
    from tunewright.lifecycle.job import Job

FAILED, INTERRUPTED = 1, 130


def tune(
    target: options.Target,
    parameters: options.Parameters = None,
    space: options.Space = None,
    metric: options.Metric = None,
    goal: options.Goal = None,
    require: options.Require = None,
    strategy: options.Strategy = "auto",
    stopper: options.Stopper = "auto",
    max_step: options.MaxStep = None,
    seed: options.Seed = None,
    max_trials: options.MaxTrials = None,
    max_time: options.MaxTime = None,
    goal_value: options.GoalValue = None,
    max_parallel: options.MaxParallel = None,
    cpus: options.Cpus = 1,
    gpus: options.Gpus = 0,
    memory: options.Memory = None,
    trial_time: options.TrialTime = None,
    executor: options.Executor = "process",
    name: options.Name = None,
    tags: options.Tags = None,
    resume: options.Resume = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Tunes a function: runs it with many configurations and finds the best."""
    from tunewright.api import tune as tune_function
    from tunewright.cli.targets import load_target
    from tunewright.objective import Objective
    from tunewright.resources import Resources

    with _display(as_json) as progress:
        function, module = load_target(target)
        found = _space(module, space, parameters or [])
        goals: dict[str, Any] = {"metric": metric, "goal": goal}
        if goal_value is not None:
            if metric is None:
                raise InvalidInput("--target", "needs --metric, whose value it is", goal_value)
            goals = {"objective": Objective(metric, goal, target=goal_value)}  # type: ignore[arg-type]
        job = tune_function(
            function,
            found,
            **goals,
            max_trials=max_trials,
            max_time=_number_or_text(max_time),
            max_parallel="auto" if max_parallel is None else max_parallel,
            strategy=strategy,
            stopper=None if stopper == "none" else stopper,
            max_step=max_step,
            require=_requirements(require or []),
            resources=Resources(cpus, int(gpus) if gpus == int(gpus) else gpus, memory, _number_or_text(trial_time)),
            seed=seed,
            name=name,
            tags=dict(text.partition("=")[::2] for text in tags or []) or None,
            store=store,
            executor=executor,
            resume=resume,
            progress=progress,
        )
    _finish(job, as_json=as_json)


def resume(
    name: options.JobName,
    max_trials: options.MaxTrials = None,
    max_time: options.MaxTime = None,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Goes on with a job that was interrupted, stopped or killed, or that gets larger limits."""
    from tunewright.api import resume as resume_job

    limits = {"max_trials": max_trials, "max_time": _number_or_text(max_time)}
    with _display(as_json) as progress:
        job = resume_job(name, **limits, store=store, progress=progress)  # type: ignore[arg-type]
    _finish(job, as_json=as_json)


def stop(name: options.JobName, wait: options.Wait = False, store: options.Store = None, as_json: options.Json = False) -> None:
    """Ends a running job: what runs is stopped, nothing new is started, results remain."""
    from tunewright.api import job as stored
    from tunewright.cli.documents import job_document
    from tunewright.cli.output import print_json

    job = stored(name, store=store)
    answer = job.stop(wait=wait)
    if as_json:
        print_json({**job_document(job.record), "answer": answer})
    else:
        print(answer[:1].upper() + answer[1:])


def _finish(job: Job, *, as_json: bool) -> None:
    """Prints the job for programs, and exits with the code that its end asks for."""
    from tunewright.cli.documents import job_document
    from tunewright.cli.output import print_json
    from tunewright.records import Status

    if as_json:
        print_json(job_document(job.record))
    if job.status is Status.FAILED:
        raise typer.Exit(FAILED)
    if job.status is not Status.COMPLETED:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _display(as_json: bool) -> Iterator[str]:
    """The progress display; with `as_json` none, and what training code prints in this process goes to standard error."""
    if not as_json:
        yield "auto"
        return
    with redirect_stdout(sys.stderr):
        yield "none"


def _space(module: Any, name: str | None, parameters: list[str]) -> Any:
    """The space beside the function, with the parameters of the command line added or put in place of theirs."""
    from tunewright.cli.parameters import read_parameters
    from tunewright.cli.targets import find_space
    from tunewright.space import SearchSpace

    beside, given = find_space(module, name), read_parameters(parameters)
    if beside is None:
        if not given:
            rule = "must be given: a variable `space` beside the function, --space NAME, or -p NAME=SPEC"
            raise InvalidInput("space", rule)
        return SearchSpace(given)
    if not given:
        return beside
    known = beside if isinstance(beside, SearchSpace) else SearchSpace(beside)
    parameters_now = {**known.parameters, **known.fixed, **given}
    return SearchSpace(parameters_now, constraints=known.constraints)


def _requirements(texts: list[str]) -> dict[str, str] | None:
    """Limits such as `latency_ms <= 20`, as `tune` takes them."""
    import re

    found = {}
    for text in texts:
        match = re.fullmatch(r"\s*(.+?)\s*((?:<=|>=|<|>).*)", text)
        if match is None:
            raise InvalidInput("--require", "must be a metric, an operator and a number, such as 'latency_ms <= 20'", text)
        found[match[1]] = match[2]
    return found or None


def _number_or_text(text: str | None) -> float | str | None:
    """A duration: bare numbers are seconds."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
