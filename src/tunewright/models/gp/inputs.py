"""From points of the unit cube, NaN where inactive, to the columns that a covariance sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One parameter as the model sees it.

    Args:
        levels: how many evenly spaced values it has; 0 for a continuum, and for uneven spacing.
        unordered: whether it is a categorical without order; then it needs levels.
        conditional: whether it can be inactive.
    """

    levels: int = 0
    unordered: bool = False
    conditional: bool = False


class Inputs:
    """Encodes points for a covariance.

    A numeric or ordered parameter is its unit coordinate; with few evenly spaced levels it is stretched so that the first
    is 0 and the last 1. An unordered categorical is one-hot over sqrt(2), so that two different values are at squared
    distance 1. An inactive numeric parameter is 1/2, with a flag column of 1/2 (0 when active); an inactive categorical is
    a category of its own. So whatever value an inactive parameter would have had, the encoding is the same.

    Args:
        columns: the parameters, in the order of the points' coordinates.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        groups: list[int] = []
        numeric, numeric_at, flag, flag_at, unordered, offset, counts = [], [], [], [], [], [], []
        for j, column in enumerate(columns):
            if column.unordered:
                unordered.append(j)
                offset.append(len(groups))
                counts.append(column.levels)
                groups += [j] * (column.levels + column.conditional)
            else:
                numeric.append(j)
                numeric_at.append(len(groups))
                groups.append(j)
                if column.conditional:
                    flag.append(j)
                    flag_at.append(len(groups))
                    groups.append(j)
        self.groups = np.array(groups, dtype=np.intp)
        self.numeric_columns = np.array(numeric_at, dtype=np.intp)  # where numeric parameter `numeric[i]` stands
        self.numeric = np.array(numeric, dtype=np.intp)
        self.unordered = np.array(unordered, dtype=np.intp)
        self._flag, self._flag_at = np.array(flag, dtype=np.intp), np.array(flag_at, dtype=np.intp)
        self._offset, self._counts = np.array(offset, dtype=np.intp), np.array(counts, dtype=np.intp)
        levels = np.array([columns[j].levels for j in numeric], dtype=np.float64)
        few = (levels > 1) & (levels < 1000)
        self.stretch = np.where(few, levels / np.where(few, levels - 1.0, 1.0), 1.0)  # dcolumn/dcoordinate

    @property
    def size(self) -> int:
        """D, the number of columns."""
        return len(self.groups)

    def encode(self, points: Array) -> Array:
        """Points (n, d) with NaN where inactive, as columns (n, D)."""
        out = np.zeros((len(points), self.size))
        if len(self.numeric):
            values = (points[:, self.numeric] - 0.5) * self.stretch + 0.5
            out[:, self.numeric_columns] = np.where(np.isnan(values), 0.5, values)
        if len(self._flag):
            out[:, self._flag_at] = np.where(np.isnan(points[:, self._flag]), 0.5, 0.0)
        if len(self.unordered):
            values = points[:, self.unordered]
            inactive = np.isnan(values)
            codes = np.minimum((np.where(inactive, 0.0, values) * self._counts).astype(np.intp), self._counts - 1)
            codes = np.where(inactive, self._counts, codes)
            out[np.arange(len(points))[:, None], self._offset + codes] = np.sqrt(0.5)
        return out
