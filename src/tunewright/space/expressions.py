"""The tree of an expression: what conditions, constraints and queries are made of.

    optimizer == 'sgd' and depth > 2         width * depth <= 4096         0 < log(`lr/head`) + 12 <= max(a, b)

Numbers, strings, true, false, none; + - * / // % **; chained comparisons; and, or, not; in [..]; min, max, abs, log, sqrt,
exp. What a name means is the caller's business. Nothing is ever handed to Python's own evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunewright.space.scalars import Scalar


class Node:
    """A part of an expression. `position` is the 0-based index of its first character, `depth` the height of its tree."""

    __slots__ = ("depth", "position")
    position: int
    depth: int

    def children(self) -> tuple[Node, ...]:
        return ()

    def _place(self, position: int) -> None:
        self.position = position
        self.depth = 1 + max((child.depth for child in self.children()), default=0)


class Literal(Node):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, value: Scalar, position: int) -> None:
        self.value = value
        self._place(position)


class Name(Node):
    """A name of one or more parts: `metrics.auc` has two."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[str, ...], position: int) -> None:
        self.parts = parts
        self._place(position)


class Negative(Node):
    """-operand"""

    __slots__ = ("operand",)

    def __init__(self, operand: Node, position: int) -> None:
        self.operand = operand
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return (self.operand,)


class Binary(Node):
    """Arithmetic: left operator right, operator one of + - * / // % **."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Node, right: Node, position: int) -> None:
        self.operator, self.left, self.right = operator, left, right
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return self.left, self.right


class Call(Node):
    """function(arguments), function one of FUNCTIONS."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: str, arguments: tuple[Node, ...], position: int) -> None:
        self.function, self.arguments = function, arguments
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return self.arguments


class Compare(Node):
    """A chain: operands[0] operators[0] operands[1] operators[1] ...; true when each link is."""

    __slots__ = ("operands", "operators")

    def __init__(self, operands: tuple[Node, ...], operators: tuple[str, ...], position: int) -> None:
        self.operands, self.operators = operands, operators
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return self.operands


class Member(Node):
    """operand in [items], by the equality of ==; `strict` keeps 1, True and 1.0 apart, as {parent: [values]} does."""

    __slots__ = ("items", "operand", "strict")

    def __init__(self, operand: Node, items: tuple[Node, ...], position: int, strict: bool = False) -> None:
        self.operand, self.items, self.strict = operand, items, strict
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return self.operand, *self.items


class Not(Node):
    """not operand"""

    __slots__ = ("operand",)

    def __init__(self, operand: Node, position: int) -> None:
        self.operand = operand
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return (self.operand,)


class Logical(Node):
    """All (`every`) or any of the operands; read from the left, and no further than needed."""

    __slots__ = ("every", "operands")

    def __init__(self, every: bool, operands: tuple[Node, ...], position: int) -> None:
        self.every, self.operands = every, operands
        self._place(position)

    def children(self) -> tuple[Node, ...]:
        return self.operands


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children():
        yield from walk(child)


def names(node: Node) -> frozenset[tuple[str, ...]]:
    """Every name in the expression, as its parts."""
    return frozenset(part.parts for part in walk(node) if isinstance(part, Name))


def substitute(node: Node, values: Mapping[str, Scalar]) -> Node:
    """The expression with one-part names that are in `values` replaced by those constants."""
    match node:
        case Name(parts=(name,)) if name in values:
            return Literal(values[name], node.position)
        case Negative(operand=operand):
            return Negative(substitute(operand, values), node.position)
        case Binary(operator=symbol, left=left, right=right):
            return Binary(symbol, substitute(left, values), substitute(right, values), node.position)
        case Call(function=function, arguments=arguments):
            return Call(function, tuple(substitute(argument, values) for argument in arguments), node.position)
        case Compare(operands=operands, operators=symbols):
            return Compare(tuple(substitute(operand, values) for operand in operands), symbols, node.position)
        case Member(operand=operand, items=items, strict=strict):
            replaced = tuple(substitute(item, values) for item in items)
            return Member(substitute(operand, values), replaced, node.position, strict)
        case Not(operand=operand):
            return Not(substitute(operand, values), node.position)
        case Logical(every=every, operands=operands):
            return Logical(every, tuple(substitute(operand, values) for operand in operands), node.position)
    return node
