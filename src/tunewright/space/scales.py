"""Scales: the measure in which a number's range is walked and searched.

    linear        t = x
    log           t = log(x),         for x > 0
    reverse_log   t = -log(1 - x),    for 0 <= x < 1; fine near 1, as for momentum

`auto` is decided from the bounds when a parameter is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace, nearest

SCALES = ("linear", "log", "reverse_log")
AUTO_LOG_RATIO = 100.0  # from this ratio of the bounds on, equal steps of the logarithm are the better guess


def decide(asked: str, low: float, high: float, *, stepped: bool, field: str) -> str:
    """The scale that `asked` means for these bounds.

    Raises:
        InvalidSpace: an unknown scale, or bounds that it can't have.
    """
    if asked == "auto":
        return "log" if low > 0 and high / low >= AUTO_LOG_RATIO and not stepped else "linear"
    if asked not in SCALES:
        hint = nearest(asked, (*SCALES, "auto")) if isinstance(asked, str) else f"known: auto, {', '.join(SCALES)}"
        raise InvalidSpace(f"{field}.scale", f"must be one of linear, log, reverse_log, auto ({hint})", asked)
    if asked == "log" and low <= 0:
        raise InvalidSpace(f"{field}.low", "must be greater than 0 with scale='log'", low)
    if asked == "reverse_log" and low < 0:
        raise InvalidSpace(f"{field}.low", "must be at least 0 with scale='reverse_log'", low)
    if asked == "reverse_log" and high >= 1:
        raise InvalidSpace(f"{field}.high", "must be less than 1 with scale='reverse_log'", high)
    return asked


def _identity(x: Any) -> Any:
    return x


def _reverse_log(x: float) -> float:
    return -math.log1p(-x)


def _reverse_log_inverse(t: float) -> float:
    return -math.expm1(-t)


FORWARD: dict[str, Callable[[float], float]] = {"linear": _identity, "log": math.log, "reverse_log": _reverse_log}
INVERSE: dict[str, Callable[[float], float]] = {"linear": _identity, "log": math.exp, "reverse_log": _reverse_log_inverse}
FORWARD_ARRAY: dict[str, Callable[[Any], Any]] = {
    "linear": _identity,
    "log": np.log,
    "reverse_log": lambda x: -np.log1p(-x),
}
INVERSE_ARRAY: dict[str, Callable[[Any], Any]] = {
    "linear": _identity,
    "log": np.exp,
    "reverse_log": lambda t: -np.expm1(-t),
}


def outer_edges(scale: str, low: float, high: float, step: float) -> tuple[float, float]:
    """Where the first level's cell begins and the last one's ends: half a step outside, but inside the scale's domain.

    Where half a step would leave the domain, or come so near to its end that one level took most of the measure, the
    inner edge is mirrored at the level instead.
    """
    below, above = low - step / 2, high + step / 2
    if scale == "log" and low < step:
        below = low * low / (low + step / 2)
    if scale == "reverse_log" and 1 - high < step:
        above = 1 - (1 - high) ** 2 / (1 - high + step / 2)
    return below, above
