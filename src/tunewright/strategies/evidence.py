"""What a history tells a model: which points gave which losses, which failed, which are still being tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunewright.history import History
from tunewright.records import Status

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Evidence:
    """Trials of a history by what they are good for. Points are canonical: in the unit cube, NaN where inactive.

    Args:
        rows: (n,) rows of the history with a finite loss.
        points: (n, d) their points.
        losses: (n,) their losses, lower is better.
        failed: (f, d) points of trials that failed, or ended without a finite loss.
        pending: (p, d) points of trials that have not ended.
    """

    rows: Rows
    points: Array
    losses: Array
    failed: Array
    pending: Array

    @staticmethod
    def of(history: History) -> Evidence:
        """Sorts a history's trials.

        A stopped trial counts for the last value that it reported, but never as better than the best completed one: its
        curve ended early.
        """
        losses, points, pending = history.losses.copy(), history.points, history.pending
        finite = np.isfinite(losses)
        stopped = np.flatnonzero(history.mask(Status.STOPPED) & ~finite)
        if len(stopped):
            least = losses[finite].min() if finite.any() else -np.inf
            sign = history.objectives[0].sign
            for row in stopped.tolist():
                values = history.curve(int(history.numbers[row]))[1]
                if len(values) and np.isfinite(values[-1]):
                    losses[row] = max(sign * float(values[-1]), least)
            finite = np.isfinite(losses)
        failed = (history.mask(Status.FAILED) | (history.mask(Status.COMPLETED) & ~finite)) & ~pending
        rows = np.flatnonzero(finite & ~pending)
        return Evidence(rows, points[rows], losses[rows], points[failed], points[pending])

    def best(self, count: int) -> Array:
        """The points of the lowest losses, (at most `count`, d)."""
        return self.points[np.argsort(self.losses, kind="stable")[:count]]
