"""The contract of strategies, kept by Bayesian search, and what is its own."""

from __future__ import annotations

import pytest

from tunewright.strategies.bayesian import BayesianStrategy
from tunewright.testing.strategies import Make, StrategyContract


class TestContract(StrategyContract):
    trials = 16

    @pytest.fixture
    def make(self) -> Make:
        return BayesianStrategy
