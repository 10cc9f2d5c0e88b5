"""Analytic gradients of covariances, likelihood, prediction and priors against central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tunewright.models.gp.covariance import Covariance, Scaled, Stationary, Sum
from tunewright.models.gp.inputs import Column, Inputs
from tunewright.models.gp.kernels import Correlation, matern52, squared_exponential
from tunewright.models.gp.priors import LogNormal
from tunewright.models.gp.regression import Hyperparameters, Regression, negative_log_posterior
from tunewright.models.gp.trend import Trend

Array = NDArray[np.float64]

COLUMNS = [
    Column(),
    Column(levels=4),
    Column(levels=3, unordered=True),
    Column(conditional=True),
    Column(levels=2, unordered=True, conditional=True),
]


def _covariances(inputs: Inputs) -> dict[str, Covariance]:
    lengths = LogNormal.repeated(len(COLUMNS), 0.3, 1.0, -4.0, 6.0, shared=0.5)
    variance = LogNormal.repeated(1, 0.0, 1.0, -6.0, 4.0)
    trend = Trend(inputs.numeric_columns, LogNormal.repeated(3, -1.0, 1.5, -14.0, 6.0))
    matern = Stationary(matern52, inputs.groups, lengths)
    smooth = Stationary(squared_exponential, inputs.groups, lengths)
    return {
        "matern": matern,
        "squared exponential": smooth,
        "scaled": Scaled(matern, variance),
        "trend": trend,
        "sum": Sum([matern, trend, Scaled(smooth, variance)]),
    }


NAMES = list(_covariances(Inputs(COLUMNS)))


def _points(rng: np.random.Generator, n: int) -> Array:
    points = rng.random((n, len(COLUMNS)))
    points[:, 3:][rng.random((n, 2)) < 0.4] = np.nan
    return points


def _central(function: Callable[[Array], Array | float], at: Array, h: float = 1e-5) -> Array:
    columns = []
    for j in range(len(at)):
        up, down = at.copy(), at.copy()
        up[j] += h
        down[j] -= h
        columns.append((np.asarray(function(up)) - np.asarray(function(down))) / (2 * h))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("correlation", [matern52, squared_exponential])
def test_slope_of_a_correlation(correlation: Correlation) -> None:
    r2 = np.linspace(0.01, 20.0, 50)
    numeric = (correlation(r2 + 1e-6)[0] - correlation(r2 - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(correlation(r2)[1], numeric, rtol=1e-5, atol=1e-8)
    assert correlation(np.zeros(1))[0][0] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_the_posterior(name: str) -> None:
    rng = np.random.default_rng(3)
    inputs = Inputs(COLUMNS)
    covariance = _covariances(inputs)[name]
    x, y = inputs.encode(_points(rng, 14)), rng.standard_normal(14)
    prior = LogNormal.stacked([covariance.prior, LogNormal.repeated(1, -3.0, 2.0, -16.0, 1.0)])
    for _ in range(3):
        at = prior.mean + 0.5 * rng.standard_normal(prior.size)
        _, gradient = negative_log_posterior(at, covariance, prior, x, y)
        numeric = _central(lambda t: negative_log_posterior(t, covariance, prior, x, y)[0], at)
        np.testing.assert_allclose(gradient, numeric, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_the_prediction(name: str) -> None:
    rng = np.random.default_rng(4)
    inputs = Inputs(COLUMNS)
    covariance = _covariances(inputs)[name]
    model = Regression(
        covariance, Hyperparameters(covariance.prior.mean, -4.0), inputs.encode(_points(rng, 12)), rng.standard_normal(12)
    )
    point = inputs.encode(_points(rng, 1))[0]
    mean, sd, mean_slope, sd_slope = model.predict_slope(point)
    means, sds = model.predict(point[None])
    np.testing.assert_allclose([mean, sd], [means[0], sds[0]], rtol=1e-9)
    np.testing.assert_allclose(mean_slope, _central(lambda p: model.predict(p[None])[0][0], point), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sd_slope, _central(lambda p: model.predict(p[None])[1][0], point), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_covariance_agrees_with_itself(name: str) -> None:
    rng = np.random.default_rng(5)
    inputs = Inputs(COLUMNS)
    covariance = _covariances(inputs)[name]
    x, theta = inputs.encode(_points(rng, 9)), covariance.prior.mean
    matrix, _ = covariance.matrix(theta, x)
    cross, diagonal = covariance.bind(theta, x).cross(x)
    np.testing.assert_allclose(matrix, cross, atol=1e-7)  # sqrt at r2 = rounding
    np.testing.assert_allclose(np.diag(matrix), diagonal, atol=1e-7)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
