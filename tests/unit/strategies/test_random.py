"""Random search."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tunewright.errors import InfeasibleSpace
from tunewright.history import History, Ledger
from tunewright.interfaces import Exhausted, New
from tunewright.records import Trial
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.strategies.random import RandomStrategy
from tunewright.testing.problems import AnalyticProblem, branin, lattice
from tunewright.testing.strategies import configurations, ledger_of, play


def empty(case: AnalyticProblem) -> Ledger:
    return Ledger(case.space, case.problem().objectives)


def case_of(space: SearchSpace) -> AnalyticProblem:
    return AnalyticProblem("case", space, lambda _: 0.0, 0.0)


def test_trial_k_is_drawn_from_the_seed_and_k() -> None:
    case = branin()
    ledger = ledger_of(case.problem(), [Trial(41, {"x": 0.0, "y": 0.0}, seed=0)])
    proposals = RandomStrategy(case.problem(seed=9)).suggest(ledger.view(), 3)
    assert not isinstance(proposals, Exhausted)
    expected = [case.space.sample(np.random.default_rng([9, number])) for number in (42, 43, 44)]
    assert [p.params for p in proposals if isinstance(p, New)] == expected


def test_other_seeds_draw_other_points() -> None:
    case = branin()
    one, other = (RandomStrategy(case.problem(seed=seed)).suggest(empty(case).view(), 4) for seed in (1, 2))
    assert one != other


def test_an_infinite_space_is_not_searched_for_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise AssertionError("the history was searched")

    monkeypatch.setattr(History, "__contains__", refuse)
    monkeypatch.setattr(History, "points", property(refuse))
    case = branin()
    assert len(play(RandomStrategy(case.problem()), case, case.problem(), 20)) == 20


def test_the_draws_are_uniform_over_a_finite_space() -> None:
    case = lattice()
    firsts = Counter(
        configurations(play(RandomStrategy(case.problem(seed=seed)), case, case.problem(), 1).view())[0] for seed in range(960)
    )
    assert len(firsts) == 24
    assert sum((count - 40) ** 2 / 40 for count in firsts.values()) < 49.7  # chi-squared, 23 degrees, p = 0.001


def test_the_last_points_come_in_a_random_order() -> None:
    """Where rejection has become hopeless, the enumeration that follows is shuffled by the seed."""
    space = SearchSpace({"n": Int(1, 1000)})
    case = case_of(space)
    left = {7, 300, 301, 302, 999}
    trials = [Trial(i, {"n": i}, seed=0) for i in range(1, 1001) if i not in left]
    orders = set()
    for seed in range(6):
        ledger = play(
            RandomStrategy(case.problem(seed=seed)), case, case.problem(), 1000, ledger=ledger_of(case.problem(), trials)
        )
        order = tuple(ledger.view().params(row)["n"] for row in range(995, 1000))
        assert set(order) == left
        orders.add(order)
    assert len(orders) > 1


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_finite_space_ends_with_its_reason(scale: str) -> None:
    case = case_of(SearchSpace({"n": Int(1, 100, scale=scale)}))
    strategy = RandomStrategy(case.problem())
    ledger = play(strategy, case, case.problem(), 1000, n=7)
    assert len(set(configurations(ledger.view()))) == len(ledger) == 100
    assert strategy.suggest(ledger.view(), 1) == Exhausted("the space has no untried point left after 100 trials")


def test_constraints_count_when_a_space_is_exhausted() -> None:
    space = SearchSpace({"a": Int(0, 9), "b": Int(0, 9)}, constraints=["a + b == 9"])
    case = case_of(space)
    ledger = play(RandomStrategy(case.problem()), case, case.problem(), 1000)
    assert len(ledger) == 10


def test_conditions_count_when_a_space_is_exhausted() -> None:
    space = SearchSpace({"kind": Categorical(["a", "b"]), "n": Int(1, 5, when={"kind": ["b"]})})
    case = case_of(space)
    assert len(play(RandomStrategy(case.problem()), case, case.problem(), 1000, n=3)) == 6


def test_a_space_too_large_to_enumerate_ends_after_many_draws() -> None:
    space = SearchSpace({"a": Int(0, 1000), "b": Int(0, 1000)}, constraints=["a <= 99", "b == 0"])
    case = case_of(space)
    assert space.size() > 1_000_000
    trials = [Trial(i, {"a": i, "b": 0}, seed=0) for i in range(99)]
    strategy = RandomStrategy(case.problem())
    ledger = play(strategy, case, case.problem(), 100, ledger=ledger_of(case.problem(), trials))
    assert ledger.view().params(99) == {"a": 99, "b": 0}
    assert strategy.suggest(ledger.view(), 1) == Exhausted("1,000 random draws gave no untried point after 100 trials")


def test_a_sampler_that_finds_no_other_point_ends_a_search_that_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise InfeasibleSpace("constraints", "leave no point")

    monkeypatch.setattr(SearchSpace, "sample", fail)
    case = lattice()
    strategy = RandomStrategy(case.problem())
    with pytest.raises(InfeasibleSpace):
        strategy.suggest(empty(case).view(), 1)
    ledger = ledger_of(case.problem(), [Trial(0, next(case.space.grid()), seed=0)])
    assert len(play(strategy, case, case.problem(), 100, ledger=ledger)) == 24


def test_float_with_step_is_finite_and_one_without_is_not() -> None:
    finite, infinite = (case_of(SearchSpace({"x": Float(0.0, 1.0, step=step)})) for step in (0.5, None))
    assert len(play(RandomStrategy(finite.problem()), finite, finite.problem(), 50)) == 3
    assert len(play(RandomStrategy(infinite.problem()), infinite, infinite.problem(), 50)) == 50
