"""Optuna's own suite for samplers, and what studies gain from ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from optuna.samplers import BaseSampler  # noqa: E402
from optuna.testing.pytest_samplers import (  # noqa: E402
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from tunewright.integrations.optuna import TunewrightSampler  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class _Ours:
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TunewrightSampler(seed=0)


class TestBasic(_Ours, BasicSamplerTestCase):  # type: ignore[misc]
    pass


class TestRelative(_Ours, RelativeSamplerTestCase):  # type: ignore[misc]
    pass


class TestSingleOnly(_Ours, SingleOnlySamplerTestCase):  # type: ignore[misc]
    pass


def _objective(trial: Any) -> float:
    x = trial.suggest_float("x", 1e-4, 1.0, log=True)
    n = trial.suggest_int("n", 1, 9)
    shift = {"a": 0.0, "b": 1.0, None: 2.0}[trial.suggest_categorical("kind", [None, "b", "a"])]
    return float((x - 0.01) ** 2 + (n - 4) ** 2 + shift)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_study_comes_near_its_optimum(direction: str) -> None:
    sign = 1.0 if direction == "minimize" else -1.0
    study = optuna.create_study(sampler=TunewrightSampler(seed=1), direction=direction)
    study.optimize(lambda trial: sign * _objective(trial), n_trials=25)
    assert sign * study.best_value < 0.01


def test_the_same_seed_gives_the_same_study() -> None:
    found = []
    for _ in range(2):
        study = optuna.create_study(sampler=TunewrightSampler(seed=7))
        study.optimize(_objective, n_trials=9)
        found.append([trial.params for trial in study.trials])
    assert found[0] == found[1]


def test_pruned_failed_and_foreign_trials_are_survived() -> None:
    study = optuna.create_study(sampler=TunewrightSampler(seed=3))

    def objective(trial: Any) -> float:
        value = _objective(trial)
        if trial.number % 5 == 2:
            trial.report(value, 1)
            raise optuna.TrialPruned
        if trial.number % 5 == 3:
            raise RuntimeError("a crash")
        return value

    study.enqueue_trial({"x": 5.0, "n": 4, "kind": "a"}, skip_if_exists=True)  # outside of its range
    with pytest.warns(UserWarning, match="out of range"):
        study.optimize(objective, n_trials=1)
    study.optimize(objective, n_trials=19, catch=RuntimeError)
    assert len(study.trials) == 20
    assert study.best_value < 5.0
