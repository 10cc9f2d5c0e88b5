"""Categorical."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from tunewright.errors import InvalidSpace
from tunewright.space import Categorical


def test_four_values_that_python_takes_for_equal_are_four_choices() -> None:
    parameter = Categorical([1, True, 1.0, "1"])
    assert parameter.count == 4
    assert [parameter.index(choice) for choice in (1, True, 1.0, "1")] == [0, 1, 2, 3]
    assert [type(parameter.check(choice, "p")) for choice in (1, True, 1.0, "1")] == [int, bool, float, str]


def test_numpy_choices_become_python_ones() -> None:
    assert [type(choice) for choice in Categorical([np.float64(1), np.int64(2), np.str_("a"), None]).choices] == [
        float,
        int,
        str,
        type(None),
    ]
    assert Categorical(np.array([1, 2])).choices == (1, 2)  # type: ignore[arg-type]
    assert Categorical([1, 2]).check(np.int64(2), "p") == 2


@pytest.mark.parametrize("choices", [["a", "b", "a"], [1, 2, 1], [True, True], [None, None], [0.0, -0.0]])
def test_no_choice_is_there_twice(choices: list[Any]) -> None:
    with pytest.raises(InvalidSpace, match=rf"Categorical.choices must not hold a choice twice; got {choices[-1]!r}"):
        Categorical(choices)


def test_there_is_a_choice() -> None:
    with pytest.raises(InvalidSpace, match=r"Categorical.choices must not be empty; got \[\]"):
        Categorical([])


@pytest.mark.parametrize("choices", ["abc", 3, None, {1, 2}])
def test_choices_are_a_list_or_a_dict(choices: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"Categorical.choices must be a list of scalars or {label: object}; got"):
        Categorical(choices)


@pytest.mark.parametrize("choice", [(64, 64), [1], math.sin, int, object()])
def test_other_objects_need_a_label(choice: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"Categorical.choices\[1\] must be a JSON scalar; give other objects names"):
        Categorical(["a", choice])
    assert Categorical({"a": "a", "b": choice}).choices == ("a", "b")


def test_choices_are_finite() -> None:
    with pytest.raises(InvalidSpace, match=r"Categorical.choices\[0\] must be finite; got inf"):
        Categorical([math.inf])


@pytest.mark.parametrize("label", [1, "", None])
def test_labels_are_strings(label: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"Categorical.choices must have non-empty strings as labels"):
        Categorical({label: 1})


def test_a_wrong_value_says_the_nearest_choice() -> None:
    with pytest.raises(InvalidSpace, match=r"p must be one of \['relu', 'tanh'\]; did you mean 'relu'\?; got 'rleu'"):
        Categorical(["relu", "tanh"]).check("rleu", "p")
    with pytest.raises(InvalidSpace, match=r"p must be one of \[1, 2\]; got 1\.0"):
        Categorical([1, 2]).check(1.0, "p")


def test_a_default_is_one_of_the_choices() -> None:
    assert Categorical([1, 2], default=2).default == 2
    with pytest.raises(InvalidSpace, match=r"Categorical.default must be one of \[1, 2\]; got True"):
        Categorical([1, 2], default=True)


def test_labels_are_what_makes_two_equal() -> None:
    first, second = Categorical({"a": [1], "b": [2]}), Categorical({"a": [3], "b": [4]})
    assert first == second == Categorical(["a", "b"])
    assert first != Categorical(["b", "a"])
    assert first != Categorical(["a", "b"], ordered=True)
    assert Categorical([1, 0]) != Categorical([True, False])


def test_a_pickle_keeps_the_objects() -> None:
    restored = pickle.loads(pickle.dumps(Categorical({"a": [1], "b": math.sin}, default="b", ordered=True)))
    assert restored.objects == {"a": [1], "b": math.sin}
    assert repr(restored) == "Categorical(['a', 'b'], ordered=True, default='b')"
