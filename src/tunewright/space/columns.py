"""Many points at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import InvalidInput
from tunewright.space.parameters import Categorical

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace

Array = NDArray[np.float64]


def encode_rows(space: SearchSpace, rows: Sequence[Mapping[str, Any]]) -> Array:
    """Valid params in the unit cube: (n, d), NaN for parameters that they lack."""
    points = np.empty((len(rows), len(space.names)))
    for column, (name, parameter) in enumerate(space.parameters.items()):
        if isinstance(parameter, Categorical):
            try:
                values = [parameter.index(row[name]) if name in row else math.nan for row in rows]
            except (KeyError, TypeError):
                wrong = next(row[name] for row in rows if name in row and row[name] not in parameter.choices)
                raise InvalidInput(name, f"must be a value of {parameter!r}", wrong) from None
        else:
            values = [row.get(name, math.nan) for row in rows]
        points[:, column] = space._codecs[name].encode_column(np.array(values, dtype=np.float64))
    return points
