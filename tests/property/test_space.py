"""What holds for every search space."""

from __future__ import annotations

import json
import math
import pickle
from itertools import islice
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property.spaces import categoricals, floats, ints, large_ints, spaces, stepped_floats, values
from tunewright.errors import InfeasibleSpace
from tunewright.space import Float, Parameter, SearchSpace
from tunewright.space.encoding import codec

SCHEMA = jsonschema.Draft202012Validator(SearchSpace.json_schema())
SEEDS = st.integers(0, 2**32)
DISCRETE = st.one_of(stepped_floats(), ints(), large_ints(), categoricals())


def sampled(space: SearchSpace, seed: int) -> dict[str, Any] | None:
    """A point, or None when a space truly has none."""
    try:
        return space.sample(np.random.default_rng(seed))
    except InfeasibleSpace:
        if space.size() != math.inf:
            assert next(space.grid(), None) is None
        return None


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return [(name, type(value), value) for name, value in left.items()] == [
        (name, type(value), value) for name, value in right.items()
    ]


@given(st.data(), floats())
def test_a_float_survives_the_unit_interval(data: st.DataObject, parameter: Float) -> None:
    encoding = codec("p", parameter)
    value = data.draw(values(parameter))
    unit = encoding.encode(value)
    assert 0.0 <= unit <= 1.0
    allowed = 1e-12 * (value if parameter.scale == "log" else max(1.0, parameter.high - parameter.low))
    assert abs(encoding.decode(unit) - value) <= allowed


@given(st.one_of(floats(), stepped_floats()))
def test_bounds_survive_exactly(parameter: Float) -> None:
    encoding = codec("p", parameter)
    for bound in (parameter.low, parameter.high):
        assert encoding.decode(encoding.encode(bound)) == bound
    assert encoding.decode(0.0) == parameter.low
    assert encoding.decode(1.0) == parameter.high
    assert encoding.decode(-0.5) == parameter.low
    assert encoding.decode(1.5) == parameter.high


@given(st.data(), DISCRETE)
def test_discrete_values_survive_exactly(data: st.DataObject, parameter: Parameter) -> None:
    encoding = codec("p", parameter)
    value = data.draw(values(parameter))
    unit = encoding.encode(value)
    assert 0.0 <= unit <= 1.0
    decoded = encoding.decode(unit)
    assert type(decoded) is type(value)
    assert decoded == value


@given(st.one_of(stepped_floats(), ints(), categoricals()))
def test_cells_are_those_of_decode(parameter: Parameter) -> None:
    encoding = codec("p", parameter)
    units, edges = encoding.cells()
    assert len(units) == parameter.count == len(edges) + 1
    assert np.all(np.diff(units) > 0)
    levels = [encoding.decode(unit) for unit in units]
    assert len({(type(level), level) for level in levels}) == len(levels)
    for index, edge in enumerate(edges):
        assert units[index] < edge < units[index + 1]
        assert encoding.decode(edge - 1e-9) == levels[index]
        assert encoding.decode(edge + 1e-9) == levels[index + 1]


@given(st.one_of(floats(), stepped_floats(), ints(), categoricals()), SEEDS)
def test_columns_agree_with_values(parameter: Parameter, seed: int) -> None:
    space = SearchSpace({"p": parameter})
    units = np.random.default_rng(seed).random(20)
    rows = [space.decode(np.array([unit])) for unit in units]
    encoded = space.encode_many(rows)
    np.testing.assert_allclose(encoded, np.array([space.encode(row) for row in rows]), rtol=0, atol=1e-12)
    column = space._codecs["p"].decode_column(units)
    for row, value in zip(rows, column, strict=True):
        expected = row["p"]
        if parameter.kind == "categorical":
            assert parameter.choices[int(value)] is expected  # type: ignore[attr-defined]
        else:
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(spaces(), SEEDS)
def test_samples_are_valid_feasible_and_reproducible(space: SearchSpace, seed: int) -> None:
    params = sampled(space, seed)
    if params is None:
        return
    assert same(space.validate(params), params)
    assert space.feasible(params)
    assert space.active(params) == params.keys() - space.fixed.keys()
    assert list(params) == [name for name in space._structure.entries if name in params]
    again = sampled(space, seed)
    assert again is not None
    assert same(again, params)


@given(spaces(), SEEDS)
def test_points_survive_the_unit_cube(space: SearchSpace, seed: int) -> None:
    params = sampled(space, seed)
    if params is None:
        return
    point = space.encode(params)
    assert point.shape == (len(space),)
    assert {name for name, unit in zip(space.names, point, strict=True) if not math.isnan(unit)} == space.active(params)
    assert np.nanmin(point) >= 0.0
    assert np.nanmax(point) <= 1.0
    # conditions on a float may be decided by its last digit, which encoding may change; all else comes back
    if not any(isinstance(space.parameters[name], Float) for c in space._structure.conditions.values() for name in c.names):
        decoded = space.decode(point)
        assert decoded.keys() == params.keys()
        for name, value in decoded.items():
            if type(value) is float and name not in space.fixed:
                assert value == pytest.approx(params[name], rel=1e-10, abs=1e-5)
            else:
                assert (type(value), value) == (type(params[name]), params[name])
    np.testing.assert_allclose(space.encode_many([params, params])[1], point, rtol=0, atol=1e-12)


@given(spaces(), SEEDS)
def test_many_points_get_the_answers_of_one(space: SearchSpace, seed: int) -> None:
    points = np.random.default_rng(seed).random((30, len(space)))
    rows = [space.decode(point) for point in points]
    active, feasible = space.active_many(points), space.feasible_many(points)
    for row, mask, allowed in zip(rows, active, feasible, strict=True):
        assert {name for name, yes in zip(space.names, mask, strict=True) if yes} == row.keys() - space.fixed.keys()
        assert allowed == space.feasible(row)


@given(spaces(finite=True, most=4))
@settings(max_examples=60)
def test_the_grid_is_all_points_each_once(space: SearchSpace) -> None:
    if space.grid_size() > 3000:
        return
    points = list(space.grid())
    keys = {space.key(params) for params in points}
    assert len(keys) == len(points) == space.size() == space.grid_size()
    for params in points:
        assert same(space.validate(params), params)
        assert space.feasible(params)
    for seed in range(20):
        params = sampled(space, seed)  # type: ignore[assignment]
        assert (space.key(params) in keys) if params is not None else not keys


@given(spaces(), st.integers(1, 4))
@settings(max_examples=60)
def test_a_grid_over_bins_has_no_point_twice(space: SearchSpace, bins: int) -> None:
    points = list(islice(space.grid(bins), 2000))
    assert len({space.key(params) for params in points}) == len(points)
    assert all(same(space.validate(params), params) and space.feasible(params) for params in points)
    if len(points) < 2000:
        assert space.grid_size(bins) == len(points)


@given(spaces())
def test_json_gives_an_equal_space_back(space: SearchSpace) -> None:
    data = space.to_json()
    text = json.dumps(data, allow_nan=False)
    SCHEMA.validate(data)
    restored = SearchSpace.from_json(json.loads(text))
    assert restored == space
    assert hash(restored) == hash(space)
    assert restored.differences(space) == []
    assert restored.to_json() == data
    assert list(restored._structure.entries) == list(space._structure.entries)


@given(spaces(), SEEDS)
def test_a_pickle_samples_the_same(space: SearchSpace, seed: int) -> None:
    copy: SearchSpace = pickle.loads(pickle.dumps(space))
    assert copy == space
    params = sampled(space, seed)
    if params is not None:
        assert same(copy.sample(np.random.default_rng(seed)), params)


@given(spaces(constrained=False), SEEDS, st.data())
def test_what_is_fixed_no_longer_varies(space: SearchSpace, seed: int, data: st.DataObject) -> None:
    params = space.sample(np.random.default_rng(seed))
    name = data.draw(st.sampled_from(sorted(space.active(params))))
    remaining = [other for other in space.names if other != name and other not in space.conditional]
    assume(remaining or len(params) - len(space.fixed) > 1)  # else nothing would be left to vary
    narrowed = space.with_fixed({name: params[name]})
    assert name not in narrowed
    assert set(narrowed.names) <= set(space.names) - {name}
    # the point that had this value is still there, and every new point was one before, or lacks the fixed one's condition
    assert same(narrowed.validate(params), params)
    drawn = narrowed.sample(np.random.default_rng(seed))
    assert drawn[name] == params[name]
    if name not in space.conditional:
        assert same(space.validate(drawn), drawn)
