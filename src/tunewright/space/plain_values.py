"""What people write in a space instead of parameters: lists, scalars, scipy's distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace
from tunewright.space.categorical import Categorical
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter, about
from tunewright.space.scalars import Scalar, canonical


def read_value(name: str, value: object) -> Parameter | Scalar:
    """A parameter, or the fixed value that a scalar stands for.

    A list is a Categorical, ordered (and sorted) when all of it is numbers; a scalar is fixed; scipy's frozen uniform,
    loguniform and randint are a Float or Int with their support.

    Raises:
        InvalidSpace: anything else.
    """
    if isinstance(value, Parameter):
        return value
    if isinstance(value, list):
        return _choices(name, value)
    if hasattr(value, "dist") and hasattr(value, "support"):
        return _distribution(name, value)
    if value is None or isinstance(value, str | int | float | np.generic):
        return canonical(value, name)
    rule = "must be a Float, Int, Categorical, a list of choices, a scalar, or scipy's uniform, loguniform or randint"
    raise InvalidSpace(name, rule, value)


def _choices(name: str, values: list[Any]) -> Categorical:
    numbers = all(isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool) for value in values)
    try:
        return Categorical(sorted(values) if numbers else values, ordered=numbers)
    except InvalidSpace as error:
        raise about(name, error) from None


def _distribution(name: str, frozen: Any) -> Parameter:
    try:
        return _supported(name, frozen, *frozen.support())
    except InvalidSpace as error:
        raise (error if error.field == name else about(name, error)) from None


def _supported(name: str, frozen: Any, low: float, high: float) -> Parameter:
    kind = frozen.dist.name
    if kind == "uniform":
        return Float(low, high, scale="linear")
    if kind == "randint":
        return Int(int(low), int(high), scale="linear")
    if kind in ("loguniform", "reciprocal"):
        # a shifted one isn't uniform in the logarithm
        loc = frozen.kwds.get("loc", frozen.args[2] if len(frozen.args) > 2 else 0)
        if loc == 0:
            return Float(low, high, scale="log")
        raise InvalidSpace(name, "must be a loguniform with loc=0", loc)
    raise InvalidSpace(name, "must be scipy's uniform, loguniform or randint; write others as Float or Int", kind)
