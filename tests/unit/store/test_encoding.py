"""What a store keeps of a record as JSON text."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.store.encoding import floats_from_json, from_json, to_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_values_survive(value: dict[str, object]) -> None:
    text = to_json("spec", value)
    assert text.isascii()
    assert repr(from_json(text)) == repr(value)


@given(st.none() | st.lists(st.floats()).map(tuple))
def test_tuples_of_floats_survive(values: tuple[float, ...] | None) -> None:
    text = None if values is None else to_json("objectives", values)
    assert repr(floats_from_json(text)) == repr(values)


def test_whole_numbers_among_floats_become_floats() -> None:
    values = floats_from_json(to_json("objectives", (1, True)))
    assert values == (1.0, 1.0)
    assert [type(value) for value in values or ()] == [float, float]


def test_other_mappings_and_numpys_scalars_are_taken() -> None:
    value = MappingProxyType({"a": np.int64(3), "b": np.float32(0.5), "c": MappingProxyType({"d": np.float64(math.inf)})})
    assert from_json(to_json("params", value)) == {"a": 3, "b": 0.5, "c": {"d": math.inf}}


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize("value", [{"f": print}, {"s": {1, 2}}, {(1, 2): 3}, {"loop": LOOP}, {"b": b"bytes"}], ids=repr)
def test_other_things_are_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput, match="payload must be made of JSON values"):
        to_json("payload", value)
