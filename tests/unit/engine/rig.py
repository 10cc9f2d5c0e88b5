"""A controller with a scripted strategy and a scripted executor, on a store in memory, in virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunewright.engine.controller import Controller, Parts
from tunewright.engine.listener import Silent
from tunewright.history import History
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Clock,
    Dead,
    Executor,
    ExecutorEvent,
    Exhausted,
    Exited,
    Failure,
    Fence,
    Halt,
    Launch,
    New,
    Order,
    Proposal,
    Reported,
    Started,
    Stopper,
    Store,
    Strategy,
    Wait,
)
from tunewright.objective import Objective
from tunewright.queries import Commands, Decisions, Events, Executions, Jobs, Points, Trials
from tunewright.records import (
    Action,
    Command,
    Decision,
    Execution,
    FailureKind,
    JobState,
    Params,
    Report,
    Status,
    Trial,
    TuningJob,
)
from tunewright.space import Float, SearchSpace
from tunewright.spec import JobSpec, Limits, Retries
from tunewright.store.memory import MemoryStore
from tunewright.testing.clock import FakeClock

LOSS = Objective("loss")
SPACE = SearchSpace({"x": Float(0.0, 1000.0)})
JOB = "job"
Answer = Sequence[Proposal] | Wait | Exhausted
Make = Callable[[str, float], ExecutorEvent]  # an event of an execution, given its token and the time
Play = Callable[[Launch], Sequence[Make]]


# --- what an execution does ---


def started() -> Make:
    return lambda token, at: Started(token, f"handle of {token}")


def reported(step: int, *, first: int | None = None, **metrics: float) -> Make:
    """A report; its position is its step less one, as when every step is reported from 1 on."""
    return lambda token, at: Reported(token, step - 1 if first is None else first, [Report(step, metrics, at)])


def checkpointed(step: int) -> Make:
    return lambda token, at: Checkpointed(token, step, f"step-{step}", at)


def completed(returned: dict[str, float] | float | None = None) -> Make:
    return lambda token, at: Exited(token, "completed", at, returned)


def failed(kind: FailureKind = FailureKind.CRASH, message: str = "ValueError: bad", where: str = "train.py:1 in f") -> Make:
    return lambda token, at: Exited(token, "failed", at, failure=Failure(kind, message, where, "Traceback ..."))


def ended(outcome: str, returned: float | None = None) -> Make:
    return lambda token, at: Exited(token, outcome, at, returned)


def lost() -> Make:
    return ended("lost")


# --- the parts ---


class Planned:
    """A strategy that answers by a function of the history; what it was asked is kept."""

    def __init__(self, plan: Callable[[History, int], Answer]) -> None:
        self._plan = plan
        self.asked: list[tuple[int, int]] = []

    def suggest(self, history: History, n: int) -> Answer:
        self.asked.append((len(history), n))
        return self._plan(history, n)


def counting(limit: int | None = None, until: int | None = None) -> Planned:
    """x = 0, 1, 2 ..., exhausted after `limit` ones."""

    def plan(history: History, n: int) -> Answer:
        numbers = range(history.next_number, history.next_number + n)
        wanted = [number for number in numbers if limit is None or number < limit]
        return [New({"x": float(number)}, "next", until) for number in wanted] or Exhausted(f"all {limit} were tried")

    return Planned(plan)


@dataclass
class Judge:
    """A stopper by a function of (number, last step), with the decisions it made; 0 is asked before a launch."""

    rule: Callable[[int, int], Decision]
    made: list[tuple[int, int, Decision]] = field(default_factory=list)

    def decide(self, history: History, number: int) -> Decision:
        steps, _ = history.curve(number)
        step = int(steps[-1]) if len(steps) else 0
        decision = self.rule(number, step)
        self.made.append((number, step, decision))
        return decision


def run_on(until: int | None = None, reason: str = "") -> Decision:
    return Decision(Action.RUN, reason, until)


class Scripted:
    """An executor whose executions do what `play` says, one event per poll, taking turns.

    An execution that is ordered to end does so at its next turn, in place of what it would have done, unless its number is
    among the `deaf`. Time passes by a second per event, or by the timeout when nothing happens.
    """

    def __init__(self, play: Play, *, slots: int = 1, clock: FakeClock | None = None, deaf: Iterable[int] = ()) -> None:
        self.slots, self.clock, self._play, self._deaf = slots, clock or FakeClock(), play, frozenset(deaf)
        self.launched: list[Launch] = []
        self.running: dict[str, deque[Make]] = {}
        self.orders: list[tuple[int, Order]] = []
        self.adopted: list[Launch] = []
        self.answers: dict[int, Adopted | Dead] = {}  # by trial, to `adopt`; Dead without harvest when missing
        self.closed = 0
        self.idle = 0  # in that many polls nothing happens
        self.on_poll: Callable[[Scripted], None] = lambda executor: None
        self.polls = 0
        self._trials: dict[str, int] = {}
        self._order: dict[str, Order] = {}

    def launch(self, launch: Launch) -> None:
        assert not self.closed
        assert len(self.running) < self.slots, "more executions than slots"
        token = launch.execution.token
        assert token not in self._trials, "a token is launched once"
        self.launched.append(launch)
        self._trials[token] = launch.trial.number
        self.running[token] = deque([started(), *self._play(launch)])

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        self.polls += 1
        assert self.polls < 5_000, "the job doesn't end"
        self.on_poll(self)
        token = next((token for token in self.running if self._ready(token)), None)
        if token is None or self.idle > 0:
            self.idle -= 1
            self.clock.advance(timeout)
            return
        self.clock.advance(1.0)
        rest = self.running.pop(token)
        order = self._order.get(token)
        if isinstance(order, Halt) and self._trials[token] not in self._deaf:
            event: ExecutorEvent = Exited(token, "stopped" if order.action == "stop" else "paused", self.clock.now())
        else:
            event = rest.popleft()(token, self.clock.now())
        if not isinstance(event, Exited):
            self.running[token] = rest  # at the end of the line
        deliver(event)

    def order(self, token: str, order: Order) -> None:
        self.orders.append((self._trials.get(token, -1), order))
        self._order[token] = order

    def adopt(self, launch: Launch) -> Adopted | Dead:
        self.adopted.append(launch)
        self._trials[launch.execution.token] = launch.trial.number
        answer = self.answers.get(launch.trial.number, Dead())
        if isinstance(answer, Adopted):
            self.running[launch.execution.token] = deque(self._play(launch))
        return answer

    def close(self) -> None:
        self.closed += 1
        self.running.clear()

    def _ready(self, token: str) -> bool:
        return bool(self.running[token]) or isinstance(self._order.get(token), Halt)


class Heard(Silent):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, Status]] = []
        self.messages: list[str] = []
        self.states: list[JobState] = []

    def trial_ended(self, trial: Trial) -> None:
        self.ended.append((trial.number, trial.status))

    def state_changed(self, state: JobState) -> None:
        self.states.append(state)

    def message(self, text: str) -> None:
        self.messages.append(text)


class Rig:
    """A job in a store, and what its controllers are made of."""

    def __init__(
        self,
        strategy: Strategy,
        executor: Executor | Play,
        *,
        slots: int = 1,
        stopper: Stopper | None = None,
        store: Store | None = None,
        max_trials: int | None = None,
        max_time: float | None = None,
        objectives: tuple[Objective, ...] = (LOSS,),
        space: SearchSpace = SPACE,
        retries: Retries | None = None,
        seed: int = 7,
        **spec: Any,
    ) -> None:
        made: Any = Scripted(executor, slots=slots) if callable(executor) else executor
        self.executor = made
        self.clock: Clock = self.executor.clock if isinstance(self.executor, Scripted) else made
        self.store: Store = store or MemoryStore(self.clock)
        self.strategy, self.stopper = strategy, stopper
        self.heard = Heard()
        limits = Limits(max_trials, max_time)
        self.spec = JobSpec(space, objectives, limits, seed, retries=retries or Retries(), **spec)
        if not [*self.store.read(Jobs(names=(JOB,)))]:
            self.store.create(TuningJob(JOB, self.spec.to_json()))

    def claim(self, owner: str = "me", ttl: float = 30.0) -> Fence:
        fence = self.store.claim(JOB, owner, ttl)
        assert fence is not None
        return fence

    def controller(self, fence: Fence) -> Controller:
        parts = Parts(self.strategy, self.stopper, self.executor, self.store, self.clock, self.heard)
        return Controller(self.job, self.spec, parts, fence, "/nowhere")

    def run(self) -> JobState:
        """A whole run: claimed, and given up at its end whatever happens."""
        fence = self.claim()
        try:
            return self.controller(fence).run()
        finally:
            self.store.release(fence)

    def again(self, executor: Executor | Play, *, slots: int = 1, **parts: Any) -> Rig:
        """Another controller's rig for the same job in the same store; its clock begins where this one's stands."""
        made: Any = executor
        if callable(executor):
            made = Scripted(executor, slots=slots, clock=FakeClock(self.clock.now()))
        options: dict[str, Any] = {
            "stopper": self.stopper, "max_trials": self.spec.limits.max_trials, "max_time": self.spec.limits.max_time,
            "objectives": self.spec.objectives, "retries": self.spec.retries, "seed": self.spec.seed,
            "max_step": self.spec.max_step, "requirements": self.spec.requirements,
        }  # fmt: skip
        strategy = parts.pop("strategy", self.strategy)
        return Rig(strategy, made, store=self.store, **{**options, **parts})

    # --- what the store holds ---

    @property
    def job(self) -> TuningJob:
        (job,) = self.store.read(Jobs(names=(JOB,)))
        return job

    @property
    def state(self) -> JobState:
        return self.job.state

    @property
    def trials(self) -> list[Trial]:
        return [*self.store.read(Trials(JOB))]

    @property
    def executions(self) -> list[Execution]:
        return [*self.store.read(Executions(JOB))]

    @property
    def decisions(self) -> list[Decision]:
        return [*self.store.read(Decisions(JOB))]

    @property
    def commands(self) -> list[Command]:
        return [*self.store.read(Commands(JOB, unhandled_only=False))]

    @property
    def events(self) -> list[str]:
        return [f"{event.kind} {event.trial} {event.detail}" for event in self.store.read(Events(JOB))]

    def points(self, metric: str = "loss") -> list[tuple[int, int, int, float]]:
        """Trial, execution, step and value of what was reported."""
        return [(p.trial, p.execution, p.step, p.value) for p in self.store.read(Points(JOB, metric=metric))]

    def request(self, kind: str, by: str = "", **payload: object) -> int:
        return self.store.request(JOB, Command(kind, payload, by))

    def check(self) -> None:
        """Counts equal rows, and the best trial is the best of the rows."""
        trials, counts = self.trials, self.state.counts
        found = dict.fromkeys(Status, 0)
        for trial in trials:
            found[trial.status] += 1
        assert [*found.values()] == [
            counts.pending, counts.in_progress, counts.paused, counts.stopping, counts.completed, counts.failed, counts.stopped
        ]  # fmt: skip
        assert [trial.number for trial in trials] == [*range(len(trials))]
        objective = self.spec.objectives[0]
        able = [t for t in trials if t.status is Status.COMPLETED and t.feasible]
        best = None if self.state.best is None else trials[self.state.best]
        assert (best is None) == (not able)
        if best is not None:
            assert best in able
            assert best.objectives == self.state.best_objectives
            assert best.objective == objective.best(t.objective for t in able if t.objective is not None)


def loss_of(params: Params) -> float:
    """The loss of a configuration in these tests: x itself."""
    value = params["x"]
    assert isinstance(value, float)
    return value


def at_once(launch: Launch) -> Sequence[Make]:
    """Completes at once with its loss."""
    return [completed(loss_of(launch.trial.params))]
