"""Conditions: which parameters are active, and which conditions are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tunewright.errors import InvalidExpression, InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace

BASE: dict[str, Any] = {
    "optimizer": Categorical(["sgd", "adam"]),
    "depth": Int(1, 5),
    "rate": Float(0.001, 0.1),
}


def space(**when: Any) -> SearchSpace:
    return SearchSpace({**BASE, **{name: Float(0, 1, when=condition) for name, condition in when.items()}})


class TestActivity:
    @pytest.mark.parametrize(
        "when",
        [
            {"optimizer": ["sgd"]},
            {"optimizer": "sgd"},
            "optimizer == 'sgd'",
            "optimizer != 'adam'",
            "not optimizer in ['adam']",
            "(optimizer == 'sgd')",
        ],
    )
    def test_dict_and_expression_say_the_same(self, when: Any) -> None:
        made = space(momentum=when)
        sgd, adam = {"optimizer": "sgd", "depth": 1, "rate": 0.1}, {"optimizer": "adam", "depth": 1, "rate": 0.1}
        assert made.active(sgd) == {"optimizer", "depth", "rate", "momentum"}
        assert made.active(adam) == {"optimizer", "depth", "rate"}
        assert made.decode(np.array([0.1, 0.5, 0.5, 0.5])).keys() == {"optimizer", "depth", "rate", "momentum"}
        assert made.decode(np.array([0.9, 0.5, 0.5, 0.5])).keys() == {"optimizer", "depth", "rate"}
        assert made.conditional == {"momentum"}

    def test_every_parent_of_a_dict_must_agree(self) -> None:
        made = space(momentum={"optimizer": ["sgd"], "depth": [4, 5]})
        point = {"optimizer": "sgd", "rate": 0.1}
        assert "momentum" in made.active({**point, "depth": 4})
        assert "momentum" not in made.active({**point, "depth": 3})

    def test_conditions_go_several_levels_deep(self) -> None:
        made = SearchSpace(
            {
                "d": Float(0, 1, when="c > 0.5"),
                "c": Float(0, 1, when={"b": [2]}),
                "b": Int(1, 2, when="a == 'on'"),
                "a": Categorical(["on", "off"]),
            }
        )
        assert made.active({"a": "on", "b": 2, "c": 0.7, "d": 0.1}) == {"a", "b", "c", "d"}
        assert made.active({"a": "on", "b": 2, "c": 0.3, "d": 0.1}) == {"a", "b", "c"}
        assert made.active({"a": "on", "b": 1, "c": 0.7, "d": 0.1}) == {"a", "b"}
        assert made.active({"a": "off", "b": 2, "c": 0.7, "d": 0.1}) == {"a"}
        for seed in range(200):
            params = made.sample(np.random.default_rng(seed))
            assert list(params) == [name for name in "dcba" if name in params]
            assert made.active(params) == params.keys()

    def test_a_condition_that_names_something_inactive_is_false_as_a_whole(self) -> None:
        made = SearchSpace(
            {
                "a": Categorical(["on", "off"]),
                "b": Int(1, 2, when="a == 'on'"),
                "c": Float(0, 1, when="a == 'off' or b > 1"),
                "d": Float(0, 1, when="not b > 1"),
            }
        )
        assert made.active({"a": "off"}) == {"a"}
        assert made.decode(np.array([0.9, 0.5, 0.5, 0.5])) == {"a": "off"}
        assert made.active({"a": "on", "b": 1}) == {"a", "b", "d"}

    def test_choices_that_python_takes_for_equal_are_told_apart_in_a_dict(self) -> None:
        made = SearchSpace({"a": Categorical([1, True, 1.0, "1"]), "b": Float(0, 1, when={"a": [1.0]})})
        assert [len(made.active({"a": choice})) for choice in (1, True, 1.0, "1")] == [1, 1, 2, 1]
        by_value = SearchSpace({"a": Categorical([1, True, 1.0, "1"]), "b": Float(0, 1, when="a == 1")})
        assert [len(by_value.active({"a": choice})) for choice in (1, True, 1.0, "1")] == [2, 1, 2, 1]

    def test_names_with_other_characters_stand_in_backticks(self) -> None:
        made = SearchSpace({"a.b": Int(1, 9), "c/d": Float(0, 1, when="`a.b` > 5"), "e": Float(0, 1, when={"c/d": [0.5]})})
        assert made.active({"a.b": 6, "c/d": 0.5}) == {"a.b", "c/d", "e"}

    def test_where_it_is_undefined_it_is_false(self) -> None:
        made = SearchSpace({"a": Int(0, 2), "b": Float(0, 1, when="1 / a > 0.6"), "c": Float(0, 1, when="not 1 / a > 0.6")})
        assert [sorted(made.active({"a": value})) for value in (0, 1, 2)] == [["a"], ["a", "b"], ["a", "c"]]


class TestRefusal:
    @pytest.mark.parametrize(
        ("when", "message"),
        [
            (
                {"optimiser": ["sgd"]},
                r"momentum.when names an unknown parameter \(did you mean 'optimizer'\?\); got 'optimiser'",
            ),
            ({"zzz": [1]}, r"names an unknown parameter \(known: depth, momentum, optimizer, rate\); got 'zzz'"),
        ],
    )
    def test_an_unknown_parent(self, when: Any, message: str) -> None:
        with pytest.raises(InvalidSpace, match=message):
            space(momentum=when)

    def test_an_unknown_name_in_an_expression(self) -> None:
        with pytest.raises(
            InvalidExpression, match=r"names an unknown parameter 'optimiser' \(did you mean 'optimizer'"
        ) as caught:
            space(momentum="depth > 1 and optimiser == 'sgd'")
        assert caught.value.position == 14
        assert caught.value.field == "momentum.when"

    def test_a_dotted_name_without_backticks(self) -> None:
        with pytest.raises(
            InvalidExpression, match=r"a name with a dot, which is written in backticks: `a\.b`, at character 5"
        ):
            SearchSpace({"a.b": Int(1, 9), "c": Float(0, 1, when="1 < a.b")})

    def test_a_syntax_error(self) -> None:
        with pytest.raises(InvalidExpression, match=r"momentum.when is incomplete") as caught:
            space(momentum="optimizer ==")
        assert caught.value.position == 12
        assert str(caught.value).endswith("at character 13\n    optimizer ==\n" + " " * 16 + "^")

    @pytest.mark.parametrize(
        ("when", "cycle"),
        [
            ({"a": "a > 1"}, "a -> a"),
            ({"a": "b > 1", "b": {"a": [0.5]}}, "a -> b -> a"),
            ({"a": "b > 1", "b": "c > 0.1", "c": "depth > 1 and a > 0.1"}, "a -> b -> c -> a"),
        ],
    )
    def test_a_cycle(self, when: dict[str, Any], cycle: str) -> None:
        with pytest.raises(InvalidSpace, match=rf"when must not form a cycle: {cycle}$"):
            space(**when)

    @pytest.mark.parametrize(
        ("when", "message"),
        [
            (
                {"optimizer": ["sdg"]},
                r"momentum.when\['optimizer'\] must be one of \['sgd', 'adam'\]; did you mean 'sgd'\?; got 'sdg'",
            ),
            ({"depth": [3, 6]}, r"momentum.when\['depth'\] must be between 1 and 5; got 6"),
            ({"depth": ["3"]}, r"momentum.when\['depth'\] must be an integer; got '3'"),
            ({"rate": [0.2]}, r"momentum.when\['rate'\] must be between 0.001 and 0.1; got 0.2"),
            ("optimizer == 'sdg'", "momentum.when can't be true for any values of its parents; got \"optimizer == 'sdg'\""),
            ("depth > 5", "momentum.when can't be true"),
            ("rate < 0.001", "momentum.when can't be true"),
            ("depth > 3 and depth < 4", "momentum.when can't be true"),
            ("optimizer == 'sgd' and not optimizer == 'sgd'", "momentum.when can't be true"),
            ("1 > 2", "momentum.when can't be true"),
        ],
    )
    def test_it_cannot_be_true(self, when: Any, message: str) -> None:
        with pytest.raises(InvalidSpace, match=message):
            space(momentum=when)

    def test_it_cannot_be_true_where_its_parent_is_active(self) -> None:
        with pytest.raises(InvalidSpace, match=r"nesterov.when can't be true"):
            space(momentum={"optimizer": ["sgd"]}, nesterov="momentum > 0.5 and optimizer == 'adam'")

    @pytest.mark.parametrize(
        ("when", "position", "message"),
        [
            ("depth", 0, "must be true or false, as a comparison is; this is a number"),
            ("optimizer", 0, "must be true or false, as a comparison is; this is text"),
            ("depth + 1", 0, "must be true or false"),
            ("depth > 1 and rate", 14, "needs true or false for 'and'; this is a number"),
            ("not depth", 4, "needs true or false after 'not'; this is a number"),
            ("2 * optimizer > 1", 4, r"needs numbers for '\*'; this is text"),
            ("log(optimizer) > 1", 4, "needs numbers for log; this is text"),
            ("-optimizer == 1", 1, "needs a number after '-'; this is text"),
            ("depth < optimizer", 8, "can't order a number with text by '<'"),
            ("1 < depth < 'a'", 12, "can't order a number with text by '<'"),
            ("depth in [optimizer * 2]", 10, r"needs numbers for '\*'; this is text"),
        ],
    )
    def test_kinds_that_do_not_fit(self, when: str, position: int, message: str) -> None:
        with pytest.raises(InvalidExpression, match=message) as caught:
            space(momentum=when)
        assert caught.value.position == position

    def test_a_choice_that_is_true_or_false_is_a_condition(self) -> None:
        made = SearchSpace({"bias": [True, False], "scale": Float(0, 1, when="bias")})
        assert made.active({"bias": True}) == {"bias", "scale"}
        assert made.active({"bias": False}) == {"bias"}
