"""Folds, repeats, and what becomes of the best trial when it is measured again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from tests.unit.engine.rig import LOSS, Answer, Make, Planned, Rig, Scripted, completed, failed, lost, reported
from tunewright.errors import InvalidInput
from tunewright.history import History
from tunewright.interfaces import Exhausted, Launch, Measure, New, Wait
from tunewright.objective import Objective, requirements
from tunewright.records import Counts, ExecutionStatus, Purpose, Status
from tunewright.spec import trial_seed


def then(trials: int, *measures: Measure | list[Measure]) -> Planned:
    """So many trials, then these measures, one answer after the other; each waits for what runs."""
    left = list(measures)

    def plan(history: History, n: int) -> Answer:
        if len(history) < trials:
            return [New({"x": float(len(history))}, "next")]
        if history.pending.any():
            return Wait("the first values")
        if not left:
            return Exhausted("all was measured")
        answer = left.pop(0)
        return answer if isinstance(answer, list) else [answer]

    return Planned(plan)


def valued(values: dict[tuple[int, int, int], float]) -> object:
    """A play by (trial, fold, repeat)."""

    def play(launch: Launch) -> Sequence[Make]:
        execution = launch.execution
        return [completed(values[execution.trial, execution.fold, execution.repeat])]

    return play


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("mean", 4.0), ("median", 3.0), ("worst", 8.0), ("last", 8.0)]
)  # fmt: skip
def test_folds_become_one_value_as_the_objective_says(
    aggregate: Literal["mean", "median", "worst", "last"], expected: float
) -> None:
    values = {(0, 0, 0): 1.0, (0, 1, 0): 3.0, (0, 2, 0): 8.0}
    plan = then(1, Measure(0, 1, 0, "fold"), Measure(0, 2, 0, "fold"))
    rig = Rig(plan, valued(values), max_trials=1, objectives=(Objective("loss", aggregate=aggregate),))  # type: ignore[arg-type]
    state = rig.run()
    assert state.counts == Counts(completed=1)
    assert rig.trials[0].objective == expected
    assert (state.best, state.best_objectives) == (0, (expected,))
    assert [(e.purpose, e.fold, e.objectives) for e in rig.executions] == [
        (Purpose.SEARCH, 0, (1.0,)), (Purpose.MEASURE, 1, (3.0,)), (Purpose.MEASURE, 2, (8.0,))
    ]  # fmt: skip
    assert (rig.trials[0].executions, rig.trials[0].status) == (3, Status.COMPLETED)
    rig.check()


def test_folds_that_run_side_by_side_have_numbers_of_their_own_and_all_count() -> None:
    values = {(0, fold, 0): float(fold) for fold in range(5)}
    plan = then(1, [Measure(0, fold, 0, "fold") for fold in range(1, 5)])
    rig = Rig(plan, valued(values), slots=4, max_trials=1)  # type: ignore[arg-type]
    rig.run()
    assert [execution.number for execution in rig.executions] == [1, 2, 3, 4, 5]
    assert len({execution.token for execution in rig.executions}) == 5
    assert (rig.trials[0].objective, rig.trials[0].executions) == (2.0, 5)
    rig.check()


def test_the_newest_execution_of_a_fold_counts() -> None:
    seen: list[float] = []

    def play(launch: Launch) -> Sequence[Make]:
        seen.append(10.0 if launch.execution.number == 1 else 2.0 if launch.execution.fold == 0 else 4.0)
        return [completed(seen[-1])]

    plan = then(1, Measure(0, 1, 0, "fold"), Measure(0, 0, 0, "the first one again"))
    rig = Rig(plan, play, max_trials=1)
    rig.run()
    assert seen == [10.0, 4.0, 2.0]
    assert rig.trials[0].objective == 3.0


@pytest.mark.parametrize("slots", [1, 3])
def test_the_best_trial_is_chosen_afresh_when_it_turns_out_worse(slots: int) -> None:
    values = {(0, 0, 0): 1.0, (1, 0, 0): 2.0, (2, 0, 0): 3.0, (0, 0, 1): 9.0}
    rig = Rig(then(3, Measure(0, 0, 1, "repeat")), valued(values), slots=slots, max_trials=3)  # type: ignore[arg-type]
    state = rig.run()
    assert (state.best, state.best_objectives) == (1, (2.0,))
    assert rig.trials[0].objective == 5.0
    rig.check()


def test_a_trial_that_turns_out_better_becomes_the_best() -> None:
    values = {(0, 0, 0): 2.0, (1, 0, 0): 3.0, (1, 0, 1): 0.0}
    rig = Rig(then(2, Measure(1, 0, 1, "repeat")), valued(values), max_trials=2)  # type: ignore[arg-type]
    assert (rig.run().best, rig.trials[1].objective) == (1, 1.5)
    rig.check()


def test_a_measure_outside_of_a_required_limit_takes_the_best_trial_out() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        slow = launch.execution.purpose is Purpose.MEASURE
        return [completed({"loss": float(launch.trial.number), "latency": 50.0 if slow else 5.0})]

    plan = then(2, Measure(0, 0, 1, "repeat"))
    rig = Rig(plan, play, max_trials=2, requirements=requirements({"latency": "<= 20"}))
    assert rig.run().best == 1
    assert not rig.trials[0].feasible
    rig.check()


def test_a_repeat_has_a_seed_of_its_own_and_a_fold_has_not() -> None:
    plan = then(1, Measure(0, 1, 0, "fold"), Measure(0, 0, 1, "repeat"))
    rig = Rig(plan, lambda launch: [completed(1.0)], max_trials=1, seed=5)
    rig.run()
    seeds = [launch.trial.seed for launch in rig.executor.launched]
    assert seeds == [trial_seed(5, 0), trial_seed(5, 0), trial_seed(5, 0, 1)]
    assert rig.trials[0].seed == trial_seed(5, 0)


@pytest.mark.parametrize("end", [failed(), lost()])
def test_a_measure_that_fails_changes_nothing_of_its_trial(end: Make) -> None:
    def play(launch: Launch) -> Sequence[Make]:
        return [end] if launch.execution.purpose is Purpose.MEASURE else [completed(1.0)]

    rig = Rig(then(1, Measure(0, 1, 0, "fold")), play, max_trials=1)
    state = rig.run()
    assert (state.status, state.counts, state.best) == (Status.COMPLETED, Counts(completed=1), 0)
    assert rig.trials[0].objective == 1.0
    assert rig.executions[1].status in (ExecutionStatus.FAILED, ExecutionStatus.LOST)


def test_a_measure_adds_nothing_to_the_curve_of_its_trial() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        measures = launch.execution.purpose is Purpose.MEASURE
        return [reported(step, loss=50.0 if measures else float(step)) for step in range(1, 4)] + [completed(1.0)]

    curves: list[list[float]] = []

    def watched(history: History, n: int) -> Answer:
        curves.append(history.curve(0)[1].tolist() if len(history) else [])
        return plan.suggest(history, n)

    plan = then(1, Measure(0, 1, 0, "fold"))
    rig = Rig(Planned(watched), play, max_trials=1)
    rig.run()
    assert curves[-1] == [1.0, 2.0, 3.0]
    curves.clear()
    again = rig.again(play, strategy=Planned(watched), max_trials=2)  # read back from the store
    again.run()
    assert curves[0] == [1.0, 2.0, 3.0]


def test_only_a_completed_trial_can_be_measured() -> None:
    plan = then(1, Measure(0, 1, 0, "fold"))
    rig = Rig(plan, lambda launch: [failed()], max_trials=3)
    with pytest.raises(InvalidInput, match="strategy must measure a completed trial"):
        rig.run()
    rig = Rig(Planned(lambda history, n: [Measure(7, 1, 0, "fold")]), lambda launch: [completed(1.0)], max_trials=3)
    with pytest.raises(InvalidInput, match="strategy must measure a completed trial"):
        rig.run()


def test_a_measure_that_ran_when_its_controller_died_is_ended_by_the_next_one() -> None:
    values = {(0, 0, 0): 1.0, (1, 0, 0): 2.0, (0, 1, 0): 5.0}
    executor = Scripted(valued(values), slots=2)  # type: ignore[arg-type]
    rig = Rig(then(2, Measure(0, 1, 0, "fold")), executor, max_trials=2, objectives=(LOSS,))

    def die(executor: Scripted) -> None:
        if any(launch.execution.purpose is Purpose.MEASURE for launch in executor.launched):
            raise MemoryError("the controller is killed here")

    executor.on_poll = die
    fence = rig.claim()
    controller = rig.controller(fence)
    controller._leave_after = lambda error: None  # type: ignore[method-assign]  # a killed one writes nothing
    with pytest.raises(MemoryError):
        controller.run()
    rig.store.release(fence)
    assert [execution.status for execution in rig.executions if execution.open] == [ExecutionStatus.LAUNCHING]
    again = rig.again(valued(values), strategy=then(2))  # type: ignore[arg-type]
    again.run()
    assert [e.status for e in again.executions if e.purpose is Purpose.MEASURE] == [ExecutionStatus.LOST]
    assert [trial.objective for trial in again.trials] == [1.0, 2.0]
    again.check()
