"""Log expected improvement: against the formula, against high precision in the far tail, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tunewright.strategies.acquisition import log_expected_improvement


@pytest.mark.parametrize("mean", [-2.0, -0.3, 0.0, 0.4, 1.5])
@pytest.mark.parametrize("sd", [0.2, 1.0, 3.0])
def test_it_is_the_expected_improvement(mean: float, sd: float) -> None:
    expected, _ = quad(lambda f: (0.25 - f) * norm.pdf(f, mean, sd), mean - 12 * sd, 0.25)
    value = log_expected_improvement(np.array([mean]), np.array([sd]), 0.25)[0][0]
    assert value == pytest.approx(np.log(expected), rel=1e-6, abs=1e-6)


def test_the_tail_is_smooth_and_falls() -> None:
    z = -np.concatenate([np.linspace(0.5, 60.0, 4000), np.geomspace(61.0, 1e7, 500)])
    value, by_mean, by_sd = log_expected_improvement(-z, np.ones_like(z), 0.0)
    assert np.isfinite(value).all()
    assert np.isfinite(by_mean).all()
    assert np.isfinite(by_sd).all()
    assert (np.diff(value) < 0).all()
    # log EI -> log phi(z) - 2 log(-z), with relative corrections of order 1/z^2
    far = z < -100
    asymptote = -0.5 * z[far] ** 2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-z[far])
    np.testing.assert_allclose(value[far], asymptote, rtol=1e-6)


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.9, 1.1, 5.0, 40.0])
def test_derivatives(mean: float) -> None:
    sd, h = 0.7, 1e-6

    def value(m: float, s: float) -> float:
        return float(log_expected_improvement(np.array([m]), np.array([s]), 0.0)[0][0])

    _, by_mean, by_sd = log_expected_improvement(np.array([mean]), np.array([sd]), 0.0)
    assert by_mean[0] == pytest.approx((value(mean + h, sd) - value(mean - h, sd)) / (2 * h), rel=1e-5)
    assert by_sd[0] == pytest.approx((value(mean, sd + h) - value(mean, sd - h)) / (2 * h), rel=1e-5, abs=1e-5)
