"""Between a parameter's values and the unit interval.

    Float without step    u = (t(x) - t(low)) / (t(high) - t(low)), with t of its scale; exact at both bounds
    everything else       the interval is cut into one cell per level: level i of k owns [i/k, (i + 1)/k) on a linear
                          scale (and for choices), and the part between its neighbours' half steps, measured by the scale,
                          on another. A level's coordinate lies inside its cell, so decoding is exact.

A uniform u therefore gives values that are uniform in the scale's measure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.errors import InvalidInput
from tunewright.space.categorical import Categorical
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter
from tunewright.space.scales import FORWARD, FORWARD_ARRAY, INVERSE, INVERSE_ARRAY, outer_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TABLE = 4096  # levels of a stepped float up to which their values are kept


class Codec:
    """How one parameter is encoded. Made once per space; holds closures over precomputed numbers.

    Attributes:
        encode: from a value to u in [0, 1]. Raises InvalidInput for a value outside of the parameter.
        decode: from u, clipped to [0, 1], to the value as it is stored.
        encode_column: values (n,) as floats (choices as codes 0..k-1), NaN where inactive, to (n,); no checks.
        decode_column: (n,) in [0, 1] to values as floats, or codes for choices; agrees with decode up to rounding.
    """

    __slots__ = ("_cells", "decode", "decode_column", "encode", "encode_column")

    def __init__(
        self,
        encode: Callable[[Any], float],
        decode: Callable[[float], Any],
        encode_column: Callable[[Array], Array],
        decode_column: Callable[[Array], Array],
        cells: Callable[[], tuple[Array, Array]],
    ) -> None:
        self.encode, self.decode = encode, decode
        self.encode_column, self.decode_column = encode_column, decode_column
        self._cells = cells

    def cells(self) -> tuple[Array, Array]:
        """Coordinates (k,) of the k values, ascending, and the edges (k - 1,) between their cells; empty for a continuum."""
        return self._cells()


def codec(name: str, parameter: Parameter) -> Codec:
    """The codec of the parameter called `name`."""
    if isinstance(parameter, Categorical):
        return _categorical(name, parameter)
    if isinstance(parameter, Int):
        return _even(name, parameter) if parameter.scale == "linear" else _uneven(name, parameter)
    assert isinstance(parameter, Float)
    if parameter.step is None:
        return _continuous(name, parameter)
    return _even(name, parameter) if parameter.scale == "linear" else _uneven(name, parameter)


def _refuse(name: str, parameter: Parameter, value: object) -> InvalidInput:
    return InvalidInput(name, f"must be a value of {parameter!r}", value)


def _continuous(name: str, parameter: Float) -> Codec:
    low, high = parameter.low, parameter.high
    forward, inverse = FORWARD[parameter.scale], INVERSE[parameter.scale]
    start = forward(low)
    span = forward(high) - start
    forward_array, inverse_array = FORWARD_ARRAY[parameter.scale], INVERSE_ARRAY[parameter.scale]

    def encode(value: float) -> float:
        if not low <= value <= high:
            raise _refuse(name, parameter, value)
        return (forward(value) - start) / span

    def decode(u: float) -> float:
        if u <= 0.0:
            return low
        if u >= 1.0:
            return high
        value = inverse(start + u * span)
        return low if value < low else high if value > high else value

    def decode_linear(u: float) -> float:
        if u <= 0.0:
            return low
        value = low + u * span
        return value if value < high and u < 1.0 else high

    def encode_column(values: Array) -> Array:
        return np.asarray((forward_array(values) - start) / span)

    def decode_column(units: Array) -> Array:
        values = np.clip(inverse_array(start + units * span), low, high)
        return np.where(units <= 0.0, low, np.where(units >= 1.0, high, values))

    empty = np.empty(0)
    pick = decode_linear if parameter.scale == "linear" else decode
    return Codec(encode, pick, encode_column, decode_column, lambda: (empty, empty))


def _level_of(parameter: Float | Int) -> Callable[[int], float | int]:
    """From a level's index to its value."""
    if isinstance(parameter, Int):
        low, step = parameter.low, parameter.step
        return lambda index: low + index * step
    if parameter.count <= TABLE:
        table = [parameter.level(index) for index in range(int(parameter.count))]
        return table.__getitem__
    return parameter.level


def _levels_of(parameter: Float | Int) -> Callable[[Array], Array]:
    """From columns of indices, as floats, to columns of values, as floats."""
    low, high, step = parameter.low, parameter.high, parameter.step or 1
    if isinstance(parameter, Int):
        return lambda indices: np.asarray(low + step * indices)
    if parameter.count <= TABLE:
        table = np.array([parameter.level(index) for index in range(int(parameter.count))])
        return lambda indices: np.asarray(table[indices.astype(np.intp)])
    return lambda indices: np.minimum(low + step * indices, high)


def _index_of(name: str, parameter: Float | Int) -> Callable[[Any], int]:
    """From a value to its level's index."""
    low, high, step = parameter.low, parameter.high, parameter.step
    assert step is not None

    def index(value: Any) -> int:
        if not low <= value <= high:
            raise _refuse(name, parameter, value)
        steps: float = (value - low) / step
        return round(steps)

    def integer_index(value: Any) -> int:
        if not low <= value <= high:
            raise _refuse(name, parameter, value)
        return int((value - low) // step)

    return integer_index if isinstance(parameter, Int) else index


def _even(name: str, parameter: Float | Int) -> Codec:
    k, last = int(parameter.count), int(parameter.count) - 1
    level, levels, index = _level_of(parameter), _levels_of(parameter), _index_of(name, parameter)
    low, step = parameter.low, parameter.step or 1

    def encode(value: Any) -> float:
        return (index(value) + 0.5) / k

    def decode(u: float) -> Any:
        i = int(u * k)
        return level(0 if i < 0 else last if i > last else i)

    def encode_column(values: Array) -> Array:
        return np.asarray((np.rint((values - low) / step) + 0.5) / k)

    def decode_column(units: Array) -> Array:
        return levels(np.clip(np.floor(units * k), 0, last))

    def cells() -> tuple[Array, Array]:
        return (np.arange(k) + 0.5) / k, np.arange(1, k) / k

    return Codec(encode, decode, encode_column, decode_column, cells)


def _uneven(name: str, parameter: Float | Int) -> Codec:
    last = int(parameter.count) - 1
    level, levels, index = _level_of(parameter), _levels_of(parameter), _index_of(name, parameter)
    low, high, step = float(parameter.low), float(parameter.high), float(parameter.step or 1)
    forward, inverse = FORWARD[parameter.scale], INVERSE[parameter.scale]
    forward_array, inverse_array = FORWARD_ARRAY[parameter.scale], INVERSE_ARRAY[parameter.scale]
    below, above = outer_edges(parameter.scale, low, high, step)
    start = forward(below)
    span = forward(above) - start

    def encode(value: Any) -> float:
        index(value)
        return (forward(value) - start) / span

    def decode(u: float) -> Any:
        i = round((inverse(start + min(max(u, 0.0), 1.0) * span) - low) / step)
        return level(0 if i < 0 else last if i > last else i)

    def encode_column(values: Array) -> Array:
        return np.asarray((forward_array(values) - start) / span)

    def decode_column(units: Array) -> Array:
        values = inverse_array(start + np.clip(units, 0.0, 1.0) * span)
        return levels(np.clip(np.rint((values - low) / step), 0, last))

    def cells() -> tuple[Array, Array]:
        values = low + step * np.arange(last + 1, dtype=np.float64)
        return encode_column(np.minimum(values, high)), encode_column(values[:-1] + step / 2)

    return Codec(encode, decode, encode_column, decode_column, cells)


def _categorical(name: str, parameter: Categorical) -> Codec:
    choices, index = parameter.choices, parameter.index
    k, last = len(choices), len(choices) - 1

    def encode(value: Any) -> float:
        try:
            return (index(value) + 0.5) / k
        except (KeyError, TypeError):
            raise _refuse(name, parameter, value) from None

    def decode(u: float) -> Any:
        i = int(u * k)
        return choices[0 if i < 0 else last if i > last else i]

    def encode_column(codes: Array) -> Array:
        return np.asarray((codes + 0.5) / k)

    def decode_column(units: Array) -> Array:
        return np.asarray(np.clip(np.floor(units * k), 0, last))

    def cells() -> tuple[Array, Array]:
        return (np.arange(k) + 0.5) / k, np.arange(1, k) / k

    return Codec(encode, decode, encode_column, decode_column, cells)
