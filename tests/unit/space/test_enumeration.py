"""Grids and sizes. That a grid is all points, each once, is a property test."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import pytest

from tunewright.errors import InvalidInput, InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace


def test_a_grid_walks_in_order_the_last_parameter_fastest() -> None:
    space = SearchSpace({"a": Categorical(["x", "y"]), "n": 7, "b": Int(1, 5, step=2)})
    assert [tuple(params.items()) for params in space.grid()] == [
        (("a", a), ("n", 7), ("b", b)) for a in "xy" for b in (1, 3, 5)
    ]
    assert space.size() == space.grid_size() == 6


def test_floats_are_cut_into_bins_on_their_scale() -> None:
    space = SearchSpace({"p": Float(1e-4, 1.0, scale="log")})
    assert [params["p"] for params in space.grid(5)] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0], rel=1e-12)
    assert [params["p"] for params in space.grid(2)] == [1e-4, 1.0]
    assert [params["p"] for params in space.grid(1)] == pytest.approx([1e-2])
    assert space.size() == math.inf
    assert space.grid_size(7) == 7
    assert space.grid_size() == 10


def test_a_stepped_float_keeps_its_own_levels() -> None:
    space = SearchSpace({"p": Float(0, 0.5, step=0.1)})
    assert [params["p"] for params in space.grid(2)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert space.size() == 6


def test_bins_that_fall_together_are_one() -> None:
    low = 1.0
    space = SearchSpace({"p": Float(low, math.nextafter(math.nextafter(low, 2), 2), scale="linear")})
    values = [params["p"] for params in space.grid(10)]
    assert len(values) == len(set(values)) == space.grid_size(10) == 3


def test_inactive_parameters_do_not_multiply() -> None:
    space = SearchSpace(
        {
            "optimizer": Categorical(["sgd", "adam"]),
            "momentum": Int(0, 9, when={"optimizer": ["sgd"]}),
            "nesterov": Categorical([True, False], when="momentum > 4"),
            "seed": Int(0, 2),
        }
    )
    # adam: 1; sgd: 5 without and 5 with nesterov's 2
    assert space.size() == space.grid_size() == (1 + 5 + 5 * 2) * 3
    points = list(space.grid())
    assert len({space.key(params) for params in points}) == len(points) == 48


def test_a_condition_that_names_many_values_is_counted_without_walking_all_else() -> None:
    space = SearchSpace(
        {
            "n": Int(0, 10_000),
            "m": Int(0, 10**9, when="n > 9990"),
            "k": Int(1, 10**6),
            "deep": Categorical(["a", "b"], when="n % 2 == 0"),
        }
    )
    by_hand = sum((10**9 + 1 if n > 9990 else 1) * (2 if n % 2 == 0 else 1) for n in range(10_001))
    assert space.size() == by_hand * 10**6


def test_where_parents_have_too_many_combinations_the_size_is_an_upper_bound() -> None:
    space = SearchSpace({"n": Int(0, 10**6), "m": Int(0, 1, when="n > 3")})
    assert space.size() == (10**6 + 1) * 2


def test_constraints_count_where_points_are_few() -> None:
    few = SearchSpace({"a": Int(1, 100), "b": Int(1, 100)}, constraints=["a <= b"])
    assert few.size() == few.grid_size() == 5050
    assert few.size() == 5050  # the second time from memory
    many = SearchSpace({"a": Int(1, 1000), "b": Int(1, 1000)}, constraints=["a <= b"])
    assert many.size() == 10**6
    function = SearchSpace({"a": Int(1, 10), "b": Int(1, 10)}, constraints=[lambda p: p["a"] <= p["b"]])
    assert function.size() == 55


def test_a_branch_that_a_constraint_closes_is_not_walked() -> None:
    space = SearchSpace({"a": Int(0, 9), **{f"p{i}": Int(0, 99) for i in range(20)}}, constraints=["a == 9", "p0 == 50"])
    assert next(space.grid())["a"] == 9
    assert all(params["p0"] == 50 for params in islice(space.grid(), 1000))


def test_a_constraint_on_fixed_values_alone_counts() -> None:
    space = SearchSpace({"a": Int(0, 9), "n": 3}, constraints=["n > 4"])
    assert list(space.grid()) == []
    assert space.size() == 0


def test_many_parameters_are_no_deep_recursion() -> None:
    space = SearchSpace({f"p{i}": [0, 1] for i in range(2000)})
    assert len(next(space.grid())) == 2000
    assert space.size() == 2**2000


@pytest.mark.parametrize("bins", [0, -1, 2.5, True, None])
def test_there_is_at_least_one_bin(bins: Any) -> None:
    space = SearchSpace({"p": Float(0, 1)})
    with pytest.raises(InvalidInput, match=r"bins must be an integer of at least 1; got"):
        space.grid_size(bins)
    with pytest.raises(InvalidInput, match=r"bins must be an integer of at least 1; got"):
        next(space.grid(bins))


def test_a_function_that_json_lost_is_asked_for() -> None:
    space = SearchSpace.from_json(SearchSpace({"a": Int(0, 9)}, constraints=[lambda p: p["a"] > 3]).to_json())
    assert space.size() == 10
    with pytest.raises(InvalidSpace, match=r"was a Python function, which JSON can't hold"):
        next(space.grid())
