"""What a point as a whole must satisfy: expressions, or functions of the params."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tunewright.errors import InvalidSpace
from tunewright.space.conditions import Condition
from tunewright.space.expressions import Node


class ExpressionConstraint:
    """An expression that must be true; it doesn't apply while a parameter that it names is inactive.

    Args:
        text: the expression as given.
        condition: the same, compiled.
    """

    __slots__ = ("condition", "names", "text")

    def __init__(self, text: str, condition: Condition) -> None:
        self.text, self.condition = text, condition
        self.names = condition.names

    @property
    def tree(self) -> Node:
        """The expression, fixed values put in."""
        return self.condition.tree

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Whether the params (active ones and fixed) satisfy it."""
        for name in self.names:
            if name not in params:
                return True
        return self.condition.holds(params)

    def describe(self) -> str:
        """One line for people."""
        return repr(self.text)


class FunctionConstraint:
    """A function of the params that returns whether they are allowed.

    A KeyError on an inactive parameter means that it doesn't apply. Without `function` (a space read from JSON) the
    space can be shown, encoded and compared, but not sampled.

    Args:
        field: which one, for errors (`"constraints[0]"`).
        name: the function's name, which JSON keeps.
        function: from a dict of params to a bool; None when it is not known.
        parameters: names whose absence is no mistake.
    """

    __slots__ = ("field", "function", "name", "parameters")

    def __init__(
        self, field: str, name: str, function: Callable[[dict[str, Any]], object] | None, parameters: frozenset[str]
    ) -> None:
        self.field, self.name, self.function, self.parameters = field, name, function, parameters

    def allows(self, params: Mapping[str, Any]) -> bool:
        """Whether the params (active ones and fixed) satisfy it.

        Raises:
            InvalidSpace: the function raised, returned no bool, or is not known.
        """
        if self.function is None:
            rule = "was a Python function, which JSON can't hold; make the space with its constraints again"
            raise InvalidSpace(f"{self.field} ({self.name})", rule)
        try:
            result = self.function(dict(params))
        except Exception as error:
            if isinstance(error, KeyError) and error.args and error.args[0] in self.parameters:
                return True
            rule = f"must not raise; it raised {type(error).__name__}: {error}"
            raise InvalidSpace(f"{self.field} ({self.name})", rule, dict(params)) from error
        if not isinstance(result, bool | np.bool_):
            raise InvalidSpace(f"{self.field} ({self.name})", "must return true or false", result)
        return bool(result)

    def describe(self) -> str:
        """One line for people."""
        return self.name


Constraint = ExpressionConstraint | FunctionConstraint


def function_name(function: Callable[..., object]) -> str:
    """The name that JSON keeps of a function."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name)
