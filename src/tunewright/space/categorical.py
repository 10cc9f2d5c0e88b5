"""Parameters that are one of several choices. Everything is checked when one is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace, nearest
from tunewright.space.parameters import Parameter, When, read_when_form
from tunewright.space.scalars import Identity, Scalar, canonical, identity, same


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
    _index: Mapping[Identity, int]

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
        self._set(default=None, _when=read_when_form(when, "Categorical"))
        if default is not None:
            self._set(default=self.check(default, "Categorical.default"))

    @property
    def count(self) -> int:
        return len(self.choices)

    def index(self, value: Scalar) -> int:
        """The position of a choice. Raises KeyError when it is none."""
        return self._index[type(value).__name__, value]

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


def _choice(choice: object, field: str) -> Scalar:
    try:
        return canonical(choice, field)
    except InvalidSpace as error:
        if isinstance(choice, float | np.floating):
            raise
        rule = 'must be a JSON scalar; give other objects names: Categorical({"name": object})'
        raise InvalidSpace(field, rule, choice) from error
