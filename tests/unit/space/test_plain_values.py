"""Lists, scalars and distributions in place of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tunewright.errors import InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace


def only(value: Any) -> Any:
    return SearchSpace({"p": value}).parameters["p"]


@pytest.mark.parametrize(
    ("value", "parameter"),
    [
        (["a", "b"], Categorical(["a", "b"])),
        ([1, 2, 4], Categorical([1, 2, 4], ordered=True)),
        ([4, 1, 2.5], Categorical([1, 2.5, 4], ordered=True)),
        ([np.int64(2), np.float64(1.5)], Categorical([1.5, 2], ordered=True)),
        ([True, False], Categorical([True, False])),
        ([1, True], Categorical([1, True])),
        ([1, None], Categorical([1, None])),
        (stats.uniform(2, 3), Float(2, 5, scale="linear")),
        (stats.uniform(loc=0.001, scale=10), Float(0.001, 10.001, scale="linear")),
        (stats.loguniform(1e-4, 1e-1), Float(1e-4, 1e-1, scale="log")),
        (stats.reciprocal(1e-4, 1e-1), Float(1e-4, 1e-1, scale="log")),
        (stats.loguniform(1e-4, 1e-1, scale=10), Float(1e-3, 1.0, scale="log")),
        (stats.randint(1, 200), Int(1, 199, scale="linear")),
        (stats.randint(1, 5, loc=2), Int(3, 6, scale="linear")),
    ],
    ids=lambda value: value.dist.name if hasattr(value, "dist") else repr(value),  # no address: workers compare names
)
def test_it_is_read_as_a_parameter(value: Any, parameter: Any) -> None:
    assert only(value) == parameter


@pytest.mark.parametrize("value", [3, 0.5, "adam", True, None, np.int64(3), np.float64(0.5)])
def test_a_scalar_is_fixed(value: Any) -> None:
    space = SearchSpace({"p": Float(0, 1), "q": value})
    assert space.names == ("p",)
    plain = value.item() if isinstance(value, np.generic) else value
    assert space.fixed == {"q": plain}
    assert type(space.fixed["q"]) is type(plain)


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, range(3), {"a": 1}, np.array([1, 2]), object(), Float])
def test_anything_else_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"^p must be a Float, Int, Categorical, a list of choices, a scalar, or scipy's"):
        SearchSpace({"p": value})


@pytest.mark.parametrize(("value", "name"), [(stats.norm(0, 1), "norm"), (stats.poisson(3), "poisson")])
def test_another_distribution_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(InvalidSpace, match=f"^p must be scipy's uniform, loguniform or randint.*; got '{name}'"):
        SearchSpace({"p": value})


@pytest.mark.parametrize("value", [stats.loguniform(1, 10, loc=3), stats.loguniform(1, 10, 3)])
def test_a_shifted_loguniform_is_refused(value: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"^p must be a loguniform with loc=0; got 3"):
        SearchSpace({"p": value})


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(InvalidSpace, match=r"^p: Categorical.choices must not be empty; got \[\]"):
        SearchSpace({"p": []})


@pytest.mark.parametrize("value", [stats.randint(3, 4), stats.randint(7, 8)])
def test_a_distribution_without_a_range_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"^p: Int\.high must be greater than low"):
        SearchSpace({"p": value})


def test_a_scalar_is_finite() -> None:
    with pytest.raises(InvalidSpace, match=r"^q must be finite; got nan"):
        SearchSpace({"p": [1, 2], "q": float("nan")})
