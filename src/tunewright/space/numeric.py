"""Parameters that are numbers. Everything is checked when one is made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace
from tunewright.space.parameters import Parameter, When, read_when_form
from tunewright.space.scalars import number
from tunewright.space.scales import decide

LARGEST_COUNT = 2**50  # so many levels still have unit coordinates of their own in float64
LARGEST_LOG_INT = 2**42  # above, neighbouring integers on a log scale fall together
FIT = 1e-9  # share of a step by which a stepped float may miss its level: bounds such as 0.1 are not exact


class Float(Parameter):
    """A real number between `low` and `high`, both included.

    Args:
        low, high: finite, low < high.
        step: when given, only low, low + step, ..., high; it must divide high - low.
        scale: "linear", "log" (low > 0), "reverse_log" (0 <= low, high < 1), or "auto": log when low > 0, high/low >= 100
            and there is no step, else linear. `.scale` holds what was decided.
        default: the value to try first.
        when: active only when this holds: an expression (`"depth > 2"`) or {parent: [values]}.

    Raises:
        InvalidSpace: a rule above is broken.
    """

    __slots__ = ("_auto", "_digits", "high", "low", "scale", "step")
    kind = "float"
    low: float
    high: float
    step: float | None
    scale: str
    default: float | None
    _auto: bool
    _digits: int

    def __init__(
        self,
        low: float,
        high: float,
        *,
        step: float | None = None,
        scale: str = "auto",
        default: float | None = None,
        when: When = None,
    ) -> None:
        lower, upper = _bound(low, "Float.low"), _bound(high, "Float.high")
        if not lower < upper:
            raise InvalidSpace("Float.high", f"must be greater than low ({lower!r})", upper)
        if not math.isfinite(upper - lower):
            raise InvalidSpace("Float.high", f"must be a finite distance from low ({lower!r})", upper)
        size = None if step is None else _step(float(number(step, "Float.step")), lower, upper)
        decided = decide(scale, lower, upper, stepped=size is not None, field="Float")
        digits = 0 if size is None else max(_decimals(lower), _decimals(size))
        self._set(low=lower, high=upper, step=size, scale=decided, _auto=scale == "auto", _digits=digits)
        self._set(default=None, _when=read_when_form(when, "Float"))
        if default is not None:
            self._set(default=self.check(default, "Float.default"))

    @property
    def count(self) -> int | float:
        return math.inf if self.step is None else round((self.high - self.low) / self.step) + 1

    def level(self, index: int) -> float:
        """The value of level `index`, 0 for low; only with a step.

        Rounded to the decimals of low and step: a step of 0.05 gives 0.15, not 0.15000000000000002.
        """
        assert self.step is not None
        if index <= 0:
            return self.low
        if index >= self.count - 1:
            return self.high
        return round(self.low + index * self.step, self._digits)

    def check(self, value: object, field: str) -> float:
        given = float(number(value, field))
        if not self.low <= given <= self.high:
            raise InvalidSpace(field, f"must be between {self.low!r} and {self.high!r}", given)
        if self.step is None:
            return given
        level = self.level(round((given - self.low) / self.step))
        if abs(given - level) > FIT * self.step:
            raise InvalidSpace(field, f"must be {self.low!r} plus a multiple of step {self.step!r}", given)
        return level

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        scale = "auto" if self._auto else self.scale
        keywords = {"step": self.step, "scale": scale, "default": self.default, "when": self.when}
        return (self.low, self.high), keywords

    def _definition(self) -> tuple[Any, ...]:
        return (self.low, self.high, self.step, self.scale, *self._shared())

    def __repr__(self) -> str:
        step = "" if self.step is None else f", step={self.step!r}"
        auto = " (auto)" if self._auto else ""
        return f"Float({self.low!r}, {self.high!r}{step}, scale={self.scale!r}{auto}{self._suffix()})"


class Int(Parameter):
    """An integer between `low` and `high`, both included.

    Args:
        low, high: integers, low < high.
        step: at least 1; it must divide high - low.
        scale: "linear", "log" (low >= 1), or "auto": log when low > 0, high/low >= 100 and step is 1, else linear.
        default, when: as for Float.

    Raises:
        InvalidSpace: a rule above is broken, or there are too many values for exact unit coordinates.
    """

    __slots__ = ("_auto", "high", "low", "scale", "step")
    kind = "int"
    low: int
    high: int
    step: int
    scale: str
    default: int | None
    _auto: bool

    def __init__(
        self,
        low: int,
        high: int,
        *,
        step: int = 1,
        scale: str = "auto",
        default: int | None = None,
        when: When = None,
    ) -> None:
        lower, upper, size = _integer(low, "Int.low"), _integer(high, "Int.high"), _integer(step, "Int.step")
        if not lower < upper:
            raise InvalidSpace("Int.high", f"must be greater than low ({lower})", upper)
        if size < 1:
            raise InvalidSpace("Int.step", "must be at least 1", size)
        if (upper - lower) % size:
            raise InvalidSpace("Int.step", f"must divide high - low ({upper - lower})", size)
        if scale == "reverse_log":
            raise InvalidSpace("Int.scale", "must be linear, log or auto: reverse_log is for 0 <= x < 1", scale)
        decided = decide(scale, lower, upper, stepped=size > 1, field="Int")
        if (upper - lower) // size >= LARGEST_COUNT or max(abs(lower), abs(upper)) >= 2**63:
            raise InvalidSpace("Int.high", "must leave at most 2**50 values, each within 64 bits", upper)
        if decided == "log" and upper > LARGEST_LOG_INT:
            raise InvalidSpace("Int.high", "must be at most 2**42 with scale='log'", upper)
        self._set(low=lower, high=upper, step=size, scale=decided, _auto=scale == "auto")
        self._set(default=None, _when=read_when_form(when, "Int"))
        if default is not None:
            self._set(default=self.check(default, "Int.default"))

    @property
    def count(self) -> int:
        return (self.high - self.low) // self.step + 1

    def check(self, value: object, field: str) -> int:
        given = _integer(value, field)
        if not self.low <= given <= self.high:
            raise InvalidSpace(field, f"must be between {self.low} and {self.high}", given)
        if (given - self.low) % self.step:
            raise InvalidSpace(field, f"must be {self.low} plus a multiple of step {self.step}", given)
        return given

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        scale = "auto" if self._auto else self.scale
        keywords = {"step": self.step, "scale": scale, "default": self.default, "when": self.when}
        return (self.low, self.high), keywords

    def _definition(self) -> tuple[Any, ...]:
        return (self.low, self.high, self.step, self.scale, *self._shared())

    def __repr__(self) -> str:
        step = "" if self.step == 1 else f", step={self.step}"
        auto = " (auto)" if self._auto else ""
        return f"Int({self.low}, {self.high}{step}, scale={self.scale!r}{auto}{self._suffix()})"


def _bound(value: object, field: str) -> float:
    try:
        return float(number(value, field)) + 0.0  # -0.0 becomes 0.0
    except OverflowError:
        raise InvalidSpace(field, "must be finite", value) from None


def _integer(value: object, field: str) -> int:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, int):
        raise InvalidSpace(field, "must be an integer", value)
    return int(plain)


def _step(step: float, low: float, high: float) -> float:
    if step <= 0:
        raise InvalidSpace("Float.step", "must be greater than 0", step)
    steps = (high - low) / step
    if steps >= LARGEST_COUNT:
        raise InvalidSpace("Float.step", "must leave at most 2**50 values", step)
    if round(steps) < 1 or abs(steps - round(steps)) > FIT * max(1.0, steps):
        raise InvalidSpace("Float.step", f"must divide high - low ({high - low!r})", step)
    return step


def _decimals(value: float) -> int:
    """How many decimals the shortest text of a number has."""
    mantissa, _, exponent = repr(value).partition("e")
    decimals = len(mantissa.partition(".")[2].rstrip("0"))
    return max(0, decimals - int(exponent or 0))
