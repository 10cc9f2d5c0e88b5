"""Priors against scipy's densities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tunewright.models.gp.priors import LogNormal


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_the_density_is_a_joint_gaussian(shared: float) -> None:
    parts = [LogNormal.repeated(3, -0.5, 0.7, -4.0, 6.0, shared=shared), LogNormal.repeated(2, 1.0, 2.0, -16.0, 1.0)]
    prior = LogNormal.stacked(parts)
    covariance = np.diag([0.49] * 3 + [4.0] * 2)
    covariance[:3, :3] += shared**2
    peer = multivariate_normal([-0.5] * 3 + [1.0] * 2, covariance)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5))
    difference = prior.negative_log_density(a)[0] - prior.negative_log_density(b)[0]
    assert difference == pytest.approx(peer.logpdf(b) - peer.logpdf(a))
    assert prior.negative_log_density(prior.mean)[0] == 0.0
    assert prior.low.tolist() == [-4.0] * 3 + [-16.0] * 2
    assert prior.high.tolist() == [6.0] * 3 + [1.0] * 2


def test_what_is_shared_makes_moving_together_cheap() -> None:
    prior = LogNormal.repeated(6, 0.0, 0.7, -4.0, 6.0, shared=0.7)
    together, apart = np.full(6, 1.0), np.array([1.0, -1.0] * 3)
    assert prior.negative_log_density(together)[0] < 0.2 * prior.negative_log_density(apart)[0]
