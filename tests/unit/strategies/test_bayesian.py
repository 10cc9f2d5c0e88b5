"""The contract of strategies, kept by Bayesian search, and what is its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tunewright.errors import InvalidInput
from tunewright.history import Ledger
from tunewright.interfaces import Exhausted, New, Problem
from tunewright.objective import Objective
from tunewright.records import Params, Status, Trial
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.strategies.bayesian import BayesianStrategy
from tunewright.strategies.surrogate import Recipe
from tunewright.testing.problems import AnalyticProblem, branin, lattice, mixed, rosenbrock
from tunewright.testing.strategies import Make, StrategyContract, completed, configurations, ledger_of, play, random_trials

SQUARE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)})


class TestContract(StrategyContract):
    trials = 16

    @pytest.fixture
    def make(self) -> Make:
        return BayesianStrategy


def _bowl(params: Params) -> float:
    return (float(params["x"] or 0) - 0.3) ** 2 + (float(params["y"] or 0) - 0.7) ** 2


def _best(case: AnalyticProblem, seed: int, trials: int) -> float:
    ledger = play(BayesianStrategy(case.problem(seed)), case, case.problem(seed), trials)
    return float(np.nanmin(ledger.view().losses)) - case.minimum


def _news(strategy: BayesianStrategy, ledger: Ledger, n: int) -> list[New]:
    proposals = strategy.suggest(ledger.view(), n)
    assert isinstance(proposals, Sequence)
    return [proposal for proposal in proposals if isinstance(proposal, New)]


# --- it finds good configurations ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "trials", "most"), [(branin(), 30, 0.05), (rosenbrock(2), 40, 1.0), (mixed(), 50, 0.15)], ids=str
)
def test_it_comes_near_the_minimum(case: AnalyticProblem, trials: int, most: float) -> None:
    assert np.median([_best(case, seed, trials) for seed in range(3)]) < most


def test_a_smooth_bowl_takes_few_trials() -> None:
    case = AnalyticProblem("bowl", SQUARE, _bowl, 0.0)
    assert _best(case, 0, 14) < 1e-3


# --- the initial design ---


def test_the_design_begins_with_the_defaults_and_the_centre() -> None:
    space = SearchSpace(
        {"x": Float(0.0, 1.0, default=0.9), "n": Int(1, 9, default=2), "c": Categorical("abc".split(), default="abc")}
    )
    first, second, *others = _news(BayesianStrategy(Problem(space, (Objective("loss", "minimize"),), 0)), _empty(space), 8)
    assert (first.params, first.reason) == ({"x": 0.9, "n": 2, "c": "abc"}, "initial design: the defaults")
    assert second.params["x"] == 0.5
    assert second.params["n"] == 5
    assert all("Sobol point" in proposal.reason for proposal in others)


def _empty(space: SearchSpace) -> Ledger:
    return Ledger(space, (Objective("loss", "minimize"),))


def test_workers_beyond_the_design_get_a_space_filling_design() -> None:
    problem = Problem(SQUARE, (Objective("loss", "minimize"),), 0)
    points = np.array([[p.params["x"], p.params["y"]] for p in _news(BayesianStrategy(problem), _empty(SQUARE), 65)])
    cells = np.histogram2d(points[1:, 0], points[1:, 1], bins=8, range=[[0, 1], [0, 1]])[0]
    assert cells.max() <= 2  # 64 Sobol points in 64 cells


@pytest.mark.parametrize("trials", [1, 0, 2.0, True, "4"])
def test_initial_trials_must_be_an_integer_of_at_least_two(trials: object) -> None:
    with pytest.raises(InvalidInput, match="initial_trials must be an integer of at least 2"):
        BayesianStrategy(branin().problem(), initial_trials=trials)  # type: ignore[arg-type]


# --- pending trials ---


def test_pending_trials_are_not_proposed_again_nor_their_neighbours() -> None:
    case = AnalyticProblem("bowl", SQUARE, _bowl, 0.0)
    problem = case.problem()
    ledger = ledger_of(problem, random_trials(case, 12))
    batch = _news(BayesianStrategy(problem), ledger, 4)
    points = np.array([[p.params["x"], p.params["y"]] for p in batch])
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(4, 1)]
    assert distance.min() > 0.002
    # one at a time, each pending when the next is asked for, is the same as all at once
    strategy = BayesianStrategy(problem)
    for number, proposal in enumerate(batch, start=12):
        (one,) = _news(strategy, ledger, 1)
        assert one.params == pytest.approx(proposal.params, rel=1e-3)  # rounding, not trials, differs
        ledger.record(Trial(number, one.params, seed=number), ledger.event + 1)


# --- failures ---


def _fails_right_of(border: float) -> Callable[[Params], float]:
    return lambda params: math.nan if float(params["x"] or 0) > border else -float(params["x"] or 0)


@pytest.mark.slow
def test_a_region_that_fails_is_left_alone_though_it_lies_towards_the_optimum() -> None:
    case = AnalyticProblem(
        "cliff", SearchSpace({"x": Float(0, 1), "y": Float(0, 1), "z": Float(0, 1)}), _fails_right_of(2 / 3), -2 / 3
    )
    failed_late = []
    for seed in range(3):
        ledger = play(BayesianStrategy(case.problem(seed)), case, case.problem(seed), 50)
        losses = ledger.view().losses
        failed_late.append(np.isnan(losses[20:]).mean())
        assert np.nanmin(losses) < -0.6
    assert np.mean(failed_late) < 0.75  # at the border of an unseen cliff, every second step must be expected to fall


@pytest.mark.slow
def test_a_region_that_fails_elsewhere_is_left_alone() -> None:
    space = SearchSpace({"x": Float(0, 1), "y": Float(0, 1), "z": Float(0, 1)})
    case = AnalyticProblem("corner", space, lambda p: math.nan if float(p["z"] or 0) > 2 / 3 else _bowl(p), 0.0)
    failed_late = []
    for seed in range(4):
        losses = play(BayesianStrategy(case.problem(seed)), case, case.problem(seed), 40).view().losses
        failed_late.append(np.isnan(losses[20:]).mean())
        assert np.nanmin(losses) < 0.01
    assert np.mean(failed_late) <= 0.15


def test_random_failures_hardly_change_what_is_proposed_next() -> None:
    case = AnalyticProblem("bowl", SQUARE, _bowl, 0.0)
    problem = case.problem()
    trials = random_trials(case, 20)
    failed = [Trial(100 + i, t.params, seed=0, status=Status.FAILED) for i, t in enumerate(random_trials(case, 6, seed=9))]
    (proposal,) = _news(BayesianStrategy(problem), ledger_of(problem, trials + failed), 1)
    assert _bowl(proposal.params) < 0.02


@pytest.mark.parametrize("value", [1e30, 1e300, math.inf])
def test_an_outlier_does_not_blind_it(value: float) -> None:
    case = AnalyticProblem("bowl", SQUARE, _bowl, 0.0)
    problem = case.problem()
    trials = random_trials(case, 20)
    worst = max(trials, key=lambda trial: trial.objective or 0.0)
    trials[worst.number] = completed(worst.number, worst.params, value)
    (proposal,) = _news(BayesianStrategy(problem), ledger_of(problem, trials), 1)
    assert _bowl(proposal.params) < 0.02


def test_a_stopped_trial_counts_for_what_it_showed_but_is_never_the_best() -> None:
    case = AnalyticProblem("bowl", SQUARE, _bowl, 0.0)
    problem = case.problem()
    plain = ledger_of(problem, random_trials(case, 10))
    bad, good = plain.copy(), plain.copy()
    for ledger, value in ((bad, 5.0), (good, -5.0)):
        ledger.record(Trial(10, {"x": 0.3, "y": 0.69}, seed=0, status=Status.STOPPED), 11)
        ledger.report(10, 1, value)
    proposals = [_news(BayesianStrategy(problem), ledger, 1)[0].params for ledger in (plain, bad, good)]
    assert proposals[0] != proposals[1]
    assert proposals[0] != proposals[2]
    assert "expected improvement" in _news(BayesianStrategy(problem), good, 1)[0].reason


# --- spaces ---


def test_more_pending_than_points_left_ends_with_a_reason() -> None:
    case = lattice()
    problem = case.problem()
    trials = [completed(i, p, case.function(p)) for i, p in enumerate(case.space.grid())][:20]
    strategy, ledger = BayesianStrategy(problem), ledger_of(problem, trials)
    left = _news(strategy, ledger, 64)
    assert len(left) == case.space.size() - 20
    for number, proposal in enumerate(left, start=20):
        ledger.record(Trial(number, proposal.params, seed=0), ledger.event + 1)
    answer = strategy.suggest(ledger.view(), 1)
    assert isinstance(answer, Exhausted)
    assert "no untried point left" in answer.reason


def test_a_sliver_of_the_space_is_searched() -> None:
    names = "abcd"
    space = SearchSpace({n: Float(0.0, 1.0) for n in names}, constraints=["a + b + c + d <= 0.22"])  # 1e-4 of the cube
    case = AnalyticProblem("sliver", space, lambda p: -float(p["a"] or 0), -0.22)
    ledger = play(BayesianStrategy(case.problem()), case, case.problem(), 20)
    assert len(ledger) == 20
    assert np.nanmin(ledger.view().losses) < -0.15


@pytest.mark.slow
def test_a_categorical_of_hundreds_of_values_and_a_hundred_parameters() -> None:
    parameters: dict[str, object] = {f"x{i}": Float(0.0, 1.0) for i in range(98)}
    space = SearchSpace({**parameters, "c": Categorical([f"v{i}" for i in range(300)]), "b": Int(0, 1)})
    case = AnalyticProblem("wide", space, lambda p: float(p["x3"] or 0) + float(p["b"] or 0), 0.0)
    ledger = play(BayesianStrategy(case.problem()), case, case.problem(), 30)
    assert np.nanmin(ledger.view().losses) < 0.1


# --- reasons and swapping parts ---


def test_reasons_say_what_is_expected_and_what_is_done() -> None:
    case = mixed()
    ledger = play(BayesianStrategy(case.problem()), case, case.problem(), 4)
    strategy = BayesianStrategy(case.problem())
    reasons = []
    for _ in range(12):
        (proposal,) = _news(strategy, ledger, 1)
        reasons.append(proposal.reason)
        number = len(ledger)
        ledger.record(completed(number, proposal.params, case.function(proposal.params)), ledger.event + 1)
    assert all(reason.startswith("expected improvement ") for reason in reasons)
    assert all("exploiting" in reason or "exploring " in reason for reason in reasons)
    assert any("exploring " in reason for reason in reasons)


def test_another_recipe_is_used() -> None:
    case = branin()
    problem = case.problem()
    ledger = ledger_of(problem, random_trials(case, 12))
    plain = _news(BayesianStrategy(problem), ledger, 1)
    without = _news(BayesianStrategy(problem, recipe=Recipe(trend=None)), ledger, 1)
    assert plain[0].params != without[0].params


@pytest.mark.slow
def test_a_history_of_thousands_is_searched_on() -> None:
    case = branin()
    problem = case.problem()
    ledger = ledger_of(problem, random_trials(case, 3000))
    play(BayesianStrategy(problem), case, problem, 3020, ledger=ledger)
    losses, points = ledger.view().losses, ledger.view().points
    assert np.nanmin(losses[:3000]) - case.minimum > 0.003
    assert np.nanmin(losses) - case.minimum < 0.001
    assert len(set(configurations(ledger.view()))) == 3020
    # what turned out to be bad is remembered: it is not tried again in the same place
    distance = np.linalg.norm(points[3000:, None] - points[None, 3000:], axis=-1)[np.triu_indices(20, 1)]
    assert distance.min() > 1e-5
