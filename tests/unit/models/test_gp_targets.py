"""Transforms from losses to targets: they keep the order, tame extremes, and never break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tunewright.models.gp.targets import (
    TargetTransform,
    half_rank,
    half_rank_yeo_johnson,
    rank_gaussian,
    standardized,
    yeo_johnson,
)

Array = NDArray[np.float64]
ALL = [half_rank, half_rank_yeo_johnson, rank_gaussian, standardized, yeo_johnson]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("transform", ALL)
@given(losses=st.lists(FINITE | st.sampled_from([0.0, 1.0, 1e300, -1e300, 1e-300]), min_size=1, max_size=40))
def test_any_finite_losses_give_finite_targets_in_the_same_order(transform: TargetTransform, losses: list[float]) -> None:
    y = np.array(losses)
    targets = transform(y)
    assert targets.shape == y.shape
    assert np.isfinite(targets).all()
    order = np.argsort(y, kind="stable")
    assert (np.diff(targets[order]) >= -1e-9).all()
    for value in np.unique(y):
        assert np.ptp(targets[y == value]) <= 1e-9


@pytest.mark.parametrize("transform", [half_rank_yeo_johnson, rank_gaussian, standardized, yeo_johnson])
def test_they_are_standardised(transform: TargetTransform) -> None:
    targets = transform(np.random.default_rng(0).lognormal(size=50))
    assert targets.mean() == pytest.approx(0.0, abs=1e-9)
    assert targets.std() == pytest.approx(1.0)


@pytest.mark.parametrize("transform", ALL)
def test_equal_losses_are_all_zero(transform: TargetTransform) -> None:
    np.testing.assert_allclose(transform(np.full(7, 3.25)), 0.0, atol=1e-12)


@pytest.mark.parametrize("outlier", [1e3, 1e30, 1e300])
def test_one_bad_outlier_does_not_flatten_the_better_half(outlier: float) -> None:
    y = np.append(np.linspace(0.0, 1.0, 20), outlier)
    plain, with_outlier = half_rank_yeo_johnson(y[:-1]), half_rank_yeo_johnson(y)
    assert np.ptp(with_outlier[:10]) > 0.7 * np.ptp(plain[:10])


def test_half_rank_keeps_the_shape_of_the_better_half() -> None:
    y = np.random.default_rng(3).exponential(size=31)
    targets, median = half_rank(y), np.median(y)
    better = y <= median
    scale = np.sqrt(np.mean((y[better] - median) ** 2))
    np.testing.assert_allclose(targets[better] * scale, y[better] - median, atol=1e-12)
    assert np.mean(targets[better] ** 2) == pytest.approx(1.0)


def test_yeo_johnson_makes_a_skewed_sample_nearly_symmetric() -> None:
    y = np.random.default_rng(4).lognormal(sigma=1.0, size=400)
    targets = yeo_johnson(y)
    assert abs(np.mean(targets**3)) < 0.5 < 2.0 < np.mean(standardized(y) ** 3)
