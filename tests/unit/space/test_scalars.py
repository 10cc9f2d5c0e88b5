"""JSON scalars."""

from __future__ import annotations

import math
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pytest

from tunewright.errors import InvalidSpace
from tunewright.space.scalars import canonical, identity, number, same


class Colour(str, Enum):  # noqa: UP042
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (None, None),
        (False, False),
    ],
)
def test_values_become_plain_python(given: Any, plain: Any) -> None:
    found = canonical(given, "x")
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize("given", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_json_cannot_hold_is_refused(given: float) -> None:
    with pytest.raises(InvalidSpace, match=r"^x must be finite; got"):
        canonical(given, "x")


@pytest.mark.parametrize("given", [[1], {"a": 1}, (1,), object, 1j, b"a"])
def test_what_is_no_scalar_is_refused(given: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"^x must be a string, number, true, false or None; got"):
        canonical(given, "x")


def test_numbers_are_int_or_float() -> None:
    assert type(number(np.int32(3), "x")) is int
    assert type(number(np.float32(3), "x")) is float


@pytest.mark.parametrize("given", [True, np.bool_(False), "1", None, [1]])
def test_what_is_no_number_is_refused(given: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"^x must be a number; got"):
        number(given, "x")


def test_four_values_that_python_takes_for_equal_stay_four() -> None:
    values: list[Any] = [1, True, 1.0, "1"]
    assert len({identity(value) for value in values}) == 4
    assert [same(left, right) for left in values for right in values] == [i == j for i in range(4) for j in range(4)]
