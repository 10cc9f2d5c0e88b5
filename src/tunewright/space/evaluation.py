"""Expressions to closures over one row of values.

Where a value is undefined (a division by zero, log of a negative number, a comparison of text with a number) there is no
answer: `Undefined` is raised, and callers take the whole expression as not true. `and` and `or` read no further than
needed, so `x > 0 and log(x) < 3` is defined everywhere. Overflow gives infinity.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeVar

from tunewright.space.expressions import Binary, Call, Compare, Literal, Logical, Member, Name, Negative, Node, Not
from tunewright.space.scalars import Scalar, same

Row = TypeVar("Row")
Value = Scalar
LARGEST_POWER_BITS = 4096  # beyond, integer powers are taken in floating point: 9**9**9 must not hang


class Undefined(ArithmeticError):
    """The expression has no value for this row."""


def evaluate(node: Node, lookup: Callable[[tuple[str, ...]], Callable[[Row], Value]]) -> Callable[[Row], Value]:
    """A function from a row to the expression's value.

    Args:
        node: the expression.
        lookup: from a name's parts to the function that reads it from a row; called once per name, here.

    Returns:
        A function that raises Undefined (an ArithmeticError) where there is no value.
    """
    match node:
        case Literal(value=value):
            return lambda _: value
        case Name(parts=parts):
            return lookup(parts)
        case Negative(operand=operand):
            inner = evaluate(operand, lookup)
            return lambda row: -numeric(inner(row))
        case Binary(operator=symbol, left=left, right=right):
            return _binary(ARITHMETIC[symbol], evaluate(left, lookup), evaluate(right, lookup))
        case Call(function=name, arguments=arguments):
            return _call(CALLS[name], tuple(evaluate(argument, lookup) for argument in arguments))
        case Compare(operators=symbols, operands=operands):
            return _compare(symbols, operands, lookup)
        case Member(operand=operand, items=items, strict=strict):
            inner = evaluate(operand, lookup)
            return _member(inner, tuple(evaluate(item, lookup) for item in items), same if strict else equal)
        case Not(operand=operand):
            inner = evaluate(operand, lookup)
            return lambda row: not truth(inner(row))
        case Logical(every=every, operands=operands):
            return _logical(every, tuple(evaluate(operand, lookup) for operand in operands))
    raise AssertionError(f"unknown node {type(node).__name__}")


def predicate(node: Node, lookup: Callable[[tuple[str, ...]], Callable[[Row], Value]]) -> Callable[[Row], bool]:
    """A function from a row to whether the expression is true; it is not where it is undefined."""
    value = evaluate(node, lookup)

    def holds(row: Row) -> bool:
        try:
            return value(row) is True
        except ArithmeticError:
            return False

    return holds


def numeric(value: Value) -> Any:
    """The value, when it is a number that is not NaN."""
    if type(value) is int or (type(value) is float and value == value):
        return value
    raise Undefined


def truth(value: Value) -> bool:
    """The value, when it is true or false."""
    if value is True or value is False:
        return value
    raise Undefined


def equal(left: Value, right: Value) -> bool:
    """Equality of numbers by value; true and false are no numbers."""
    return left == right and (type(left) is bool) is (type(right) is bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    def ordered(left: Value, right: Value) -> bool:
        if type(left) is str and type(right) is str:
            return compare(left, right)
        return compare(numeric(left), numeric(right))

    return ordered


COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}


def divide(left: Any, right: Any) -> float:
    """Division; OverflowError of huge integers becomes infinity."""
    try:
        return left / right  # type: ignore[no-any-return]
    except OverflowError:
        return math.inf if (left > 0) is (right > 0) else -math.inf


def power(base: Any, exponent: Any) -> Any:
    """base ** exponent among the reals."""
    if base < 0 and exponent != math.floor(exponent):
        raise Undefined
    if type(base) is int and type(exponent) is int and abs(exponent) * base.bit_length() > LARGEST_POWER_BITS:
        base = float(base)
    try:
        return base**exponent
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 else math.inf


def _finite(function: Callable[[Any], float], beyond: float) -> Callable[[Any], float]:
    def safe(value: Any) -> float:
        try:
            return function(value)
        except OverflowError:
            return beyond
        except ValueError:
            raise Undefined from None

    return safe


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": power,
}

CALLS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "exp": _finite(math.exp, math.inf),
    "log": _finite(math.log, math.inf),
    "sqrt": _finite(math.sqrt, math.inf),
}


def _defined(value: Any) -> Any:
    if value != value:  # NaN, such as infinity - infinity
        raise Undefined
    return value


def _binary(
    compute: Callable[[Any, Any], Any], left: Callable[[Row], Value], right: Callable[[Row], Value]
) -> Callable[[Row], Value]:
    return lambda row: _defined(compute(numeric(left(row)), numeric(right(row))))


def _call(function: Callable[..., Any], arguments: tuple[Callable[[Row], Value], ...]) -> Callable[[Row], Value]:
    if len(arguments) == 1:
        only = arguments[0]
        return lambda row: _defined(function(numeric(only(row))))
    return lambda row: function(*(numeric(argument(row)) for argument in arguments))


def _compare(
    symbols: tuple[str, ...], operands: tuple[Node, ...], lookup: Callable[[tuple[str, ...]], Callable[[Row], Value]]
) -> Callable[[Row], Value]:
    if len(symbols) == 1:
        return _single(symbols[0], operands[0], operands[1], lookup)
    compares = [COMPARISONS[symbol] for symbol in symbols]
    first, *others = [evaluate(operand, lookup) for operand in operands]
    links = list(zip(compares, others, strict=True))

    def chain(row: Row) -> bool:
        left = first(row)
        for compare, other in links:
            right = other(row)
            if not compare(left, right):
                return False
            left = right
        return True

    return chain


def _single(
    symbol: str, left: Node, right: Node, lookup: Callable[[tuple[str, ...]], Callable[[Row], Value]]
) -> Callable[[Row], Value]:
    value, other, compare = evaluate(left, lookup), evaluate(right, lookup), COMPARISONS[symbol]
    if isinstance(right, Literal) and isinstance(right.value, str) and symbol in ("==", "!="):
        # the usual condition: text equals nothing but text, so nothing needs checking
        text = right.value
        if symbol == "==":
            return lambda row: value(row) == text
        return lambda row: value(row) != text
    return lambda row: compare(value(row), other(row))


def _member(
    value: Callable[[Row], Value], items: tuple[Callable[[Row], Value], ...], equals: Callable[[Value, Value], bool]
) -> Callable[[Row], Value]:
    def member(row: Row) -> bool:
        found = value(row)
        return any(equals(found, item(row)) for item in items)

    return member


def _logical(every: bool, operands: tuple[Callable[[Row], Value], ...]) -> Callable[[Row], Value]:
    def logical(row: Row) -> bool:
        for operand in operands:
            if truth(operand(row)) is not every:
                return not every
        return every

    return logical
