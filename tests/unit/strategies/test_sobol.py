"""Scrambled Sobol sequences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from tunewright.history import Ledger
from tunewright.interfaces import Exhausted, New
from tunewright.records import Trial
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.strategies.sobol import BLOCK, SobolSequence, SobolStrategy
from tunewright.testing.problems import AnalyticProblem, branin, constrained
from tunewright.testing.strategies import configurations, ledger_of, play


def case_of(space: SearchSpace) -> AnalyticProblem:
    return AnalyticProblem("case", space, lambda _: 0.0, 0.0)


def reasons(strategy: SobolStrategy, ledger: Ledger, n: int) -> list[str]:
    proposals = strategy.suggest(ledger.view(), n)
    assert not isinstance(proposals, Exhausted)
    return [proposal.reason for proposal in proposals]


class TestSequence:
    @pytest.mark.parametrize("dimension", [1, 2, 7])
    def test_it_is_scipys(self, dimension: int) -> None:
        expected = qmc.Sobol(dimension, rng=np.random.default_rng([5])).random(256)
        sequence = SobolSequence(dimension, seed=5)
        np.testing.assert_array_equal([sequence.point(i) for i in range(256)], expected)

    def test_it_can_be_entered_anywhere_and_in_any_order(self) -> None:
        straight = SobolSequence(3, seed=1)
        expected = {i: straight.point(i) for i in range(20 * BLOCK)}
        jumping = SobolSequence(3, seed=1)
        for index in (7, 19 * BLOCK + 3, BLOCK, 0, 5 * BLOCK - 1, 5 * BLOCK, 12 * BLOCK, 2):
            np.testing.assert_array_equal(jumping.point(index), expected[index])

    def test_seeds_differ(self) -> None:
        assert not np.array_equal(SobolSequence(2, seed=0).point(0), SobolSequence(2, seed=1).point(0))


def test_the_trials_number_is_the_points_number() -> None:
    case = branin()
    ledger = ledger_of(case.problem(), [Trial(130, {"x": 0.0, "y": 0.0}, seed=0)])
    proposals = SobolStrategy(case.problem(seed=4)).suggest(ledger.view(), 1)
    assert proposals == [New(case.space.decode(SobolSequence(2, seed=4).point(131)), "Sobol point 131")]


def test_it_fills_the_space_more_evenly_than_random_draws() -> None:
    case = branin()
    ledger = play(SobolStrategy(case.problem(seed=3)), case, case.problem(), 64)
    random = np.random.default_rng(0).random((64, 2))
    assert qmc.discrepancy(ledger.view().points) < 0.3 * qmc.discrepancy(random)


def test_a_finite_space_of_equal_cells_is_tried_without_random_draws() -> None:
    """A net has each of 16 equal cells exactly once among its first 16 points."""
    case = case_of(SearchSpace({"a": Int(1, 4), "b": Int(1, 4)}))
    ledger = Ledger(case.space, case.problem().objectives)
    assert all(reason.startswith("Sobol point") for reason in reasons(SobolStrategy(case.problem()), ledger, 16))


def test_a_point_that_was_tried_is_replaced_by_a_random_draw() -> None:
    case = case_of(SearchSpace({"a": Int(1, 3), "b": Categorical(["x", "y"])}))
    ledger = Ledger(case.space, case.problem().objectives)
    found = reasons(SobolStrategy(case.problem()), ledger, 6)
    assert any(reason.startswith("random draw: Sobol point") and reason.endswith("was tried") for reason in found)
    ledger = play(SobolStrategy(case.problem()), case, case.problem(), 100)
    assert len(set(configurations(ledger.view()))) == len(ledger) == 6


def test_infeasible_points_are_skipped_in_order() -> None:
    case = constrained()
    sequence = SobolSequence(2, seed=8)
    points = [case.space.decode(sequence.point(i)) for i in range(200)]
    expected = [i for i, point in enumerate(points) if point["x"] + point["y"] <= 1][:60]
    found = reasons(SobolStrategy(case.problem(seed=8)), Ledger(case.space, case.problem().objectives), 60)
    assert found == [f"Sobol point {i}" for i in expected]


def test_a_sliver_is_found_in_bounded_time_and_said() -> None:
    space = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, constraints=["x * y > 0.98"])
    case = case_of(space)
    found = reasons(SobolStrategy(case.problem()), Ledger(space, case.problem().objectives), 3)
    assert "random draw: no Sobol point of 2,000 is feasible" in found


def test_it_goes_on_beyond_a_block() -> None:
    case = branin()
    ledger = play(SobolStrategy(case.problem()), case, case.problem(), 3 * BLOCK + 5, n=7)
    assert len(set(configurations(ledger.view()))) == 3 * BLOCK + 5
