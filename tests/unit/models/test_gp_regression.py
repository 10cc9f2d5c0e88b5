"""Prediction, fit and leave-one-out of the Gaussian process, against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern

from tunewright.models.gp.covariance import Stationary
from tunewright.models.gp.kernels import matern52, squared_exponential
from tunewright.models.gp.priors import LogNormal
from tunewright.models.gp.regression import Hyperparameters, Regression, fit, negative_log_posterior

Array = NDArray[np.float64]
NOISE = LogNormal.repeated(1, -6.0, 2.0, -16.0, 1.0)


def _data(n: int = 25, d: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    x = rng.random((n, d))
    y = np.sin(5 * x[:, 0]) + 3 * (x[:, 1] - 0.4) ** 2 + 0.05 * rng.standard_normal(n)
    return x, (y - y.mean()) / y.std()


def _covariance(d: int, correlation: str = "matern") -> Stationary:
    prior = LogNormal.repeated(d, 0.0, 1.0, -4.0, 6.0)
    return Stationary(matern52 if correlation == "matern" else squared_exponential, np.arange(d), prior)


@pytest.mark.parametrize("correlation", ["matern", "squared exponential"])
def test_prediction_agrees_with_scikit_learn(correlation: str) -> None:
    x, y = _data()
    lengths, log_noise = np.array([0.3, 0.7, 2.0]), -4.0
    model = Regression(_covariance(3, correlation), Hyperparameters(np.log(lengths), log_noise), x, y, mean=0.0)
    kernel = Matern(lengths, nu=2.5) if correlation == "matern" else RBF(lengths)
    peer = GaussianProcessRegressor(kernel, alpha=model.hyperparameters.noise, optimizer=None).fit(x, y)
    new = np.random.default_rng(2).random((40, 3))
    mean, sd = model.predict(new)
    peer_mean, peer_sd = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, peer_mean, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(sd, peer_sd, rtol=1e-5, atol=1e-7)
    assert model.log_likelihood() == pytest.approx(peer.log_marginal_likelihood_value_, rel=1e-8)


def test_leave_one_out_agrees_with_leaving_one_out() -> None:
    x, y = _data(12)
    covariance, hyper = _covariance(3), Hyperparameters(np.log([0.4, 0.5, 1.5]), -3.0)
    model = Regression(covariance, hyper, x, y, mean=0.1)
    mean, sd = model.leave_one_out()
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        m, s = Regression(covariance, hyper, x[rest], y[rest], mean=0.1).predict(x[i : i + 1])
        assert mean[i] == pytest.approx(m[0], rel=1e-8)
        assert sd[i] == pytest.approx((s[0] ** 2 + hyper.noise) ** 0.5, rel=1e-8)


def test_the_mean_is_the_generalised_least_squares_estimate() -> None:
    x, y = _data()
    covariance, hyper = _covariance(3), Hyperparameters(np.zeros(3), -3.0)
    model = Regression(covariance, hyper, x, y + 7.0)
    values = [Regression(covariance, hyper, x, y + 7.0, mean=model.mean + e).log_likelihood() for e in (-0.01, 0.0, 0.01)]
    assert values[1] > max(values[0], values[2])
    shifted, plain = model.predict(x[:5] + 0.01)[0], Regression(covariance, hyper, x, y).predict(x[:5] + 0.01)[0]
    np.testing.assert_allclose(shifted, plain + 7.0, rtol=1e-9)


def test_a_fit_improves_the_posterior_and_finds_what_matters() -> None:
    x, y = _data(60)
    covariance = _covariance(3)
    found = fit(covariance, NOISE, x, y, iterations=60)
    prior = LogNormal.stacked([covariance.prior, NOISE])

    def value(hyper: Hyperparameters) -> float:
        return negative_log_posterior(np.append(hyper.theta, hyper.log_noise), covariance, prior, x, y)[0]

    assert value(found) < value(Hyperparameters(covariance.prior.mean, -6.0)) - 5.0
    assert found.theta[2] > found.theta[0] + 1.0  # the third input does nothing
    gradient = negative_log_posterior(np.append(found.theta, found.log_noise), covariance, prior, x, y)[1]
    assert np.abs(gradient).max() < 0.1


def test_more_observations_without_a_new_fit() -> None:
    x, y = _data()
    covariance, hyper = _covariance(3), Hyperparameters(np.zeros(3), -3.0)
    half = Regression(covariance, hyper, x[:15], y[:15], mean=0.2)
    joined, whole = half.given(x[15:], y[15:]), Regression(covariance, hyper, x, y, mean=0.2)
    new = np.random.default_rng(2).random((9, 3))
    np.testing.assert_allclose(joined.predict(new), whole.predict(new), rtol=1e-9)


@pytest.mark.parametrize("repeats", [2, 30])
def test_repeated_inputs_do_not_break_it(repeats: int) -> None:
    x = np.repeat(np.array([[0.2, 0.3, 0.4], [0.8, 0.1, 0.5]]), repeats, axis=0)
    y = np.tile([0.5, -0.5], repeats)
    covariance = _covariance(3)
    hyper = fit(covariance, NOISE, x, y)
    mean, sd = Regression(covariance, hyper, x, y).predict(x)
    assert np.isfinite(mean).all()
    assert np.isfinite(sd).all()
