"""Values of expressions. That arithmetic agrees with Python's is a property test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tunewright.space.evaluation import Undefined, evaluate, predicate
from tunewright.space.parsing import parse
from tunewright.space.vectorized import NotVectorized, vectorize

ROW: dict[str, Any] = {"i": 3, "x": 0.5, "s": "sgd", "t": True, "n": None, "z": 0, "huge": 10**30}


def lookup(parts: tuple[str, ...]) -> Any:
    return lambda row: row[parts[0]]


def value(text: str) -> Any:
    return evaluate(parse(text, "f"), lookup)(ROW)


@pytest.mark.parametrize(
    "text",
    [
        "s == 'sgd'",
        "s != 'adam'",
        "s in ['adam', 'sgd']",
        "s not in ['adam']",
        "s < 'te'",
        "t",
        "t == true",
        "not not t",
        "n == none",
        "n in [1, none]",
        "i == 3.0",
        "1 < i < 4 <= 4",
        "not 1 < i < 2",
        "t != 1",  # true is no number
        "z != false",
        "s != 3",
        "-2 ** 2 == -4",
        "2 ** -1 == x",
        "2 ** 3 ** 0 == 2",
        "-7 // 2 == -4 and -7 % 3 == 2",
        "log(exp(2)) == 2 and sqrt(9) == 3 and abs(-i) == 3",
        "min(i, x, 7) == x and max(i, x) == i",
        "exp(1000) > 10 ** 300",  # overflow is infinity
        "huge ** huge > 1",
        "2 ** 4000 / 3 > 1 and -(2 ** 4000) / 3 < -1",
        "(-9) ** 9 ** 9 < 1",
        "9 ** 9 ** 9 > 1",  # and never takes long
        "z == 0 or 1 / z > 3",  # reads no further than needed
        "not (z != 0 and log(z) < 3)",
        "5 > 7 < s or t",
    ],
)
def test_it_is_true(text: str) -> None:
    assert value(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "1 / z > 1",
        "1 // z > 1",
        "1 % z > 1",
        "log(z) < 3",
        "log(-1) < 3",
        "sqrt(-x) < 3",
        "(-8) ** x < 3",
        "z ** -1 > 1",
        "s + 1 > 2",
        "t + 1 > 1",
        "-t < 1",
        "-s < 1",
        "s < 3",
        "t < 3",
        "n < 3",
        "not s",
        "not i",
        "i and t",
        "abs(s) > 1",
        "max(i, s) > 1",
        "exp(1000) - exp(1000) < 1",
    ],
)
def test_without_a_value_it_is_undefined_and_not_true(text: str) -> None:
    tree = parse(text, "f")
    with pytest.raises(ArithmeticError):
        evaluate(tree, lookup)(ROW)
    assert predicate(tree, lookup)(ROW) is False
    negated = predicate(parse(f"not ({text})", "f"), lookup)
    assert negated(ROW) is False


def test_a_number_is_not_true() -> None:
    assert predicate(parse("i", "f"), lookup)({"i": 1}) is False


def test_undefined_is_an_arithmetic_error() -> None:
    assert issubclass(Undefined, ArithmeticError)
    with pytest.raises(Undefined):
        value("log(-1)")


CHOICES: dict[str, tuple[Any, ...] | None] = {"x": None, "y": None, "s": ("sgd", "adam", None), "d": (1, 2, 0), "m": (True, 3)}
COLUMNS = {
    "x": np.array([0.0, 1.0, -4.0, 2.0]),
    "y": np.array([2.0, 0.0, 2.0, -1.0]),
    "s": np.array([0.0, 1.0, 2.0, 0.0]),
    "d": np.array([0.0, 1.0, 2.0, 2.0]),
    "m": np.array([0.0, 1.0, 0.0, 1.0]),
}


@pytest.mark.parametrize(
    "text",
    [
        "x / y > 0",
        "not x / y > 0",
        "x // d == 1 or x % d == 0",
        "x ** y > 1",
        "x ** 0.5 > 1 or y ** x < 1",
        "log(x) > 0 or s == 'sgd'",
        "sqrt(x) >= 0 and s in ['adam', none]",
        "1 / d > 0.6",
        "s != 'sgd' and d * x >= 0",
        "-x < y < 2",
        "min(x, y, d) < max(x, d) <= abs(y) + exp(x)",
        "x in [y - 1, 2] or not x not in [0, 1]",
        "y > 0 and (x > 0 or s == 'adam' and not d > 1)",
        "1 < 2 or x > 1",
        "1 > 2 or x > 1",
        "log(0) > 1 or x > 1",
        "x > 1 and 1 / 0 > 1",
        "m == true and x < 1",
        "s < 'b' or x > 0",
    ],
)
def test_columns_get_the_answers_of_rows(text: str) -> None:
    tree = parse(text, "f")
    found = np.broadcast_to(vectorize(tree, CHOICES)(COLUMNS), (4,))

    def row(index: int) -> dict[str, Any]:
        cells = {name: column[index] for name, column in COLUMNS.items()}
        return {name: float(v) if (known := CHOICES[name]) is None else known[int(v)] for name, v in cells.items()}

    expected = [predicate(tree, lookup)(row(index)) for index in range(4)]
    assert (found == 1.0).tolist() == expected
    assert all(math.isnan(v) or v in (0.0, 1.0) for v in found)


@pytest.mark.parametrize("text", ["s == m", "m > x", "s in [m, 'a']", "m and x > 1", "x", "d"])
def test_what_needs_other_values_than_numbers_is_left_to_rows(text: str) -> None:
    with pytest.raises(NotVectorized):
        vectorize(parse(text, "f"), CHOICES)
