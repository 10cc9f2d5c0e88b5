"""Expected improvement over a surrogate, weighed by the chance of success."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.acquisition import log_expected_improvement
from tunewright.strategies.feasibility import SuccessModel
from tunewright.strategies.surrogate import Surrogate

Array = NDArray[np.float64]


class ExpectedImprovement:
    """Log expected improvement on an incumbent, plus the log weight of its chance to succeed.

    Args:
        surrogate: what predicts the targets.
        incumbent: the target to improve on.
        success: what predicts failures; None when none was seen.
    """

    def __init__(self, surrogate: Surrogate, incumbent: float, success: SuccessModel | None) -> None:
        self._surrogate, self._incumbent, self._success = surrogate, incumbent, success

    def __call__(self, points: Array) -> Array:
        mean, sd = self._surrogate.predict(points)
        value = log_expected_improvement(mean, sd, self._incumbent)[0]
        return value if self._success is None else value + self._success.log_weight(points)

    def slope(self, point: Array) -> tuple[float, Array]:
        mean, sd, mean_slope, sd_slope = self._surrogate.predict_slope(point)
        value, by_mean, by_sd = log_expected_improvement(np.array([mean]), np.array([sd]), self._incumbent)
        total, gradient = float(value[0]), by_mean[0] * mean_slope + by_sd[0] * sd_slope
        if self._success is None:
            return total, gradient
        log_weight, slope = self._success.log_weight_slope(point)
        return total + log_weight, gradient + slope
