"""The records: what a store holds and a controller commits. Frozen; a change is a new record.

The life of a trial, and of a job:

    Pending ──> InProgress <──> Paused
       │            │   │          │
       │            │   └> Stopping│
       │            v         │    │
       └──────> Completed | Failed | Stopped

An execution is one launch of a trial: it is Launching when its token is committed, Running once the executor has
started it, and ends Completed, Failed, Stopped, Paused or Lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tunewright.frozen import changed, quick

Scalar = None | bool | int | float | str
Params = Mapping[str, Scalar]


class Status(StrEnum):
    """Where a trial or a job stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    PAUSED = "Paused"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


WAITS = "waits"  # the reason code of a trial in progress that can't start yet, for the reason that it has
TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})

TRIAL_MOVES: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED, Status.STOPPED}),
    Status.IN_PROGRESS: frozenset({Status.PAUSED, Status.STOPPING, *TERMINAL}),
    Status.PAUSED: frozenset({Status.IN_PROGRESS, *TERMINAL}),
    Status.STOPPING: frozenset({Status.PAUSED, *TERMINAL}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.STOPPED: frozenset(),
}

# A job that ended goes on when it is resumed with a larger limit, or after an interruption.
JOB_MOVES: Mapping[Status, frozenset[Status]] = {
    **TRIAL_MOVES,
    Status.STOPPING: frozenset({Status.IN_PROGRESS, *TERMINAL}),
    **{status: frozenset({Status.IN_PROGRESS}) for status in TERMINAL},
}


class Wanted(StrEnum):
    """What people asked of a job last."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


class Purpose(StrEnum):
    """Why an execution was launched."""

    SEARCH = "search"  # the first of its trial
    CONTINUE = "continue"  # after a pause, an interruption or a lost worker
    RETRY = "retry"  # after a failure, charged to the retry budget
    MEASURE = "measure"  # another fold or repeat of a trial
    FINAL = "final"  # a leading trial measured afresh at the end


class ExecutionStatus(StrEnum):
    LAUNCHING = "Launching"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    LOST = "Lost"


EXECUTION_OPEN = frozenset({ExecutionStatus.LAUNCHING, ExecutionStatus.RUNNING})


class FailureKind(StrEnum):
    """The class of a failure; each has a retry budget of its own."""

    CRASH = "crash"  # an exception, or the process died
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    MISSING_METRIC = "missing_metric"
    LOST = "lost"  # the worker or its controller vanished; continued, not charged


class Action(StrEnum):
    """What a stopper decides at a decision step."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


@quick
@dataclass(frozen=True, slots=True)
class Trial:
    """One numbered configuration.

    `objectives` holds one value per objective of the job, in their order, once there are some; `metrics` the last value of
    every metric; `step` the last step done; `origin` why it was proposed; `reason_code, reason` why it ended as it did, or
    for what it waits (`WAITS`); times are seconds since the epoch.
    """

    number: int
    params: Params
    seed: int
    origin: str = ""
    definition: str = "default"
    status: Status = Status.PENDING
    reason_code: str | None = None
    reason: str | None = None
    objectives: tuple[float, ...] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    feasible: bool = True
    step: int = 0
    executions: int = 0
    created: float = 0.0
    started: float | None = None
    ended: float | None = None

    @property
    def objective(self) -> float | None:
        """The value of the first objective, or None."""
        return self.objectives[0] if self.objectives else None

    @property
    def done(self) -> bool:
        return self.status in TERMINAL

    def to(self, status: Status, **changes: Any) -> Trial:
        """This trial in another status; an illegal move is a bug of ours."""
        assert status in TRIAL_MOVES[self.status], f"trial {self.number}: {self.status} -> {status}"
        return changed(self, status=status, **changes)


@quick
@dataclass(frozen=True, slots=True)
class Execution:
    """One launch of a trial. (trial, number) is unique in a job; `token` is unique everywhere.

    `reports` counts the reports that the store holds of it, so that a spool read twice adds none twice: the store counts
    them itself, whatever a committed execution says;
    `charged` whether a failure counted against the retry budget; `handle` is the executor's own text.
    """

    trial: int
    number: int
    token: str
    purpose: Purpose = Purpose.SEARCH
    fold: int = 0
    repeat: int = 0
    fidelity: float | None = None
    from_step: int = 0
    until_step: int | None = None
    status: ExecutionStatus = ExecutionStatus.LAUNCHING
    handle: str | None = None
    failure: FailureKind | None = None
    reason: str | None = None
    objectives: tuple[float, ...] | None = None
    reports: int = 0
    step: int = 0
    charged: bool = False
    started: float | None = None
    ended: float | None = None

    @property
    def open(self) -> bool:
        return self.status in EXECUTION_OPEN


@quick
@dataclass(frozen=True, slots=True)
class Report:
    """Metrics of one step of an execution. `at` is seconds since the epoch."""

    step: int
    metrics: Mapping[str, float]
    at: float


@quick
@dataclass(frozen=True, slots=True)
class Reports:
    """Consecutive reports of one execution; `first` is the position of the first one in it, from 0.

    Those that the store holds already are passed over; `first` may be at most as many as it holds.
    """

    trial: int
    execution: int
    first: int
    reports: Sequence[Report]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint of a trial: a folder's path, written up to and including `step`."""

    trial: int
    execution: int
    step: int
    path: str
    at: float


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What a stopper, a person or a limit decided about a running trial, and why. `until` goes with RUN."""

    action: Action
    reason: str
    until: int | None = None
    trial: int = -1
    step: int = 0
    by: str = ""
    at: float = 0.0

    def __post_init__(self) -> None:
        assert self.reason or self.action is Action.RUN, "a decision needs its reason"


@dataclass(frozen=True, slots=True)
class Command:
    """An order of a person or another process to a job's controller.

    Kinds and payloads: stop, pause, resume (nothing); stop_trial {"trial"}; enqueue {"params", "reason"}.
    """

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    id: int = 0
    at: float = 0.0
    handled: bool = False
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class CommandHandled:
    """A controller carried a command out, or says why not."""

    id: int
    answer: str


@quick
@dataclass(frozen=True, slots=True)
class Counts:
    """How many trials of a job are in each status."""

    pending: int = 0
    in_progress: int = 0
    paused: int = 0
    stopping: int = 0
    completed: int = 0
    failed: int = 0
    stopped: int = 0

    @property
    def total(self) -> int:
        return self.pending + self.in_progress + self.paused + self.stopping + self.ended

    @property
    def ended(self) -> int:
        return self.completed + self.failed + self.stopped


@quick
@dataclass(frozen=True, slots=True)
class JobState:
    """The part of a job that its controller writes; committed whole. `elapsed` is running time over the job's life, seconds."""

    status: Status = Status.PENDING
    reason_code: str | None = None
    reason: str | None = None
    counts: Counts = Counts()
    best: int | None = None
    best_objectives: tuple[float, ...] | None = None
    elapsed: float = 0.0
    started: float | None = None
    ended: float | None = None

    def to(self, status: Status, **changes: Any) -> JobState:
        """This state in another status; an illegal move is a bug of ours."""
        assert status in JOB_MOVES[self.status], f"job: {self.status} -> {status}"
        return changed(self, status=status, **changes)


@dataclass(frozen=True, slots=True)
class TuningJob:
    """One search.

    `spec` says what was asked for, as JSON; `owner, fence, lease_until` who controls it; `event` is its last event number.
    """

    name: str
    spec: Mapping[str, Any]
    state: JobState = JobState()
    kind: str = "tuning"
    namespace: str = "local"
    wanted: Wanted = Wanted.RUN
    folder: str | None = None
    created: float = 0.0
    owner: str | None = None
    fence: int = 0
    lease_until: float | None = None
    event: int = 0

    @property
    def status(self) -> Status:
        return self.state.status


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered change of a job.

    `kind` is trial, execution, reports, checkpoint, decision, job or command; `detail` says what changed.
    """

    number: int
    kind: str
    trial: int | None
    execution: int | None
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class SpecChange:
    """A job goes on with other limits: replaces its `spec`."""

    spec: Mapping[str, Any]


Change = Trial | Execution | Reports | Checkpoint | Decision | CommandHandled | JobState | SpecChange
