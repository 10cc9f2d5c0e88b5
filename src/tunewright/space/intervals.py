"""Whether an expression can be true, or must be, for values from given domains.

Interval arithmetic with three answers (true, false, undefined) over cells of the domains: each choice and each integer of
a short range by itself, long ranges cut at the constants of the expression. The answers are sound, not complete:
`can_be_true` says no only when there is no such point, `must_be_true` says yes only when all are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from tunewright.space.categorical import Categorical
from tunewright.space.evaluation import ARITHMETIC, CALLS, COMPARISONS, Undefined, power
from tunewright.space.expressions import (
    Binary,
    Call,
    Compare,
    Literal,
    Logical,
    Member,
    Name,
    Negative,
    Node,
    Not,
    names,
    walk,
)
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter
from tunewright.space.scalars import Scalar, same

SHORT = 64  # numbers up to which a range is taken value by value
MOST_CELLS = 4096  # combinations of cells that are looked at
ROUNDING = 1e-12  # relative error allowed to exp, log and powers, which need not round correctly

TRUE, FALSE, UNDEFINED = 1, 2, 4


class Range:
    """All numbers from low to high, both included; `undefined` when there may be no value besides.

    `whole` says of a domain that it holds integers only.
    """

    __slots__ = ("high", "low", "undefined", "whole")

    def __init__(self, low: float, high: float, undefined: bool = False, whole: bool = False) -> None:
        self.low, self.high, self.undefined, self.whole = low, high, undefined, whole


class Truth:
    """Which of TRUE, FALSE and UNDEFINED are possible, as a sum."""

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask


class Other:
    """One string, or None."""

    __slots__ = ("value",)

    def __init__(self, value: str | None) -> None:
        self.value = value


Abstract = Range | Truth | Other
Domain = tuple[Scalar, ...] | Range
NOWHERE = Truth(UNDEFINED)


def domain(value: Parameter | Scalar) -> Domain:
    """The values that a parameter, or a fixed value, can have."""
    if isinstance(value, Categorical):
        return value.choices
    if isinstance(value, Int):
        if value.count <= SHORT:
            return tuple(range(value.low, value.high + 1, value.step))
        return Range(value.low, value.high, whole=True)
    if isinstance(value, Float):
        if value.count <= SHORT:
            return tuple(value.level(index) for index in range(int(value.count)))
        return Range(value.low, value.high)
    assert not isinstance(value, Parameter)
    return (value,)


def can_be_true(tree: Node, domains: Mapping[str, Domain]) -> bool:
    """False only when no values from the domains make the expression true."""
    return any(mask & TRUE for mask in _outcomes(tree, domains))


def must_be_true(tree: Node, domains: Mapping[str, Domain]) -> bool:
    """True only when all values from the domains make the expression true."""
    return all(mask == TRUE for mask in _outcomes(tree, domains))


def _outcomes(tree: Node, domains: Mapping[str, Domain]) -> Iterator[int]:
    named = sorted(parts[0] for parts in names(tree))
    constants = [node.value for node in walk(tree) if isinstance(node, Literal) and _is_number(node.value)]
    cells = {name: _cells(domains[name], constants) for name in named}
    size = 1
    for name in sorted(named, key=lambda name: len(cells[name])):
        if size * len(cells[name]) > MOST_CELLS:
            whole = _hull(domains[name])
            if whole is None:
                yield TRUE | FALSE | UNDEFINED
                return
            cells[name] = [whole]
        size *= len(cells[name])
    for combination in product(*cells.values()):
        yield _mask(abstract(tree, dict(zip(cells, combination, strict=True))))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exact(value: Scalar) -> Abstract:
    if value is True or value is False:
        return Truth(TRUE if value else FALSE)
    return Range(value, value) if isinstance(value, int | float) else Other(value)


def _cells(values: Domain, constants: Sequence[Any]) -> list[Abstract]:
    if isinstance(values, tuple):
        return [_exact(value) for value in values]
    cells: list[Abstract] = []
    start = values.low
    for cut in sorted({constant for constant in constants if values.low <= constant <= values.high}):
        below, above = _neighbours(cut, values.whole)
        if start <= below:
            cells.append(Range(start, below))
        if not values.whole or cut == math.floor(cut):
            cells.append(Range(cut, cut))
        start = above
    if start <= values.high:
        cells.append(Range(start, values.high))
    return cells


def _neighbours(cut: Any, whole: bool) -> tuple[float, float]:
    """The last number before `cut` and the first one after it, among the integers if `whole`."""
    if whole:
        return math.ceil(cut) - 1, math.floor(cut) + 1
    return math.nextafter(cut, -math.inf), math.nextafter(cut, math.inf)


def _hull(values: Domain) -> Range | None:
    if isinstance(values, Range):
        return values
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return Range(min(numbers), max(numbers)) if len(numbers) == len(values) else None


def _mask(value: Abstract) -> int:
    """The outcomes of a value where a truth is asked for."""
    return value.mask if isinstance(value, Truth) else UNDEFINED


def abstract(node: Node, row: Mapping[str, Abstract]) -> Abstract:
    """All that the expression can be when each name is anything of its cell."""
    match node:
        case Literal(value=value):
            return _exact(value)
        case Name(parts=parts):
            return row[parts[0]]
        case Negative(operand=operand):
            inner = abstract(operand, row)
            return Range(-inner.high, -inner.low, inner.undefined) if isinstance(inner, Range) else NOWHERE
        case Binary(operator=symbol, left=left, right=right):
            return _arithmetic(symbol, abstract(left, row), abstract(right, row))
        case Call(function=function, arguments=arguments):
            return _call(function, [abstract(argument, row) for argument in arguments])
        case Compare(operands=operands, operators=symbols):
            values = [abstract(operand, row) for operand in operands]
            links = (_compare(*link) for link in zip(symbols, values, values[1:], strict=False))
            return Truth(_joined(True, links))
        case Member(operand=operand, items=items, strict=strict):
            member = abstract(operand, row)
            return Truth(_joined(False, (_equal(member, abstract(item, row), strict) for item in items)))
        case Not(operand=operand):
            mask = _mask(abstract(operand, row))
            return Truth((mask & UNDEFINED) | (FALSE if mask & TRUE else 0) | (TRUE if mask & FALSE else 0))
        case Logical(every=every, operands=operands):
            return Truth(_joined(every, (_mask(abstract(operand, row)) for operand in operands)))
    raise AssertionError(f"unknown node {type(node).__name__}")


def _joined(every: bool, masks: Iterator[int]) -> int:
    """The outcomes of `and` (`every`) or `or`, read from the left."""
    stop, go = (FALSE, TRUE) if every else (TRUE, FALSE)
    result, reached = 0, True
    for mask in masks:
        result |= mask & (stop | UNDEFINED)
        reached = bool(mask & go)
        if not reached:
            break
    return result | (go if reached else 0)


def _equal(value: Abstract, item: Abstract, strict: bool) -> int:
    """The outcomes of membership in one item; {parent: [values]} keeps 1 and 1.0 apart, whose cells are exact."""
    if strict and isinstance(value, Range) and isinstance(item, Range) and value.low == value.high == item.low:
        return TRUE if same(value.low, item.low) else FALSE
    return _compare("==", value, item)


def _compare(symbol: str, left: Abstract, right: Abstract) -> int:
    if symbol == "!=":
        mask = _compare("==", left, right)
        return (mask & UNDEFINED) | (FALSE if mask & TRUE else 0) | (TRUE if mask & FALSE else 0)
    maybe = UNDEFINED if _may_fail(left) or _may_fail(right) else 0
    if isinstance(left, Range) and isinstance(right, Range):
        return maybe | _compare_ranges(symbol, left, right)
    if isinstance(left, Other) and isinstance(right, Other):
        if symbol != "==" and not (isinstance(left.value, str) and isinstance(right.value, str)):
            return UNDEFINED
        return TRUE if COMPARISONS[symbol](left.value, right.value) else FALSE
    if symbol != "==":
        return UNDEFINED
    if isinstance(left, Truth) and isinstance(right, Truth):
        certain, both = left.mask in (TRUE, FALSE) and right.mask in (TRUE, FALSE), left.mask & right.mask
        if certain:
            return TRUE if both else FALSE
        return maybe | TRUE | FALSE
    return maybe | FALSE


def _may_fail(value: Abstract) -> bool:
    return value.undefined if isinstance(value, Range) else isinstance(value, Truth) and bool(value.mask & UNDEFINED)


def _compare_ranges(symbol: str, left: Range, right: Range) -> int:
    if symbol in (">", ">="):
        left, right, symbol = right, left, "<" if symbol == ">" else "<="
    if symbol == "<":
        can, cannot = left.low < right.high, left.high >= right.low
    elif symbol == "<=":
        can, cannot = left.low <= right.high, left.high > right.low
    else:
        can = left.low <= right.high and right.low <= left.high
        cannot = not left.low == left.high == right.low == right.high
    return (TRUE if can else 0) | (FALSE if cannot else 0)


def _hull_of(values: Sequence[float], undefined: bool) -> Range:
    """The range of the corner values; a NaN among them, such as infinity - infinity, tells nothing."""
    if any(value != value for value in values):
        return Range(-math.inf, math.inf, True)
    return Range(min(values), max(values), undefined)


def _widened(values: Range) -> Range:
    low, high = values.low, values.high
    below = low - abs(low) * ROUNDING if math.isfinite(low) else low
    above = high + abs(high) * ROUNDING if math.isfinite(high) else high
    return Range(below, above, values.undefined)


def _arithmetic(symbol: str, left: Abstract, right: Abstract) -> Abstract:
    if not isinstance(left, Range) or not isinstance(right, Range):
        return NOWHERE
    undefined = left.undefined or right.undefined
    exact = left.low == left.high and right.low == right.high
    try:
        if exact:
            value = ARITHMETIC[symbol](left.low, right.low)
            return NOWHERE if value != value else Range(value, value, undefined)
        if symbol == "**":
            return _power(left, right, undefined)
        if symbol in ("/", "//", "%") and right.low <= 0 <= right.high:
            return Range(-math.inf, math.inf, True)
        if symbol == "%":
            return Range(0, right.high, undefined) if right.low > 0 else Range(right.low, 0, undefined)
        corners = [ARITHMETIC[symbol](a, b) for a in (left.low, left.high) for b in (right.low, right.high)]
    except ArithmeticError:
        return NOWHERE if exact else Range(-math.inf, math.inf, True)
    return _hull_of(corners, undefined)


def _power(base: Range, exponent: Range, undefined: bool) -> Range:
    if base.low > 0 or (base.low == 0 and exponent.low >= 0):
        corners = [power(a, b) for a in (base.low, base.high) for b in (exponent.low, exponent.high)]
        return _widened(_hull_of(corners, undefined))
    whole = exponent.low == exponent.high and exponent.low == math.floor(exponent.low)
    if whole and exponent.low > 0:
        corners = [power(base.low, exponent.low), power(base.high, exponent.low)]
        if exponent.low % 2 == 0 and base.low <= 0 <= base.high:
            corners.append(0)
        return _widened(_hull_of(corners, undefined))
    return Range(-math.inf, math.inf, True)


def _call(function: str, arguments: list[Abstract]) -> Abstract:
    ranges = [argument for argument in arguments if isinstance(argument, Range)]
    if len(ranges) < len(arguments):
        return NOWHERE
    undefined = any(argument.undefined for argument in ranges)
    if function in ("min", "max"):
        pick = CALLS[function]
        return Range(pick(r.low for r in ranges), pick(r.high for r in ranges), undefined)
    low, high = ranges[0].low, ranges[0].high
    if function == "abs":
        smallest = 0 if low <= 0 <= high else min(abs(low), abs(high))
        return Range(smallest, max(abs(low), abs(high)), undefined)
    if function == "exp":
        return _widened(Range(CALLS["exp"](low), CALLS["exp"](high), undefined))
    if high < 0 or (high == 0 and function == "log"):
        return NOWHERE
    least = 0.0 if function == "sqrt" else -math.inf
    try:
        least = CALLS[function](low)
    except Undefined:
        undefined = True
    return _widened(Range(least, CALLS[function](high), undefined))
