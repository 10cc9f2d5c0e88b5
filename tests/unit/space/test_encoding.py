"""Between values and the unit interval. Round trips are property tests; here is where things lie."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tunewright.errors import InvalidInput
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.space.encoding import codec


@pytest.mark.parametrize(
    ("parameter", "value", "unit"),
    [
        (Float(-1, 3), 0.0, 0.25),
        (Float(1e-4, 1e-2, scale="log"), 1e-3, 0.5),
        (Float(0, 0.99, scale="reverse_log"), 0.9, 0.5),
        (Int(0, 3), 1, 0.375),
        (Int(0, 30, step=10), 10, 0.375),
        (Float(0, 1, step=0.5), 0.5, 0.5),
        (Categorical(["a", "b"]), "b", 0.75),
        (Categorical(["a"]), "a", 0.5),
        (Int(1, 2, scale="log"), 1, math.log(2) / math.log(5)),
    ],
)
def test_a_value_has_its_place(parameter: Any, value: Any, unit: float) -> None:
    encoding = codec("p", parameter)
    assert encoding.encode(value) == pytest.approx(unit, abs=1e-12)
    assert encoding.decode(unit) == pytest.approx(value) if isinstance(value, float) else encoding.decode(unit) == value


@pytest.mark.parametrize(
    "parameter",
    [
        Int(1, 6),
        Int(1, 6, scale="log"),
        Float(0, 0.9, step=0.3),
        Float(0.5, 2, step=0.5, scale="log"),
        Categorical(list("abc")),
    ],
    ids=repr,
)
def test_every_value_owns_its_cell(parameter: Any) -> None:
    decode = codec("p", parameter).decode
    counts = Counter(decode(unit) for unit in np.linspace(0, 1, 10_001))
    assert len(counts) == parameter.count
    if parameter.kind == "categorical" or parameter.scale == "linear":
        assert max(counts.values()) - min(counts.values()) <= 2
    else:
        # the share of a value on a log scale is the part between its neighbours' halves
        for value in list(counts)[1:-1]:
            step = parameter.step
            low, high = parameter.low - step / 2, parameter.high + step / 2
            share = math.log((value + step / 2) / (value - step / 2)) / math.log(high / low)
            assert counts[value] / 10_001 == pytest.approx(share, abs=1e-3)


def test_a_log_scale_near_0_leaves_room_for_all() -> None:
    # half a step below low would be negative
    parameter = Int(1, 101, step=10, scale="log")
    counts = Counter(codec("p", parameter).decode(unit) for unit in np.linspace(0, 1, 1001))
    assert len(counts) == 11
    assert counts[1] < 600


def test_a_reverse_log_scale_near_1_leaves_room_for_all() -> None:
    parameter = Float(0, 0.9, step=0.3, scale="reverse_log")
    counts = Counter(codec("p", parameter).decode(unit) for unit in np.linspace(0, 1, 1001))
    assert sorted(counts) == [0.0, 0.3, 0.6, 0.9]
    assert counts[0.0] < counts[0.3] < counts[0.6]


def test_a_stepped_float_of_many_levels() -> None:
    encoding = codec("p", Float(0, 1, step=1e-5))
    for value in (0.0, 0.12345, 0.99999, 1.0):
        assert encoding.decode(encoding.encode(value)) == value
    assert encoding.decode_column(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Float(0, 1), 1.5),
        (Float(0, 1), math.nan),
        (Float(1, 100, scale="log"), 0.0),
        (Float(0, 1, step=0.5), -1.0),
        (Int(0, 5), 6),
        (Int(1, 500, scale="log"), 0),
        (Categorical([1, 2]), True),
        (Categorical([1, 2]), [1]),
    ],
)
def test_what_lies_outside_is_refused_by_name(parameter: Any, value: Any) -> None:
    space = SearchSpace({"p": parameter})
    with pytest.raises(InvalidInput, match=r"^p must be a value of (Float|Int|Categorical)\(.*; got"):
        space.encode({"p": value})


def test_many_points_with_a_wrong_choice_are_refused_by_name() -> None:
    space = SearchSpace({"p": Categorical([1, 2]), "q": Float(0, 1)})
    with pytest.raises(InvalidInput, match=r"^p must be a value of .*; got 3"):
        space.encode_many([{"p": 1, "q": 0.0}, {"p": 3, "q": 0.0}])
    with pytest.raises(InvalidInput, match=r"^p must be a value of .*; got True"):
        space.encode_many([{"p": True, "q": 0.0}])
    assert space.encode_many([]).shape == (0, 2)
