"""A trend of low order, as a covariance: what a tuned loss looks like from afar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.covariance import Bound, Pullback
from tunewright.models.gp.priors import LogNormal

Array = NDArray[np.float64]

TERMS = 3  # variances: slopes, bowls, interactions
_ROOT3, _ROOT45_4 = float(np.sqrt(3.0)), float(np.sqrt(11.25))


class Trend:
    """A Bayesian quadratic model of the numeric columns (GPML, sections 2.1 and 2.7), with three variances to learn.

        k(x, x') = v1 A + v2 B + v3 A^2,   A = mean_j p1(c_j) p1(c'_j),   B = mean_j p2(c_j) p2(c'_j),   c = 2x - 1,

    with p1, p2 the normalised Legendre polynomials of degrees 1 and 2: sqrt(3) c and sqrt(45/4) (c^2 - 1/3), of unit
    variance for uniform c. A carries slopes, B a bowl in each parameter, A^2 their interactions. Losses tend
    to be bowls in their (suitably scaled) parameters; this part learns that from few points, and a stationary part what
    it can't say.

    Args:
        columns: indices of the input columns that enter, in [0, 1]; at least one.
        prior: prior of (log v1, log v2, log v3).
    """

    def __init__(self, columns: NDArray[np.intp], prior: LogNormal) -> None:
        assert len(columns) > 0
        assert prior.size == TERMS
        self._columns, self._prior = columns, prior

    @property
    def prior(self) -> LogNormal:
        return self._prior

    def matrix(self, theta: Array, x: Array) -> tuple[Array, Pullback]:
        v1, v2, v3 = np.exp(theta).tolist()
        first, second = _features(x, self._columns)
        slopes, bowls = first @ first.T, second @ second.T
        interactions = slopes * slopes

        def pull(m: Array) -> Array:
            return np.array([v1 * np.vdot(m, slopes), v2 * np.vdot(m, bowls), v3 * np.vdot(m, interactions)])

        return v1 * slopes + v2 * bowls + v3 * interactions, pull

    def bind(self, theta: Array, x: Array) -> Bound:
        return _BoundTrend(np.exp(theta).tolist(), self._columns, x)


class _BoundTrend:
    def __init__(self, variances: list[float], columns: NDArray[np.intp], x: Array) -> None:
        self._v1, self._v2, self._v3 = variances
        self._columns = columns
        self._first, self._second = _features(x, columns)

    def cross(self, points: Array) -> tuple[Array, Array]:
        first, second = _features(points, self._columns)
        slopes = first @ self._first.T
        value = slopes * slopes
        value *= self._v3
        slopes *= self._v1
        value += slopes
        value += (self._v2 * second) @ self._second.T
        own = np.einsum("ij,ij->i", first, first)
        return value, self._v1 * own + self._v2 * np.einsum("ij,ij->i", second, second) + self._v3 * own * own

    def slope(self, point: Array) -> tuple[Array, Array]:
        columns = self._columns
        first, second = (f[0] for f in _features(point[None], columns))
        root = len(columns) ** 0.5
        d1, d2 = 2.0 * _ROOT3 / root, (4.0 * _ROOT45_4 / root) * (2.0 * point[columns] - 1.0)
        slopes = self._first @ first
        value, diagonal = np.zeros((len(self._first), len(point))), np.zeros(len(point))
        value[:, columns] = ((self._v1 + 2.0 * self._v3 * slopes) * d1)[:, None] * self._first
        value[:, columns] += (self._v2 * d2) * self._second
        own = float(first @ first)
        diagonal[columns] = 2.0 * ((self._v1 + 2.0 * self._v3 * own) * d1 * first + self._v2 * d2 * second)
        return value, diagonal


def _features(x: Array, columns: NDArray[np.intp]) -> tuple[Array, Array]:
    """Legendre polynomials of degrees 1 and 2 of the columns, over the root of their number: (n, len(columns)) each."""
    root = len(columns) ** 0.5
    centred = 2.0 * x[:, columns] - 1.0
    second = centred * centred
    second -= 1.0 / 3.0
    second *= _ROOT45_4 / root
    centred *= _ROOT3 / root
    return centred, second
