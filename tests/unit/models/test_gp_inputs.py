"""Encoding of points for a covariance."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tunewright.models.gp.inputs import Column, Inputs

COLUMNS = [
    Column(),
    Column(levels=5),
    Column(levels=3, unordered=True),
    Column(conditional=True),
    Column(levels=2, unordered=True, conditional=True),
]


def test_columns() -> None:
    inputs = Inputs(COLUMNS)
    assert inputs.size == 1 + 1 + 3 + 2 + 3
    assert inputs.groups.tolist() == [0, 1, 2, 2, 2, 3, 3, 4, 4, 4]
    encoded = inputs.encode(np.array([[0.25, 0.1, 0.5, np.nan, np.nan], [1.0, 0.9, 0.9, 0.75, 0.25]]))
    h = 0.5**0.5
    np.testing.assert_allclose(encoded[0], [0.25, 0.0, 0, h, 0, 0.5, 0.5, 0, 0, h])
    np.testing.assert_allclose(encoded[1], [1.0, 1.0, 0, 0, h, 0.75, 0.0, h, 0, 0])


@given(st.integers(2, 300), st.data())
def test_different_categories_are_at_squared_distance_one(levels: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, levels - 1)), data.draw(st.integers(0, levels - 1))
    inputs = Inputs([Column(levels=levels, unordered=True)])
    x = inputs.encode((np.array([[a], [b]]) + 0.5) / levels)
    assert np.isclose(((x[0] - x[1]) ** 2).sum(), float(a != b))


def test_activity_moves_a_point_no_farther_than_half_the_range() -> None:
    inputs = Inputs([Column(conditional=True)])
    inactive, centre, edge = inputs.encode(np.array([[np.nan], [0.5], [0.0]]))
    assert np.isclose(np.linalg.norm(inactive - centre), 0.5)
    assert np.isclose(np.linalg.norm(inactive - edge), 0.5**0.5)
