"""Constraints: which points are allowed, and sampling within them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tunewright.errors import InfeasibleSpace, InvalidExpression, InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.space import sampling as sampling_module

UNIT: dict[str, Any] = {"a": Float(0, 1), "b": Float(0, 1), "c": Categorical(["x", "y"]), "d": Float(0, 1, when={"c": ["x"]})}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def divisible(params: dict[str, Any]) -> bool:
    return bool(params["n"] % 7 == 0)


class TestFeasibility:
    def test_an_expression(self) -> None:
        space = SearchSpace({"width": Int(8, 1024), "depth": [1, 2, 4, 8]}, constraints=["width * depth <= 4096"])
        assert space.feasible({"width": 512, "depth": 8})
        assert not space.feasible({"width": 513, "depth": 8})

    def test_a_single_one_needs_no_list(self) -> None:
        assert not SearchSpace({"a": Float(0, 1)}, constraints="a < 0.5").feasible({"a": 0.6})
        assert not SearchSpace({"a": Float(0, 1)}, constraints=lambda p: p["a"] < 0.5).feasible({"a": 0.6})

    def test_all_of_them_must_hold(self) -> None:
        space = SearchSpace(UNIT, constraints=["a < 0.5", lambda p: p["b"] < 0.5])
        assert space.feasible({"a": 0.1, "b": 0.1, "c": "y"})
        assert not space.feasible({"a": 0.1, "b": 0.9, "c": "y"})
        assert not space.feasible({"a": 0.9, "b": 0.1, "c": "y"})

    @pytest.mark.parametrize("constraint", ["d < a", lambda p: p["d"] < p["a"]])
    def test_one_that_names_something_inactive_does_not_apply(self, constraint: Any) -> None:
        space = SearchSpace(UNIT, constraints=[constraint])
        assert space.feasible({"a": 0.1, "b": 0.1, "c": "y"})
        assert not space.feasible({"a": 0.1, "b": 0.1, "c": "x", "d": 0.5})

    def test_where_it_is_undefined_it_does_not_hold(self) -> None:
        space = SearchSpace({"a": Int(0, 3)}, constraints=["log(a) < 3"])
        assert [space.feasible({"a": value}) for value in range(4)] == [False, True, True, True]

    def test_fixed_values_may_be_named(self) -> None:
        space = SearchSpace({"a": Float(0, 1), "most": 0.5}, constraints=["a < most", lambda p: p["a"] < p["most"]])
        assert space.feasible({"a": 0.4})
        assert not space.feasible({"a": 0.6})
        assert not space.feasible({"a": 0.6, "most": 0.5})

    def test_a_numpy_truth_is_one(self) -> None:
        space = SearchSpace({"a": Float(0, 1)}, constraints=[lambda p: np.float64(p["a"]) < 0.5])
        assert space.feasible({"a": 0.4}) is True

    def test_a_function_cannot_change_the_point(self) -> None:
        def greedy(params: dict[str, Any]) -> bool:
            params.clear()
            return True

        params = SearchSpace({"a": Float(0, 1)}, constraints=[greedy]).sample(rng())
        assert params.keys() == {"a"}


class TestRefusal:
    def test_an_unknown_name(self) -> None:
        with pytest.raises(InvalidExpression, match=r"names an unknown parameter 'aa' \(did you mean 'a'") as caught:
            SearchSpace(UNIT, constraints=["b > 0", "1 > aa"])
        assert caught.value.field == "constraints[1]"
        assert caught.value.position == 4

    def test_a_syntax_error(self) -> None:
        with pytest.raises(InvalidExpression, match=r"constraints\[0\] has an unexpected '=': use '==', at character 3"):
            SearchSpace(UNIT, constraints=["a = 1"])

    def test_an_expression_that_is_not_true_or_false(self) -> None:
        with pytest.raises(InvalidExpression, match=r"constraints\[0\] must be true or false"):
            SearchSpace(UNIT, constraints=["a + b"])

    def test_neither_text_nor_function(self) -> None:
        with pytest.raises(InvalidSpace, match=r"constraints\[0\] must be an expression or a function of the params; got 3"):
            SearchSpace(UNIT, constraints=[3])  # type: ignore[list-item]

    def test_a_function_without_an_answer(self) -> None:
        space = SearchSpace({"n": Int(0, 9)}, constraints=[lambda p: None])
        with pytest.raises(InvalidSpace, match=r"constraints\[0\] \(.*<lambda>\) must return true or false; got None"):
            space.sample(rng())

    def test_a_function_that_raises(self) -> None:
        def broken(params: dict[str, Any]) -> bool:
            return bool(params["typo"] > 1)

        space = SearchSpace({"n": Int(0, 9)}, constraints=[broken])
        with pytest.raises(
            InvalidSpace, match=r"constraints\[0\] \(.*broken\) must not raise; it raised KeyError: 'typo'"
        ) as caught:
            space.sample(rng())
        assert isinstance(caught.value.__cause__, KeyError)


class TestSampling:
    @pytest.mark.parametrize(
        "constraints",
        [
            ["a < 0.01 and b < 0.01"],
            ["a < 0.01", lambda p: p["b"] < 0.01],
            ["abs(a - b) < 1e-5"],
            ["c == 'x' and d > 0.99", "a > 0.99"],
            ["c != 'x' or d > 0.9999", "a > 0.9999"],
        ],
    )
    def test_slivers_are_found(self, constraints: Any) -> None:
        space = SearchSpace(UNIT, constraints=constraints)
        for seed in range(5):
            params = space.sample(np.random.default_rng(seed))
            assert space.feasible(params)
            assert space.validate(params) == params

    def test_functions_find_slivers_too(self) -> None:
        space = SearchSpace({"n": Int(0, 10**6), "m": Int(0, 1000)}, constraints=[divisible, lambda p: p["m"] == 7])
        assert space.sample(rng())["m"] == 7

    def test_points_are_spread_over_all_that_is_allowed(self) -> None:
        space = SearchSpace({"a": Float(0, 1), "b": Float(0, 1)}, constraints=["a + b <= 0.1"])
        points = np.array([list(space.sample(np.random.default_rng(seed)).values()) for seed in range(300)])
        # the mean of a triangle is its centroid
        np.testing.assert_allclose(points.mean(axis=0), 0.1 / 3, atol=0.006)

    def test_the_few_points_of_a_finite_space_are_all_found(self) -> None:
        space = SearchSpace({"a": Int(1, 100), "b": Int(1, 100)}, constraints=["a * b == 8633"])
        found = {tuple(space.sample(np.random.default_rng(seed)).values()) for seed in range(40)}
        assert found == {(97, 89), (89, 97)}

    @pytest.mark.parametrize("constraints", [["a > 2"], ["a + b > 2.5"], ["a < 0.2", "a > 0.8"], ["1 > 2"]])
    def test_what_is_proven_impossible_is_said_at_once(self, constraints: list[str]) -> None:
        space = SearchSpace(UNIT, constraints=constraints)
        with pytest.raises(InfeasibleSpace, match=r"constraints can't be satisfied by any point"):
            space.sample(rng())

    def test_what_is_not_found_ends_after_so_many_draws(self) -> None:
        space = SearchSpace(UNIT, constraints=["a == b", "a <= 1"])
        message = r"leave no point: none of 10,0\d\d,\d\d\d random ones .* hold: 'a == b' for 0.0%, 'a <= 1' for 100.0%"
        with pytest.raises(InfeasibleSpace, match=message):
            space.sample(rng())

    def test_what_a_function_refuses_ends_after_so_many_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling_module, "MOST_CHECKS", 10_000)
        calls: list[None] = []

        def never(params: dict[str, Any]) -> bool:
            calls.append(None)
            return False

        with pytest.raises(InfeasibleSpace, match=r"none of [\d,]+ random ones satisfies them.*never for 0.0%"):
            SearchSpace(UNIT, constraints=[never]).sample(rng())
        assert len(calls) < 10_000 + sampling_module.LARGEST_BLOCK + 1000

    def test_a_finite_space_without_points_says_so(self) -> None:
        space = SearchSpace({"a": Int(0, 99), "b": Int(0, 99)}, constraints=["a * b == 101"])
        with pytest.raises(InfeasibleSpace, match=r"constraints leave none of the space's 10,000 points"):
            space.sample(rng())

    def test_a_slow_function_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling_module, "SECONDS", 0.05)
        calls = []

        def slow(params: dict[str, Any]) -> bool:
            calls.append(params)
            time.sleep(0.001)
            return False

        with pytest.raises(InfeasibleSpace, match=r"slow for 0.0%"):
            SearchSpace({"a": Float(0, 1)}, constraints=[slow]).sample(rng())
        assert len(calls) < 500

    def test_a_slow_function_over_a_finite_space_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling_module, "SECONDS", 0.05)

        def slow(params: dict[str, Any]) -> bool:
            time.sleep(0.001)
            return False

        with pytest.raises(InfeasibleSpace, match=r"slow for 0.0%"):
            SearchSpace({"a": Int(0, 10_000)}, constraints=[slow]).sample(rng())

    def test_conditions_that_only_rows_can_decide_are_respected(self) -> None:
        space = SearchSpace(
            {"m": Categorical([1, "auto", True]), "k": Categorical(["auto", True]), "d": Float(0, 1, when="m == k")},
            constraints=["d < 0.001", "m != 1"],
        )
        for seed in range(30):
            params = space.sample(np.random.default_rng(seed))
            assert space.validate(params) == params
            assert params["m"] != 1 or params["m"] is True
            assert ("d" in params) == (params["m"] == params["k"])
            assert params.get("d", 0) < 0.001
        points = rng().random((50, 3))
        rows = [space.decode(point) for point in points]
        assert space.active_many(points)[:, 2].tolist() == ["d" in row for row in rows]
        assert space.feasible_many(points).tolist() == [space.feasible(row) for row in rows]
