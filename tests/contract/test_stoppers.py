"""Every built-in stopper keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.interfaces import Problem, Stopper
from tunewright.stoppers.brackets import BracketStopper
from tunewright.stoppers.median import MedianStopper
from tunewright.testing.stoppers import Make, StopperContract

OPTIONS: list[dict[str, Any]] = [{}, {"every": 3, "warmup_steps": 4}, {"compare": "last", "min_trials": 1}]


class TestMedian(StopperContract):
    @pytest.fixture(params=OPTIONS, ids=str)
    def make(self, request: pytest.FixtureRequest) -> Make:
        options = request.param

        def median(problem: Problem) -> Stopper:
            return MedianStopper(problem, **options)

        return median


BRACKETS: list[dict[str, Any]] = [{}, {"min_iter": 2, "eta": 2, "strict": True}, {"max_iter": 12, "s": 2}]


class TestBrackets(StopperContract):
    @pytest.fixture(params=BRACKETS, ids=str)
    def make(self, request: pytest.FixtureRequest) -> Make:
        options = request.param

        def brackets(problem: Problem) -> Stopper:
            return BracketStopper(problem, **options)

        return brackets
