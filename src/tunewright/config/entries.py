"""The entries of `space:` in a tune.yaml, and the parameters that they mean.

lr: {float: [1e-5, 1e-1], scale: log}
layers: {int: [1, 6]}
opt: {choice: [sgd, adam]}
depth: [1, 2, 4]                    a list of choices; numbers are ordered
epochs: 10                          a fixed value
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from tunewright.config.document import Keys as Place
from tunewright.config.document import Problem
from tunewright.config.fields import Bounds, Choices, Condition, Keys, Number, Scalar, Text, Truth
from tunewright.errors import InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace

_KINDS = ("float", "int", "choice")
_RANGE = re.compile(r"\s*[-+]?[0-9.]+(?:e[-+]?\d+)?\.\.[-+]?[0-9.]+(?:e[-+]?\d+)?\s*(?::.*)?", re.IGNORECASE)


class _Range(Keys):
    step: Number | None = Field(None, description="the distance between neighbouring values")
    scale: Text = Field("auto", description="linear, log, reverse_log, or auto")
    default: Number | None = Field(None, description="the value to try first")
    when: Condition | None = Field(None, description="active only then: an expression, or a parameter and its values")

    def options(self) -> dict[str, Any]:
        """The keyword arguments of a Float or Int that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"bounds"}}


class FloatEntry(_Range):
    """A real number between two bounds."""

    bounds: Bounds = Field(alias="float")

    def parameter(self) -> Float:
        return Float(*self.bounds, **self.options())


class IntEntry(_Range):
    """A whole number between two bounds."""

    bounds: Bounds = Field(alias="int")

    def parameter(self) -> Int:
        return Int(*self.bounds, **self.options())


class ChoiceEntry(Keys):
    """One of several values, which may have names."""

    choice: Choices
    ordered: Truth = Field(False, description="whether neighbours in the list are more alike than others")
    default: Scalar = Field(None, description="the value to try first")
    when: Condition | None = Field(None, description="active only then: an expression, or a parameter and its values")

    def parameter(self) -> Categorical:
        return Categorical(self.choice, ordered=self.ordered, default=self.default, when=self.when)


def _kind(value: Any) -> str | None:
    """The tag of the kind of an entry, in angle brackets, which no key has."""
    if isinstance(value, list):
        return "<list>"
    if not isinstance(value, dict):
        return "<fixed>"
    kinds = [kind for kind in _KINDS if kind in value]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


Entry = Annotated[
    Annotated[FloatEntry, Tag("<float>")]
    | Annotated[IntEntry, Tag("<int>")]
    | Annotated[ChoiceEntry, Tag("<choice>")]
    | Annotated[list[Scalar], Tag("<list>")]
    | Annotated[Scalar, Tag("<fixed>")],
    Discriminator(
        _kind,
        custom_error_type="rule",
        custom_error_message="must have one of the keys float, int and choice, be a list of choices, or a fixed value",
    ),
]


def read_space(entries: Mapping[str, Any], constraints: list[str], found: list[Problem]) -> SearchSpace | None:
    """The space of entries that were validated. What is wrong is added to `found`, and then there is none."""
    before = len(found)
    parameters: dict[str, Any] = {}
    for name, entry in entries.items():
        keys: Place = ("space", name)
        if not isinstance(entry, Keys):
            if isinstance(entry, str) and _RANGE.fullmatch(entry):
                rule = "would be this text in all trials; a range is written {float: [low, high]} or {int: [low, high]}"
                found.append(Problem(keys, rule, (entry,)))
            parameters[name] = entry
            continue
        try:
            parameters[name] = entry.parameter()  # type: ignore[attr-defined]
        except InvalidSpace as error:
            found.append(Problem((*keys, *_within(error.field)), error.rule, _value(error)))
    if len(found) > before:
        return None
    try:
        return SearchSpace(parameters, constraints=constraints)
    except InvalidSpace as error:
        found.append(Problem(tuple(_of_space(error.field, parameters)), error.args[0].removeprefix(f"{error.field} ")))
        return None


def _value(error: InvalidSpace) -> tuple[Any, ...]:
    return () if error.args[0] == f"{error.field} {error.rule}" else (error.value,)


def _within(field: str) -> Place:
    """The key of an entry that a parameter's class calls `Float.high` or `Categorical.choices[2]`."""
    match = re.fullmatch(r"(\w+)\.(\w+)(?:\[(\d+)\])?.*", field)
    if match is None:
        return ()
    kind, name, index = match.groups()
    if name in ("low", "high"):
        return (kind.lower(), 0 if name == "low" else 1)
    if name == "choices":
        return ("choice",) if index is None else ("choice", int(index))
    return (name,)


def _of_space(field: str, names: Mapping[str, Any]) -> Iterator[str | int]:
    """Where a file has what the space calls `lr.when`, `constraints[1]`, or a parameter's name."""
    constraint = re.match(r"constraints?\[(\d+)\]", field)
    if constraint:
        yield from ("constraints", int(constraint[1]))
        return
    yield "space"
    name = max((name for name in names if field == name or field.startswith((f"{name}.", f"{name}:"))), key=len, default=None)
    if name is not None:
        yield name
        if ".when" in field[len(name) :]:
            yield "when"
