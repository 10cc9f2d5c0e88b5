"""What can be asked of a store: one frozen class per kind of row, typed by the row that it yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from tunewright.records import Checkpoint, Command, Decision, Event, Execution, Status, Trial, TuningJob

Row = TypeVar("Row", covariant=True)


class Query(Generic[Row]):
    """A question whose answer is rows of one type."""


@dataclass(frozen=True, slots=True)
class Jobs(Query[TuningJob]):
    """Jobs, newest first; `names` limits them to these."""

    names: tuple[str, ...] | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Trials(Query[Trial]):
    """Trials of a job by number, those that changed after event `since`.

    `order` is "number" or "newest" (last number first).
    """

    job: str
    numbers: tuple[int, ...] | None = None
    statuses: tuple[Status, ...] | None = None
    since: int = 0
    order: str = "number"
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Executions(Query[Execution]):
    """Executions of a job by trial and number."""

    job: str
    trial: int | None = None
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One reported value."""

    trial: int
    execution: int
    metric: str
    step: int
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class Points(Query[Point]):
    """Reported values of a job in the order in which they were stored, per trial, execution and metric."""

    job: str
    trial: int | None = None
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """All values of one metric in one trial, in brief.

    `last` and `last_step` are those of the value that was stored last; `minimum` and `maximum` pass over NaN, and are NaN
    when there is nothing else.
    """

    trial: int
    metric: str
    count: int
    last: float
    minimum: float
    maximum: float
    last_step: int


@dataclass(frozen=True, slots=True)
class AllSeries(Query[Series]):
    """The metrics of a job's trials in brief, by trial and name."""

    job: str
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoints(Query[Checkpoint]):
    """Whole checkpoints of a trial, oldest first."""

    job: str
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Decisions(Query[Decision]):
    """Decisions on a job's trials, oldest first."""

    job: str
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Commands(Query[Command]):
    """Commands to a job, oldest first."""

    job: str
    unhandled_only: bool = True


@dataclass(frozen=True, slots=True)
class Events(Query[Event]):
    """Events of a job after number `since`, in their order."""

    job: str
    since: int = 0
    limit: int | None = None
