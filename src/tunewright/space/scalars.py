"""JSON scalars: the values that parameters take, that are stored, and that keep their types apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace

Scalar = str | int | float | bool | None
Identity = tuple[str, Scalar]


def canonical(value: object, field: str) -> Scalar:
    """The plain Python value of a scalar: numpy's and subclasses' become str, int, float, bool or None.

    Raises:
        InvalidSpace: the value is no JSON scalar (or not finite); `field` names it.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidSpace(field, "must be finite", float(value))
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise InvalidSpace(field, "must be a string, number, true, false or None", value)


def number(value: object, field: str) -> int | float:
    """A finite number as int or float; True and False are none.

    Raises:
        InvalidSpace: it is something else; `field` names it.
    """
    plain: Any = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise InvalidSpace(field, "must be a number", value)
    if not math.isfinite(plain):
        raise InvalidSpace(field, "must be finite", float(plain))
    return int(plain) if isinstance(plain, int) else float(plain)


def identity(value: Scalar) -> Identity:
    """A hashable that differs between 1, True, 1.0 and "1"."""
    return type(value).__name__, value


def same(left: Scalar, right: Scalar) -> bool:
    """Equality that keeps types apart."""
    return type(left) is type(right) and left == right
