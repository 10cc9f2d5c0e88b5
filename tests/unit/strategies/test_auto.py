"""The choice of a strategy."""

from __future__ import annotations

import pytest

from tunewright.errors import InfeasibleSpace
from tunewright.history import Ledger
from tunewright.interfaces import Exhausted, Problem
from tunewright.objective import Objective
from tunewright.space import Float, Int, SearchSpace
from tunewright.strategies.auto import AutoStrategy, choose
from tunewright.strategies.bayesian import BayesianStrategy
from tunewright.strategies.grid import GridStrategy
from tunewright.strategies.sobol import SobolStrategy
from tunewright.testing.problems import branin, lattice, mixed


def wide(dimension: int) -> Problem:
    space = SearchSpace({f"x{i}": Float(0.0, 1.0) for i in range(dimension)})
    return Problem(space, (Objective("loss"),), seed=0, max_trials=50)


def several(max_trials: int | None = 50) -> Problem:
    objectives = (Objective("loss"), Objective("latency", "minimize"))
    return Problem(branin().space, objectives, seed=0, max_trials=max_trials)


@pytest.mark.parametrize(
    ("problem", "chosen", "words"),
    [
        (lattice().problem(max_trials=24), "grid", "all 24 points of the space fit into 24 trials"),
        (lattice().problem(max_trials=1000), "grid", "24 points"),
        (lattice().problem(max_trials=23), "bayesian", "what the earlier ones have shown"),
        (lattice().problem(), "bayesian", "each trial"),
        (lattice().problem(max_trials=7), "sobol", "7 trials are spread evenly over"),
        (branin().problem(max_trials=50), "bayesian", "each trial"),
        (branin().problem(max_trials=50, max_parallel=50), "sobol", "all 50 trials start at once"),
        (branin().problem(max_trials=5000), "bayesian", "each trial"),
        (branin().problem(max_trials=5000, max_parallel=5000), "random", "5,000 trials"),
        (mixed().problem(), "bayesian", "each trial"),
        (wide(100), "bayesian", "each trial"),
        (wide(101), "random", "101 parameters are too many"),
        (several(), "sobol", "50 trials"),
        (several(max_trials=None), "random", "open"),
    ],
)
def test_the_choice_and_its_reason(problem: Problem, chosen: str, words: str) -> None:
    name, why = choose(problem)
    assert name == chosen
    assert words in why
    strategy = AutoStrategy(problem)
    assert strategy.chosen == chosen
    assert strategy.reason == f"{chosen}: {why}"


def test_constraints_count_in_the_size() -> None:
    space = SearchSpace({"a": Int(1, 100), "b": Int(1, 100)}, constraints=["a * b <= 20"])
    assert choose(Problem(space, (Objective("loss"),), seed=0, max_trials=100))[0] == "grid"


@pytest.mark.parametrize(("limits", "kind"), [(24, GridStrategy), (7, SobolStrategy), (None, BayesianStrategy)])
def test_it_proposes_what_the_chosen_one_proposes(
    limits: int | None, kind: type[GridStrategy | SobolStrategy | BayesianStrategy]
) -> None:
    case = lattice()
    problem = case.problem(seed=6, max_trials=limits)
    view = Ledger(case.space, problem.objectives).view()
    assert AutoStrategy(problem).suggest(view, 5) == kind(problem).suggest(view, 5)
    assert not isinstance(AutoStrategy(problem).suggest(view, 5), Exhausted)


def test_a_finite_space_without_a_feasible_point_is_an_error() -> None:
    space = SearchSpace({"a": Int(1, 5), "b": Int(1, 5)}, constraints=["a * b == 7"])
    with pytest.raises(InfeasibleSpace):
        AutoStrategy(Problem(space, (Objective("loss"),), seed=0, max_trials=10))
