"""Gaussian-process regression with a constant mean: marginal likelihood, MAP fit, prediction.

The mean is the generalised least-squares estimate (GPML, equation 2.45 with one basis function), so it is never a
parameter of the fit; at its optimum its derivative drops out of the gradient of the likelihood (envelope theorem).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.covariance import Covariance
from tunewright.models.gp.priors import LogNormal

Array = NDArray[np.float64]

NOISE_FLOOR = 1e-6
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Hyperparameters:
    """Log parameters of a covariance (p,) and the log noise variance."""

    theta: Array
    log_noise: float

    @property
    def noise(self) -> float:
        """Noise variance, with the floor that keeps the Cholesky factor well conditioned."""
        return float(np.exp(self.log_noise)) + NOISE_FLOOR


class Regression:
    """A Gaussian process given observations.

    Args:
        covariance: of the latent function.
        hyperparameters: its log parameters and the noise.
        x: (n, D) encoded inputs.
        y: (n,) targets, near zero mean and unit variance.
        mean: a fixed constant mean; None estimates it.
        noise_share: share of the noise that counts in predicted standard deviations. At 1 it is ordinary regression. Near 0
            it is re-interpolation (Forrester, Keane and Bressloff 2006, "Design and Analysis of 'Noisy' Computer
            Experiments"): the mean stays smooth, but at an observed point nothing is left to learn, as is right when the
            noise stands for detail that the covariance can't follow.
    """

    def __init__(
        self,
        covariance: Covariance,
        hyperparameters: Hyperparameters,
        x: Array,
        y: Array,
        *,
        mean: float | None = None,
        noise_share: float = 1.0,
    ) -> None:
        self.covariance, self.hyperparameters, self.x, self.y = covariance, hyperparameters, x, y
        k, _ = covariance.matrix(hyperparameters.theta, x)
        diagonal = np.diag_indices_from(k)
        k[diagonal] += hyperparameters.noise
        self._factor, self.inverse = _invert(k)
        self._noise_share, self._variance_inverse = noise_share, self.inverse
        if noise_share < 1.0:
            k[diagonal] -= (1.0 - noise_share) * (hyperparameters.noise - NOISE_FLOOR)
            self._variance_inverse = _invert(k)[1]
        ones = self.inverse.sum(0)
        self.mean = float(ones @ y / ones.sum()) if mean is None else mean
        self.alpha = self.inverse @ (y - self.mean)
        self._bound = covariance.bind(hyperparameters.theta, x)

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the latent function (without noise) at x (m, D): two (m,) arrays."""
        cross, variance = self._bound.cross(x)
        variance -= np.einsum("ij,ij->i", cross @ self._variance_inverse, cross)
        return self.mean + cross @ self.alpha, np.sqrt(np.maximum(variance, _LEAST_VARIANCE))

    def predict_slope(self, point: Array) -> tuple[float, float, Array, Array]:
        """Mean, standard deviation, and their gradients (D,) by the input, at one point (D,)."""
        cross, diagonal = self._bound.cross(point[None])
        slope, diagonal_slope = self._bound.slope(point)
        weights = self._variance_inverse @ cross[0]
        sd = max(float(diagonal[0] - cross[0] @ weights), _LEAST_VARIANCE) ** 0.5
        mean = self.mean + float(cross[0] @ self.alpha)
        return mean, sd, self.alpha @ slope, (diagonal_slope - 2.0 * (weights @ slope)) / (2.0 * sd)

    def given(self, x: Array, y: Array) -> Regression:
        """The same model with further observations (m, D) and (m,): hyperparameters and mean stay."""
        more_x, more_y = np.vstack([self.x, x]), np.concatenate([self.y, y])
        return Regression(self.covariance, self.hyperparameters, more_x, more_y, mean=self.mean, noise_share=self._noise_share)

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation (with noise) of each observation given the others (GPML, equation 5.12)."""
        precision = np.diag(self.inverse)
        return self.y - self.alpha / precision, 1.0 / np.sqrt(precision)

    def log_likelihood(self) -> float:
        """Log marginal likelihood (GPML, equation 2.30)."""
        n = len(self.y)
        fit = float((self.y - self.mean) @ self.alpha)
        return -0.5 * fit - float(np.log(np.diag(self._factor)).sum()) - 0.5 * n * float(np.log(2 * np.pi))


def fit(
    covariance: Covariance,
    noise: LogNormal,
    x: Array,
    y: Array,
    *,
    start: Hyperparameters | None = None,
    iterations: int = 30,
) -> Hyperparameters:
    """Maximum a posteriori hyperparameters, by L-BFGS-B from one start.

    Args:
        covariance: of the latent function, with its prior.
        noise: prior of the log noise variance (one parameter).
        x: (n, D) encoded inputs.
        y: (n,) targets, near zero mean and unit variance.
        start: where to begin; None begins at the prior's mode.
        iterations: the most L-BFGS iterations.
    """
    from scipy.optimize import minimize

    prior = LogNormal.stacked([covariance.prior, noise])
    begin = prior.mean if start is None else np.append(start.theta, start.log_noise)
    result = minimize(
        negative_log_posterior,
        np.clip(begin, prior.low, prior.high),
        args=(covariance, prior, x, y),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([prior.low, prior.high]),
        options={"maxiter": iterations, "maxcor": 10, "ftol": 1e-5, "gtol": 1e-3},
    )
    return Hyperparameters(result.x[:-1], float(result.x[-1]))


def negative_log_posterior(
    parameters: Array, covariance: Covariance, prior: LogNormal, x: Array, y: Array
) -> tuple[float, Array]:
    """Minus log p(y | theta) p(theta), up to a constant, and its gradient (GPML, equation 5.9).

    Args:
        parameters: (p + 1,) log parameters of the covariance, then the log noise variance.
        prior: over all of them.
    """
    k, pull = covariance.matrix(parameters[:-1], x)
    noise = float(np.exp(parameters[-1]))
    k[np.diag_indices_from(k)] += noise + NOISE_FLOOR
    try:
        factor, inverse = _invert(k)
    except np.linalg.LinAlgError:
        return 1e25, np.zeros_like(parameters)
    ones = inverse.sum(0)
    residual = y - float(ones @ y / ones.sum())
    alpha = inverse @ residual
    value = 0.5 * float(residual @ alpha) + float(np.log(np.diag(factor)).sum())
    half = 0.5 * (inverse - np.outer(alpha, alpha))  # dF/dK
    gradient = np.append(pull(half), noise * np.trace(half))
    prior_value, prior_gradient = prior.negative_log_density(parameters)
    return value + prior_value, gradient + prior_gradient


def _invert(k: Array) -> tuple[Array, Array]:
    """Lower Cholesky factor and inverse of a positive definite matrix (n, n), straight from LAPACK."""
    from scipy.linalg import lapack

    factor, info = lapack.dpotrf(k, lower=1, clean=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"the covariance matrix is not positive definite (LAPACK info {info})")
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse)
    return factor, inverse + np.tril(inverse, -1).T
