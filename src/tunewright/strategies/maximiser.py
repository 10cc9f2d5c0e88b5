"""Maximises an acquisition function over a mixed, conditional, constrained domain.

Random points and changed copies of the best observed ones; then rounds of ever smaller changes of the few best candidates;
then L-BFGS on the active numeric coordinates of the very best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.candidates import mixed_rates, mutants
from tunewright.strategies.domain import Domain

Array = NDArray[np.float64]

SMOOTH_LEVELS = 8  # an ordered parameter with as many levels is treated as continuous by L-BFGS, then snapped
SCARCE = 0.1  # below this share of feasible candidates, feasible points are drawn one by one as well
DRAWN = 24


class Acquisition(Protocol):
    """What is maximised, over canonical points."""

    def __call__(self, points: Array) -> Array:
        """Values (n,) at canonical points (n, d)."""

    def slope(self, point: Array) -> tuple[float, Array]:
        """The value at one canonical point (d,), and its gradient (d,): zero for what is inactive or has no order."""


@dataclass(frozen=True)
class Effort:
    """How hard the maximiser tries.

    Args:
        uniform: random candidates to begin with.
        changed: changed copies of the best observed points to begin with.
        kept: candidates that go on to the rounds.
        copies: changed copies of each in a round.
        rounds: the standard deviation of the changes in each round, in unit coordinates.
        polished: candidates that L-BFGS improves.
        polish_iterations: the most iterations of each.
    """

    uniform: int = 400
    changed: int = 400
    kept: int = 6
    copies: int = 40
    rounds: tuple[float, ...] = (0.2, 0.1, 0.05, 0.03, 0.015, 0.01)
    polished: int = 2
    polish_iterations: int = 30


def ranked(
    acquisition: Acquisition, domain: Domain, anchors: Array, rng: np.random.Generator, effort: Effort
) -> Iterator[Array]:
    """Feasible canonical points (d,), the best first. The same point may come twice.

    Args:
        acquisition: what is maximised.
        domain: where.
        anchors: (m, d) canonical points to search around, m >= 1: the best observed ones.
        rng: source of randomness.
        effort: how hard to try.
    """
    pool = _Pool(acquisition, domain)
    pool.add(_start(domain, anchors, rng, effort))
    if pool.share < SCARCE:
        pool.add(_drawn(domain, rng))
    best, values = pool.top(effort.kept)
    for sd in effort.rounds if len(best) else ():
        count = len(best) * effort.copies
        parents = np.repeat(best, effort.copies, axis=0)
        changed = mutants(domain, parents, np.full(count, sd), mixed_rates(domain, count, rng), rng)
        scores = pool.add(changed).reshape(len(best), effort.copies)
        winners = scores.argmax(1)
        gain = scores.max(1) > values
        best[gain] = changed.reshape(len(best), effort.copies, -1)[np.arange(len(best)), winners][gain]
        values = np.maximum(values, scores.max(1))
    for start in best[np.argsort(-values, kind="stable")[: effort.polished]]:
        improved = _polished(acquisition, domain, start, effort.polish_iterations)
        if improved is not None:
            pool.add(improved[None])
    return pool.ranked()


class _Pool:
    """All candidates with their values; minus infinity where the constraints forbid them."""

    def __init__(self, acquisition: Acquisition, domain: Domain) -> None:
        self._acquisition, self._domain = acquisition, domain
        self._genotypes: list[Array] = []
        self._values: list[Array] = []
        self.share = 1.0

    def add(self, genotypes: Array) -> Array:
        """Adds snapped genotypes (n, d) and returns their values (n,)."""
        points = self._domain.canonical(genotypes)
        if self._domain.space.constraints:
            values, allowed = np.full(len(points), -np.inf), self._domain.feasible(points)
            self.share = float(allowed.mean()) if len(allowed) else 0.0
            if allowed.any():
                values[allowed] = self._acquisition(points[allowed])
        else:
            values = self._acquisition(points)
        self._genotypes.append(genotypes)
        self._values.append(values)
        return values

    def top(self, count: int) -> tuple[Array, Array]:
        """The best feasible genotypes (at most `count`, d) and their values."""
        genotypes, values = np.vstack(self._genotypes), np.concatenate(self._values)
        order = np.argsort(-values, kind="stable")[:count]
        order = order[np.isfinite(values[order])]
        return genotypes[order], values[order]

    def ranked(self) -> Iterator[Array]:
        genotypes, values = self.top(sum(map(len, self._values)))
        for genotype in genotypes[: len(values)]:
            yield self._domain.canonical(genotype[None])[0]


def _start(domain: Domain, anchors: Array, rng: np.random.Generator, effort: Effort) -> Array:
    uniform = domain.snap(rng.random((effort.uniform, domain.dimension)))
    parents = domain.fill(anchors[rng.integers(len(anchors), size=effort.changed)], rng)
    sd = np.exp(rng.uniform(np.log(0.01), np.log(0.4), effort.changed))
    return np.vstack([uniform, mutants(domain, parents, sd, mixed_rates(domain, effort.changed, rng), rng)])


def _drawn(domain: Domain, rng: np.random.Generator) -> Array:
    return domain.fill(np.array([domain.space.sample_unit(rng) for _ in range(DRAWN)]), rng)


def _polished(acquisition: Acquisition, domain: Domain, genotype: Array, iterations: int) -> Array | None:
    """The genotype (d,) after L-BFGS-B on its active smooth coordinates, snapped; None when it has none."""
    from scipy.optimize import minimize

    point = domain.canonical(genotype[None])[0]
    smooth = ~domain.unordered & ((domain.counts == 0) | (domain.counts >= SMOOTH_LEVELS)) & ~np.isnan(point)
    free = np.flatnonzero(smooth)
    if not len(free):
        return None

    def negative(z: Array) -> tuple[float, Array]:
        moved = point.copy()
        moved[free] = z
        value, gradient = acquisition.slope(moved)
        return -value, -gradient[free]

    options = {"maxiter": iterations, "ftol": 1e-6, "gtol": 1e-5}
    found = minimize(negative, point[free], jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(free), options=options)
    improved = genotype.copy()
    improved[free] = found.x
    snapped: Array = domain.snap(improved[None])[0]
    return snapped
