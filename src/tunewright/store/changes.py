"""What every store makes of the changes in a commit: their kinds, their events, and the curves that reports add to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tunewright.errors import InvalidInput, NotFound
from tunewright.records import (
    Change,
    Checkpoint,
    CommandHandled,
    Decision,
    Execution,
    JobState,
    Report,
    Reports,
    SpecChange,
    Trial,
)

WANTED_BY_COMMAND = {"stop": "stop", "pause": "pause", "resume": "run"}


class EventText(NamedTuple):
    """An event but for its number and time."""

    kind: str
    trial: int | None
    execution: int | None
    detail: str


def _trial(change: Trial) -> EventText:
    status = change.status.value
    return EventText("trial", change.number, None, f"{status}: {change.reason_code}" if change.reason_code else status)


def _execution(change: Execution) -> EventText:
    status = change.status.value
    detail = f"{status}: {change.failure.value}" if change.failure else status
    return EventText("execution", change.trial, change.number, detail)


def _reports(change: Reports) -> EventText:
    return EventText("reports", change.trial, change.execution, str(len(change.reports)))


def _checkpoint(change: Checkpoint) -> EventText:
    return EventText("checkpoint", change.trial, change.execution, f"step {change.step}")


def _decision(change: Decision) -> EventText:
    trial = None if change.trial < 0 else change.trial
    return EventText(
        "decision", trial, None, f"{change.action.value}: {change.reason}" if change.reason else change.action.value
    )


def _command(change: CommandHandled) -> EventText:
    return EventText("command", None, None, f"{change.id}: {change.answer}")


def _state(change: JobState) -> EventText:
    status = change.status.value
    return EventText("job", None, None, f"{status}: {change.reason_code}" if change.reason_code else status)


def _spec(_: SpecChange) -> EventText:
    return EventText("job", None, None, "specification changed")


_TEXTS: dict[type, Callable[[Any], EventText]] = {
    Trial: _trial,
    Execution: _execution,
    Reports: _reports,
    Checkpoint: _checkpoint,
    Decision: _decision,
    CommandHandled: _command,
    JobState: _state,
    SpecChange: _spec,
}


class Batch:
    """The changes of one commit by their type, each with its place in the commit, and their events.

    Trials come before their executions and those before everything else, whatever the order in the commit; of two changes
    of one row the later one stays.
    """

    __slots__ = ("_by_type", "events")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.events = [_TEXTS[type(change)](change) for change in changes]
        self._by_type: dict[type, list[tuple[int, Any]]] = {}
        for place, change in enumerate(changes):
            self._by_type.setdefault(type(change), []).append((place, change))

    @property
    def trials(self) -> Sequence[tuple[int, Trial]]:
        return self._by_type.get(Trial, ())

    @property
    def executions(self) -> Sequence[tuple[int, Execution]]:
        return self._by_type.get(Execution, ())

    @property
    def reports(self) -> Sequence[tuple[int, Reports]]:
        return self._by_type.get(Reports, ())

    @property
    def checkpoints(self) -> Sequence[tuple[int, Checkpoint]]:
        return self._by_type.get(Checkpoint, ())

    @property
    def decisions(self) -> Sequence[tuple[int, Decision]]:
        return self._by_type.get(Decision, ())

    @property
    def handled(self) -> Sequence[tuple[int, CommandHandled]]:
        return self._by_type.get(CommandHandled, ())

    @property
    def state(self) -> JobState | None:
        states = self._by_type.get(JobState)
        return states[-1][1] if states else None

    @property
    def spec(self) -> SpecChange | None:
        specs = self._by_type.get(SpecChange)
        return specs[-1][1] if specs else None


def no_job(name: str) -> NotFound:
    return NotFound("job", "must be in this store", name)


def no_trial(job: str, number: int) -> NotFound:
    return NotFound("trial", f"must be one of job {job!r}", number)


def no_execution(job: str, trial: int, number: int) -> NotFound:
    return NotFound("execution", f"must be one of trial {trial} of job {job!r}", number)


def no_command(job: str, number: int) -> NotFound:
    return NotFound("command", f"must be one to job {job!r}", number)


# --- reports ---


class Value(NamedTuple):
    """One reported value; `position` is its report's place in the execution."""

    position: int
    step: int
    value: float
    at: float


class Summary(NamedTuple):
    """Values of one metric in brief; `minimum` and `maximum` pass over NaN, and are NaN when there is nothing else."""

    size: int
    last: float
    minimum: float
    maximum: float
    last_step: int

    def plus(self, later: Summary) -> Summary:
        """This one and what came after it."""
        return Summary(
            self.size + later.size,
            later.last,
            _least((self.minimum, later.minimum)),
            _greatest((self.maximum, later.maximum)),
            later.last_step,
        )


def unseen(reports: Reports, held: int) -> tuple[int, Sequence[Report]]:
    """Those reports of which an execution that holds `held` ones has none yet, and the position of the first.

    Raises:
        InvalidInput: reports between those held and these are missing.
    """
    if reports.first > held:
        raise InvalidInput("reports.first", f"must be at most {held}, as many as the store holds", reports.first)
    return held, reports.reports[held - reports.first :]


def by_metric(first: int, reports: Sequence[Report]) -> dict[str, list[Value]]:
    """The values of consecutive reports, per metric in their order."""
    values: dict[str, list[Value]] = {}
    for position, report in enumerate(reports, first):
        for metric, value in report.metrics.items():
            try:
                row = Value(position, int(report.step), float(value), float(report.at))
            except (TypeError, ValueError):
                raise InvalidInput(f"metric {metric!r}", "must be a number", value) from None
            if metric in values:
                values[metric].append(row)
            else:
                values[metric] = [row]
    return values


def summarise(values: Sequence[Value]) -> Summary:
    """At least one value, in brief."""
    numbers = [value[2] for value in values]
    last = values[-1]
    return Summary(len(values), last.value, _least(numbers), _greatest(numbers), last.step)


def _least(numbers: Sequence[float]) -> float:
    return min((number for number in numbers if number == number), default=math.nan)


def _greatest(numbers: Sequence[float]) -> float:
    return max((number for number in numbers if number == number), default=math.nan)
