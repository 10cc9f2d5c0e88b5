"""Scales, asked for and decided."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.errors import InvalidSpace
from tunewright.space import Float, Int


@pytest.mark.parametrize(
    ("parameter", "scale"),
    [
        (Float(0.001, 0.1), "log"),
        (Float(0.0011, 0.1), "linear"),
        (Float(0.0, 100.0), "linear"),
        (Float(-1.0, 100.0), "linear"),
        (Float(1.0, 1000.0, step=1.0), "linear"),
        (Float(1.0, 1000.0, step=1.0, scale="log"), "log"),
        (Int(1, 100), "log"),
        (Int(1, 99), "linear"),
        (Int(0, 1000), "linear"),
        (Int(10, 1010, step=10), "linear"),
        (Float(0, 0.9, scale="reverse_log"), "reverse_log"),
        (Float(1e-5, 1e-1, scale="linear"), "linear"),
    ],
)
def test_auto_is_decided_from_the_bounds(parameter: Any, scale: str) -> None:
    assert parameter.scale == scale


def test_repr_says_what_auto_decided() -> None:
    assert repr(Float(1e-5, 1e-1)) == "Float(1e-05, 0.1, scale='log' (auto))"
    assert repr(Float(1e-5, 1e-1, scale="log")) == "Float(1e-05, 0.1, scale='log')"
    assert repr(Int(1, 10)) == "Int(1, 10, scale='linear' (auto))"


def test_a_decided_scale_is_the_same_as_an_asked_one() -> None:
    assert Float(1e-5, 1e-1) == Float(1e-5, 1e-1, scale="log")
    assert Float(1e-5, 1e-1) != Float(1e-5, 1e-1, scale="linear")


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_log_needs_a_positive_low(low: float) -> None:
    with pytest.raises(InvalidSpace, match=rf"Float.low must be greater than 0 with scale='log'; got {low}"):
        Float(low, 1.0, scale="log")


def test_log_of_integers_begins_at_1() -> None:
    with pytest.raises(InvalidSpace, match=r"Int.low must be greater than 0 with scale='log'; got 0"):
        Int(0, 10, scale="log")


def test_reverse_log_needs_a_low_of_at_least_0() -> None:
    with pytest.raises(InvalidSpace, match=r"Float.low must be at least 0 with scale='reverse_log'; got -0\.1"):
        Float(-0.1, 0.5, scale="reverse_log")


def test_reverse_log_needs_a_high_below_1() -> None:
    with pytest.raises(InvalidSpace, match=r"Float.high must be less than 1 with scale='reverse_log'; got 1\.0"):
        Float(0.0, 1.0, scale="reverse_log")


def test_reverse_log_is_not_for_integers() -> None:
    with pytest.raises(InvalidSpace, match=r"Int.scale must be linear, log or auto"):
        Int(0, 3, scale="reverse_log")


@pytest.mark.parametrize(("scale", "hint"), [("logarithmic", ""), ("lin", "did you mean 'linear'"), (None, ""), (3, "")])
def test_an_unknown_scale_says_the_known_ones(scale: Any, hint: str) -> None:
    with pytest.raises(InvalidSpace, match=rf"Float.scale must be one of linear, log, reverse_log, auto \(.*{hint}.*; got"):
        Float(1.0, 2.0, scale=scale)
