"""Commands that run or end jobs: tune, resume, stop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import typer

from tunewright.cli import options

if TYPE_CHECKING:
    from tunewright.lifecycle.job import Job

FAILED, INTERRUPTED = 1, 130


def tune(
    target: options.Target,
    arguments: options.Arguments = None,
    parameters: options.Parameters = None,
    space: options.Space = None,
    metric: options.Metric = None,
    goal: options.Goal = None,
    require: options.Require = None,
    strategy: options.Strategy = None,
    stopper: options.Stopper = None,
    max_step: options.MaxStep = None,
    seed: options.Seed = None,
    max_trials: options.MaxTrials = None,
    max_time: options.MaxTime = None,
    goal_value: options.GoalValue = None,
    max_parallel: options.MaxParallel = None,
    cpus: options.Cpus = None,
    gpus: options.Gpus = None,
    memory: options.Memory = None,
    trial_time: options.TrialTime = None,
    executor: options.Executor = None,
    regex: options.Regex = None,
    template: options.Template = None,
    step: options.StepRegex = None,
    metrics_file: options.MetricsFile = None,
    env: options.Env = None,
    cwd: options.Cwd = None,
    log_limit: options.LogLimit = None,
    name: options.Name = None,
    tags: options.Tags = None,
    resume: options.Resume = False,
    notify: options.Notify = None,
    artifacts: options.Artifacts = None,
    keep: options.KeepCheckpoints = None,
    dry_run: options.DryRun = False,
    detach: options.Detach = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Tunes a program or a function: runs it with many configurations and finds the best."""
    given = dict(locals())
    from tunewright import api
    from tunewright.cli.choices import chosen
    from tunewright.config.plan import make_plan

    with _display(as_json) as progress:
        plan = make_plan(target, chosen(given))
        wanted = {"progress": progress, **plan.options} if progress == "auto" else {**plan.options, "progress": progress}
        with plan.located():
            if dry_run:
                rehearsal = api.rehearse(plan.work, plan.space, **wanted)
            elif detach:
                job = api.detach(plan.work, plan.space, **wanted)
            else:
                job = api.tune(plan.work, plan.space, **wanted)
    if dry_run:
        from tunewright.cli.rehearsing import print_rehearsal

        print_rehearsal(rehearsal, as_json=as_json)
    elif detach:
        _left(job, as_json=as_json)
    else:
        _finish(job, as_json=as_json)


def resume(
    name: options.JobName,
    max_trials: options.MaxTrials = None,
    max_time: options.MaxTime = None,
    notify: options.Notify = None,
    detach: options.Detach = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Goes on with a job that was interrupted, stopped or killed, or that gets larger limits."""
    from tunewright import api
    from tunewright.cli.choices import number_or_text

    if detach:
        given = [("--max-trials", max_trials), ("--max-time", max_time), *(("--notify", address) for address in notify or ())]
        arguments = [f"{flag}={value}" for flag, value in given if value is not None]
        _left(api.detach_again(name, arguments, store=store), as_json=as_json)
        return
    limits = {"max_trials": max_trials, "max_time": number_or_text(max_time)}
    with _display(as_json) as progress:
        job = api.resume(name, **limits, notify=notify, store=store, progress=progress)  # type: ignore[arg-type]
    _finish(job, as_json=as_json)


def stop(name: options.JobName, wait: options.Wait = False, store: options.Store = None, as_json: options.Json = False) -> None:
    """Ends a running job: what runs is stopped, nothing new is started, results remain."""
    from tunewright.api import job as stored
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.documents import job_document

    job = stored(name, store=store)
    answer = job.stop(wait=wait)
    if as_json:
        print_json({**job_document(job.record), "answer": answer})
    else:
        print(answer[:1].upper() + answer[1:])


def attach(name: options.JobName, store: options.Store = None, as_json: options.Json = False) -> None:
    """Shows the progress of a job that runs elsewhere, until it ends. Ctrl-C ends only the showing."""
    from tunewright.api import job as stored
    from tunewright.lifecycle.attaching import attach as follow
    from tunewright.store import open_store

    opened = open_store(store)
    with _display(as_json) as progress:
        try:
            state = follow(opened, name, progress)
        except KeyboardInterrupt:
            print(f"\nJob {name} goes on; to end it: tunewright stop {name}", file=sys.stderr)
            raise
    job = stored(name, store=opened)
    if job.status is not state.status:  # it was taken up again
        raise typer.Exit(FAILED)
    _finish(job, as_json=as_json)


def _finish(job: Job, *, as_json: bool) -> None:
    """Prints the job for programs, and exits with the code that its end asks for."""
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.documents import job_document
    from tunewright.records import Status

    if as_json:
        print_json(job_document(job.record))
    if job.status is Status.FAILED:
        raise typer.Exit(FAILED)
    if job.status is not Status.COMPLETED:
        raise typer.Exit(INTERRUPTED)


def _left(job: Job, *, as_json: bool) -> None:
    """Tells of a job that goes on without this command."""
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.detaching import LOG
    from tunewright.lifecycle.documents import job_document
    from tunewright.lifecycle.ownership import describe
    from tunewright.progress.formatting import format_location

    record = job.record
    if as_json:
        print_json({**job_document(record), "log": str(job.folder / LOG)})
        return
    print(f"Job {job.name} runs in the background" + (f" as {describe(record.owner)}" if record.owner else " and has ended"))
    print(f"To follow it: tunewright attach {job.name}; to end it: tunewright stop {job.name}")
    print(f"What its process prints: {format_location(str(job.folder / LOG))}")


@contextmanager
def _display(as_json: bool) -> Iterator[str]:
    """The progress display; with `as_json` none, and what training code prints in this process goes to standard error."""
    if not as_json:
        yield "auto"
        return
    with redirect_stdout(sys.stderr):
        yield "none"
