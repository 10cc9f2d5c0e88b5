"""How likely a trial is to succeed, learned from those that failed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.surrogate import ModelFamily, Surrogate

Array = NDArray[np.float64]


class SuccessModel:
    """A Gaussian process on the labels 1 (succeeded) and -1 (failed), read as a probability.

    Least-squares classification (GPML, section 6.5) with P(success) = Phi(mean / sqrt(sd^2 + noise)). Failures without a
    pattern raise the noise, so the probability is about the same everywhere and the search is not disturbed; a region that
    fails is learned with little noise and shunned. After Gelbart, Snoek and Adams 2014, "Bayesian Optimization with Unknown
    Constraints".

    Args:
        family: how the labels are modelled; its target transform is not used.
        succeeded, failed: canonical points (n, d) and (f, d), f >= 1.
    """

    def __init__(self, family: ModelFamily, succeeded: Array, failed: Array) -> None:
        points = np.vstack([succeeded, failed])
        labels = np.concatenate([np.ones(len(succeeded)), -np.ones(len(failed))])
        hyperparameters = family.fit(points, labels)
        self._model: Surrogate = family.given(hyperparameters, points, labels)
        self._noise = hyperparameters.noise

    def log_probability(self, points: Array) -> Array:
        """Log of the probability of success at canonical points (m, d): (m,)."""
        from scipy.special import log_ndtr

        mean, sd = self._model.predict(points)
        result: Array = log_ndtr(mean / np.sqrt(sd * sd + self._noise))
        return result

    def log_probability_slope(self, point: Array) -> tuple[float, Array]:
        """The same at one point (d,), and its gradient (d,)."""
        from scipy.special import log_ndtr

        mean, sd, mean_slope, sd_slope = self._model.predict_slope(point)
        total = (sd * sd + self._noise) ** 0.5
        z = mean / total
        log_p = float(log_ndtr(z))
        hazard = float(np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_p))  # phi(z) / Phi(z)
        return log_p, hazard * (mean_slope - (z * sd / total) * sd_slope) / total
