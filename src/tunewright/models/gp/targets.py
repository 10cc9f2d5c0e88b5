"""Monotone transforms of observed losses to targets that a Gaussian process models well.

Each takes (n,) finite losses, lower is better, and returns (n,) targets in the same order. Only the
order, and for the better half the shape, should matter: one diverged trial must not flatten everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TargetTransform: TypeAlias = Callable[[Array], Array]

_LARGEST = 1e300
_POWERS = np.linspace(-2.0, 2.0, 21)


def standardized(y: Array) -> Array:
    """Zero mean, unit variance; all zero when the values are (nearly) equal."""
    size = float(np.abs(y).max(initial=0.0))
    if size == 0.0:
        return np.zeros_like(y)
    scaled = y / size  # so that no finite value overflows when squared
    centred = scaled - scaled.mean()
    sd = float(np.sqrt(np.mean(centred * centred)))
    return centred / sd if sd > 1e-12 else np.zeros_like(y)


def half_rank(y: Array) -> Array:
    """Keep the shape of the better half; give the worse half the upper tail of a Gaussian, by rank.

    With s^2 the mean square of (y - median) over the better half, a value of that half becomes (y - median) / s, and one
    of the worse half q((rank + 1/2) / n), with q the standard normal quantile function; ties share their mean rank. This is
    the half-rank component of Vizier's output warping (Song et al. 2024, "The Vizier Gaussian Process Bandit Algorithm").
    Any finite values will do: they are clipped to 1e300 and scaled before they are squared.
    """
    from scipy.special import ndtri

    y = np.clip(y, -_LARGEST, _LARGEST)
    median = float(np.median(y))
    worse = y > median
    out = np.zeros_like(y)
    better = y[~worse] - median
    largest = float(np.abs(better).max())
    if largest > 0.0:
        scaled = better / largest
        out[~worse] = scaled / float(np.sqrt(np.mean(scaled * scaled)))
    out[worse] = ndtri((_mean_ranks(y)[worse] + 0.5) / len(y))
    return out


def yeo_johnson(y: Array) -> Array:
    """Standardised, then Yeo and Johnson's power transform (Biometrika 2000) with the likeliest power on a grid."""
    z = standardized(y)
    if not z.any():
        return z
    sign_log = float(np.sum(np.sign(z) * np.log1p(np.abs(z))))
    transformed = np.stack([_yeo_johnson(z, power) for power in _POWERS])
    variance = np.maximum(transformed.var(1), 1e-300)
    likelihood = -0.5 * len(z) * np.log(variance) + (_POWERS - 1.0) * sign_log
    return standardized(transformed[int(np.argmax(likelihood))])


def half_rank_yeo_johnson(y: Array) -> Array:
    """Half-rank, then Yeo-Johnson."""
    return yeo_johnson(half_rank(y))


def rank_gaussian(y: Array) -> Array:
    """Normal scores of the ranks, ties averaged."""
    from scipy.special import ndtri

    return standardized(ndtri((_mean_ranks(y) + 0.5) / len(y)))


def _mean_ranks(y: Array) -> Array:
    """0-based ranks (n,), ties sharing their mean."""
    ordered = np.sort(y)
    first = np.searchsorted(ordered, y, side="left")
    last = np.searchsorted(ordered, y, side="right") - 1
    return np.asarray(0.5 * (first + last), dtype=np.float64)


def _yeo_johnson(z: Array, power: float) -> Array:
    out = np.empty_like(z)
    positive = z >= 0
    up, down = z[positive], -z[~positive]
    out[positive] = np.log1p(up) if abs(power) < 1e-9 else ((1.0 + up) ** power - 1.0) / power
    rest = 2.0 - power
    out[~positive] = -np.log1p(down) if abs(rest) < 1e-9 else -((1.0 + down) ** rest - 1.0) / rest
    return out
