"""The engine under anything that an executor, a strategy, a stopper and people may do, and under kills at any moment."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.failing_store import FailingStore, Killed
from tests.unit.engine.records_check import check_events
from tests.unit.engine.rig import JOB, SPACE, Answer, Rig
from tunewright.history import History
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Continue,
    Dead,
    ExecutorEvent,
    Exhausted,
    Exited,
    Failure,
    Halt,
    Launch,
    Measure,
    New,
    Order,
    Reported,
    Started,
    Wait,
)
from tunewright.objective import Objective
from tunewright.records import Action, Command, Decision, FailureKind, JobState, Report, Status
from tunewright.spec import Retries
from tunewright.store.memory import MemoryStore
from tunewright.testing.clock import FakeClock

VALUES = [1.0, 2.0, 3.0, 0.5, math.nan, math.inf]
TRIALS = 6


@dataclass
class Running:
    """An execution as the executor knows it."""

    launch: Launch
    reports: list[Report] = field(default_factory=list)
    step: int = 0
    order: Order | None = None


class Wild:
    """An executor that does anything that it may, in any order: also reports twice, and speaks of what has ended."""

    def __init__(self, random: Random, slots: int, clock: FakeClock, patience: int) -> None:
        self.slots, self.clock, self.random, self.left = slots, clock, random, patience
        self.running: dict[str, Running] = {}
        self.over: list[str] = []
        self.reported: Counter[str] = Counter()
        self.interrupt: Callable[[], None] = lambda: None
        self.ask: Callable[[Random], None] = lambda random: None
        self.polls = 0

    def launch(self, launch: Launch) -> None:
        assert launch.execution.token not in self.running
        assert launch.execution.token not in self.over
        assert len(self.running) < self.slots
        self.running[launch.execution.token] = Running(launch, step=launch.execution.from_step)

    def order(self, token: str, order: Order) -> None:
        if token in self.running:
            self.running[token].order = order

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """What an earlier executor had is dead here, with a part of what it did in its spool, or still runs."""
        token = launch.execution.token
        known = Running(launch, step=launch.execution.step)
        if self.random.random() < 0.3 and len(self.running) < self.slots:
            self.running[token] = known
            return Adopted()
        self.over.append(token)
        return Dead([self._exit(token, known)] if self.random.random() < 0.5 else [])

    def close(self) -> None:
        self.running.clear()

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        self.polls += 1
        assert self.polls < 3_000, "the job doesn't end"
        self.clock.advance(self.random.choice([0.0, 0.01, 0.1, 1.0]))
        self.left -= 1
        if self.left == 0:
            self.interrupt()
        if self.random.random() < 0.15:
            self.ask(self.random)
        if self.over and self.random.random() < 0.2:
            deliver(self._late(self.random.choice(self.over)))
        if not self.running:
            return
        token = self.random.choice([*self.running])
        deliver(self._event(token, self.running[token]))

    def _event(self, token: str, running: Running) -> ExecutorEvent:
        choice = self.random.random()
        if isinstance(running.order, Halt) and choice < 0.5:
            return self._end(token, "stopped" if running.order.action == "stop" else "paused")
        if choice < 0.15:
            return Started(token, "handle")
        if choice < 0.3:
            return Checkpointed(token, running.step, f"step-{running.step}", self.clock.now())
        if choice < 0.7:
            return self._report(token, running)
        return self._exit(token, running)

    def _report(self, token: str, running: Running) -> Reported:
        """New reports, sometimes together with some that came before."""
        first = self.random.randint(max(0, len(running.reports) - 2), len(running.reports))
        for _ in range(self.random.randint(1, 3)):
            running.step += 1
            running.reports.append(Report(running.step, {"loss": self.random.choice(VALUES)}, self.clock.now()))
        self.reported[token] = len(running.reports)
        return Reported(token, first, running.reports[first:])

    def _exit(self, token: str, running: Running) -> Exited:
        self.running.pop(token, None)
        outcome = self.random.choice(["completed"] * 4 + ["failed", "failed", "lost", "stopped", "paused"])
        if outcome == "paused" and not isinstance(running.order, Halt):
            outcome = "lost"
        return self._end(token, outcome)

    def _end(self, token: str, outcome: str) -> Exited:
        self.running.pop(token, None)
        self.over.append(token)
        failure = None
        if outcome == "failed":
            kind = self.random.choice([FailureKind.CRASH, FailureKind.TIMEOUT, FailureKind.OUT_OF_MEMORY])
            failure = Failure(kind, f"error {self.random.random()}")
        returned = self.random.choice([None, *VALUES]) if outcome in ("completed", "stopped") else None
        return Exited(token, outcome, self.clock.now(), returned, failure)

    def _late(self, token: str) -> ExecutorEvent:
        """Something of an execution that has ended."""
        report = Report(99, {"loss": -1000.0}, self.clock.now())  # would be the best, if it counted
        events: list[ExecutorEvent] = [
            Reported(token, self.reported[token], [report]),
            Exited(token, "completed", self.clock.now(), -1000.0),
            Exited(token, "lost", self.clock.now()),
            Started(token, "late"),
            Checkpointed(token, 99, "late", self.clock.now()),
        ]
        return self.random.choice(events)


class Whim:
    """A strategy and stopper that do anything that they may, by the history and a seed alone, but for a bound on measures."""

    def __init__(self, seed: int) -> None:
        self._seed, self._measures = seed, 10

    def suggest(self, history: History, n: int) -> Answer:
        random = Random(f"{self._seed} {history.codes.tolist()} {history.values.tolist()} {n}")
        paused, done = history.numbers[history.mask(Status.PAUSED)], history.numbers[history.mask(Status.COMPLETED)]
        choice = random.random()
        if len(paused) and choice < 0.5:
            return [Continue(int(random.choice(paused)), "goes on", random.choice([None, 3, 9]))]
        if len(done) and choice < 0.6 and self._measures > 0:
            self._measures -= 1
            return [Measure(int(random.choice(done)), random.randint(0, 2), random.randint(0, 1), "again")]
        if choice < 0.7 and history.pending.any():
            return Wait("for something")
        if choice < 0.72 and len(history) > 3:
            return Exhausted("of a whim")
        first = history.next_number
        until = random.choice([None, 2])
        return [New({"x": float(first + i)}, "new", until) for i in range(random.randint(1, n))]

    def decide(self, history: History, number: int) -> Decision:
        steps, values = history.curve(number)
        step = int(steps[-1]) if len(steps) else 0
        random = Random(f"{self._seed} {number} {step} {values.tolist()}")
        action = random.choice([Action.RUN, Action.RUN, Action.RUN, Action.PAUSE, Action.STOP]) if step else Action.RUN
        if action is Action.RUN:
            return Decision(action, random.choice(["", "fine"]), random.choice([None, step + 1, step + 2]))
        return Decision(action, "a whim")


def ask_for_anything(rig: Rig, random: Random) -> None:
    """A command of any kind, valid or not; few that end or hold the job."""
    kind = random.choice(["stop_trial", "enqueue", "enqueue", "pause", "resume", "resume", "nonsense"])
    number = random.randint(-1, TRIALS)
    payloads: dict[str, dict[str, object]] = {"stop_trial": {"trial": number}, "enqueue": {"params": {"x": 100.0 * number}}}
    rig.store.request(JOB, Command(kind, payloads.get(kind, {})))
    if kind == "pause":
        rig.request("resume")


def make(random: Random, store: MemoryStore, clock: FakeClock, slots: int, patience: int) -> tuple[Rig, Wild]:
    executor = Wild(random, slots, clock, patience)
    whim = Whim(7)
    rig = Rig(
        whim, executor, stopper=whim, store=store, max_trials=TRIALS, retries=Retries(crash=1, timeout=2, not_finite=1),
        objectives=(Objective("loss", target=0.1),), space=SPACE,
    )  # fmt: skip
    rig.clock = clock
    executor.ask = lambda random: ask_for_anything(rig, random)
    return rig, executor


def run(rig: Rig, executor: Wild) -> JobState:
    fence = rig.claim()
    controller = rig.controller(fence)
    executor.interrupt = controller.interrupt
    try:
        return controller.run()
    finally:
        rig.store.release(fence)


@given(st.integers(0, 2**32), st.integers(1, 4), st.lists(st.integers(1, 25), max_size=4))
@settings(max_examples=150)
def test_rows_and_counters_agree_whatever_happens(seed: int, slots: int, interruptions: list[int]) -> None:
    random, clock = Random(seed), FakeClock()
    store = MemoryStore(clock)
    for patience in [*interruptions, -1]:
        rig, executor = make(random, store, clock, slots, patience)
        state = run(rig, executor)
        rig.check()
        check_events(rig)
        assert state == rig.state
        assert state.reason
        assert not executor.running
        assert state.counts.total <= TRIALS
        if state.reason_code != "interrupted":
            break
    assert state.reason_code != "interrupted"
    assert all(trial.done for trial in rig.trials)
    assert all(value > -1000.0 for _, _, _, value in rig.points() if not math.isnan(value))
    assert state.best_objectives is None or state.best_objectives[0] > -1000.0


@given(st.integers(0, 2**32), st.integers(1, 3), st.lists(st.integers(1, 30), min_size=1, max_size=6), st.booleans())
@settings(max_examples=150)
def test_a_job_killed_at_any_commits_ends_all_the_same(seed: int, slots: int, kills: list[int], after: bool) -> None:
    random, clock = Random(seed), FakeClock()
    store = MemoryStore(clock)
    rig, executor = make(random, store, clock, slots, -1)
    for commit in kills:
        rig.store = FailingStore(store, commit, after=after)
        try:
            run(rig, executor)
            break
        except Killed:
            rig, executor = make(random, store, clock, slots, -1)
            rig.check()
            check_events(rig, ended=False)
    rig.store = store
    state = run(rig, executor)
    rig.check()
    check_events(rig)
    assert all(trial.done for trial in rig.trials)
    assert state.counts.total <= TRIALS
