"""Independent Gaussian priors over log parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogNormal:
    """Log-normal priors: the log of parameter j is Gaussian, cut off at hard bounds.

    The density is taken over the log parameter, without a Jacobian, so its mode is `mean` itself.

    Args:
        mean: (p,) mean of the log parameters.
        sd: (p,) standard deviation of the log parameters.
        low, high: (p,) bounds of the log parameters.
    """

    mean: Array
    sd: Array
    low: Array
    high: Array

    @staticmethod
    def repeated(size: int, mean: float, sd: float, low: float, high: float) -> LogNormal:
        """The same prior for `size` parameters."""
        return LogNormal(*(np.full(size, value) for value in (mean, sd, low, high)))

    @staticmethod
    def stacked(parts: Sequence[LogNormal]) -> LogNormal:
        """Priors of several blocks of parameters, one after the other."""
        return LogNormal(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.sd for part in parts]),
            np.concatenate([part.low for part in parts]),
            np.concatenate([part.high for part in parts]),
        )

    @property
    def size(self) -> int:
        """How many parameters."""
        return len(self.mean)

    def negative_log_density(self, theta: Array) -> tuple[float, Array]:
        """Minus the log density at `theta` (p,), up to a constant, and its gradient (p,)."""
        z = (theta - self.mean) / self.sd
        return 0.5 * float(z @ z), z / self.sd
