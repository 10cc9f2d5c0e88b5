"""The three kinds of parameters. Immutable; everything is checked when one is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tunewright.errors import InvalidSpace, nearest
from tunewright.space.scalars import Scalar, canonical, identity, number, same
from tunewright.space.scales import decide

When = str | Mapping[str, Any] | None
WhenForm = str | tuple[tuple[str, tuple[Scalar, ...]], ...] | None

LARGEST_COUNT = 2**50  # so many levels still have unit coordinates of their own in float64
LARGEST_LOG_INT = 2**42  # above, neighbouring integers on a log scale fall together
FIT = 1e-9  # share of a step by which a stepped float may miss its level: bounds such as 0.1 are not exact


class Parameter:
    """What may vary: base of Float, Int and Categorical.

    Attributes:
        default: the value to try first, or None.
        when: the condition as given: an expression, or {parent: [values]}; None when it always holds.
    """

    __slots__ = ("_when", "default")
    kind: ClassVar[str]
    default: Any
    _when: WhenForm

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one")

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def when(self) -> str | dict[str, list[Scalar]] | None:
        """The condition under which it is active: an expression, or every allowed value of each parent."""
        if self._when is None or isinstance(self._when, str):
            return self._when
        return {parent: list(values) for parent, values in self._when}

    @property
    def count(self) -> int | float:
        """How many values it has; math.inf for a Float without step."""
        raise NotImplementedError

    def check(self, value: object, field: str) -> Any:
        """The value as this parameter stores it: Int gives int, Float float, Categorical one of its choices.

        Raises:
            InvalidSpace: the value is none of this parameter's; `field` names it.
        """
        raise NotImplementedError

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments that make it again."""
        raise NotImplementedError

    def without_condition(self) -> Parameter:
        """The same, always active."""
        positional, keywords = self.arguments()
        return type(self)(*positional, **{**keywords, "when": None})

    def _definition(self) -> tuple[Any, ...]:
        """What makes two of them equal."""
        raise NotImplementedError

    def _shared(self) -> tuple[Any, ...]:
        when = self._when
        if isinstance(when, tuple):
            when = tuple(sorted((parent, tuple(map(identity, values))) for parent, values in when))  # type: ignore[misc]
        return (self.default if self.default is None else identity(self.default), when)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._definition() == other._definition()

    def __hash__(self) -> int:
        return hash((self.kind, self._definition()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (type(self), *self.arguments())

    def __copy__(self) -> Parameter:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        return self

    def _suffix(self) -> str:
        default = "" if self.default is None else f", default={self.default!r}"
        return default + ("" if self._when is None else f", when={self.when!r}")


def _make(kind: type[Parameter], positional: tuple[Any, ...], keywords: dict[str, Any]) -> Parameter:
    return kind(*positional, **keywords)


def _read_when(when: object, kind: str) -> WhenForm:
    """The condition as immutable data; what it says is checked by the space, which knows the parents."""
    field = f"{kind}.when"
    if when is None:
        return None
    if isinstance(when, str):
        if not when.strip():
            raise InvalidSpace(field, "must not be an empty expression", when)
        return when.strip()
    if not isinstance(when, Mapping):
        raise InvalidSpace(field, "must be an expression or {parent: [values]}", when)
    if not when:
        raise InvalidSpace(field, "must name at least one parent", when)
    form = []
    for parent, values in when.items():
        if not isinstance(parent, str):
            raise InvalidSpace(field, "must name its parents by strings", parent)
        listed = list(values) if isinstance(values, list | tuple | set | frozenset) else [values]
        if not listed:
            raise InvalidSpace(f"{field}[{parent!r}]", "must list at least one value", values)
        form.append((parent, tuple(canonical(value, f"{field}[{parent!r}]") for value in listed)))
    return tuple(form)


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
        self._set(default=None, _when=_read_when(when, "Float"))
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
        self._set(default=None, _when=_read_when(when, "Int"))
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


class Categorical(Parameter):
    """One of several choices.

    Args:
        choices: JSON scalars (string, number, true, false, None), or {label: object}: then the labels are searched and
            stored, and training code gets the objects. Types are kept apart: 1, True, 1.0 and "1" are four choices.
        ordered: whether neighbours in the list are more alike than others.
        default, when: as for Float.

    Raises:
        InvalidSpace: no choices, one of them twice, or one that is no JSON scalar.
    """

    __slots__ = ("_index", "choices", "objects", "ordered")
    kind = "categorical"
    choices: tuple[Scalar, ...]
    objects: Mapping[str, Any] | None
    ordered: bool
    default: Scalar

    def __init__(
        self,
        choices: Sequence[Any] | Mapping[str, Any],
        *,
        ordered: bool = False,
        default: Scalar = None,
        when: When = None,
    ) -> None:
        objects: dict[str, Any] | None = None
        if isinstance(choices, Mapping):
            objects = dict(choices)
            if not all(isinstance(label, str) and label for label in objects):
                raise InvalidSpace("Categorical.choices", "must have non-empty strings as labels", list(objects))
        elif isinstance(choices, str) or not isinstance(choices, Sequence | np.ndarray):
            raise InvalidSpace("Categorical.choices", "must be a list of scalars or {label: object}", choices)
        listed = tuple(_choice(choice, f"Categorical.choices[{i}]") for i, choice in enumerate(choices))
        if not listed:
            raise InvalidSpace("Categorical.choices", "must not be empty", choices)
        index = {identity(choice): i for i, choice in reversed(list(enumerate(listed)))}
        if len(index) < len(listed):
            repeated = next(choice for i, choice in enumerate(listed) if index[identity(choice)] < i)
            raise InvalidSpace("Categorical.choices", "must not hold a choice twice", repeated)
        self._set(choices=listed, objects=objects, ordered=bool(ordered), _index=index)
        self._set(default=None, _when=_read_when(when, "Categorical"))
        if default is not None:
            self._set(default=self.check(default, "Categorical.default"))

    @property
    def count(self) -> int:
        return len(self.choices)

    def index(self, value: Scalar) -> int:
        """The position of a choice. Raises KeyError when it is none."""
        return self._index[type(value).__name__, value]  # type: ignore[no-any-return, attr-defined]

    def check(self, value: object, field: str) -> Scalar:
        plain = value.item() if isinstance(value, np.generic) else value
        for choice in self.choices:
            if same(choice, plain):  # type: ignore[arg-type]
                return choice
        if len(self.choices) > 1 and isinstance(plain, str):
            hint = nearest(plain, [choice for choice in self.choices if isinstance(choice, str)])
            hint = f"; {hint}" if hint.startswith("did") else ""
        else:
            hint = ""
        raise InvalidSpace(field, f"must be one of {list(self.choices)!r}{hint}", plain)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        choices = list(self.choices) if self.objects is None else self.objects
        return (choices,), {"ordered": self.ordered, "default": self.default, "when": self.when}

    def _definition(self) -> tuple[Any, ...]:
        # objects are left out: they can't be compared, nor restored from JSON; their labels are what is searched
        return (tuple(map(identity, self.choices)), self.ordered, *self._shared())

    def __repr__(self) -> str:
        ordered = ", ordered=True" if self.ordered else ""
        return f"Categorical({list(self.choices)!r}{ordered}{self._suffix()})"


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


def _choice(choice: object, field: str) -> Scalar:
    try:
        return canonical(choice, field)
    except InvalidSpace as error:
        if isinstance(choice, float | np.floating):
            raise
        rule = 'must be a JSON scalar; give other objects names: Categorical({"name": object})'
        raise InvalidSpace(field, rule, choice) from error
