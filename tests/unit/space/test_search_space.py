"""The search space as people use it."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import pytest

from tunewright.errors import InvalidInput, InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace


def example() -> SearchSpace:
    return SearchSpace(
        {
            "learning_rate": Float(1e-5, 1e-1),
            "width": Int(8, 1024, scale="log"),
            "dropout": Float(0.0, 0.5, step=0.05),
            "epochs": 10,
            "optimizer": Categorical(["sgd", "adam"]),
            "momentum": Float(0.0, 0.99, when={"optimizer": ["sgd"]}),
            "depth": Categorical([1, 2, 4, 8], ordered=True),
        },
        constraints=["width * depth <= 4096"],
    )


POINT: dict[str, Any] = {
    "learning_rate": 0.01,
    "width": 64,
    "dropout": 0.15,
    "epochs": 10,
    "optimizer": "sgd",
    "momentum": 0.9,
    "depth": 4,
}


class TestMaking:
    @pytest.mark.parametrize("parameters", [{}, {"epochs": 10}])
    def test_something_varies(self, parameters: Any) -> None:
        with pytest.raises(InvalidSpace, match=r"space must (not be empty|have at least one parameter that varies)"):
            SearchSpace(parameters)

    @pytest.mark.parametrize("parameters", [None, [1, 2], "a", [("a", Float(0, 1))]])
    def test_a_space_is_a_dict(self, parameters: Any) -> None:
        with pytest.raises(InvalidSpace, match=r"space must be a dict of names and parameters; got"):
            SearchSpace(parameters)

    def test_it_knows_its_parts(self) -> None:
        space = example()
        assert space.names == ("learning_rate", "width", "dropout", "optimizer", "momentum", "depth")
        assert tuple(space.parameters) == space.names
        assert space.fixed == {"epochs": 10}
        assert space.constraints == ("width * depth <= 4096",)
        assert len(space) == 6
        assert "width" in space
        assert "epochs" not in space
        assert 3 not in space

    def test_it_cannot_be_changed(self) -> None:
        space = example()
        with pytest.raises(AttributeError, match=r"immutable"):
            space.names = ()
        with pytest.raises(AttributeError, match=r"immutable"):
            del space.names
        with pytest.raises(TypeError):
            space.parameters["a"] = Float(0, 1)  # type: ignore[index]
        with pytest.raises(TypeError):
            space.fixed["a"] = 1  # type: ignore[index]

    def test_what_was_given_may_be_changed_afterwards(self) -> None:
        parameters = {"a": Float(0, 1)}
        space = SearchSpace(parameters)
        parameters["b"] = Float(0, 1)
        assert space.names == ("a",)

    def test_repr_has_one_parameter_a_line(self) -> None:
        assert repr(example()).splitlines() == [
            "SearchSpace({",
            "    'learning_rate': Float(1e-05, 0.1, scale='log' (auto)),",
            "    'width': Int(8, 1024, scale='log'),",
            "    'dropout': Float(0.0, 0.5, step=0.05, scale='linear' (auto)),",
            "    'epochs': 10,",
            "    'optimizer': Categorical(['sgd', 'adam']),",
            "    'momentum': Float(0.0, 0.99, scale='linear' (auto), when={'optimizer': ['sgd']}),",
            "    'depth': Categorical([1, 2, 4, 8], ordered=True),",
            "}, constraints=['width * depth <= 4096'])",
        ]
        assert repr(SearchSpace({"a": [1]})).endswith("\n})")


class TestPoints:
    def test_a_sample_has_declared_order_and_fixed_values(self) -> None:
        space = example()
        for seed in range(50):
            params = space.sample(np.random.default_rng(seed))
            declared = ["learning_rate", "width", "dropout", "epochs", "optimizer", "momentum", "depth"]
            assert list(params) == [name for name in declared if name in params]
            assert ("momentum" in params) == (params["optimizer"] == "sgd")
            assert params["epochs"] == 10
            assert params["width"] * params["depth"] <= 4096

    def test_a_sample_is_a_function_of_the_generator(self) -> None:
        assert example().sample(np.random.default_rng(7)) == example().sample(np.random.default_rng(7))

    def test_samples_are_uniform_in_the_scale(self) -> None:
        space = SearchSpace(
            {"lr": Float(1e-4, 1.0), "n": Int(1, 1000), "m": Float(0, 0.99, scale="reverse_log"), "c": ["a", "b"]}
        )
        rng = np.random.default_rng(0)
        points = [space.sample(rng) for _ in range(4000)]
        assert np.mean([p["lr"] < 1e-2 for p in points]) == pytest.approx(0.5, abs=0.03)
        assert np.mean([p["n"] < 32 for p in points]) == pytest.approx(math.log(31.5 / 0.5) / math.log(2001), abs=0.03)
        assert np.mean([p["m"] < 0.9 for p in points]) == pytest.approx(0.5, abs=0.03)
        assert np.mean([p["c"] == "a" for p in points]) == pytest.approx(0.5, abs=0.03)

    def test_a_sample_in_the_unit_cube(self) -> None:
        space = example()
        point = space.sample_unit(np.random.default_rng(3))
        np.testing.assert_array_equal(point, space.encode(space.sample(np.random.default_rng(3))))

    def test_encoding_marks_what_is_inactive(self) -> None:
        space = example()
        assert not np.isnan(space.encode(POINT)).any()
        lacking = {name: value for name, value in POINT.items() if name != "momentum"}
        assert np.isnan(space.encode(lacking)).tolist() == [False, False, False, False, True, False]
        assert np.isnan(space.encode_many([lacking, POINT])[:, 4]).tolist() == [True, False]

    def test_decoding_gives_stored_values(self) -> None:
        space = example()
        decoded = space.decode(space.encode(POINT))
        assert decoded == pytest.approx(POINT)
        assert [type(value) for value in decoded.values()] == [type(value) for value in POINT.values()]

    def test_decoding_drops_what_is_inactive(self) -> None:
        decoded = example().decode(np.array([0.5, 0.5, 0.5, 0.9, 0.5, 0.5]))
        assert decoded["optimizer"] == "adam"
        assert "momentum" not in decoded
        assert decoded["epochs"] == 10
        assert example().decode(np.array([0.5, 0.5, 0.5, 0.9, np.nan, 0.5])) == decoded

    def test_decoding_clips(self) -> None:
        space = example()
        below = {**POINT, "learning_rate": 1e-5, "width": 8, "dropout": 0.0, "momentum": 0.0, "depth": 1}
        assert space.decode(np.full(6, -0.3)) == below
        assert space.decode(np.full(6, 1.3)) == {
            "learning_rate": 0.1,
            "width": 1024,
            "dropout": 0.5,
            "epochs": 10,
            "optimizer": "adam",
            "depth": 8,
        }
        assert space.decode(np.full(6, np.inf))["width"] == 1024
        assert space.decode(np.full(6, -np.inf))["width"] == 8

    def test_an_active_parameter_needs_a_coordinate(self) -> None:
        with pytest.raises(InvalidInput, match=r"point\[4\] must not be NaN: momentum is active there"):
            example().decode(np.array([0.5, 0.5, 0.5, 0.1, np.nan, 0.5]))

    @pytest.mark.parametrize("shape", [(5,), (7,), (1, 6), ()])
    def test_a_point_has_a_coordinate_per_parameter(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(InvalidInput, match=r"point must have shape \(6,\); got"):
            example().decode(np.zeros(shape))

    def test_keys_tell_points_apart_by_type(self) -> None:
        space = SearchSpace({"a": Categorical([1, True, 1.0, "1", None]), "b": Float(0, 1, when={"a": [1]})})
        points: list[dict[str, Any]] = [
            {"a": 1, "b": 0.5},
            {"a": 1, "b": 0.6},
            {"a": True},
            {"a": 1.0},
            {"a": "1"},
            {"a": None},
        ]
        assert len({space.key(params) for params in points}) == 6
        assert space.key({"b": 0.5, "a": 1}) == space.key({"a": 1, "b": 0.5})
        assert space.key({"a": 1, "b": 0.5, "fixed": 3}) == space.key({"a": 1, "b": 0.5})

    def test_cells_say_where_values_lie(self) -> None:
        units, edges = example().cells("depth")
        assert units.tolist() == [0.125, 0.375, 0.625, 0.875]
        assert edges.tolist() == [0.25, 0.5, 0.75]
        assert [len(part) for part in example().cells("learning_rate")] == [0, 0]


class TestValidation:
    def test_values_become_what_is_stored(self) -> None:
        space = example()
        given = {
            "depth": np.int64(4),
            "momentum": 0,
            "optimizer": np.str_("sgd"),
            "dropout": 0.1 + 0.05,
            "width": np.int32(64),
            "learning_rate": np.float32(0.01),
        }
        params = space.validate(given)
        assert list(params) == list(POINT)
        assert params == {**POINT, "momentum": 0.0, "learning_rate": float(np.float32(0.01))}
        assert {name: type(value) for name, value in params.items()} == {name: type(value) for name, value in POINT.items()}
        assert space.validate({**given, "epochs": np.int64(10)}) == params

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"widht": 3}, r"'widht' is no parameter of the space \(did you mean 'width'"),
            ({3: 3}, r"3 is no parameter of the space"),
            ({"width": 4}, "width must be between 8 and 1024; got 4"),
            ({"width": 64.0}, r"width must be an integer; got 64\.0"),
            ({"width": True}, "width must be an integer; got True"),
            ({"learning_rate": math.nan}, "learning_rate must be finite; got nan"),
            ({"learning_rate": "0.1"}, "learning_rate must be a number; got '0.1'"),
            ({"dropout": 0.12}, r"dropout must be 0\.0 plus a multiple of step 0\.05; got 0\.12"),
            ({"optimizer": "sdg"}, r"optimizer must be one of \['sgd', 'adam'\]; did you mean 'sgd'\?; got 'sdg'"),
            ({"depth": 4.0}, r"depth must be one of \[1, 2, 4, 8\]; got 4\.0"),
            ({"epochs": 11}, "epochs is fixed at 10; got 11"),
            ({"epochs": 10.0}, r"epochs is fixed at 10; got 10\.0"),
            (
                {"optimizer": "adam"},
                "momentum must be left out here: it is active only when optimizer is 'sgd'; got 0.9",
            ),
        ],
    )
    def test_what_does_not_fit_is_named(self, change: dict[Any, Any], message: str) -> None:
        with pytest.raises(InvalidInput, match=f"^{message}") as caught:
            example().validate({**POINT, **change})
        assert not isinstance(caught.value, InvalidSpace)

    def test_what_is_missing_is_named(self) -> None:
        lacking = {name: value for name, value in POINT.items() if name != "momentum"}
        with pytest.raises(InvalidInput, match=r"momentum is missing: it must be a value of Float\(0.0, 0.99"):
            example().validate(lacking)
        assert example().validate({**lacking, "optimizer": "adam"}) == {**lacking, "optimizer": "adam"}

    def test_params_are_a_dict(self) -> None:
        with pytest.raises(InvalidInput, match=r"params must be a dict of names and values; got \[1\]"):
            example().validate([1])  # type: ignore[arg-type]

    def test_constraints_are_not_looked_at(self) -> None:
        assert example().validate({**POINT, "width": 1024, "depth": 8})["width"] == 1024

    def test_partial_params_may_lack_values(self) -> None:
        space = example()
        assert space.validate({"width": 64}, partial=True) == {"width": 64, "epochs": 10}
        assert space.validate({}, partial=True) == {"epochs": 10}
        # the parent is missing, so the child may be active
        assert space.validate({"momentum": 0.5}, partial=True) == {"epochs": 10, "momentum": 0.5}
        with pytest.raises(InvalidInput, match=r"momentum must be left out here"):
            space.validate({"momentum": 0.5, "optimizer": "adam"}, partial=True)
        with pytest.raises(InvalidInput, match=r"width must be between"):
            space.validate({"width": 3}, partial=True)

    def test_partial_params_leave_grandchildren_undecided(self) -> None:
        space = SearchSpace(
            {
                "a": Categorical(["on", "off"]),
                "b": Int(1, 9, when={"a": ["on"]}),
                "c": Int(1, 9, when="b > 5"),
            }
        )
        assert space.validate({"c": 3}, partial=True) == {"c": 3}
        assert space.validate({"a": "on", "c": 3}, partial=True) == {"a": "on", "c": 3}
        for decided in ({"a": "off", "c": 3}, {"a": "on", "b": 2, "c": 3}):
            with pytest.raises(InvalidInput, match=r"c must be left out here: it is active only when b > 5"):
                space.validate(decided, partial=True)


class TestDefaults:
    def test_every_active_parameter_has_one(self) -> None:
        space = SearchSpace(
            {
                "a": Categorical(["x", "y"], default="y"),
                "n": 3,
                "b": Float(0, 1, when={"a": ["x"]}),
                "c": Float(0, 1, default=0.5, when={"a": ["y"]}),
            }
        )
        assert space.default() == {"a": "y", "n": 3, "c": 0.5}
        assert list(space.default() or ()) == ["a", "n", "c"]

    def test_otherwise_there_is_none(self) -> None:
        assert SearchSpace({"a": Float(0, 1, default=0.5), "b": Float(0, 1)}).default() is None
        assert SearchSpace({"a": Float(0, 1, default=0.5)}, constraints=["a > 0.6"]).default() is None
        assert SearchSpace({"a": Float(0, 1, default=0.0)}).default() == {"a": 0.0}
        assert SearchSpace({"a": Categorical([True, False], default=False)}).default() == {"a": False}


class TestRealization:
    def test_training_gets_objects_for_labels(self) -> None:
        space = SearchSpace({"activation": Categorical({"sin": np.sin, "cos": np.cos}), "n": [1, 2], "fixed": "x"})
        assert space.realize({"activation": "cos", "n": 2}) == {"activation": np.cos, "n": 2, "fixed": "x"}
        params = space.sample(np.random.default_rng(0))
        assert params["activation"] in ("sin", "cos")

    def test_inactive_parameters_stay_away(self) -> None:
        lacking = {name: value for name, value in POINT.items() if name != "momentum"}
        assert example().realize(lacking) == lacking

    def test_a_fixed_label_still_stands_for_its_object(self) -> None:
        space = SearchSpace({"f": Categorical({"sin": np.sin, "cos": np.cos}), "a": Float(0, 1), "b": Float(0, 1)})
        narrowed = space.with_fixed({"f": "sin"}).with_fixed({"b": 0.5})
        assert narrowed.fixed == {"f": "sin", "b": 0.5}
        for same in (narrowed, pickle.loads(pickle.dumps(narrowed))):
            assert same.realize({"a": 0.5}) == {"f": np.sin, "a": 0.5, "b": 0.5}
        assert narrowed.to_json()["parameters"][0] == {"name": "f", "type": "fixed", "value": "sin"}
        assert narrowed.with_fixed({"f": "other"}).realize({"a": 0.5})["f"] == "other"


class TestFixing:
    def test_a_fixed_parameter_no_longer_varies(self) -> None:
        space = example().with_fixed({"depth": np.int64(4), "new": "x"})
        assert "depth" not in space
        assert space.fixed == {"epochs": 10, "depth": 4, "new": "x"}
        assert space.sample(np.random.default_rng(0))["depth"] == 4
        assert space.feasible({"width": 1024})
        assert not space.with_fixed({"depth": 8}).feasible({"width": 1024})

    def test_conditions_on_it_are_resolved(self) -> None:
        sgd = example().with_fixed({"optimizer": "sgd"})
        assert sgd.parameters["momentum"].when is None
        assert sgd.conditional == frozenset()
        adam = example().with_fixed({"optimizer": "adam"})
        assert "momentum" not in adam.names
        assert adam.names == ("learning_rate", "width", "dropout", "depth")

    def test_what_depends_on_what_went_goes_too(self) -> None:
        space = SearchSpace(
            {
                "a": Categorical(["on", "off"]),
                "b": Int(1, 9, when={"a": ["on"]}),
                "c": Int(1, 9, when="b > 5"),
                "d": Float(0, 1),
                "e": Int(0, 9, when="d > 0.5 and a == 'on'"),
            },
            constraints=["c + d < 9", "d < 0.9", lambda p: p["c"] < 9],
        )
        off = space.with_fixed({"a": "off"})
        assert off.names == ("d",)
        assert len(off.constraints) == 2
        assert off.sample(np.random.default_rng(0)).keys() == {"a", "d"}
        on = space.with_fixed({"a": "on"})
        assert on.names == ("b", "c", "d", "e")
        assert on.conditional == {"c", "e"}
        assert SearchSpace.from_json(on.to_json()).names == on.names

    def test_a_fixed_value_is_one_of_the_parameter(self) -> None:
        with pytest.raises(InvalidSpace, match=r"width must be between 8 and 1024; got 4"):
            example().with_fixed({"width": 4})
        assert type(example().with_fixed({"learning_rate": np.float64(0.1)}).fixed["learning_rate"]) is float

    def test_a_fixed_value_is_a_scalar(self) -> None:
        with pytest.raises(InvalidSpace, match=r"new must be a string, number, true, false or None; got \[1\]"):
            example().with_fixed({"new": [1]})

    def test_a_fixed_value_is_given_also_where_it_would_be_inactive(self) -> None:
        space = example().with_fixed({"momentum": 0.5})
        assert space.sample(np.random.default_rng(1))["momentum"] == 0.5
        assert "momentum" not in space.names

    def test_fixing_while_making_is_the_same(self) -> None:
        parameters = {"a": Categorical(["on", "off"]), "b": Int(1, 9, when={"a": ["on"]}), "c": Float(0, 1), "n": 3}
        made = SearchSpace(parameters, constraints=["c < n"], fixed={"a": "off", "n": 4})
        assert made == SearchSpace(parameters, constraints=["c < n"]).with_fixed({"a": "off", "n": 4})
        assert made.fixed == {"a": "off", "n": 4}

    def test_a_constant_in_place_of_a_parent_leaves_out_what_it_rules_out(self) -> None:
        space = SearchSpace({"optimizer": "adam", "lr": Float(0, 1), "momentum": Float(0, 1, when={"optimizer": ["sgd"]})})
        assert space.names == ("lr",)

    def test_something_still_varies(self) -> None:
        with pytest.raises(InvalidSpace, match=r"space must have at least one parameter that varies; got {'a': 1}"):
            SearchSpace({"a": [1, 2]}).with_fixed({"a": 1})


class TestComparison:
    def test_equal_spaces(self) -> None:
        assert example() == example()
        assert hash(example()) == hash(example())
        assert example().differences(example()) == []
        assert example() != "space"

    @pytest.mark.parametrize(
        ("change", "lines"),
        [
            (
                lambda p, c: p.update(width=Int(8, 2048, scale="log")),
                ["width: Int(8, 1024, scale='log') became Int(8, 2048, scale='log')"],
            ),
            (lambda p, c: p.pop("dropout"), ["dropout: Float(0.0, 0.5, step=0.05, scale='linear' (auto)) is gone"]),
            (lambda p, c: p.update(new=[1, 2]), ["new: Categorical([1, 2], ordered=True) is new"]),
            (lambda p, c: p.update(epochs=11), ["epochs: 10 became 11"]),
            (lambda p, c: p.update(epochs=10.0), ["epochs: 10 became 10.0"]),
            (lambda p, c: p.update(epochs=[10]), ["epochs: 10 became Categorical([10], ordered=True)"]),
            (lambda p, c: c.clear(), ["constraint 'width * depth <= 4096' is gone"]),
            (lambda p, c: c.append("width > 9"), ["constraint 'width > 9' is new"]),
            (lambda p, c: p.update(width=p.pop("width")), ["the order of parameters"]),
        ],
    )
    def test_differences_are_said_in_words(self, change: Callable[..., Any], lines: list[str]) -> None:
        entries: dict[str, Any] = {**example()._structure.entries}
        constraints = ["width * depth <= 4096"]
        change(entries, constraints)
        other = SearchSpace(entries, constraints=constraints)
        found = example().differences(other)
        assert len(found) == len(lines)
        assert all(line.startswith(expected) for line, expected in zip(found, lines, strict=True))
        assert example() != other

    def test_the_place_of_a_fixed_value_makes_no_difference(self) -> None:
        assert SearchSpace({"a": [1, 2], "n": 3}) == SearchSpace({"n": 3, "a": [1, 2]})


class TestCopies:
    def test_a_pickle_is_equal_and_samples_the_same(self) -> None:
        space = example()
        restored = pickle.loads(pickle.dumps(space))
        assert restored == space
        assert restored.sample(np.random.default_rng(5)) == space.sample(np.random.default_rng(5))
        assert copy.deepcopy(space) is space
        assert copy.copy(space) is space

    def test_functions_travel_by_cloudpickle(self) -> None:
        most = 0.5
        space = SearchSpace({"a": Float(0, 1)}, constraints=[lambda p: p["a"] < most])
        restored = pickle.loads(cloudpickle.dumps(space))
        assert restored.feasible({"a": 0.4})
        assert not restored.feasible({"a": 0.6})
