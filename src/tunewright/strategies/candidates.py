"""Random candidates for optimising an acquisition function over mixed, conditional spaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.domain import Domain

Array = NDArray[np.float64]


def mutants(domain: Domain, parents: Array, sd: Array, rate: Array, rng: np.random.Generator) -> Array:
    """Changed copies of genotypes, at least one coordinate each.

    Numeric coordinates take a Gaussian step, clipped at the bounds, and of at least one level when discrete; an unordered
    categorical takes another value.

    Args:
        domain: what they live in.
        parents: (n, d) snapped genotypes.
        sd: (n,) standard deviations of the steps, in unit coordinates.
        rate: (n,) chance of each coordinate to change.
        rng: source of randomness.

    Returns:
        (n, d) snapped genotypes.
    """
    n, d = parents.shape
    change = rng.random((n, d)) < rate[:, None]
    change[np.arange(n), rng.integers(d, size=n)] = True
    step = rng.standard_normal((n, d)) * sd[:, None]
    moved = domain.snap(np.where(change, parents + step, parents))
    for axis in np.flatnonzero(domain.counts > 1).tolist():
        rows = np.flatnonzero(change[:, axis])
        old = domain.codes(parents[rows], axis)
        if domain.unordered[axis]:
            count = int(domain.counts[axis])
            moved[rows, axis] = domain.levels[axis][(old + rng.integers(1, count, size=len(rows))) % count]
        else:
            stuck = domain.codes(moved[rows], axis) == old
            moved[rows[stuck], axis] = domain.levels[axis][_neighbours(old, step[rows, axis] >= 0, domain, axis)[stuck]]
    return moved


def _neighbours(old: NDArray[np.intp], upwards: NDArray[np.bool_], domain: Domain, axis: int) -> NDArray[np.intp]:
    """The next level in a direction, or in the other one at the end."""
    towards = np.where(upwards, 1, -1)
    new = old + towards
    return np.where((new < 0) | (new >= domain.counts[axis]), old - towards, new)


def mixed_rates(domain: Domain, size: int, rng: np.random.Generator) -> Array:
    """Chances to change per mutant (size,): about half of them about one coordinate, the others 30, 60 or 100%."""
    rates: Array = rng.choice([0.3, 0.6, 1.0], size=size)
    rates[rng.random(size) < 0.5] = 1.0 / domain.dimension
    return rates
