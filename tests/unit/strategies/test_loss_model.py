"""What the model of the losses tells people."""

from __future__ import annotations

import numpy as np
import pytest

from tunewright.errors import InvalidInput
from tunewright.interfaces import Problem
from tunewright.objective import Goal, Objective
from tunewright.records import Params
from tunewright.space import Categorical, Float, SearchSpace
from tunewright.strategies.loss_model import LossModel
from tunewright.testing.strategies import completed, ledger_of

SPACE = SearchSpace(
    {"x": Float(0.0, 1.0), "y": Float(0.0, 1.0), "kind": Categorical(["a", "b"]), "z": Float(0.0, 1.0, when={"kind": ["b"]})}
)


def _loss(params: Params) -> float:
    return 4.0 * (float(params["x"] or 0) - 0.3) ** 2 + (0.3 if params["kind"] == "a" else 0.0)


def _model(noise: float = 0.0, n: int = 60, goal: Goal = "minimize") -> tuple[LossModel, list[Params]]:
    problem = Problem(SPACE, (Objective("value", goal),), seed=0)
    rng, sign = np.random.default_rng(1), 1.0 if goal == "minimize" else -1.0
    points: list[Params] = [SPACE.sample(rng) for _ in range(n)]
    trials = [completed(i, p, sign * (_loss(p) + noise * rng.standard_normal())) for i, p in enumerate(points)]
    return LossModel(problem, ledger_of(problem, trials).view()), points


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_predictions_are_near_the_truth_and_within_their_intervals(goal: Goal) -> None:
    model, _ = _model(goal=goal)
    new = [SPACE.sample(np.random.default_rng([2, i])) for i in range(50)]
    truth = np.array([_loss(p) for p in new]) * (1.0 if goal == "minimize" else -1.0)
    median, low, high = model.predict(new)
    assert np.abs(median - truth).mean() < 0.08
    assert (low <= median).all()
    assert (median <= high).all()
    assert ((low - 0.02 <= truth) & (truth <= high + 0.02)).mean() > 0.8


def test_importance_finds_what_matters() -> None:
    importance = _model()[0].importance()
    assert sum(importance.values()) == pytest.approx(1.0)
    assert importance["x"] > importance["kind"] > 5 * max(importance["y"], importance["z"])


def test_partial_dependence_has_the_shape_of_the_function() -> None:
    model, _ = _model()
    values, objective = model.partial_dependence("x", 21)
    assert values[int(np.argmin(objective))] == pytest.approx(0.3, abs=0.06)
    kinds, by_kind = model.partial_dependence("kind")
    assert kinds == ["a", "b"]
    assert by_kind[0] - by_kind[1] == pytest.approx(0.3, abs=0.1)
    assert len(model.partial_dependence("z")[0]) == 20
    with pytest.raises(InvalidInput, match="did you mean 'kind'"):
        model.partial_dependence("kinds")


def test_the_recommended_trial_is_not_the_luckiest() -> None:
    model, points = _model(noise=0.3)
    found = model.recommended()
    assert _loss(points[found.number]) < 0.12
    assert found.interval[0] <= found.estimate <= found.interval[1]
    assert found.reason.startswith("best by the model")


def test_too_few_trials() -> None:
    with pytest.raises(InvalidInput, match="at least 4 finite objectives; got 3"):
        _model(n=3)
