"""Stationary correlation functions of a squared scaled distance.

Each takes r2 = sum_j (x_j - x'_j)^2 / l_j^2 and returns the correlation and its derivative by r2, which is all that
gradients by lengthscales or by inputs need (chain rule through r2). They are at least twice differentiable at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Correlation: TypeAlias = Callable[[Array], tuple[Array, Array]]

_SQRT5 = float(np.sqrt(5.0))


def matern52(r2: Array) -> tuple[Array, Array]:
    """Matern correlation with nu = 5/2: (1 + s + s^2/3) exp(-s) with s = sqrt(5 r2) (GPML, equation 4.17)."""
    s = np.sqrt(r2)
    s *= _SQRT5
    decay = np.exp(-s)
    slope = (1.0 + s) * decay
    return slope + (5.0 / 3.0) * r2 * decay, (-5.0 / 6.0) * slope


def squared_exponential(r2: Array) -> tuple[Array, Array]:
    """Squared exponential correlation exp(-r2/2) (GPML, equation 4.9)."""
    value = np.exp(-0.5 * r2)
    return value, -0.5 * value


def squared_norms(a: Array) -> Array:
    """Squared lengths of the rows of `a` (n, D), as (n,)."""
    norms: Array = np.einsum("ij,ij->i", a, a)
    return norms


def squared_distance(a: Array, b: Array, b_norms: Array | None = None) -> Array:
    """Squared Euclidean distances between the rows of `a` (n, D) and `b` (m, D), as (n, m), never below zero.

    `b_norms` are `squared_norms(b)` when they are known.
    """
    r2 = (-2.0 * a) @ b.T
    r2 += squared_norms(a)[:, None]
    r2 += squared_norms(b) if b_norms is None else b_norms
    return np.maximum(r2, 0.0, out=r2)
