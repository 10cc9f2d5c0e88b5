"""How likely a trial is to succeed, learned from those that failed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.surrogate import ModelFamily, Surrogate

Array = NDArray[np.float64]

SAFE = 0.8  # share of the usual chance of success below which a point is penalised
STEEPNESS = 100.0  # of the penalty, in units of log expected improvement
NEEDED_GAIN = 2.5  # log of how much better labels must be predicted than by their frequency, to believe in a pattern


class SuccessModel:
    """A Gaussian process on the labels 1 (succeeded) and -1 (failed), read as a probability.

    Least-squares classification (GPML, section 6.5): P(success) = Phi(mean / sqrt(sd^2 + noise)). What counts is the share
    of P in its median over the trials that succeeded. Gelbart, Snoek and Adams 2014, "Bayesian Optimization with Unknown
    Constraints", weigh by P and demand a high P of what they recommend; here a low share is penalised while searching, too,
    for a failed trial teaches nothing about the loss.

    Failures by chance must not disturb the search. So shares are drawn towards 1 unless the model predicts each label from
    the others better than their frequency does.

    Args:
        family: how the labels are modelled; its target transform is not used.
        succeeded, failed: canonical points (n, d) and (f, d), n and f >= 1.

    Attributes:
        belief: in [0, 1], how far the failures are believed to have a pattern.
    """

    def __init__(self, family: ModelFamily, succeeded: Array, failed: Array) -> None:
        points = np.vstack([succeeded, failed])
        labels = np.concatenate([np.ones(len(succeeded)), -np.ones(len(failed))])
        hyperparameters = family.fit(points, labels)
        self._model: Surrogate = family.given(hyperparameters, points, labels)
        self._noise = hyperparameters.noise
        self._usual = float(np.median(self.probability(succeeded)))
        gain = _left_out(self._model, labels) - _by_frequency(len(succeeded), len(failed))
        self.belief = float(1.0 / (1.0 + np.exp(np.clip(-4.0 * (gain - NEEDED_GAIN), -50.0, 50.0))))

    def probability(self, points: Array) -> Array:
        """P(success) at canonical points (m, d): (m,)."""
        from scipy.special import ndtr

        mean, sd = self._model.predict(points)
        return np.asarray(ndtr(mean / np.sqrt(sd * sd + self._noise)))

    def log_weight(self, points: Array) -> Array:
        """What to add to a log acquisition value at canonical points (m, d): (m,), at most 0."""
        share = np.minimum(self.probability(points) / self._usual, 1.0)
        share = np.maximum(1.0 - self.belief * (1.0 - share), 1e-300)
        return np.asarray(np.log(share) - STEEPNESS * np.maximum(SAFE - share, 0.0))

    def log_weight_slope(self, point: Array) -> tuple[float, Array]:
        """The same at one point (d,), and its gradient (d,)."""
        from scipy.special import ndtr

        mean, sd, mean_slope, sd_slope = self._model.predict_slope(point)
        total = (sd * sd + self._noise) ** 0.5
        z = mean / total
        share = float(ndtr(z)) / self._usual
        if share >= 1.0:
            return 0.0, np.zeros_like(mean_slope)
        share = max(1.0 - self.belief * (1.0 - share), 1e-300)
        density = float(np.exp(-0.5 * z * z)) / (2.0 * np.pi) ** 0.5 / self._usual
        slope = self.belief * density * (mean_slope - (z * sd / total) * sd_slope) / total
        value = float(np.log(share)) - STEEPNESS * max(SAFE - share, 0.0)
        return value, (1.0 / share + (STEEPNESS if share < SAFE else 0.0)) * slope


def _left_out(model: Surrogate, labels: Array) -> float:
    """Log probability of the labels, each predicted from all the others."""
    from scipy.special import log_ndtr

    mean, sd = model.regression.leave_one_out()
    return float(log_ndtr(labels * mean / sd).sum())


def _by_frequency(succeeded: int, failed: int) -> float:
    """The same for a model that knows only how many of the others failed (with half a trial of each kind beforehand)."""
    n = succeeded + failed
    return succeeded * float(np.log((succeeded - 0.5) / n)) + failed * float(np.log((failed - 0.5) / n))
