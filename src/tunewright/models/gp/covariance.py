"""Covariance functions with log parameters, analytic gradients and priors; they add up.

A covariance sees encoded inputs (n, D), as `inputs.py` makes them. Gradients are pulled back: given M = dF/dK for some
scalar F, a covariance returns dF/dtheta, so no (n, n, p) tensor is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.kernels import Correlation, squared_distance, squared_norms
from tunewright.models.gp.priors import LogNormal

Array = NDArray[np.float64]
Pullback = Callable[[Array], Array]


class Bound(Protocol):
    """A covariance at fixed parameters against fixed points x (n, D): what prediction needs."""

    def cross(self, points: Array) -> tuple[Array, Array]:
        """k(points, x) as (m, n), and k(points_i, points_i) as (m,), for points (m, D)."""

    def slope(self, point: Array) -> tuple[Array, Array]:
        """dk(point, x_i)/dpoint as (n, D), and dk(point, point)/dpoint as (D,), for one point (D,)."""


class Covariance(Protocol):
    """k(x, x'; theta), with theta the log parameters, a priori distributed as `prior`."""

    @property
    def prior(self) -> LogNormal:
        """Prior over the log parameters (p,)."""

    def matrix(self, theta: Array, x: Array) -> tuple[Array, Pullback]:
        """K = k(x, x) as (n, n), and a function from a symmetric M = dF/dK (n, n) to dF/dtheta (p,)."""

    def bind(self, theta: Array, x: Array) -> Bound:
        """The same at these parameters, against these points (n, D)."""


class Stationary:
    """Unit-variance stationary covariance with one lengthscale per parameter (automatic relevance determination).

    Args:
        correlation: a function of the squared scaled distance, from `kernels.py`.
        groups: (D,) which parameter each input column belongs to; columns of one parameter share its lengthscale.
        prior: prior of the log lengthscales.
    """

    def __init__(self, correlation: Correlation, groups: NDArray[np.intp], prior: LogNormal) -> None:
        self._correlation, self._groups, self._prior = correlation, groups, prior

    @property
    def prior(self) -> LogNormal:
        return self._prior

    def matrix(self, theta: Array, x: Array) -> tuple[Array, Pullback]:
        z = x * np.exp(-theta)[self._groups]
        value, slope = self._correlation(squared_distance(z, z))

        def pull(m: Array) -> Array:
            # dr2/dlog l_c = -2 (z_ic - z_jc)^2, summed against G = M o dk/dr2 without the (n, n, D) tensor.
            g = m * slope
            columns = -4.0 * (g.sum(1) @ (z * z) - np.einsum("ij,ij->j", z, g @ z))
            gradient: Array = np.bincount(self._groups, columns, minlength=len(theta)).astype(np.float64)
            return gradient

        return value, pull

    def bind(self, theta: Array, x: Array) -> Bound:
        return _BoundStationary(self._correlation, np.exp(-theta)[self._groups], x)


class _BoundStationary:
    def __init__(self, correlation: Correlation, scale: Array, x: Array) -> None:
        self._correlation, self._scale, self._z = correlation, scale, x * scale
        self._norms = squared_norms(self._z)

    def cross(self, points: Array) -> tuple[Array, Array]:
        r2 = squared_distance(points * self._scale, self._z, self._norms)
        return self._correlation(r2)[0], np.ones(len(points))

    def slope(self, point: Array) -> tuple[Array, Array]:
        difference = point * self._scale - self._z
        slope = self._correlation(squared_norms(difference))[1]
        return (2.0 * slope)[:, None] * difference * self._scale, np.zeros(len(point))


class Sum:
    """Sum of covariances; theta is theirs, one after the other."""

    def __init__(self, parts: Sequence[Covariance]) -> None:
        self._parts = tuple(parts)
        self._prior = LogNormal.stacked([part.prior for part in parts])
        ends = np.cumsum([0] + [part.prior.size for part in parts]).tolist()
        self._slices = [slice(start, end) for start, end in pairwise(ends)]

    @property
    def prior(self) -> LogNormal:
        return self._prior

    def matrix(self, theta: Array, x: Array) -> tuple[Array, Pullback]:
        total, pulls = np.zeros((len(x), len(x))), []
        for part, where in zip(self._parts, self._slices, strict=True):
            value, pull = part.matrix(theta[where], x)
            total += value
            pulls.append(pull)
        return total, lambda m: np.concatenate([pull(m) for pull in pulls])

    def bind(self, theta: Array, x: Array) -> Bound:
        return _BoundSum([part.bind(theta[where], x) for part, where in zip(self._parts, self._slices, strict=True)])


class _BoundSum:
    def __init__(self, parts: Sequence[Bound]) -> None:
        self._first, *self._rest = parts

    def cross(self, points: Array) -> tuple[Array, Array]:
        value, diagonal = self._first.cross(points)
        for part in self._rest:
            more, more_diagonal = part.cross(points)
            value += more
            diagonal += more_diagonal
        return value, diagonal

    def slope(self, point: Array) -> tuple[Array, Array]:
        value, diagonal = self._first.slope(point)
        for part in self._rest:
            more, more_diagonal = part.slope(point)
            value += more
            diagonal += more_diagonal
        return value, diagonal


class Scaled:
    """A covariance times a variance; theta starts with the log variance.

    Args:
        part: the covariance.
        variance: prior of the log variance (one parameter).
    """

    def __init__(self, part: Covariance, variance: LogNormal) -> None:
        self._part = part
        self._prior = LogNormal.stacked([variance, part.prior])

    @property
    def prior(self) -> LogNormal:
        return self._prior

    def matrix(self, theta: Array, x: Array) -> tuple[Array, Pullback]:
        variance = float(np.exp(theta[0]))
        value, pull = self._part.matrix(theta[1:], x)
        scaled = variance * value

        def pull_all(m: Array) -> Array:
            return np.concatenate([[np.vdot(m, scaled)], variance * pull(m)])

        return scaled.copy(), pull_all  # callers add noise in place

    def bind(self, theta: Array, x: Array) -> Bound:
        return _BoundScaled(float(np.exp(theta[0])), self._part.bind(theta[1:], x))


class _BoundScaled:
    def __init__(self, variance: float, part: Bound) -> None:
        self._variance, self._part = variance, part

    def cross(self, points: Array) -> tuple[Array, Array]:
        value, diagonal = self._part.cross(points)
        return self._variance * value, self._variance * diagonal

    def slope(self, point: Array) -> tuple[Array, Array]:
        value, diagonal = self._part.slope(point)
        return self._variance * value, self._variance * diagonal
