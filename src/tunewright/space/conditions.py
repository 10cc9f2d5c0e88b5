"""What decides whether a parameter is active, or whether a point is allowed: an expression over parameters.

Both forms of `when=`, the expression and {parent: [values]}, become the same tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from tunewright.errors import InvalidExpression, InvalidSpace, nearest
from tunewright.space.categorical import Categorical
from tunewright.space.evaluation import predicate
from tunewright.space.expressions import Literal, Logical, Member, Name, Node, names, walk
from tunewright.space.parameters import Parameter, WhenForm
from tunewright.space.parsing import parse
from tunewright.space.scalars import Scalar


class Condition:
    """A true-or-false expression over a space's parameters, compiled.

    Args:
        field: which one, for errors (`"momentum.when"`).
        tree: the expression; each name has one part, the parameter's name.

    Attributes:
        names: the parameters that it names.
        holds: from params, where all of `names` are present, to whether it is true.
    """

    __slots__ = ("field", "holds", "names", "tree")

    def __init__(self, field: str, tree: Node) -> None:
        self.field, self.tree = field, tree
        self.names = frozenset(parts[0] for parts in names(tree))
        self.holds: Callable[[Mapping[str, Any]], bool] = predicate(tree, lambda parts: itemgetter(parts[0]))


def read_expression(field: str, text: str, known: Mapping[str, object]) -> Node:
    """The tree of an expression over the parameters in `known`.

    Raises:
        InvalidExpression: a syntax error, or a name that is none of a parameter.
    """
    tree = parse(text, field)
    for node in walk(tree):
        if isinstance(node, Name) and len(node.parts) > 1:
            quoted = ".".join(node.parts)
            problem = f"has a name with a dot, which is written in backticks: `{quoted}`"
            raise InvalidExpression(field, text, node.position, problem)
        if isinstance(node, Name) and node.parts[0] not in known:
            problem = f"names an unknown parameter {node.parts[0]!r} ({nearest(node.parts[0], known)})"
            raise InvalidExpression(field, text, node.position, problem)
    return tree


def read_when(owner: str, when: WhenForm, known: Mapping[str, Parameter | Scalar]) -> Node | None:
    """The tree of a parameter's condition.

    Args:
        owner: the parameter that has the condition.
        when: its condition.
        known: everything in the space: parameters, and fixed values.

    Raises:
        InvalidSpace: an unknown parent, or a value that the parent can't have.
    """
    field = f"{owner}.when"
    if when is None:
        return None
    if isinstance(when, str):
        return read_expression(field, when, known)
    links: list[Node] = []
    for parent, values in when:
        if parent not in known:
            raise InvalidSpace(field, f"names an unknown parameter ({nearest(parent, known)})", parent)
        definition = known[parent]
        if isinstance(definition, Parameter):
            values = tuple(definition.check(value, f"{field}[{parent!r}]") for value in values)
        # a categorical keeps 1, True and 1.0 apart, so its condition does too
        strict = isinstance(definition, Categorical)
        links.append(Member(Name((parent,), 0), tuple(Literal(value, 0) for value in values), 0, strict))
    return links[0] if len(links) == 1 else Logical(True, tuple(links), 0)
