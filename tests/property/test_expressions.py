"""The expression language against Python's own, and its ways of evaluation against each other."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property.spaces import VARIABLES, arithmetic, truths, values
from tunewright.space import Categorical, Float, Int, Parameter
from tunewright.space.evaluation import evaluate, predicate
from tunewright.space.expressions import Binary, Negative, substitute, walk
from tunewright.space.intervals import can_be_true, domain, must_be_true
from tunewright.space.parsing import parse
from tunewright.space.vectorized import vectorize

UNDEFINED = object()
NUMBERS = st.one_of(st.integers(-20, 20), st.floats(-100, 100).map(lambda x: x + 0.0))
ROWS = st.fixed_dictionaries(dict.fromkeys(VARIABLES, NUMBERS))


def lookup(parts: tuple[str, ...]) -> Any:
    return lambda row: row[parts[0]]


def ours(text: str, row: dict[str, Any]) -> Any:
    try:
        return evaluate(parse(text, "test"), lookup)(row)
    except ArithmeticError:
        return UNDEFINED


def pythons(text: str, row: dict[str, Any]) -> Any:
    """Python's value; UNDEFINED where it has none, or none that is a real number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = eval(text, {"__builtins__": {"min": min, "max": max, "abs": abs}}, row)
        except (ArithmeticError, TypeError):  # TypeError: an order of complex numbers
            return UNDEFINED
    return value


def overflows(text: str, row: dict[str, Any]) -> bool:
    """Whether a part of it is so large, or complex, that ours goes on with infinity or gives up where Python doesn't."""
    for node in walk(parse(text, "test")):
        if isinstance(node, Binary | Negative):
            try:
                value = evaluate(node, lookup)(row)
            except ArithmeticError:
                if isinstance(node, Binary) and node.operator == "**":
                    return True
                continue
            if isinstance(value, int | float) and abs(value) > 1e100:
                return True
    return False


@given(st.one_of(arithmetic(), truths()), ROWS)
@settings(max_examples=400)
def test_it_agrees_with_python(text: str, row: dict[str, Any]) -> None:
    assume(not overflows(text, row))
    expected, found = pythons(text, row), ours(text, row)
    assert type(found) is type(expected)
    assert found == expected or (isinstance(expected, float) and math.isnan(expected))


@given(arithmetic(), ROWS)
def test_a_value_is_a_real_number_or_undefined(text: str, row: dict[str, Any]) -> None:
    value = ours(text, row)
    assert value is UNDEFINED or (type(value) in (int, float) and value == value)


@given(truths(), st.lists(ROWS, min_size=1, max_size=10))
@settings(max_examples=200)
def test_columns_get_the_answers_of_rows(text: str, rows: list[dict[str, Any]]) -> None:
    assume(not any(overflows(text, row) for row in rows))
    tree = parse(text, "test")
    columns = {name: np.array([float(row[name]) for row in rows]) for name in VARIABLES}
    found = np.broadcast_to(vectorize(tree, dict.fromkeys(VARIABLES))(columns), (len(rows),))
    expected = [predicate(tree, lookup)({name: float(value) for name, value in row.items()}) for row in rows]
    # numpy's powers and Python's differ in their last digits, which decides equalities
    if "**" not in text:
        assert (found == 1.0).tolist() == expected


@given(truths(), st.data())
@settings(max_examples=200)
def test_interval_answers_are_sound(text: str, data: st.DataObject) -> None:
    tree = parse(text, "test")
    parameters: dict[str, Parameter] = {
        "x": data.draw(st.sampled_from([Int(-3, 3), Int(-200, 300), Int(1, 100)])),
        "y": data.draw(st.sampled_from([Float(-2.0, 5.0), Float(0.001, 10.0), Float(0, 1, step=0.25)])),
        "z": data.draw(st.sampled_from([Categorical([1, 2.5, -4]), Float(0, 100), Int(0, 1000)])),
    }
    domains = {name: domain(parameter) for name, parameter in parameters.items()}
    possible, certain = can_be_true(tree, domains), must_be_true(tree, domains)
    assert possible or not certain
    rows = st.fixed_dictionaries({name: values(parameter) for name, parameter in parameters.items()})
    for row in data.draw(st.lists(rows, min_size=10, max_size=10)):
        holds = predicate(tree, lookup)(row)
        assert possible or not holds, row
        assert holds or not certain, row


@given(truths(), ROWS)
def test_constants_may_be_put_in_beforehand(text: str, row: dict[str, Any]) -> None:
    tree = parse(text, "test")
    assert predicate(substitute(tree, {"x": row["x"]}), lookup)({**row, "x": None}) == predicate(tree, lookup)(row)
