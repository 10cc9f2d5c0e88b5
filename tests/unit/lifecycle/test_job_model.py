"""What a job's model says: the recommended trial, predictions, importance."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tunewright as tw


def noisy(trial: tw.Trial) -> float:
    noise = random.Random(trial.seed).gauss(0.0, 0.3)
    return float((trial.params["x"] - 3.0) ** 2) + noise


def tune(function: Callable[[tw.Trial], Any], trials: int, **options: Any) -> tw.Job:
    return tw.tune(
        function, {"x": tw.Float(0.0, 10.0), "idle": tw.Float(0.0, 1.0)}, max_trials=trials, executor="inline",
        store="memory", seed=0, progress="none", **{"metric": "loss", **options},
    )  # fmt: skip


def test_the_recommended_trial_is_the_one_that_the_model_believes_best() -> None:
    job = tune(noisy, 40)
    recommended = job.recommended
    assert abs(recommended.trial.params["x"] - 3.0) < 0.6  # type: ignore[operator]
    assert recommended.interval is not None
    low, high = recommended.interval
    assert low <= recommended.estimate <= high
    assert recommended.estimate == pytest.approx(job.model.recommended().estimate)
    assert "best" in recommended.why


def test_the_model_tells_which_parameter_matters_and_follows_the_job() -> None:
    job = tune(lambda trial: (trial.params["x"] - 3.0) ** 2, 20)
    model = job.model
    importance = model.importance()
    assert importance["x"] > 0.9
    assert sum(importance.values()) == pytest.approx(1.0)
    median, low, high = model.predict([{"x": 3.0, "idle": 0.5}, {"x": 9.0, "idle": 0.5}])
    assert median[0] < median[1]
    assert np.all(low <= median)
    assert np.all(median <= high)
    assert job.model is model


def test_without_enough_values_the_best_observed_is_recommended() -> None:
    job = tune(noisy, 3)
    assert job.recommended.trial.number == job.best.number
    assert job.recommended.interval is None
    with pytest.raises(tw.InvalidInput, match="at least 4 finite objectives"):
        _ = job.model


def test_required_limits_are_kept_by_what_is_recommended() -> None:
    def function(trial: tw.Trial) -> dict[str, float]:
        x = float(trial.params["x"])
        return {"loss": (x - 3.0) ** 2, "latency": x}

    job = tune(function, 20, require={"latency": ">= 5"})
    assert job.recommended.trial.metrics["latency"] >= 5
    assert job.recommended.trial.number == job.best.number


def test_suggestions_are_counted_by_what_they_were_for() -> None:
    job = tune(noisy, 20)
    suggestions = job.suggestions
    assert sum(suggestions.values()) == 20
    assert suggestions["others"] == 4
    assert suggestions["exploiting"] + suggestions["exploring"] == 16
