"""Plain strategies and stoppers on random spaces and histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.property.spaces import spaces
from tunewright.errors import InfeasibleSpace, InvalidInput
from tunewright.interfaces import Exhausted, New, Problem, Strategy
from tunewright.objective import Objective
from tunewright.records import Status, Trial
from tunewright.space import SearchSpace
from tunewright.strategies.auto import AutoStrategy
from tunewright.strategies.grid import GridStrategy
from tunewright.strategies.random import RandomStrategy
from tunewright.strategies.sobol import SobolStrategy
from tunewright.testing.strategies import assert_exhausted, assert_proposals, configurations, ledger_of

Make = Callable[[Problem], Strategy]

MAKERS: list[Make] = [RandomStrategy, SobolStrategy, lambda problem: GridStrategy(problem, bins=3, limit=10**9), AutoStrategy]
IDS = ["random", "sobol", "grid", "auto"]
relaxed = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)

any_value = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 0.0]))


@st.composite
def searches(draw: Callable[..., Any], *, finite: bool = False) -> tuple[Problem, list[Trial]]:
    """A problem on a random space with at least one point, and trials in all states with any values."""
    space: SearchSpace = draw(spaces(finite=finite, most=4))
    seed = draw(st.integers(0, 2**40))
    problem = Problem(space, (Objective("loss"),), seed, max_trials=draw(st.sampled_from([None, 10, 100, 5000])))
    points = []
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    try:
        for _ in range(draw(st.integers(0, 12))):
            points.append(space.sample(rng))
    except InfeasibleSpace:
        assume(False)
    trials, number = [], 0
    for params in points:
        value = draw(any_value)
        status = draw(st.sampled_from(Status))
        trials.append(Trial(number, params, seed=0, status=status, objectives=draw(st.sampled_from([None, (value,)]))))
        number += draw(st.integers(1, 3))
    return problem, trials


def made(make: Make, problem: Problem) -> Strategy:
    try:
        return make(problem)
    except InfeasibleSpace:
        assume(False)
        raise
    except InvalidInput as error:
        assume("limit" not in str(error))
        raise


def suggested(strategy: Strategy, problem: Problem, trials: Sequence[Trial], n: int) -> Any:
    try:
        return strategy.suggest(ledger_of(problem, trials).view(), n)
    except InfeasibleSpace:
        assume(False)


@pytest.mark.parametrize("make", MAKERS, ids=IDS)
@relaxed
@given(search=searches(), n=st.integers(1, 9))
def test_suggestions_are_valid_and_the_same_again(make: Make, search: tuple[Problem, list[Trial]], n: int) -> None:
    problem, trials = search
    strategy = made(make, problem)
    answer = suggested(strategy, problem, trials, n)
    if isinstance(answer, Exhausted):
        assert_exhausted(answer)
    else:
        assert_proposals(answer, problem.space, n)
    assert suggested(strategy, problem, trials, n) == answer
    assert suggested(made(make, problem), problem, trials, n) == answer


@pytest.mark.parametrize("make", MAKERS, ids=IDS)
@relaxed
@given(search=searches(finite=True), n=st.integers(1, 40))
def test_a_finite_space_is_tried_to_its_last_point(make: Make, search: tuple[Problem, list[Trial]], n: int) -> None:
    problem, trials = search
    assume(0 < problem.space.size() <= 300)
    ledger = ledger_of(problem, trials)
    added = len(set(configurations(ledger.view())))
    strategy = made(make, problem)
    while not isinstance(answer := strategy.suggest(ledger.view(), n), Exhausted):
        assert isinstance(answer, Sequence)
        for proposal in answer:
            assert isinstance(proposal, New)
            assert proposal.params not in ledger.view()
            ledger.record(Trial(ledger.view().next_number, proposal.params, seed=0), ledger.event + 1)
    tried = configurations(ledger.view())
    assert len(set(tried)) == problem.space.size()
    assert len(tried) - len(trials) == problem.space.size() - added
    assert_exhausted(answer)
