"""The contract of `Stopper` as tests.

class TestMine(StopperContract):
    @pytest.fixture
    def make(self):
        return MyStopper           # or lambda problem: MyStopper(problem, option=3)
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tunewright.history import Ledger
from tunewright.interfaces import Problem, Stopper
from tunewright.objective import Goal, Objective
from tunewright.records import Action, Decision, Status, Trial
from tunewright.space import Float, SearchSpace

Make = Callable[[Problem], Stopper]
Curves = Sequence[Sequence[float]]

STEPS = 12
HOSTILE = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300)


def curve_problem(goal: Goal = "minimize", max_step: int | None = None) -> Problem:
    """A problem with one parameter, whose trials report curves."""
    return Problem(SearchSpace({"x": Float(0.0, 1.0)}), (Objective("value", goal),), seed=0, max_step=max_step)


def ledger_with(problem: Problem, completed: Curves, running: Sequence[float]) -> Ledger:
    """A ledger of completed trials and, with the highest number, one that runs; a curve holds the values at steps 1, 2, ..."""
    ledger = Ledger(problem.space, problem.objectives)
    for number, curve in enumerate([*completed, running]):
        params = {"x": number / (len(completed) + 1)}
        ledger.record(Trial(number, params, seed=number, status=Status.IN_PROGRESS), ledger.event + 1)
        for step, value in enumerate(curve, start=1):
            ledger.report(number, step, value)
    for number, curve in enumerate(completed):
        params = {"x": number / (len(completed) + 1)}
        done = Trial(number, params, seed=number, status=Status.COMPLETED, objectives=(curve[-1],))
        ledger.record(done, ledger.event + 1)
    return ledger


def curves(count: int, seed: int) -> list[list[float]]:
    """Noisy falling curves of `STEPS` steps that end at different heights."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1, STEPS + 1)
    return [(height + 1 / steps + 0.1 * rng.standard_normal(STEPS)).tolist() for height in rng.uniform(0, 3, count)]


class StopperContract:
    """What every stopper keeps. Override `make`."""

    @pytest.fixture
    def make(self) -> Make:
        """Makes a fresh stopper for a problem."""
        raise NotImplementedError("override the fixture `make`")

    def test_before_its_launch_a_trial_runs(self, make: Make) -> None:
        problem = curve_problem()
        for completed in ([], curves(8, seed=1)):
            decision = make(problem).decide(ledger_with(problem, completed, []).view(), len(completed))
            assert decision.action is Action.RUN
            assert decision.until is None or decision.until > 0

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("height", [-5.0, 0.0, 1.5, 100.0])
    def test_every_decision_is_a_whole_one(self, make: Make, seed: int, height: float) -> None:
        problem, completed = curve_problem(), curves(8, seed)
        for steps in range(1, STEPS + 1):
            ledger = ledger_with(problem, completed, [height] * steps)
            assert_decision(make(problem).decide(ledger.view(), 8), steps)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_history_gives_the_same_decision(self, make: Make, seed: int) -> None:
        problem, completed = curve_problem(), curves(9, seed)
        used = make(problem)
        ledger = ledger_with(problem, completed[:4], [])
        for number, curve in enumerate(completed[4:], start=4):
            for step, value in enumerate(curve, start=1):
                ledger.record(Trial(number, {"x": 0.5}, seed=0, status=Status.IN_PROGRESS), ledger.event + 1)
                ledger.report(number, step, value)
                decision = used.decide(ledger.view(), number)
                assert used.decide(ledger.view(), number) == decision
                assert make(problem).decide(ledger.view().freeze(), number) == decision
            done = Trial(number, {"x": 0.5}, seed=0, status=Status.COMPLETED, objectives=(curve[-1],))
            ledger.record(done, ledger.event + 1)

    def test_histories_that_come_in_turns_do_not_disturb_each_other(self, make: Make) -> None:
        problem = curve_problem()
        ledgers = [ledger_with(problem, curves(8, seed), curves(1, seed + 50)[0][:6]) for seed in range(4)]
        expected = [make(problem).decide(ledger.view(), 8) for ledger in ledgers]
        used = make(problem)
        for _ in range(2):
            assert [used.decide(ledger.view(), 8) for ledger in ledgers] == expected

    @pytest.mark.parametrize("seed", range(5))
    def test_maximising_negated_values_decides_the_same(self, make: Make, seed: int) -> None:
        completed, running = curves(8, seed), curves(1, seed + 100)[0]
        low, high = curve_problem("minimize"), curve_problem("maximize")
        for steps in range(1, STEPS + 1):
            one = ledger_with(low, completed, running[:steps])
            other = ledger_with(high, [[-v for v in curve] for curve in completed], [-v for v in running[:steps]])
            expected = make(low).decide(one.view(), 8)
            decision = make(high).decide(other.view(), 8)
            assert (decision.action, decision.until) == (expected.action, expected.until)

    @pytest.mark.parametrize("value", HOSTILE, ids=str)
    def test_hostile_values_are_survived(self, make: Make, value: float) -> None:
        problem = curve_problem()
        for completed in (curves(8, seed=3), [[value] * STEPS for _ in range(8)], [[value, 1.0, value] for _ in range(8)]):
            for running in ([value], [value] * 6, [1.0, value, 1.0, value], [value, 1.0, value, 1.0]):
                ledger = ledger_with(problem, completed, running)
                assert_decision(make(problem).decide(ledger.view(), 8), len(running))

    def test_it_leaves_global_random_states_alone(self, make: Make) -> None:
        before, before_numpy = random.getstate(), np.random.get_state(legacy=False)
        problem = curve_problem()
        make(problem).decide(ledger_with(problem, curves(8, seed=1), [9.0] * 5).view(), 8)
        assert random.getstate() == before
        np.testing.assert_equal(np.random.get_state(legacy=False), before_numpy)


def assert_decision(decision: Decision, step: int) -> None:
    """It names a later step when the trial runs on, and its reason when not."""
    if decision.action is Action.RUN:
        assert decision.until is None or decision.until > step
    else:
        assert decision.reason.strip()
