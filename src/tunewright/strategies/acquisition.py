"""Acquisition functions: how much a point is worth trying. All are for minimisation; higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
_SQRT_HALF_PI = float(np.sqrt(0.5 * np.pi))
_SQRT_HALF = float(np.sqrt(0.5))


def log_expected_improvement(mean: Array, sd: Array, incumbent: float) -> tuple[Array, Array, Array]:
    """Log of E[max(incumbent - f, 0)] for f ~ N(mean, sd^2), and its derivatives by mean and sd.

    EI = sd h(z) with h(z) = phi(z) + z Phi(z) and z = (incumbent - mean)/sd. Below z = -1, h loses all digits, so there
    log h = log phi(z) + log(1 + z sqrt(pi/2) erfcx(-z/sqrt(2))) (Ament et al. 2023, "Unexpected Improvements to
    Expected Improvement", equation 9), and far below, its expansion -2 log(-z).

    Args:
        mean, sd: (n,) of the predicted latent function.
        incumbent: the value to improve on.

    Returns:
        The log expected improvement and its two derivatives, (n,) each.
    """
    from scipy.special import erfcx, ndtr

    z = (incumbent - mean) / sd
    log_phi = -0.5 * z * z - _HALF_LOG_2PI
    log_h, ratio = np.empty_like(z), np.empty_like(z)  # ratio = h'/h = Phi(z)/h(z)
    near = z > -1.0
    cdf = ndtr(z[near])
    h = np.exp(log_phi[near]) + z[near] * cdf
    log_h[near], ratio[near] = np.log(h), cdf / h
    far = ~near
    if far.any():
        zf = z[far]
        mills = _SQRT_HALF_PI * erfcx(-zf * _SQRT_HALF)  # Phi(z)/phi(z)
        rest = np.where(zf < -1e4, 1.0 / (zf * zf), 1.0 + zf * mills)
        log_h[far], ratio[far] = log_phi[far] + np.log(rest), mills / rest
    return np.log(sd) + log_h, -ratio / sd, (1.0 - z * ratio) / sd
