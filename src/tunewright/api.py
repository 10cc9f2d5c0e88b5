"""What `import tunewright as tw` shows: tune, start, jobs, stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidInput
from tunewright.interfaces import Store
from tunewright.lifecycle.job import Job, StoredTrial
from tunewright.lifecycle.request import make_request
from tunewright.lifecycle.running import stored_job
from tunewright.lifecycle.starting import Prepared, prepare, take_up
from tunewright.objective import Objective
from tunewright.progress.opening import check_kind
from tunewright.queries import Jobs
from tunewright.resources import Resources, seconds
from tunewright.space import SearchSpace
from tunewright.spec import Limits, Retries
from tunewright.store import open_store

if TYPE_CHECKING:
    from tunewright.executors.script_task import Script
    from tunewright.lifecycle.rehearsal import Rehearsal

Space = SearchSpace | Mapping[str, Any]
ARTIFACTS = "TUNEWRIGHT_ARTIFACTS"


def tune(
    train: Callable[..., Any] | Script,
    space: Space | None = None,
    *,
    metric: str | None = None,
    goal: str | None = None,
    objective: Objective | Sequence[Objective] | None = None,
    max_trials: int | None = None,
    max_time: float | str | timedelta | None = None,
    max_parallel: int | str = "auto",
    strategy: object = "auto",
    stopper: object = "auto",
    max_step: int | None = None,
    fidelity: object = None,
    require: Mapping[str, str] | None = None,
    warm_start: object = None,
    resources: Resources | None = None,
    retries: Retries | None = None,
    cost: object = None,
    fixed: Mapping[str, Any] | None = None,
    seed: int | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | Sequence[str] | None = None,
    store: str | Store | None = None,
    executor: object = "process",
    resume: bool = False,
    on_trial: Callable[[StoredTrial], object] | None = None,
    notify: object = None,
    artifacts: str | os.PathLike[str] | None = None,
    keep: str = "all",
    progress: str | bool | None = "auto",
) -> Job:
    """Searches for the configuration that makes `train` best, and waits for the end.

    Args:
        train: called with a trial (`trial.params`, `.number`, `.seed`, `.report(...)`, `.checkpoint(...)`); returns its
            metrics as a dict, or the objective as a number, or None when it reports. Or a Script: a command to run.
        space: what may vary: a SearchSpace, or a dict of parameters.
        metric, goal: short for `objective=Objective(metric, goal)`; the goal is read from well-known names.
        objective: an Objective, or a list of them.
        max_trials, max_time: limits over the job's life; durations are "2h", seconds or a timedelta. At least one limit is
            needed, or a target.
        max_parallel: trials at once; "auto": as many as there are cores for.
        strategy: "auto", "grid", "random", "sobol", or an object with `suggest(history, n)`.
        stopper: ends poor trials early: "median", or an object with `decide(history, number)`; None: never. "auto" leaves it
            to the strategy.
        max_step: the full training's last step, given to trials as `trial.fidelity`.
        require: limits on other metrics, such as `{"latency_ms": "<= 20"}`; a trial outside them is never the best.
        resources: what one trial may use; see Resources.
        retries: how often a failed trial is executed again, by the class of failure; see Retries.
        fixed: parameters that have one value in all trials.
        seed: makes the search repeatable; None draws one, stores it and prints it.
        name: the job's; None makes one. tags: texts kept with the job.
        store: a path or address, "memory", or a Store; None: `$TUNEWRIGHT_STORE`, else the project's `.tunewright/store.db`.
        executor: "process" (worker processes), "inline" (in this thread), or an Executor; a Script has one of its own.
        resume: goes on with the job of that name, or makes it.
        on_trial: called with every trial that has ended.
        notify: who is told of the first failure, a near limit and the end: "https://..." (a webhook), "mailto:...", or a list.
        artifacts: an address such as `s3://bucket/prefix`, or a path that hosts share, under which checkpoints and artifacts
            are kept besides the job's folder, so that another host can go on; None: `$TUNEWRIGHT_ARTIFACTS`, else nowhere.
        keep: "all" checkpoints, or "top:3": those of trials that ended and aren't among the best 3 are removed.
        progress: "auto", "live", "plain" or "none".
        fidelity, warm_start, cost: not there yet in this version.

    Returns:
        The job. After Ctrl-C it is there too, with reason "interrupted".

    Raises:
        InvalidInput: an argument breaks its rule; nothing was started.
        TrialsFailed: no trial completed, or the first ones failed with the same error, which is the cause.
        StoreError: the store can't be used.
    """
    return _prepare(locals()).run(progress, on_trial)


def start(train: Callable[..., Any] | Script, space: Space | None = None, **options: Any) -> Job:
    """`tune` without waiting: the job runs in the background of this process. Takes the arguments of `tune`, whose progress
    is "none" here unless asked for; `job.wait()` waits and raises what `tune` would.
    """
    options.setdefault("progress", "none")
    return _prepare({"train": train, "space": space, **options}).start(options["progress"], options.get("on_trial"))


def detach(train: Callable[..., Any] | Script, space: Space | None = None, **options: Any) -> Job:
    """`tune` in a process of its own, which outlives this one and its terminal. Takes the arguments of `tune`, save
    `on_trial`; what that process prints is in `controller.log` in the job's folder.

    Raises:
        InvalidInput: an argument breaks its rule, or the job would be in memory only; nothing was started.
        TunewrightError: the process couldn't take the job up.
    """
    from tunewright.lifecycle import detaching

    options.pop("progress", None)
    if options.pop("on_trial", None) is not None:
        raise InvalidInput("on_trial", "can't be called in another process; leave it out, or use notify=")
    store = options.get("store")
    job = _prepare({"train": train, "space": space, **options}).job
    detaching.detach(job, store=store if isinstance(store, str) else None)
    return job


def detach_again(name: str, arguments: Sequence[str] = (), *, store: str | None = None) -> Job:
    """`resume` in a process of its own.

    Args:
        arguments: further ones of the command `tunewright resume`.

    Raises:
        NotFound: there is no such job. InvalidInput, TunewrightError: as `detach`.
    """
    from tunewright.lifecycle import detaching

    found = job(name, store=store)
    detaching.detach(found, arguments, store)
    return found


def rehearse(train: Callable[..., Any] | Script, space: Space | None = None, **options: Any) -> Rehearsal:
    """What `tune` with the same arguments would do. Nothing is started and nothing is written.

    Raises:
        InvalidInput: an argument breaks its rule.
    """
    from tunewright.lifecycle.rehearsal import rehearse as rehearse_request

    apart = {name: options.pop(name, None) for name in ("name", "store", "resume", "progress", "on_trial")}
    request = make_request(train, space, **options)
    return rehearse_request(request, name=apart["name"], store=apart["store"], strategy=options.get("strategy", "auto"))


def _prepare(options: dict[str, Any]) -> Prepared:
    options = dict(options)
    train, space = options.pop("train"), options.pop("space")
    name, store, resume = options.pop("name", None), options.pop("store", None), options.pop("resume", False)
    check_kind(options.pop("progress", None))
    on_trial = options.pop("on_trial", None)
    if on_trial is not None and not callable(on_trial):
        raise InvalidInput("on_trial", "must be callable with a trial", on_trial)
    options["artifacts"] = options.get("artifacts") or os.environ.get(ARTIFACTS) or None
    request = make_request(train, space, **options)
    opened = open_store(store)
    kept = {key: options.get(key, "auto") for key in ("strategy", "stopper")}
    return prepare(opened, request, name=name, resume=resume, **kept)


def resume(
    name: str,
    *,
    max_trials: int | None = None,
    max_time: float | str | timedelta | None = None,
    store: str | Store | None = None,
    on_trial: Callable[[StoredTrial], object] | None = None,
    notify: object = None,
    progress: str | bool | None = "auto",
) -> Job:
    """Goes on with a job that was interrupted, stopped or killed, or that gets larger limits, and waits for the end.

    Everything else about it, its function included, is as it was saved when it was started.

    Args:
        max_trials, max_time: new totals over the job's life; None keeps the old ones.
        notify: as for `tune`; None: those who were told before.

    Raises:
        NotFound: there is no such job. JobTaken: another living process controls it. Else as `tune`.
    """
    limits = Limits(max_trials, None if max_time is None else seconds("max_time", max_time))
    return take_up(open_store(store), name, limits, notify).run(progress, on_trial)


def job(name: str, *, store: str | Store | None = None) -> Job:
    """A job of a store. Raises NotFound."""
    opened = open_store(store)
    stored_job(opened, name)
    return Job(opened, name)


def jobs(*, store: str | Store | None = None) -> list[Job]:
    """All jobs of a store, newest first."""
    opened = open_store(store)
    return [Job(opened, record.name) for record in opened.read(Jobs())]
