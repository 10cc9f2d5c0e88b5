"""The interfaces that the engine knows: Strategy, Stopper, Executor, Store, Clock.

Implementations are handed in; the engine sees nothing else of them. Each interface has a contract suite in
`tunewright.testing` that every implementation runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from tunewright.frozen import quick
from tunewright.queries import Query
from tunewright.records import Change, Checkpoint, Command, Decision, Execution, FailureKind, Params, Report, Trial, TuningJob

if TYPE_CHECKING:  # so that a command that only reads a store doesn't load numpy
    from tunewright.history import History
    from tunewright.objective import Objective
    from tunewright.space import SearchSpace

Row = TypeVar("Row")


# --- what strategies say ---


@quick
@dataclass(frozen=True, slots=True)
class New:
    """A configuration to try. `until` is the step of its first decision, None when there is none."""

    params: Params
    reason: str
    until: int | None = None
    definition: str = "default"


@dataclass(frozen=True, slots=True)
class Continue:
    """A paused trial to go on with, to the decision step `until` or to its end."""

    number: int
    reason: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A trial to execute on another fold or with another repeat."""

    number: int
    fold: int
    repeat: int
    reason: str


Proposal = New | Continue | Measure


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to propose before a running trial ends or reports."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nothing to propose any more: the job ends when what runs has ended."""

    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What a strategy is made for. `max_trials` and `max_step` are None when there is no such limit."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    seed: int
    max_trials: int | None = None
    max_parallel: int = 1
    max_step: int | None = None


class Strategy(Protocol):
    """Proposes configurations.

    A function of the history: the same problem and history give the same proposals, in any process or thread. An
    implementation may cache what it computed (fitted parameters, kept with the event number that they saw), but never
    depends on having been asked before. Randomness is `numpy.random.default_rng([seed, number])`, with the number of the
    trial being proposed. It never blocks and does no I/O. It is called from one thread at a time.
    """

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Wait | Exhausted:
        """At most `n` >= 1 proposals, at least one; each with its reason.

        The view is valid during the call; `history.freeze()` keeps it.
        """
        ...


class Stopper(Protocol):
    """May end or pause a running trial at its decision steps. A function of the history, like a Strategy."""

    def decide(self, history: History, number: int) -> Decision:
        """What becomes of trial `number`, whose last reported step is the end of `history.curve(number)`.

        Called before its launch too, when the curve is empty: RUN then says how far it may go unasked (`until=None`: to
        its end). PAUSE and STOP carry a reason.
        """
        ...


# --- what the engine orders of executors, and what they tell ---


@dataclass(frozen=True, slots=True)
class Placement:
    """What an execution has of its host.

    `cores` are those to keep to; `environment` is what shows it its GPUs, empty when it has none. `descriptor` is an open file
    that stands for all this: it is held for as long as a process has it open, so one that outlives the controller inherits it.
    """

    cores: tuple[int, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptor: int | None = None


@quick
@dataclass(frozen=True, slots=True)
class Launch:
    """All that an executor needs to start one execution.

    `folder` is the trial's folder (logs, spool, checkpoints, artifacts), `checkpoint` the last whole checkpoint's path,
    `placement` where it runs; None: where the executor thinks fit.
    """

    trial: Trial
    execution: Execution
    folder: str
    checkpoint: str | None = None
    placement: Placement | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Go on to this step before asking again; None: to the end."""

    step: int | None


@dataclass(frozen=True, slots=True)
class Halt:
    """End at the next report: pause or stop. After `grace` seconds the executor kills what still runs."""

    action: str  # "pause" or "stop"
    reason: str
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Kill:
    """End now, with the whole tree."""

    reason: str


Order = Until | Halt | Kill


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in an execution.

    `message` is one line; `where` names the place, so that equal failures can be told from different ones; `exception` is
    the live exception where there is one in this process.
    """

    kind: FailureKind
    message: str
    where: str = ""
    traceback: str = ""
    exception: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The execution can't start yet, for lack of what `reason` tells: a sentence that begins with `waits for`.

    It comes before Started, again when the reason changes.
    """

    token: str
    reason: str


@quick
@dataclass(frozen=True, slots=True)
class Started:
    """The execution runs, under this handle; the handle is committed, and given back on adoption."""

    token: str
    handle: str


@quick
@dataclass(frozen=True, slots=True)
class Reported:
    """Consecutive reports; `first` is the position of the first one in its execution, from 0."""

    token: str
    first: int
    reports: Sequence[Report]


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A whole checkpoint was written."""

    token: str
    step: int
    path: str
    at: float


@quick
@dataclass(frozen=True, slots=True)
class Exited:
    """The execution has ended, with its whole tree.

    `outcome` is completed, failed, stopped, paused (the training code obeyed, or was killed after the grace), lost (it
    vanished without a word; tolerated a few times) or released (given up on purpose, such as by Ctrl-C; always continued).
    `returned` is what the training code returned: metrics, a number for the first objective, or
    None.
    """

    token: str
    outcome: str
    at: float
    returned: dict[str, float] | float | None = None
    failure: Failure | None = None


ExecutorEvent = Waiting | Started | Reported | Checkpointed | Exited


@dataclass(frozen=True, slots=True)
class Adopted:
    """The execution still runs and is this executor's now; its events follow, reports from the first one on."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The execution doesn't run, nothing of it is left, and this is all that it left in its spool. A promise."""

    harvest: Sequence[ExecutorEvent] = ()


class Executor(Protocol):
    """Runs executions. Called from one thread, the controller's.

    An execution that was launched ends in exactly one Exited, whatever happens to it. Events of one execution arrive in
    the order in which they happened.
    """

    @property
    def slots(self) -> int:
        """How many executions it takes at once, those that it has included. It may be another number at the next look."""
        ...

    def launch(self, launch: Launch) -> None:
        """Starts an execution, or lets it wait for what it needs; returns at once. Never more than `slots` at a time."""
        ...

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Hands over what has happened, waiting at most `timeout` seconds for something to happen.

        `deliver` may call `order`, so an answer to a report at a decision step can be given before the report returns.
        """
        ...

    def order(self, token: str, order: Order) -> None:
        """Passes an order on; for an execution that has ended it does nothing."""
        ...

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """Takes over an execution that an earlier controller launched, or makes sure that nothing of it is left."""
        ...

    def close(self) -> None:
        """Kills what still runs, with its whole tree, and frees everything. Idempotent."""
        ...


class Clock(Protocol):
    """Seconds since the epoch; virtual in tests and simulations."""

    def now(self) -> float: ...


# --- the store ---


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write a job, for as long as nobody claims it after. `ttl` is the lease in seconds."""

    job: str
    number: int
    ttl: float


class Store(Protocol):
    """Holds jobs, trials, executions, reports, decisions, commands and their numbered events.

    Safe to use from several threads and processes. Every write is one transaction. Time is the database's.

    Attributes:
        location: where it is, for people, without any password; None in memory only.
        folder: where the files of its jobs go; None: to a temporary folder.
    """

    location: str | None
    folder: str | None

    def create(self, job: TuningJob) -> None:
        """Adds a job that has not begun; `created` 0 becomes now. Raises JobExists, InvalidInput.

        Event 1 says so. Being claimed and released are events, too.
        """
        ...

    def claim(self, job: str, owner: str, ttl: float, *, evict: str | None = None) -> Fence | None:
        """Takes control of a job: None while another owner's lease lasts, unless that owner is `evict` (known to be dead).

        The same owner claiming again is another controller. Raises NotFound.
        """
        ...

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        """Stores the changes, all or none, each as one numbered event, and renews the lease.

        A record replaces the one with its key; reports are added; a decision made at 0 gets the present time. The order of
        the changes matters only between those of one row. No changes: only the lease is renewed. A lease that ran out holds
        until somebody else claims the job. Returns the job's last event number.
        Raises, having written nothing: LeaseLost, StoreFull, StoreBusy; NotFound when a change is about a trial, execution or
        command that isn't there; InvalidInput when reports are missing before these, or a value can't be stored. Raises
        StoreUnreachable, after which the changes may be stored or not.
        """
        ...

    def release(self, fence: Fence) -> None:
        """Gives control up; nothing happens when it was lost already, or can't be written: then the lease ends by itself."""
        ...

    def request(self, job: str, command: Command) -> int:
        """Leaves a command for the job's controller and returns its id; ids grow. Raises NotFound.

        In the same transaction, stop, pause and resume set what is wanted of the job.
        """
        ...

    def delete(self, job: str, *, evict: str | None = None) -> bool:
        """Removes a job with all that is stored of it: False while an owner's lease lasts, unless that owner is `evict`.

        Its files aren't the store's. Raises NotFound.
        """
        ...

    def read(self, query: Query[Row]) -> Iterator[Row]:
        """The rows that a query asks for, in its order, as of the moment of the call. Raises NotFound for an unknown job."""
        ...

    def wait(self, job: str, since: int, timeout: float) -> int:
        """The job's last event number, as soon as it is greater than `since`, or after `timeout` seconds. Raises NotFound."""
        ...

    def close(self) -> None:
        """Frees connections. Idempotent."""
        ...


__all__ = [
    "Adopted", "Checkpoint", "Checkpointed", "Clock", "Continue", "Dead", "Executor", "ExecutorEvent", "Exhausted", "Exited",
    "Failure", "Fence", "Halt", "Kill", "Launch", "Measure", "New", "Order", "Placement", "Problem", "Proposal", "Reported",
    "Started", "Stopper", "Store", "Strategy", "Until", "Wait", "Waiting",
]  # fmt: skip
