"""Grid search."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.errors import InfeasibleSpace, InvalidInput
from tunewright.history import Ledger
from tunewright.interfaces import Exhausted, New
from tunewright.records import Status, Trial
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.strategies.grid import GridStrategy
from tunewright.testing.problems import AnalyticProblem, branin, lattice
from tunewright.testing.strategies import ledger_of, play


def case_of(space: SearchSpace) -> AnalyticProblem:
    return AnalyticProblem("case", space, lambda _: 0.0, 0.0)


def walked(case: AnalyticProblem, n: int = 1, **options: Any) -> list[dict[str, Any]]:
    ledger = play(GridStrategy(case.problem(), **options), case, case.problem(), 100_000, n=n)
    return [dict(ledger.view().params(row)) for row in range(len(ledger))]


@pytest.mark.parametrize("n", [1, 5, 100])
def test_the_walk_is_ordered_and_the_last_parameter_is_fastest(n: int) -> None:
    case = case_of(SearchSpace({"a": Int(1, 3), "b": Categorical(["x", "y"])}))
    assert [tuple(p.values()) for p in walked(case, n)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y"), (3, "x"), (3, "y")]


def test_floats_are_binned_evenly_on_their_scale_with_both_bounds() -> None:
    case = case_of(SearchSpace({"lr": Float(1e-4, 1.0, scale="log"), "p": Float(0.0, 0.5, step=0.25)}))
    points = walked(case, bins=5)
    assert sorted({p["lr"] for p in points}) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert sorted({p["p"] for p in points}) == [0.0, 0.25, 0.5]
    assert len(points) == 15


def test_it_says_its_size_and_where_it_is() -> None:
    strategy = GridStrategy(lattice().problem())
    assert strategy.size == 24
    assert strategy.reason == "grid of 24 points"
    assert GridStrategy(branin().problem(), bins=4).reason == "grid of 16 points, 4 bins per float"
    case = lattice()
    proposals = strategy.suggest(Ledger(case.space, case.problem().objectives).view(), 2)
    assert not isinstance(proposals, Exhausted)
    assert [p.reason for p in proposals] == ["grid point 1 of 24", "grid point 2 of 24"]


def test_it_ends_with_its_reason() -> None:
    case = lattice()
    strategy = GridStrategy(case.problem())
    ledger = play(strategy, case, case.problem(), 100)
    assert len(ledger) == 24
    assert strategy.suggest(ledger.view(), 3) == Exhausted("all 24 points of the grid have been tried")


def test_it_skips_what_the_history_holds_wherever_it_stands() -> None:
    case = lattice()
    points = list(case.space.grid())
    added = [points[i] for i in (0, 1, 5, 23)]
    ledger = ledger_of(case.problem(), [Trial(i, p, seed=0, status=Status.PENDING) for i, p in enumerate(added)])
    play(GridStrategy(case.problem()), case, case.problem(), 100, ledger=ledger)
    tried = [ledger.view().params(row) for row in range(4, len(ledger))]
    assert tried == [p for i, p in enumerate(points) if i not in (0, 1, 5, 23)]


def test_a_point_added_in_mid_walk_is_skipped_too() -> None:
    case = lattice()
    points = list(case.space.grid())
    strategy = GridStrategy(case.problem())
    ledger = play(strategy, case, case.problem(), 3)
    ledger.record(Trial(3, points[4], seed=0), 99)
    proposals = strategy.suggest(ledger.view(), 3)
    assert not isinstance(proposals, Exhausted)
    assert [p.params for p in proposals if isinstance(p, New)] == [points[3], points[5], points[6]]


def test_constraints_and_conditions_thin_the_grid() -> None:
    space = SearchSpace(
        {"kind": Categorical(["a", "b"]), "n": Int(1, 5, when={"kind": ["b"]}), "m": Int(1, 2)}, constraints=["n + m <= 4"]
    )
    case = case_of(space)
    assert len(walked(case)) == GridStrategy(case.problem()).size == 2 + 5


class TestTooLarge:
    def test_the_error_has_the_size_and_the_bins_that_fit(self) -> None:
        problem = case_of(SearchSpace({f"x{i}": Float(0.0, 1.0) for i in range(6)})).problem()
        with pytest.raises(InvalidInput) as caught:
            GridStrategy(problem)
        assert str(caught.value) == "grid must have at most limit=10,000 points; bins=4 gives 4,096; got 1000000"
        assert GridStrategy(problem, bins=4).size == 4096

    def test_the_error_names_the_widest_parameters_when_bins_do_not_help(self) -> None:
        space = SearchSpace({"a": Int(1, 500), "b": Int(1, 70), "c": Float(0.0, 1.0), "d": Categorical([1, 2])})
        with pytest.raises(InvalidInput, match=r"a has 500, b has 70, c has 10") as caught:
            GridStrategy(case_of(space).problem())
        assert caught.value.value == 700_000
        assert "strategy='random'" in str(caught.value)

    def test_the_limit_itself_is_allowed(self) -> None:
        problem = case_of(SearchSpace({"a": Int(1, 30)})).problem()
        assert GridStrategy(problem, limit=30).size == 30
        with pytest.raises(InvalidInput, match="limit=29"):
            GridStrategy(problem, limit=29)


class TestBadOptions:
    @pytest.mark.parametrize("bins", [1, 0, -3, 2.0, True, "4", None])
    def test_bins(self, bins: Any) -> None:
        with pytest.raises(InvalidInput, match="bins must be an integer of at least 2") as caught:
            GridStrategy(branin().problem(), bins=bins)
        assert caught.value.value == bins

    @pytest.mark.parametrize("limit", [0, -1, 1e4, True])
    def test_limit(self, limit: Any) -> None:
        with pytest.raises(InvalidInput, match="limit must be an integer of at least 1"):
            GridStrategy(branin().problem(), limit=limit)

    def test_constraints_that_leave_no_grid_point(self) -> None:
        space = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, constraints=["x > 0.1", "x < 0.2"])
        with pytest.raises(InfeasibleSpace, match="must leave a point of the grid, perhaps with more than 5 bins"):
            GridStrategy(case_of(space).problem(), bins=5)
        assert GridStrategy(case_of(space).problem(), bins=8).size == 8


def test_a_walk_looks_at_each_point_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amortised O(1): 900 suggestions don't search 900 * 900 / 2 points."""
    case = case_of(SearchSpace({"a": Int(1, 30), "b": Int(1, 30)}))
    looked = 0
    key = SearchSpace.key

    def counting(space: SearchSpace, params: Any) -> Any:
        nonlocal looked
        looked += 1
        return key(space, params)

    monkeypatch.setattr(SearchSpace, "key", counting)
    assert len(walked(case)) == 900
    assert looked <= 8 * 900
