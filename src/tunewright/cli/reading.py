"""Commands that read a store: list, show, best, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tunewright.cli import options
from tunewright.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from tunewright.interfaces import Store as StoreOfJobs
    from tunewright.objective import Objective
    from tunewright.records import Trial, TuningJob

LISTED = 50


def list_jobs(store: options.Store = None, as_json: options.Json = False, limit: options.Limit = None) -> None:
    """Lists the jobs of a store, newest first."""
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.documents import job_document
    from tunewright.queries import Jobs
    from tunewright.store import open_store

    opened = open_store(store)
    if as_json:
        print_json([job_document(job) for job in opened.read(Jobs(limit=limit))])
        return
    jobs = list(opened.read(Jobs(limit=(limit or LISTED) + 1)))
    if not jobs:
        from tunewright.progress.formatting import format_location

        print(f"No job in {format_location(opened.location or 'memory')} yet. To start one: tunewright tune --help")
        return
    _print_jobs(jobs[: limit or LISTED])
    if len(jobs) > (limit or LISTED):
        print(f"... and older ones: tunewright list --limit {2 * (limit or LISTED)}")


def show(
    name: options.JobName,
    trial: options.TrialNumber = None,
    store: options.Store = None,
    as_json: options.Json = False,
    top: options.Top = 10,
    plot: options.Plot = None,
) -> None:
    """Shows a job with its best trials, or one trial of it with all that is known of it."""
    from tunewright.store import open_store

    opened = open_store(store)
    job = _job(opened, name)
    if plot is not None:
        if as_json or trial is not None:
            raise InvalidInput("--plot", "draws a job as text; it can't be combined with a trial's number or --json", plot)
        _plot_job(opened, job, plot)
    elif trial is None:
        _show_job(opened, job, top, as_json=as_json)
    else:
        _show_trial(opened, job, trial, as_json=as_json)


def best(name: options.JobName, store: options.Store = None, as_json: options.Json = False) -> None:
    """Prints the best trial's values. Exits with 1 when no trial has completed."""
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.documents import objectives_of, trial_document
    from tunewright.progress.ending import best_lines
    from tunewright.store import open_store

    opened = open_store(store)
    job = _job(opened, name)
    if job.state.best is None:
        if as_json:
            print_json(None)
        else:
            print(f"No trial of {name} has completed")
        raise typer.Exit(1)
    found = _trial(opened, job, job.state.best)
    if as_json:
        print_json(trial_document(found))
        return
    for line in best_lines(found, objectives_of(job), _reference(opened, job)):
        print(line)


def logs(
    name: options.JobName,
    trial: options.TrialNumber = None,
    store: options.Store = None,
    as_json: options.Json = False,
    follow: options.Follow = False,
) -> None:
    """Prints what trials printed: one trial's log, or all of them one after the other."""
    import sys

    from tunewright.api import job as stored
    from tunewright.cli.following import Follower
    from tunewright.cli.output import print_json

    if follow and as_json:
        raise InvalidInput("--follow", "can't be combined with --json, which prints one document")
    job = stored(name, store=store)
    trials = job.trials if trial is None else [job.trial(trial)]
    if as_json:
        print_json([{"trial": one.number, "log": one.log()} for one in trials])
        return
    if follow:
        Follower(job, trial, sys.stdout, begin_at_end=trial is None).follow()
        return
    if trial is None and not any(one.log() for one in trials):
        print(f"No trial of {name} has printed anything")
    for one in trials:
        text = one.log()
        if trial is None and text:
            print(f"== trial {one.number}, {one.status.value} ==")
        print(text, end="" if text.endswith("\n") or not text else "\n")


# --- parts ---


def _job(store: StoreOfJobs, name: str) -> TuningJob:
    from tunewright.lifecycle.running import stored_job

    return stored_job(store, name)


def _trial(store: StoreOfJobs, job: TuningJob, number: int) -> Trial:
    from tunewright.queries import Trials

    for trial in store.read(Trials(job.name, numbers=(number,))):
        return trial
    total = job.state.counts.total
    raise NotFound(
        "trial", f"must be a trial of {job.name}, 0 to {total - 1}" if total else f"must exist; {job.name} has none", number
    )


def _reference(store: StoreOfJobs, job: TuningJob) -> tuple[str, Trial] | None:
    """The trial that others are compared with, and its name: the first that completed."""
    from tunewright.progress.board import reference_name
    from tunewright.queries import Trials
    from tunewright.records import Status
    from tunewright.space import SearchSpace

    for trial in store.read(Trials(job.name, statuses=(Status.COMPLETED,), limit=1)):
        return reference_name(trial, SearchSpace.from_json(job.spec["space"]).default()), trial
    return None


def _print_jobs(jobs: list[TuningJob]) -> None:
    from tunewright.cli.output import local_time, print_table
    from tunewright.progress.formatting import format_duration, format_number

    rows = []
    for job in jobs:
        state, counts = job.state, job.state.counts
        limit = job.spec.get("max_trials")
        done = f"{counts.ended} of {limit}" if limit else str(counts.ended)
        metric = job.spec["objectives"][0]["metric"] if job.spec.get("objectives") else ""
        value = f"{metric} {format_number(state.best_objectives[0])}" if state.best_objectives else ""
        rows.append(
            [
                job.name,
                _status(job),
                done,
                str(counts.failed),
                value,
                local_time(job.created),
                format_duration(state.elapsed),
            ]
        )
    print_table(["NAME", "STATUS", "TRIALS", "FAILED", "BEST", "CREATED", "RAN FOR"], rows)


def _status(job: TuningJob) -> str:
    """The job's status, and whether the process that should run it is gone."""
    from tunewright.lifecycle.ownership import is_dead
    from tunewright.records import TERMINAL

    gone = job.status not in TERMINAL and (job.owner is None or is_dead(job.owner))
    return f"{job.status.value}, not running" if gone else job.status.value


def _show_job(store: StoreOfJobs, job: TuningJob, top: int, *, as_json: bool) -> None:
    from tunewright.cli.output import local_time, print_json, print_table
    from tunewright.lifecycle.documents import job_document, objectives_of, trial_document
    from tunewright.progress.ending import best_lines, outcome, tally
    from tunewright.progress.formatting import align, format_duration, format_location, format_number, format_params

    objectives = objectives_of(job)
    leading = _leading(store, job, objectives, top)
    if as_json:
        print_json({**job_document(job), "spec": dict(job.spec), "leading": [trial_document(trial) for trial in leading]})
        return
    print(f"{job.name}: {outcome(job.state) if job.state.reason else _status(job)}")
    facts = [
        ("objective", " and ".join(f"{o.goal} {o.metric}" for o in objectives)),
        ("function", str(job.spec.get("function", ""))),
        ("strategy", f"{job.spec.get('strategy')}, seed {job.spec.get('seed')}, {job.spec.get('max_parallel')} at a time"),
        ("trials", f"{tally(job.state.counts)}{_running(job)}"),
        ("waiting", "; ".join(_waits(store, job))),
        ("created", local_time(job.created)),
        ("ran for", format_duration(job.state.elapsed)),
        ("stored in", format_location(store.location or "memory")),
    ]
    print("\n".join(align(((name, value) for name, value in facts if value), indent="  ")))
    if job.state.best is None:
        print("\nNo trial has completed")
        return
    print()
    print("\n".join(best_lines(_trial(store, job, job.state.best), objectives, _reference(store, job))))
    print("\n".join(_model_lines(store, job)))
    print_table(
        ["TRIAL", *(o.metric.upper() for o in objectives), "PARAMETERS"],
        [[str(t.number), *(format_number(v) for v in t.objectives or ()), format_params(t.params)] for t in leading],
    )
    print(f"\nOne trial in full: tunewright show {job.name} {leading[0].number if leading else 0}")


def _model_lines(store: StoreOfJobs, job: TuningJob) -> list[str]:
    """What the model of a Bayesian search adds: the trial that it recommends, and how it has searched."""
    from tunewright.lifecycle.job import Job
    from tunewright.progress.formatting import format_number

    handle = Job(store, job.name)
    suggested = handle.suggestions
    modelled = suggested["exploiting"] + suggested["exploring"]
    if not modelled:
        return [""]
    recommended, lines = handle.recommended, []
    if recommended.interval is not None:
        low, high = (format_number(end) for end in recommended.interval)
        estimate = f"{format_number(recommended.estimate)} ({low} to {high})"
        lines.append(f"Recommended: trial {recommended.trial.number}, expected {estimate}: {recommended.why}")
    share = round(100 * suggested["exploring"] / modelled)
    others = f", {suggested['others']} trials came otherwise" if suggested["others"] else ""
    return [*lines, f"The model proposed {modelled} trials, {share}% of them to explore{others}", ""]


def _plot_job(store: StoreOfJobs, job: TuningJob, kind: str) -> None:
    from tunewright.lifecycle.documents import objectives_of
    from tunewright.lifecycle.plots.picture import check_kind, make_picture
    from tunewright.lifecycle.plots.text import lines_of
    from tunewright.queries import Trials
    from tunewright.space import SearchSpace

    kinds = check_kind(kind)
    space = SearchSpace.from_json(job.spec["space"])
    picture = make_picture(job.name, space, objectives_of(job), [*store.read(Trials(job.name))])
    print("\n\n".join("\n".join(lines_of(picture, one)) for one in kinds))


def _leading(store: StoreOfJobs, job: TuningJob, objectives: tuple[Objective, ...], top: int) -> list[Trial]:
    """The best completed trials within the job's requirements, best first."""
    import heapq

    from tunewright.queries import Trials
    from tunewright.records import Status

    sign = objectives[0].sign
    trials = store.read(Trials(job.name, statuses=(Status.COMPLETED,)))
    scored = ((sign * t.objectives[0], t.number, t) for t in trials if t.objectives and t.feasible)
    return [trial for _, _, trial in heapq.nsmallest(top, scored)]


def _running(job: TuningJob) -> str:
    """What has not ended yet, as the end of a sentence."""
    counts = job.state.counts
    parts = [f"{n} {name}" for name, n in (("running", counts.in_progress), ("stopping", counts.stopping)) if n]
    return f", {', '.join(parts)}" if parts else ""


def _waits(store: StoreOfJobs, job: TuningJob) -> list[str]:
    """For what trials wait that can't start yet, as long as a process runs the job."""
    from tunewright.lifecycle.ownership import is_dead
    from tunewright.queries import Trials
    from tunewright.records import WAITS, Status

    if job.owner is None or is_dead(job.owner):
        return []
    running = store.read(Trials(job.name, statuses=(Status.IN_PROGRESS,)))
    return [f"trial {trial.number} {trial.reason}" for trial in running if trial.reason_code == WAITS]


def _show_trial(store: StoreOfJobs, job: TuningJob, number: int, *, as_json: bool) -> None:
    from tunewright.cli.output import print_json, print_table
    from tunewright.lifecycle.documents import objectives_of, trial_details
    from tunewright.progress.ending import param_lines
    from tunewright.progress.formatting import align, format_duration, format_number
    from tunewright.queries import AllSeries, Checkpoints, Decisions, Executions

    trial = _trial(store, job, number)
    executions = list(store.read(Executions(job.name, trial=number)))
    series = list(store.read(AllSeries(job.name, trial=number)))
    decisions = list(store.read(Decisions(job.name, trial=number)))
    if as_json:
        print_json(trial_details(trial, executions, series, decisions, list(store.read(Checkpoints(job.name, trial=number)))))
        return
    reason = f" ({trial.reason})" if trial.reason else ""
    print(f"Trial {number} of {job.name}: {trial.status.value}{reason}")
    ran = format_duration(trial.ended - trial.started) if trial.ended is not None and trial.started is not None else ""
    values = ", ".join(
        f"{o.metric} {format_number(v)}" for o, v in zip(objectives_of(job), trial.objectives or (), strict=False)
    )
    facts = [("objective", values), ("proposed", trial.origin), ("ran for", ran), ("seed", str(trial.seed))]
    print("\n".join(align(((name, value) for name, value in facts if value), indent="  ")))
    print("Parameters")
    print("\n".join(param_lines(trial.params)))
    if series:
        print()
        rows = [
            [
                s.metric,
                format_number(s.last),
                format_number(s.minimum),
                format_number(s.maximum),
                str(s.count),
                str(s.last_step),
            ]
            for s in series
        ]
        print_table(["REPORTED", "LAST", "MIN", "MAX", "TIMES", "LAST STEP"], rows)
    if len(executions) > 1 or any(execution.reason for execution in executions):
        print()
        print_table(
            ["EXECUTION", "PURPOSE", "STATUS", "REASON"],
            [[str(e.number), e.purpose.value, e.status.value, e.reason or ""] for e in executions],
        )
    for decision in decisions:
        print(f"At step {decision.step}: {decision.action.value}, {decision.reason}")
    print(f"\nWhat it printed: tunewright logs {job.name} {number}")
