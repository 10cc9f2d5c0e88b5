"""The contract of `Executor` as tests.

class TestMine(ExecutorContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda behaviour, slots: MyExecutor(behaviour, slots=slots)

A `Behaviour` is a training function: called with the trial, it does what it says. An executor that doesn't call functions
is made to do the same in its own way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tunewright.interfaces import (
    Checkpointed,
    Dead,
    Executor,
    ExecutorEvent,
    Exited,
    Halt,
    Kill,
    Launch,
    Order,
    Reported,
    Started,
    Until,
    Waiting,
)
from tunewright.records import Execution, FailureKind, Report, Trial
from tunewright.report import Trial as RunningTrial

_LONGEST = 60.0  # seconds that a few executions may take before the test gives up


@dataclass(frozen=True)
class Behaviour:
    """A training function.

    Args:
        values: reported as the metric "loss" at steps 1, 2, ...; those up to the trial's own step are passed over.
        returned: what it returns.
        echo: it returns the parameter "x" and the seed instead; where nothing can be returned, it reports them at its end.
        error: the text of a RuntimeError that it raises at its end.
        checkpoints: it writes a checkpoint at each step before it reports.
        pause: seconds that each step takes.
    """

    values: tuple[float, ...] = ()
    returned: dict[str, float] | float | None = None
    echo: bool = False
    error: str | None = None
    checkpoints: bool = False
    pause: float = 0.0

    def __call__(self, trial: RunningTrial) -> dict[str, float] | float | None:
        for step, value in enumerate(self.values, start=1):
            if step <= trial.step:
                continue
            time.sleep(self.pause)
            if self.checkpoints:
                with trial.checkpoint(step=step) as folder:
                    (folder / "step.txt").write_text(str(step))
            trial.report(loss=value, step=step)
        if self.error is not None:
            raise RuntimeError(self.error)
        return self.result(trial.params["x"], trial.seed)

    def result(self, x: float, seed: int) -> dict[str, float] | float | None:
        """What it returns for a parameter and a seed."""
        return {"x": x, "seed": seed} if self.echo else self.returned


Make = Callable[[Behaviour, int], Executor]
Answer = Callable[[ExecutorEvent], Order | None]


@dataclass
class Watched:
    """What one execution was seen to do."""

    events: list[ExecutorEvent] = field(default_factory=list)

    @property
    def reports(self) -> list[Report]:
        return [report for event in self.events if isinstance(event, Reported) for report in event.reports]

    @property
    def checkpoints(self) -> list[Checkpointed]:
        return [event for event in self.events if isinstance(event, Checkpointed)]

    @property
    def exited(self) -> Exited:
        last = self.events[-1]
        assert isinstance(last, Exited)
        return last


def launch(folder: Path, number: int = 0, execution: int = 1, *, checkpoint: str | None = None, **fields: Any) -> Launch:
    """A launch of trial `number` with the parameter x = number / 4; `fields` are the execution's."""
    trial = Trial(number, {"x": number / 4}, seed=100 + number)
    token = f"{sha256(str(folder.absolute()).encode()).hexdigest()[:12]}-{number}-{execution}"  # no other test's
    return Launch(trial, Execution(number, execution, token, **fields), str(folder / f"{number:05d}"), checkpoint)


def follow(executor: Executor, launches: Sequence[Launch], answer: Answer | None = None) -> dict[str, Watched]:
    """Runs executions to their ends and checks the order of their events; `answer` gives orders from within `deliver`."""
    watched = {item.execution.token: Watched() for item in launches}
    waiting, running = list(reversed(launches)), set[str]()

    def deliver(event: ExecutorEvent) -> None:
        check_order(watched[event.token].events, event)
        watched[event.token].events.append(event)
        if isinstance(event, Exited):
            running.discard(event.token)
        if answer is not None and (order := answer(event)) is not None:
            executor.order(event.token, order)

    end = time.monotonic() + _LONGEST
    while waiting or running:
        while waiting and len(running) < executor.slots:
            running.add(waiting[-1].execution.token)
            executor.launch(waiting.pop())
        executor.poll(1.0, deliver)
        assert time.monotonic() < end, f"still running after {_LONGEST:g} s: {running}"
    return watched


def check_order(before: Iterable[ExecutorEvent], event: ExecutorEvent) -> None:
    """An execution starts once and first, after it may have waited, its reports are counted without gaps, and nothing comes
    after its end.
    """
    before = [*before]
    assert not any(isinstance(old, Exited) for old in before), f"{event} after the end"
    if isinstance(event, Waiting):
        assert all(isinstance(old, Waiting) for old in before), f"{event} after the start"
        return
    assert isinstance(event, Started) != any(isinstance(old, Started) for old in before) or isinstance(event, Exited)
    if isinstance(event, Reported):
        assert event.reports, "an event without reports"
        assert event.first == sum(len(old.reports) for old in before if isinstance(old, Reported))
    if isinstance(event, Exited):
        assert event.outcome in ("completed", "failed", "stopped", "paused", "lost", "released")
        assert (event.failure is not None) == (event.outcome in ("failed", "lost", "released"))


class ExecutorContract:
    """Subclass it, and override `make`."""

    writes_checkpoints = True  # to the file system
    returns_values = True  # what runs can return something, not only report it

    @pytest.fixture
    def make(self) -> Make:
        """Makes an executor of a behaviour, with at most so many slots."""
        pytest.fail("override the fixture `make`")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of the trials' folders."""
        return tmp_path / "trials"

    def test_an_execution_starts_reports_and_ends(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((3.0, 2.0, 1.0), returned={"loss": 0.5}), 1)
        seen = follow(executor, [only := launch(folder)])[only.execution.token]
        assert isinstance(seen.events[0], Started)
        assert [(report.step, dict(report.metrics)) for report in seen.reports] == [
            (1, {"loss": 3.0}),
            (2, {"loss": 2.0}),
            (3, {"loss": 1.0}),
        ]
        times = [report.at for report in seen.reports]
        assert times == sorted(times)
        assert times[-1] <= seen.exited.at
        assert (seen.exited.outcome, seen.exited.returned) == ("completed", {"loss": 0.5} if self.returns_values else None)
        executor.close()

    @pytest.mark.parametrize("returned", [None, 0.25, {"loss": 0.25, "val/auc": math.inf}])
    def test_what_is_returned_arrives(self, make: Make, folder: Path, returned: dict[str, float] | float | None) -> None:
        executor = make(Behaviour(returned=returned), 1)
        seen = follow(executor, [only := launch(folder)])[only.execution.token]
        assert seen.reports == []
        assert seen.exited.returned == (returned if self.returns_values else None)
        executor.close()

    def test_values_that_are_not_finite_arrive(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((math.nan, math.inf, -math.inf), returned=math.nan), 1)
        seen = follow(executor, [only := launch(folder)])[only.execution.token]
        assert [str(report.metrics["loss"]) for report in seen.reports] == ["nan", "inf", "-inf"]
        assert str(seen.exited.returned) == ("nan" if self.returns_values else "None")
        executor.close()

    def test_each_execution_has_its_own_parameters_and_seed(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,), echo=True), 2)
        launches = [launch(folder, number) for number in range(5)]
        seen = follow(executor, launches)
        for number, item in enumerate(launches):
            of_it = seen[item.execution.token]
            assert (of_it.exited.returned or of_it.reports[-1].metrics) == {"x": number / 4, "seed": 100 + number}
        executor.close()

    def test_a_failure_says_what_failed(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,), error="the data is gone"), 1)
        seen = follow(executor, [only := launch(folder)])[only.execution.token]
        assert len(seen.reports) == 1
        assert (seen.exited.outcome, seen.exited.returned) == ("failed", None)
        assert seen.exited.failure is not None
        assert seen.exited.failure.kind is FailureKind.CRASH
        assert "the data is gone" in seen.exited.failure.message
        assert "\n" not in seen.exited.failure.message
        executor.close()

    def test_decision_steps_are_not_passed_unasked(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour(tuple(range(1, 9)), returned=0.0), 1)
        until, asked = [2], list[int]()

        def answer(event: ExecutorEvent) -> Order | None:
            if not isinstance(event, Reported):
                return None
            last = event.reports[-1].step
            assert last <= until[0], "went past its decision step"
            if last < until[0]:
                return None
            asked.append(last)
            until[0] = {2: 3, 3: 6, 6: 99}[last]
            return Until(None if until[0] == 99 else until[0])

        seen = follow(executor, [only := launch(folder, until_step=2)], answer)[only.execution.token]
        assert asked == [2, 3, 6]
        assert [report.step for report in seen.reports] == list(range(1, 9))
        assert seen.exited.outcome == "completed"
        executor.close()

    @pytest.mark.parametrize(("action", "outcome"), [("stop", "stopped"), ("pause", "paused")])
    def test_an_order_at_a_decision_step_ends_it_there(self, make: Make, folder: Path, action: str, outcome: str) -> None:
        executor = make(Behaviour((1.0,) * 5, returned=0.0), 1)

        def answer(event: ExecutorEvent) -> Order | None:
            return Halt(action, "enough") if isinstance(event, Reported) and event.reports[-1].step >= 3 else None

        seen = follow(executor, [only := launch(folder, until_step=3)], answer)[only.execution.token]
        assert [report.step for report in seen.reports] == [1, 2, 3]
        assert (seen.exited.outcome, seen.exited.returned) == (outcome, None)
        executor.close()

    def test_a_paused_trial_goes_on_from_its_checkpoint(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((5.0, 4.0, 3.0, 2.0), returned=1.0, checkpoints=True), 1)

        def answer(event: ExecutorEvent) -> Order | None:
            return Halt("pause", "others first") if isinstance(event, Reported) and event.reports[-1].step == 2 else None

        first = launch(folder, until_step=2)
        seen = follow(executor, [first], answer)[first.execution.token]
        assert [found.step for found in seen.checkpoints] == [1, 2]
        path = seen.checkpoints[-1].path
        second = launch(folder, execution=2, checkpoint=path, from_step=2)
        again = follow(executor, [second])[second.execution.token]
        assert [(report.step, report.metrics["loss"]) for report in again.reports] == [(3, 3.0), (4, 2.0)]
        assert (again.exited.outcome, again.exited.returned) == ("completed", 1.0 if self.returns_values else None)
        if self.writes_checkpoints:
            assert Path(path, "step.txt").read_text() == "2"
        executor.close()

    def test_a_checkpoint_is_told_before_the_report_that_follows_it(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0, 2.0), checkpoints=True), 1)
        seen = follow(executor, [only := launch(folder)])[only.execution.token]
        steps = [
            (type(event), event.step if isinstance(event, Checkpointed) else event.reports[-1].step)
            for event in seen.events
            if isinstance(event, (Checkpointed, Reported))
        ]
        assert steps == [(Checkpointed, 1), (Reported, 1), (Checkpointed, 2), (Reported, 2)]
        executor.close()

    def test_an_order_that_comes_before_the_start_counts(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,) * 5, pause=0.01), 1)
        only = launch(folder)
        events = list[ExecutorEvent]()
        executor.launch(only)
        executor.order(only.execution.token, Halt("stop", "changed my mind"))
        end = time.monotonic() + _LONGEST
        while not (events and isinstance(events[-1], Exited)):
            executor.poll(1.0, events.append)
            assert time.monotonic() < end
        seen = Watched(events)
        assert seen.exited.outcome == "stopped"
        assert len(seen.reports) < 5
        executor.close()

    def test_a_kill_ends_it(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,) * 5, pause=0.2, returned=0.0), 1)

        def answer(event: ExecutorEvent) -> Order | None:
            return Kill("no more") if isinstance(event, Reported) else None

        seen = follow(executor, [only := launch(folder)], answer)[only.execution.token]
        assert seen.exited.outcome == "stopped"
        assert len(seen.reports) < 5
        executor.close()

    def test_orders_for_nothing_do_nothing(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0, 2.0), returned=0.0), 1)
        first, second = launch(folder, 0), launch(folder, 1)
        follow(executor, [first])
        for token in (first.execution.token, "unknown"):
            for order in (Until(3), Halt("stop", "late"), Kill("late")):
                executor.order(token, order)
        seen = follow(executor, [second])[second.execution.token]
        assert (len(seen.reports), seen.exited.outcome) == (2, "completed")
        executor.close()

    def test_what_never_ran_is_dead_and_left_nothing(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour(), 1)
        answer = executor.adopt(launch(folder))
        assert isinstance(answer, Dead)
        assert [*answer.harvest] == []
        executor.close()

    def test_an_error_of_the_caller_comes_back_to_it(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,) * 3, returned=0.0), 1)

        def deliver(event: ExecutorEvent) -> None:
            if isinstance(event, Reported):
                raise LookupError("the store is gone")

        def poll_until_reported() -> None:
            end = time.monotonic() + _LONGEST
            while time.monotonic() < end:
                executor.poll(1.0, deliver)

        executor.launch(launch(folder))
        with pytest.raises(LookupError, match="the store is gone"):
            poll_until_reported()
        executor.close()

    def test_close_ends_what_runs_and_may_be_repeated(self, make: Make, folder: Path) -> None:
        executor = make(Behaviour((1.0,) * 100, pause=0.2), 1)
        executor.launch(launch(folder))
        executor.close()
        executor.close()

    def test_polling_without_executions_hands_over_nothing(self, make: Make) -> None:
        executor = make(Behaviour(), 1)
        events = list[ExecutorEvent]()
        executor.poll(0.01, events.append)
        assert events == []
        executor.close()
