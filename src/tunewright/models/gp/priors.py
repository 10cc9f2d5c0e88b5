"""Gaussian priors over log parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogNormal:
    """A log-normal prior: the logs of the parameters are jointly Gaussian, cut off at hard bounds.

    The density is taken over the log parameters, without a Jacobian, so its mode is `mean` itself.

    Args:
        mean: (p,) mean of the log parameters.
        precision: (p, p) inverse of their covariance.
        low, high: (p,) bounds of the log parameters.
    """

    mean: Array
    precision: Array
    low: Array
    high: Array

    @staticmethod
    def repeated(size: int, mean: float, sd: float, low: float, high: float, *, shared: float = 0.0) -> LogNormal:
        """The same prior for `size` parameters.

        Args:
            size: p.
            mean: of each log parameter.
            sd: standard deviation of each log parameter around what they have in common.
            low, high: bounds.
            shared: standard deviation of what they have in common: a hierarchical model with its upper level integrated out.
        """
        covariance = sd * sd * np.eye(size) + shared * shared
        precision: Array = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        return LogNormal(np.full(size, mean), precision, np.full(size, low), np.full(size, high))

    @staticmethod
    def stacked(parts: Sequence[LogNormal]) -> LogNormal:
        """Independent priors of several blocks of parameters, one after the other."""
        sizes = [part.size for part in parts]
        precision, start = np.zeros((sum(sizes), sum(sizes))), 0
        for part, size in zip(parts, sizes, strict=True):
            precision[start : start + size, start : start + size] = part.precision
            start += size
        mean, low, high = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "low", "high"))
        return LogNormal(mean, precision, low, high)

    @property
    def size(self) -> int:
        """How many parameters."""
        return len(self.mean)

    def negative_log_density(self, theta: Array) -> tuple[float, Array]:
        """Minus the log density at `theta` (p,), up to a constant, and its gradient (p,)."""
        offset = theta - self.mean
        gradient = self.precision @ offset
        return 0.5 * float(offset @ gradient), gradient
