"""The space as JSON. That it comes back equal is a property test."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import numpy as np
import pytest

from tunewright.errors import InvalidSpace
from tunewright.space import Categorical, Float, Int, SearchSpace

VALIDATOR = jsonschema.Draft202012Validator


def positive(params: dict[str, Any]) -> bool:
    return bool(params["a"] > 0)


def whole() -> SearchSpace:
    return SearchSpace(
        {
            "a": Float(1e-5, 0.1, default=0.01),
            "epochs": 10,
            "b": Float(0, 1, step=0.25, when="c > 3 and d == 'x'"),
            "c": Int(1, 9, step=2, default=3),
            "d": Categorical({"x": object(), "y": np.sin}, default="y"),
            "e": Categorical([1, True, 1.0, "1", None], ordered=True, when={"d": ["x"], "c": [5, 7]}),
            "f": Float(0, 0.99, scale="reverse_log"),
        },
        constraints=["a * c < 0.5", positive],
        fixed={"device": None},
    )


def test_the_whole_form() -> None:
    data = whole().to_json()
    assert data == {
        "version": 1,
        "parameters": [
            {"name": "a", "type": "float", "low": 1e-5, "high": 0.1, "scale": "log", "default": 0.01},
            {"name": "epochs", "type": "fixed", "value": 10},
            {
                "name": "b",
                "type": "float",
                "low": 0.0,
                "high": 1.0,
                "step": 0.25,
                "scale": "linear",
                "when": "c > 3 and d == 'x'",
            },
            {"name": "c", "type": "int", "low": 1, "high": 9, "step": 2, "scale": "linear", "default": 3},
            {"name": "d", "type": "categorical", "choices": ["x", "y"], "ordered": False, "default": "y"},
            {
                "name": "e",
                "type": "categorical",
                "choices": [1, True, 1.0, "1", None],
                "ordered": True,
                "when": {"d": ["x"], "c": [5, 7]},
            },
            {"name": "f", "type": "float", "low": 0.0, "high": 0.99, "scale": "reverse_log"},
            {"name": "device", "type": "fixed", "value": None},
        ],
        "constraints": [{"expression": "a * c < 0.5"}, {"function": "positive", "restorable": False}],
    }
    jsonschema.validate(data, SearchSpace.json_schema(), VALIDATOR)


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(SearchSpace.json_schema())
    SearchSpace.json_schema().clear()
    assert SearchSpace.json_schema()["title"] == "Tunewright search space"


def test_it_comes_back_equal_but_for_objects_and_functions() -> None:
    space = whole()
    restored = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert restored == space
    assert restored.to_json() == space.to_json()
    params = {"a": 0.01, "c": 1, "d": "x", "f": 0.5}
    assert restored.realize(params)["d"] == "x"
    assert restored.validate(params) == space.validate(params)
    np.testing.assert_array_equal(restored.encode(params), space.encode(params))
    assert restored.constraints == ("a * c < 0.5", "positive")
    for use in (lambda: restored.sample(np.random.default_rng(0)), lambda: restored.feasible(params)):
        with pytest.raises(InvalidSpace, match=r"constraints\[1\] \(positive\) was a Python function, which JSON can't hold"):
            use()


BROKEN: list[tuple[list[str | int], Any, str]] = [
    ([], [], "space must be a JSON object"),
    (["version"], 2, "version must be 1: this is another version's space; got 2"),
    (["extra"], 1, r"space must have no keys but version, parameters, constraints; got \['extra'\]"),
    (["parameters"], {}, "parameters must be a list"),
    (["parameters"], [], "space must not be empty"),
    (["parameters", 0], 3, r"parameters\[0\] must be an object with a name"),
    (["parameters", 0, "name"], 3, r"parameters\[0\] must be an object with a name"),
    (["parameters", 0, "type"], "real", r"parameters\[0\].type must be one of float, int, categorical, fixed; got 'real'"),
    (["parameters", 0, "type"], [], r"parameters\[0\].type must be one of"),
    (["parameters", 0, "hihg"], 3, r"parameters\[0\] must have no keys but .*; got \['hihg'\]"),
    (["parameters", 0, "low"], "0", "^a: Float.low must be a number; got '0'"),
    (["parameters", 0, "low"], None, "^a: Float.low must be a number; got None"),
    (["parameters", 3, "low"], 1.5, r"^c: Int.low must be an integer; got 1\.5"),
    (["parameters", 0, "scale"], "cubic", "Float.scale must be one of"),
    (["parameters", 1, "value"], [1], r"parameters\[1\].value must be a scalar"),
    (["parameters", 1, "value"], {"a": 1}, r"parameters\[1\].value must be a scalar"),
    (["parameters", 4, "choices"], {"x": 1}, r"parameters\[4\].choices must be a list"),
    (["parameters", 4, "choices"], [[1]], r"Categorical.choices\[0\] must be a JSON scalar"),
    (["parameters", 4, "when"], 3, "Categorical.when must be an expression"),
    (["parameters", 2, "when"], "q > 3", "names an unknown parameter 'q'"),
    (["constraints"], "a > 1", "constraints must be a list"),
    (["constraints", 0], "a > 1", r"constraints\[0\] must be an object"),
    (["constraints", 0], {"expression": 3}, r"constraints\[0\].expression must be a string"),
    (["constraints", 0], {}, r"constraints\[0\].expression must be a string"),
    (["constraints", 0], {"expression": "a ="}, r"constraints\[0\] has an unexpected '='"),
    (["constraints", 1], {"function": 3, "restorable": False}, r"constraints\[1\].function must be a name"),
]
# what the schema can't say, or leaves to the rules of spaces
LOOSE = {"names an unknown parameter 'q'", r"constraints\[0\] has an unexpected '='"}


@pytest.mark.parametrize(("path", "value", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_broken_data_is_refused_by_field_and_by_the_schema(path: list[str | int], value: Any, message: str) -> None:
    data = copy.deepcopy(whole().to_json())
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    if path:
        place[path[-1]] = value
    else:
        data = value
    with pytest.raises(InvalidSpace, match=message):
        SearchSpace.from_json(data)
    assert VALIDATOR(SearchSpace.json_schema()).is_valid(data) == (message in LOOSE)


@pytest.mark.parametrize(("index", "key"), [(0, "low"), (3, "high"), (4, "choices"), (1, "value")])
def test_a_missing_key_is_named(index: int, key: str) -> None:
    data = whole().to_json()
    del data["parameters"][index][key]
    with pytest.raises(InvalidSpace, match=rf"parameters\[{index}\].{key} is missing"):
        SearchSpace.from_json(data)
    assert not VALIDATOR(SearchSpace.json_schema()).is_valid(data)


def test_a_name_is_there_once() -> None:
    data = whole().to_json()
    data["parameters"][2]["name"] = "a"
    with pytest.raises(InvalidSpace, match=r"parameters\[2\].name must not be there twice; got 'a'"):
        SearchSpace.from_json(data)
