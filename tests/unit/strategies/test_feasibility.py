"""The model of failures: it believes in patterns, not in chance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewright.space import Categorical, Float, SearchSpace
from tunewright.strategies.domain import Domain
from tunewright.strategies.feasibility import SuccessModel
from tunewright.strategies.learning import SUCCESS_RECIPE
from tunewright.strategies.surrogate import ModelFamily

SPACE = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0), "c": Categorical(["a", "b", "c"])})
DOMAIN = Domain(SPACE)


def _points(n: int, seed: int) -> NDArray[np.float64]:
    return DOMAIN.snap(np.random.default_rng(seed).random((n, 3)))


def _model(points: NDArray[np.float64], failed: NDArray[np.bool_]) -> SuccessModel:
    return SuccessModel(ModelFamily(DOMAIN, SUCCESS_RECIPE), points[~failed], points[failed])


@pytest.mark.parametrize("seed", range(4))
def test_a_region_that_fails_is_believed_and_found(seed: int) -> None:
    points = _points(40, seed)
    model = _model(points, points[:, 0] + 0.5 * points[:, 1] > 1.0)
    assert model.belief > 0.95
    new = _points(200, 100 + seed)
    fails = new[:, 0] + 0.5 * new[:, 1] > 1.0
    weight = model.log_weight(new)
    assert np.mean((weight < -1.0) == fails) > 0.9
    assert (weight <= 0.0).all()


@pytest.mark.parametrize("seed", range(4))
def test_failures_by_chance_change_nothing(seed: int) -> None:
    points = _points(40, seed)
    model = _model(points, np.random.default_rng(50 + seed).random(40) < 0.3)
    assert model.belief < 0.1
    assert model.log_weight(_points(200, 100 + seed)).min() > -0.2


def test_one_failure_is_no_pattern() -> None:
    points = _points(12, 0)
    assert _model(points, np.arange(12) == 3).belief < 0.1


def test_the_gradient() -> None:
    points = _points(40, 0)
    model = _model(points, points[:, 0] + 0.5 * points[:, 1] > 1.0)
    for point in np.array([[0.7, 0.6, 0.5], [0.75, 0.7, 1 / 6], [0.9, 0.9, 0.5], [0.1, 0.1, 0.5]]):
        value, slope = model.log_weight_slope(point)
        assert value == pytest.approx(model.log_weight(point[None])[0], rel=1e-6)
        for axis in (0, 1):
            step = 1e-6 * np.eye(3)[axis]
            numeric = (model.log_weight((point + step)[None])[0] - model.log_weight((point - step)[None])[0]) / 2e-6
            assert slope[axis] == pytest.approx(numeric, rel=1e-3, abs=1e-4)
        assert slope[2] == 0.0
