"""What can be true. That no answer is wrong is a property test; here, that answers are given where people need them."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.space import Categorical, Float, Int
from tunewright.space.intervals import can_be_true, domain, must_be_true
from tunewright.space.parsing import parse

VALUES: dict[str, Any] = {
    "i": Int(1, 10),
    "big": Int(-1000, 1000),
    "x": Float(0.0, 1.0),
    "lr": Float(1e-5, 0.1),
    "step": Float(0.0, 1.0, step=0.25),
    "s": Categorical(["sgd", "adam"]),
    "d": Categorical([1, 2, 4]),
    "flag": Categorical([True, False]),
    "mixed": Categorical(["auto", 1, None]),
    "fixed": 3,
}
DOMAINS = {name: domain(value) for name, value in VALUES.items()}


def outcomes(text: str) -> tuple[bool, bool]:
    tree = parse(text, "f")
    return can_be_true(tree, DOMAINS), must_be_true(tree, DOMAINS)


@pytest.mark.parametrize(
    "text",
    [
        "s == 'sdg'",
        "s == 1",
        "d == 3",
        "d in [3, 5]",
        "i > 10",
        "i < 1",
        "x > 1",
        "x < 0",
        "lr > 0.1",
        "i > 2 and i < 3",
        "big > 2 and big < 3",
        "x > 0.5 and x < 0.3",
        "lr >= 0.01 and lr < 0.01",
        "x + lr > 1.2",
        "x * i > 10.5",
        "x - 2 > 0",
        "x / i > 1.5",
        "i // 3 > 3",
        "big % 7 == 7.5",
        "big % -7 > 0.5",
        "x ** 2 < 0",
        "big ** 2 < 0",
        "big ** 3 > 1e9 + 1",
        "2 ** x > 2.1",
        "log(x) > 0.1",
        "sqrt(x) > 1.1",
        "exp(x) < 0.9",
        "abs(big) > 1000",
        "abs(big) < 0",
        "min(x, i) > 1",
        "max(x, i) < 1",
        "-x > 0",
        "log(-i) > 1",
        "1 / (fixed - 3) > 1",
        "step == 0.3",
        "not x <= 1",
        "s == 'sgd' and s == 'adam'",
        "flag and not flag",
        "mixed == 'auto' and mixed == 1",
        "mixed > 1",
        "fixed > 3",
        "s < 'a'",
        "mixed < none",
        "mixed > s and mixed == 1",
        "flag > 0",
        "(x > 2) == flag and not flag == false and flag == true and 1 > 2",
        "(x > 0.5) == 3",
        "-s == 1",
        "max(s, 1) == 1",
        "1 - exp(big * 1000) > 1",
        "(big - 2000) ** 0.5 > 1 and fixed ** 0.5 < 1",
        "(-8) ** 0.5 > 1",
        "exp(1e300) - exp(1e300) == 1",
    ],
)
def test_it_cannot_be_true(text: str) -> None:
    assert outcomes(text) == (False, False)


@pytest.mark.parametrize(
    "text",
    [
        "s in ['sgd', 'adam']",
        "s != 'x'",
        "d < 5",
        "i >= 1",
        "x <= 1 and 0 <= x",
        "x > 0.5 or x <= 0.5",
        "big > 2 or big <= 2",
        "flag or not flag",
        "fixed == 3",
        "x + 1 > 0",
        "exp(x) >= 0.99",
        "x ** 2 >= 0",
        "mixed != s",
    ],
)
def test_it_must_be_true(text: str) -> None:
    assert outcomes(text) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "s == 'sgd'",
        "(x > 0.5) == flag",
        "x ** big > 1",
        "big ** x > 1",
        "big ** 2 < 1",
        "(x - 0.5) ** 2 < 0.1",
        "exp(big) - exp(big) == 0",
        "mixed == none",
        "i > 9",
        "x >= 1",
        "lr <= 0.00001",
        "big == 7",
        "1 / big > 0",
        "log(x) < 0",
        "mixed == 1",
        "x > 0.5 and x < 0.6",
    ],
)
def test_it_can_be_either(text: str) -> None:
    assert outcomes(text) == (True, False)


def test_too_many_combinations_are_taken_as_possible() -> None:
    domains: dict[str, Any] = {name: tuple(map(str, range(100))) for name in "abc"}
    tree = parse("a == b and b == c and a == 'x'", "f")
    assert can_be_true(tree, domains)
    assert not must_be_true(tree, domains)


def test_many_numbers_are_taken_as_ranges() -> None:
    domains = {name: domain(Int(0, 60)) for name in "abcd"}
    assert not can_be_true(parse("a + b + c + d > 240", "f"), domains)
    assert can_be_true(parse("a + b + c + d > 239", "f"), domains)


def test_integers_beyond_floats_are_told_apart() -> None:
    domains = {"n": domain(Int(2**60, 2**60 + 1000))}
    assert can_be_true(parse(f"n > {2**60 + 1} and n < {2**60 + 3}", "f"), domains)
    assert not can_be_true(parse(f"n > {2**60 + 1} and n < {2**60 + 2}", "f"), domains)


def test_an_integer_lies_between_no_two_others() -> None:
    domains = {"n": domain(Int(0, 1000))}
    assert not can_be_true(parse("n > 2.5 and n < 3", "f"), domains)
    assert not can_be_true(parse("n == 2.5", "f"), domains)
    assert must_be_true(parse("n <= 2 or n >= 2.5", "f"), domains)
