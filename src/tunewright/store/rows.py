"""What the memory store holds of a job, and how its queries are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tunewright import queries
from tunewright.queries import Point, Series
from tunewright.records import Checkpoint, Command, Decision, Event, Execution, Trial, TuningJob
from tunewright.store.changes import EventText, Summary, Value, no_job
from tunewright.store.encoding import from_json, to_json


class TrialRows:
    """All that the store holds of one trial."""

    __slots__ = ("checkpoints", "executions", "held", "series", "trial", "values")

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.executions: dict[int, Execution] = {}
        self.held: dict[int, int] = {}  # by execution: how many reports
        self.values: dict[int, dict[str, list[Value]]] = {}  # by execution and metric
        self.series: dict[str, Summary] = {}
        self.checkpoints: dict[tuple[int, int], Checkpoint] = {}  # by execution and step, oldest first


class JobRows:
    """All that the store holds of one job."""

    def __init__(self, job: TuningJob, created: float) -> None:
        self.kind, self.name, self.namespace, self.folder = job.kind, job.name, job.namespace, job.folder
        self.spec: Any = from_json(to_json("spec", job.spec))
        self.created, self.wanted, self.state = created, job.wanted, job.state
        self.owner: str | None = None
        self.fence = 0
        self.lease_until: float | None = None
        self.events: list[tuple[EventText, float]] = []  # the event at index i has number i + 1
        self.trials: dict[int, TrialRows] = {}
        self.decisions: list[Decision] = []
        self.commands: dict[int, Command] = {}

    def record(self) -> TuningJob:
        """The job as it stands."""
        return TuningJob(
            name=self.name,
            spec=self.spec,
            state=self.state,
            kind=self.kind,
            namespace=self.namespace,
            wanted=self.wanted,
            folder=self.folder,
            created=self.created,
            owner=self.owner,
            fence=self.fence,
            lease_until=self.lease_until,
            event=len(self.events),
        )

    def chosen(self, trial: int | None) -> Iterator[TrialRows]:
        """The rows of one trial, or of all by number."""
        if trial is None:
            for number in sorted(self.trials):
                yield self.trials[number]
        elif trial in self.trials:
            yield self.trials[trial]


def select(jobs: dict[str, JobRows], query: queries.Query[Any]) -> list[Any]:
    """The answer to a query.

    Raises:
        NotFound: no such job.
    """
    if isinstance(query, queries.Jobs):
        names = None if query.names is None else set(query.names)
        newest = [rows.record() for name, rows in reversed(jobs.items()) if names is None or name in names]
        return newest[: query.limit]
    job: str = query.job  # type: ignore[attr-defined]  # every other query has one
    if job not in jobs:
        raise no_job(job)
    return _SELECT[type(query)](jobs[job], query)


def _trials(rows: JobRows, query: queries.Trials) -> list[Trial]:
    if query.since:
        texts = (text for text, _ in rows.events[query.since :])
        numbers = {text.trial for text in texts if text.kind == "trial" and text.trial is not None}
        if query.numbers is not None:
            numbers.intersection_update(query.numbers)
    else:
        numbers = set(rows.trials if query.numbers is None else query.numbers)
    known = sorted(numbers & rows.trials.keys(), reverse=query.order == "newest")
    found = (rows.trials[number].trial for number in known)
    statuses = query.statuses
    return [trial for trial in found if statuses is None or trial.status in statuses][: query.limit]


def _executions(rows: JobRows, query: queries.Executions) -> list[Execution]:
    return [
        _with_reports(execution, trial.held.get(number, 0))
        for trial in rows.chosen(query.trial)
        for number, execution in sorted(trial.executions.items())
        if execution.open or not query.open_only
    ]


def _with_reports(execution: Execution, held: int) -> Execution:
    return execution if execution.reports == held else replace(execution, reports=held)


def _points(rows: JobRows, query: queries.Points) -> list[Point]:
    return [
        Point(trial.trial.number, execution, metric, step, value, at)
        for trial in rows.chosen(query.trial)
        for execution, curves in sorted(trial.values.items())
        for metric in sorted(curves)
        if query.metric is None or metric == query.metric
        for _, step, value, at in curves[metric]
    ]


def _series(rows: JobRows, query: queries.AllSeries) -> list[Series]:
    return [
        Series(trial.trial.number, metric, *summary)
        for trial in rows.chosen(query.trial)
        for metric, summary in sorted(trial.series.items())
    ]


def _checkpoints(rows: JobRows, query: queries.Checkpoints) -> list[Checkpoint]:
    return [checkpoint for trial in rows.chosen(query.trial) for checkpoint in trial.checkpoints.values()]


def _decisions(rows: JobRows, query: queries.Decisions) -> list[Decision]:
    return [decision for decision in rows.decisions if query.trial is None or decision.trial == query.trial]


def _commands(rows: JobRows, query: queries.Commands) -> list[Command]:
    return [command for command in rows.commands.values() if not (query.unhandled_only and command.handled)]


def _events(rows: JobRows, query: queries.Events) -> list[Event]:
    end = None if query.limit is None else query.since + query.limit
    return [Event(number, *text, at) for number, (text, at) in enumerate(rows.events[query.since : end], query.since + 1)]


_SELECT: dict[type, Callable[[JobRows, Any], list[Any]]] = {
    queries.Trials: _trials,
    queries.Executions: _executions,
    queries.Points: _points,
    queries.AllSeries: _series,
    queries.Checkpoints: _checkpoints,
    queries.Decisions: _decisions,
    queries.Commands: _commands,
    queries.Events: _events,
}
