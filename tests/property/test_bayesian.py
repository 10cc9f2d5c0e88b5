"""Bayesian search on random spaces and random, hostile histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.property.spaces import spaces
from tests.property.test_strategies import searches
from tunewright.errors import InfeasibleSpace
from tunewright.interfaces import Problem
from tunewright.records import Trial
from tunewright.space import SearchSpace
from tunewright.strategies.bayesian import BayesianStrategy
from tunewright.strategies.domain import Domain
from tunewright.strategies.maximiser import Effort
from tunewright.strategies.surrogate import ModelFamily, Recipe
from tunewright.testing.strategies import assert_exhausted, assert_proposals, configurations, ledger_of

LIGHT = Effort(uniform=40, changed=40, copies=8, rounds=(0.2, 0.03), polished=1, polish_iterations=5)
relaxed = settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)


def _suggested(problem: Problem, trials: Sequence[Trial], n: int) -> Any:
    try:
        return BayesianStrategy(problem, effort=LIGHT).suggest(ledger_of(problem, trials).view(), n)
    except InfeasibleSpace:
        assume(False)


@relaxed
@given(search=searches(), n=st.integers(1, 5))
def test_suggestions_are_valid_distinct_and_the_same_again(search: tuple[Problem, list[Trial]], n: int) -> None:
    problem, trials = search
    proposals = _suggested(problem, trials, n)
    if not isinstance(proposals, list):
        assert_exhausted(proposals)
        return
    assert_proposals(proposals, problem.space, n)
    keys = [problem.space.key(proposal.params) for proposal in proposals]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(configurations(ledger_of(problem, trials).view()))
    assert _suggested(problem, trials, n) == proposals


@relaxed
@given(space=spaces(constrained=False), seed=st.integers(0, 2**32))
def test_what_an_inactive_parameter_would_be_never_counts(space: SearchSpace, seed: int) -> None:
    domain, rng = Domain(space), np.random.default_rng(seed)
    genotypes = domain.snap(rng.random((12, domain.dimension)))
    points = domain.canonical(genotypes)
    others = domain.canonical(domain.fill(points, rng))
    np.testing.assert_array_equal(points, others)
    inputs = ModelFamily(domain, Recipe()).inputs
    np.testing.assert_array_equal(inputs.encode(points), inputs.encode(others))


@relaxed
@given(space=spaces(constrained=False), seed=st.integers(0, 2**32))
def test_canonical_points_are_those_of_the_space(space: SearchSpace, seed: int) -> None:
    domain = Domain(space)
    points = domain.canonical(domain.snap(np.random.default_rng(seed).random((8, domain.dimension))))
    for point in points:
        np.testing.assert_allclose(space.encode(space.decode(point)), point, atol=1e-9)
