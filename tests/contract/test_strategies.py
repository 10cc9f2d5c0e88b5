"""Every built-in strategy that learns nothing keeps the contract."""

from __future__ import annotations

import pytest

from tunewright.interfaces import Problem, Strategy
from tunewright.strategies.auto import AutoStrategy
from tunewright.strategies.grid import GridStrategy
from tunewright.strategies.random import RandomStrategy
from tunewright.strategies.sobol import SobolStrategy
from tunewright.testing.strategies import Make, StrategyContract


class TestRandom(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return RandomStrategy


class TestSobol(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return SobolStrategy


class TestGrid(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        def grid(problem: Problem) -> Strategy:
            return GridStrategy(problem, bins=7, limit=10_000_000)

        return grid


class TestAuto(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return AutoStrategy
