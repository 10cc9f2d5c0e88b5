"""What every kind of parameter has: a default, a condition, a check of values. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tunewright.errors import InvalidSpace
from tunewright.space.scalars import Scalar, canonical, identity

When = str | Mapping[str, Any] | None
WhenForm = str | tuple[tuple[str, tuple[Scalar, ...]], ...] | None


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
        when: object = self._when
        if isinstance(self._when, tuple):
            when = frozenset((parent, frozenset(map(identity, values))) for parent, values in self._when)
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


def about(name: str, error: InvalidSpace) -> InvalidSpace:
    """The same error with the parameter's name, which nobody knew where a Float, Int or Categorical was made."""
    value = () if error.args[0] == f"{error.field} {error.rule}" else (error.value,)
    return InvalidSpace(f"{name}: {error.field}", error.rule, *value)


def _make(kind: type[Parameter], positional: tuple[Any, ...], keywords: dict[str, Any]) -> Parameter:
    return kind(*positional, **keywords)


def read_when_form(when: object, kind: str) -> WhenForm:
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
