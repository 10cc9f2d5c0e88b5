"""Float and Int."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

from tunewright.errors import InvalidSpace
from tunewright.space import Float, Int, Parameter


class TestFloat:
    def test_bounds_become_floats(self) -> None:
        parameter = Float(np.int64(0), 1)  # type: ignore[arg-type]
        assert (type(parameter.low), type(parameter.high)) == (float, float)

    @pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0)])
    def test_low_is_below_high(self, low: float, high: float) -> None:
        with pytest.raises(InvalidSpace, match=rf"Float.high must be greater than low \({low}\); got {high}"):
            Float(low, high)

    @pytest.mark.parametrize("bound", [math.inf, -math.inf, math.nan, 10**400])
    def test_bounds_are_finite(self, bound: Any) -> None:
        with pytest.raises(InvalidSpace, match=r"Float.low must be finite"):
            Float(bound, 1.0)
        with pytest.raises(InvalidSpace, match=r"Float.high must be finite"):
            Float(0.0, bound)

    def test_the_range_is_finite(self) -> None:
        with pytest.raises(InvalidSpace, match=r"Float.high must be a finite distance from low \(-1e\+308\)"):
            Float(-1e308, 1e308)

    @pytest.mark.parametrize("bound", [True, "1", None, [0.5]])
    def test_bounds_are_numbers(self, bound: Any) -> None:
        with pytest.raises(InvalidSpace, match=r"Float.low must be a number; got"):
            Float(bound, 1.0)

    def test_steps_give_round_decimals(self) -> None:
        parameter = Float(0.0, 0.5, step=0.05)
        assert [parameter.level(index) for index in range(11)] == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
        assert parameter.count == 11

    def test_steps_in_exponents_give_round_decimals(self) -> None:
        parameter = Float(1e-5, 5e-5, step=1e-5)
        assert [parameter.level(index) for index in range(5)] == [1e-5, 2e-5, 3e-5, 4e-5, 5e-5]

    @pytest.mark.parametrize("step", [0.3, 2.0, 0.7])
    def test_a_step_divides_the_range(self, step: float) -> None:
        with pytest.raises(InvalidSpace, match=rf"Float.step must divide high - low \(1.0\); got {step}"):
            Float(0.0, 1.0, step=step)

    @pytest.mark.parametrize("step", [0, -0.1])
    def test_a_step_is_positive(self, step: float) -> None:
        with pytest.raises(InvalidSpace, match=r"Float.step must be greater than 0; got"):
            Float(0.0, 1.0, step=step)

    def test_a_step_is_not_too_small(self) -> None:
        with pytest.raises(InvalidSpace, match=r"Float.step must leave at most 2\*\*50 values; got 1e-300"):
            Float(0.0, 1.0, step=1e-300)

    def test_values_are_checked(self) -> None:
        parameter = Float(0, 1, step=0.1)
        assert parameter.check(1, "p") == 1.0
        assert type(parameter.check(1, "p")) is float
        assert parameter.check(0.1 + 0.2, "p") == 0.3  # the level, not the sum's rounding
        with pytest.raises(InvalidSpace, match=r"p must be between 0.0 and 1.0; got 1.1"):
            parameter.check(1.1, "p")
        with pytest.raises(InvalidSpace, match=r"p must be 0.0 plus a multiple of step 0.1; got 0.15"):
            parameter.check(0.15, "p")
        with pytest.raises(InvalidSpace, match=r"p must be a number; got True"):
            parameter.check(True, "p")

    def test_a_default_is_one_of_its_values(self) -> None:
        assert Float(0, 1, default=1).default == 1.0
        with pytest.raises(InvalidSpace, match=r"Float.default must be between 0.0 and 1.0; got 2.0"):
            Float(0, 1, default=2)
        with pytest.raises(InvalidSpace, match=r"Float.default must be 0.0 plus a multiple of step 0.5; got 0.3"):
            Float(0, 1, step=0.5, default=0.3)


class TestInt:
    @pytest.mark.parametrize("given", [1.0, True, "1", None, np.float64(2)])
    def test_bounds_are_integers(self, given: Any) -> None:
        for field, arguments in (("low", (given, 9, 1)), ("high", (-9, given, 1)), ("step", (0, 4, given))):
            with pytest.raises(InvalidSpace, match=f"Int.{field} must be an integer; got"):
                Int(*arguments[:2], step=arguments[2])

    def test_numpy_integers_become_python_ones(self) -> None:
        parameter = Int(np.int64(1), np.int32(3))  # type: ignore[arg-type]
        assert (type(parameter.low), type(parameter.high)) == (int, int)
        assert type(parameter.check(np.int8(2), "p")) is int

    @pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1)])
    def test_low_is_below_high(self, low: int, high: int) -> None:
        with pytest.raises(InvalidSpace, match=rf"Int.high must be greater than low \({low}\); got {high}"):
            Int(low, high)

    def test_a_step_divides_the_range(self) -> None:
        assert Int(1, 10, step=3).count == 4
        with pytest.raises(InvalidSpace, match=r"Int.step must divide high - low \(9\); got 4"):
            Int(1, 10, step=4)

    @pytest.mark.parametrize("step", [0, -1])
    def test_a_step_is_at_least_1(self, step: int) -> None:
        with pytest.raises(InvalidSpace, match=f"Int.step must be at least 1; got {step}"):
            Int(0, 10, step=step)

    def test_there_are_not_too_many_values_for_exact_coordinates(self) -> None:
        assert Int(0, 2**50 - 1).count == 2**50
        for low, high, scale in ((0, 2**50, "linear"), (2**63 - 1, 2**63, "linear"), (-(2**63), 1 - 2**63, "linear")):
            with pytest.raises(InvalidSpace, match=r"Int.high must leave at most 2\*\*50 values, each within 64 bits"):
                Int(low, high, scale=scale)
        with pytest.raises(InvalidSpace, match=r"Int.high must be at most 2\*\*42 with scale='log'"):
            Int(1, 2**42 + 1, scale="log")

    def test_values_are_checked(self) -> None:
        parameter = Int(1, 7, step=2, default=3)
        assert parameter.check(5, "p") == 5
        with pytest.raises(InvalidSpace, match=r"p must be between 1 and 7; got 8"):
            parameter.check(8, "p")
        with pytest.raises(InvalidSpace, match=r"p must be 1 plus a multiple of step 2; got 4"):
            parameter.check(4, "p")
        with pytest.raises(InvalidSpace, match=r"p must be an integer; got 3\.0"):
            parameter.check(3.0, "p")

    def test_a_default_is_one_of_its_values(self) -> None:
        with pytest.raises(InvalidSpace, match=r"Int.default must be between 1 and 7; got 0"):
            Int(1, 7, default=0)


PARAMETERS: list[Parameter] = [
    Float(0, 1),
    Float(1e-5, 1, default=0.1, when={"a": [1, 2]}),
    Float(0, 1, step=0.5),
    Float(0, 0.9, scale="reverse_log", when="a > 2"),
    Int(1, 9, step=2, default=3),
    Int(1, 1000),
]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=repr)
def test_copies_are_equal(parameter: Parameter) -> None:
    restored = pickle.loads(pickle.dumps(parameter))
    assert restored == parameter
    assert hash(restored) == hash(parameter)
    assert repr(restored) == repr(parameter)
    assert copy.deepcopy(parameter) is parameter
    assert copy.copy(parameter) is parameter


def test_different_parameters_are_not_equal() -> None:
    assert len(set(PARAMETERS)) == len(PARAMETERS)
    assert Float(0, 1) != Float(0, 1, default=0.5)
    assert Float(0, 1) != Float(0, 1, when="a > 2")
    assert Int(0, 1) != Float(0, 1)
    assert Int(0, 1) != "Int"


@pytest.mark.parametrize("parameter", PARAMETERS, ids=repr)
def test_parameters_are_immutable(parameter: Parameter) -> None:
    with pytest.raises(AttributeError, match=r"immutable"):
        parameter.default = 3
    with pytest.raises(AttributeError, match=r"immutable"):
        del parameter.default


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (3, "must be an expression or"),
        ([], "must be an expression or"),
        ({}, "must name at least one parent"),
        ("  ", "must not be an empty expression"),
        ({"a": []}, r"\['a'\] must list at least one value"),
        ({1: [2]}, "must name its parents by strings"),
        ({"a": [object()]}, r"\['a'\] must be a string, number"),
        ({"a": [math.nan]}, r"\['a'\] must be finite"),
    ],
)
def test_a_condition_has_one_of_two_forms(when: Any, message: str) -> None:
    with pytest.raises(InvalidSpace, match=rf"Float.when\S* ?{message}"):
        Float(0, 1, when=when)


def test_a_condition_is_kept_as_given() -> None:
    assert Float(0, 1, when=" a > 2 ").when == "a > 2"
    assert Float(0, 1, when={"a": np.int64(1), "b": ("x", None)}).when == {"a": [1], "b": ["x", None]}
    given = {"a": [1]}
    parameter = Float(0, 1, when=given)
    given["a"].append(2)
    assert parameter.when == {"a": [1]}
    assert Float(0, 1, when={"a": [1, 2], "b": [3]}) == Float(0, 1, when={"b": [3], "a": [2, 1]})
