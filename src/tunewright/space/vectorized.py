"""Expressions over columns: the same answers as `evaluation`, for many rows at once.

A column is an array of floats, NaN where a value is undefined; truth is 1.0, 0.0 or NaN. Choices come as codes, and what is
said about a single categorical is looked up in a table made by the scalar evaluation, so text and mixed choices never
become arrays. Large integers and libm's last digit may differ from the scalar answer: whoever needs certainty asks that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.space.evaluation import Row, Value, evaluate
from tunewright.space.expressions import (
    Binary,
    Call,
    Compare,
    Logical,
    Member,
    Name,
    Negative,
    Node,
    Not,
    names,
)
from tunewright.space.scalars import Scalar

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
Evaluator = Callable[[Columns], Array]

NUMBER, TRUTH = "number", "truth"


class NotVectorized(Exception):
    """The expression needs values that are no numbers, other than of a single categorical."""


def vectorize(tree: Node, choices: Mapping[str, tuple[Scalar, ...] | None]) -> Evaluator:
    """A function from columns (n,) to truth (n,): 1.0, 0.0, or NaN where undefined.

    Args:
        tree: a true-or-false expression.
        choices: per name the choices, whose codes its column holds, or None for a column of numbers.

    Raises:
        NotVectorized: it can't be done; the scalar evaluation can.
    """
    kind, evaluator = _vectorize(tree, choices)
    if kind != TRUTH:
        raise NotVectorized

    def run(columns: Columns) -> Array:
        with np.errstate(all="ignore"):
            return evaluator(columns)

    return run


def _vectorize(node: Node, choices: Mapping[str, tuple[Scalar, ...] | None]) -> tuple[str, Evaluator]:
    named = [parts[0] for parts in names(node)]
    if not named:
        return _table(node, None, ())
    if len(named) == 1:
        values = choices[named[0]]
        if values is not None:
            return _table(node, named[0], values)

    def number(part: Node) -> Evaluator:
        return _of(part, NUMBER, choices)

    match node:
        case Name(parts=(name,)):
            return NUMBER, itemgetter(name)
        case Negative(operand=operand):
            inner = number(operand)
            return NUMBER, lambda columns: -inner(columns)
        case Binary(operator=symbol, left=left, right=right):
            return NUMBER, _binary(ARITHMETIC[symbol], number(left), number(right))
        case Call(function=function, arguments=arguments):
            return NUMBER, _call(CALLS[function], [number(argument) for argument in arguments])
        case Compare(operands=operands, operators=symbols):
            return TRUTH, _compare(symbols, [number(operand) for operand in operands])
        case Member(operand=operand, items=items):
            value = number(operand)
            return TRUTH, _logical(False, [_compare(("==",), [value, number(item)]) for item in items])
        case Not(operand=operand):
            truth = _of(operand, TRUTH, choices)
            return TRUTH, lambda columns: 1.0 - truth(columns)
        case Logical(every=every, operands=operands):
            return TRUTH, _logical(every, [_of(operand, TRUTH, choices) for operand in operands])
    raise NotVectorized


def _of(node: Node, wanted: str, choices: Mapping[str, tuple[Scalar, ...] | None]) -> Evaluator:
    kind, evaluator = _vectorize(node, choices)
    if kind != wanted:
        raise NotVectorized
    return evaluator


def _table(node: Node, name: str | None, values: tuple[Scalar, ...]) -> tuple[str, Evaluator]:
    """What the node is for each choice of its only name; without a name, one constant."""
    lookup: Callable[[tuple[str, ...]], Callable[[Scalar], Value]] = lambda _: lambda value: value  # noqa: E731
    scalar = evaluate(node, lookup)
    results = [_defined(scalar, value) for value in (values if name else (None,))]
    kinds = {TRUTH if isinstance(result, bool) else NUMBER for result in results if result is not None}
    if len(kinds) > 1 or any(isinstance(result, str) for result in results):
        raise NotVectorized
    table = np.array([np.nan if result is None else float(result) for result in results])
    kind = kinds.pop() if kinds else TRUTH if isinstance(node, Compare | Member | Not | Logical) else NUMBER
    if name is None:
        return kind, lambda _: table[0]
    return kind, lambda columns: table[columns[name].astype(np.intp)]


def _defined(scalar: Callable[[Row], Value], value: Row) -> Any:
    try:
        return scalar(value)
    except ArithmeticError:
        return None


def _divide(left: Array, right: Array) -> Array:
    return np.where(right == 0, np.nan, left / right)


def _floor_divide(left: Array, right: Array) -> Array:
    return np.where(right == 0, np.nan, np.floor_divide(left, right))


def _power(base: Array, exponent: Array) -> Array:
    # numpy takes 1**NaN and NaN**0 for 1, and 0**-1 for infinity
    undefined = np.isnan(base) | np.isnan(exponent) | ((base == 0) & (exponent < 0))
    return np.where(undefined, np.nan, np.power(base, exponent))


def _log(value: Array) -> Array:
    return np.where(value <= 0, np.nan, np.log(value))


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "//": _floor_divide,
    "%": np.mod,
    "**": _power,
}
CALLS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": _log,
    "sqrt": np.sqrt,
    "min": np.minimum,
    "max": np.maximum,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def _binary(compute: Callable[[Any, Any], Any], left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda columns: compute(left(columns), right(columns))


def _call(function: Callable[..., Any], arguments: list[Evaluator]) -> Evaluator:
    first, *others = arguments

    def call(columns: Columns) -> Array:
        result = first(columns)
        if not others:
            return np.asarray(function(result))
        for other in others:
            result = function(result, other(columns))
        return result

    return call


def _compare(symbols: tuple[str, ...], operands: list[Evaluator]) -> Evaluator:
    compares = [COMPARISONS[symbol] for symbol in symbols]

    def compare(columns: Columns) -> Array:
        values = [operand(columns) for operand in operands]
        links = []
        for test, left, right in zip(compares, values, values[1:], strict=False):
            links.append(np.where(np.isnan(left) | np.isnan(right), np.nan, test(left, right)))
        return _joined(True, links)

    return compare


def _logical(every: bool, operands: list[Evaluator]) -> Evaluator:
    return lambda columns: _joined(every, [operand(columns) for operand in operands])


def _joined(every: bool, truths: list[Array]) -> Array:
    """`and` or `or` of columns, read from the left: what is decided stays, what is undefined stays so."""
    result = truths[-1]
    for truth in reversed(truths[:-1]):
        result = np.where(truth == float(every), result, truth)
    return result
