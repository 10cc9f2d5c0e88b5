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
    """The changes of one commit by their type, in their order, and their events.

    Stores take trials first and their executions next, whatever the order in the commit; of two changes of one row the
    later one stays.
    """

    __slots__ = ("checkpoints", "decisions", "events", "executions", "handled", "reports", "spec", "state", "trials")

    def __init__(self, changes: Sequence[Change]) -> None:
        by_type: dict[type, list[Any]] = {}
        self.events: list[EventText] = []
        for change in changes:
            kind = type(change)
            self.events.append(_TEXTS[kind](change))
            if kind in by_type:
                by_type[kind].append(change)
            else:
                by_type[kind] = [change]
        of = by_type.get
        self.trials: Sequence[Trial] = of(Trial, ())
        self.executions: Sequence[Execution] = of(Execution, ())
        self.reports: Sequence[Reports] = of(Reports, ())
        self.checkpoints: Sequence[Checkpoint] = of(Checkpoint, ())
        self.decisions: Sequence[Decision] = of(Decision, ())
        self.handled: Sequence[CommandHandled] = of(CommandHandled, ())
        self.state: JobState | None = of(JobState, (None,))[-1]
        self.spec: SpecChange | None = of(SpecChange, (None,))[-1]


def no_job(name: str) -> NotFound:
    return NotFound("job", "must be in this store", name)


def no_trial(job: str, number: int) -> NotFound:
    return NotFound("trial", f"must be one of job {job!r}", number)


def no_execution(job: str, trial: int, number: int) -> NotFound:
    return NotFound("execution", f"must be one of trial {trial} of job {job!r}", number)


def no_command(job: str, number: int) -> NotFound:
    return NotFound("command", f"must be one to job {job!r}", number)


# --- reports ---


# One reported value: its report's position in the execution, the step, the value and the time. Plain tuples, for there are
# many: they cost a fifth of named ones.
Value = tuple[int, int, float, float]


class Summary(NamedTuple):
    """Values of one metric in brief; `minimum` and `maximum` pass over NaN, and are NaN when there is nothing else."""

    size: int
    last: float
    minimum: float
    maximum: float
    last_step: int

    def plus(self, later: Summary) -> Summary:
        """This one and what came after it."""
        minimum, maximum = self.minimum, self.maximum
        if not minimum <= later.minimum:  # also where this one is NaN
            minimum = later.minimum if later.minimum == later.minimum else minimum
        if not maximum >= later.maximum:
            maximum = later.maximum if later.maximum == later.maximum else maximum
        return Summary(self.size + later.size, later.last, minimum, maximum, later.last_step)


def unseen(reports: Reports, held: int) -> tuple[int, Sequence[Report]]:
    """Those reports of which an execution that holds `held` ones has none yet, and the position of the first.

    Raises:
        InvalidInput: reports between those held and these are missing.
    """
    if reports.first > held:
        raise InvalidInput("reports.first", f"must be at most {held}, as many as the store holds", reports.first)
    return held, reports.reports[held - reports.first :]


def by_metric(first: int, reports: Sequence[Report]) -> dict[str, list[Value]]:
    """The values of consecutive reports, per metric in their order; `first` is the position of the first report.

    Raises:
        InvalidInput: a value is no number.
    """
    values: dict[str, list[Value]] = {}
    for position, report in enumerate(reports, first):
        step, at = int(report.step), float(report.at)
        for metric, value in report.metrics.items():
            if type(value) is not float:
                value = _number(metric, value)
            if metric in values:
                values[metric].append((position, step, value, at))
            else:
                values[metric] = [(position, step, value, at)]
    return values


def _number(metric: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"metric {metric!r}", "must be a number", value) from None


def summarise(values: Sequence[Value]) -> Summary:
    """At least one value, in brief."""
    _, last_step, last, _ = values[-1]
    known = [value for _, _, value, _ in values if value == value]
    if not known:
        return Summary(len(values), last, math.nan, math.nan, last_step)
    return Summary(len(values), last, min(known), max(known), last_step)
