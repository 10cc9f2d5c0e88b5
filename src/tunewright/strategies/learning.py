"""From evidence to a model that is ready to be asked: which trials it is fitted to, when, and on what it must improve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.regression import Hyperparameters
from tunewright.strategies.domain import Domain
from tunewright.strategies.evidence import Evidence
from tunewright.strategies.feasibility import SuccessModel
from tunewright.strategies.improvement import ExpectedImprovement
from tunewright.strategies.surrogate import ModelFamily, Recipe, Surrogate

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

# Trials that a model of a long history sees: the best ones; the newest, or it would propose again what has just turned out
# to be bad; and others at random.
BEST, NEWEST, SPREAD = 128, 96, 32
LABELS = 128  # of the newest failures, and of the newest successes, that the model of failures sees
KEPT_FITS = 4
SUCCESS_RECIPE = Recipe(trend=(-1.0, 1.5), noise=(-2.0, 2.0))


@dataclass(frozen=True)
class Learned:
    """What a model says after some evidence.

    Args:
        surrogate: predicts targets; pending trials are believed to turn out as predicted.
        success: predicts failures; None when none was seen.
        incumbent: the target to improve on: the lowest predicted one among all trials, so not the luckiest one.
        losses, targets: (n,) of the trials that the model saw: how to read targets as losses.
        points: (n, d) their points.
    """

    surrogate: Surrogate
    success: SuccessModel | None
    incumbent: float
    losses: Array
    targets: Array
    points: Array

    def acquisition(self) -> ExpectedImprovement:
        """What the next trial maximises."""
        return ExpectedImprovement(self.surrogate, self.incumbent, self.success)

    def believing(self, points: Array) -> Learned:
        """The same with trials pending at points (m, d); what they are predicted to reach has to be improved on, too."""
        if not len(points):
            return self
        incumbent = min(self.incumbent, float(self.surrogate.predict(points)[0].min()))
        return replace(self, surrogate=self.surrogate.believing(points), incumbent=incumbent)


class Learner:
    """Fits models to evidence. What it returns follows from the evidence alone; fits are kept only to save time.

    Args:
        domain: of the points.
        recipe: what the surrogate is made of.
        seed: of the choice of trials from a long history.
    """

    def __init__(self, domain: Domain, recipe: Recipe, seed: int) -> None:
        self._seed = seed
        self._transform = recipe.transform
        self._family = ModelFamily(domain, recipe)
        self._success_family = ModelFamily(domain, SUCCESS_RECIPE)
        self._fits: dict[bytes, Hyperparameters] = {}
        self._success: tuple[bytes, SuccessModel] | None = None

    def learn(self, evidence: Evidence) -> Learned:
        """The model of at least two losses."""
        chosen = self._chosen(evidence.losses)
        points, losses = evidence.points[chosen], evidence.losses[chosen]
        targets = self._transform(losses)
        model = self._family.given(self._hyperparameters(evidence), points, targets)
        incumbent = float(model.predict(points)[0].min())
        success = self._success_model(evidence) if len(evidence.failed) else None
        learned = Learned(model, success, incumbent, losses, targets, points)
        return learned.believing(evidence.pending)

    def _hyperparameters(self, evidence: Evidence) -> Hyperparameters:
        """Fitted to the first trials of a scheduled number: not every trial costs a fit, and no fit depends on another."""
        count = scheduled(len(evidence.losses))
        points, losses = evidence.points[:count], evidence.losses[:count]
        chosen = self._chosen(losses)
        points, losses = points[chosen], losses[chosen]
        return self._remembered(points.tobytes() + losses.tobytes(), lambda: self._family.fit(points, self._transform(losses)))

    def _remembered(self, key: bytes, fit: Callable[[], Hyperparameters]) -> Hyperparameters:
        if key not in self._fits:
            self._fits[key] = fit()
            if len(self._fits) > KEPT_FITS:
                del self._fits[next(iter(self._fits))]
        return self._fits[key]

    def _success_model(self, evidence: Evidence) -> SuccessModel:
        """Of the last failures and as many successes around; made anew only when a trial has ended."""
        failed, succeeded = evidence.failed[-LABELS:], evidence.points[-LABELS:]
        key = failed.tobytes() + succeeded.tobytes()
        if self._success is None or self._success[0] != key:
            self._success = key, SuccessModel(self._success_family, succeeded, failed)
        return self._success[1]

    def _chosen(self, losses: Array) -> Rows:
        """Which trials a model sees: all, or of a long history some, of which the random ones hardly change as it grows."""
        count = len(losses)
        if count <= BEST + NEWEST + SPREAD:
            return np.arange(count)
        priority = np.random.default_rng([self._seed, 1]).random(count) + 1.0
        priority[np.argsort(losses, kind="stable")[:BEST]] = 0.0
        priority[-NEWEST:] = 0.0
        return np.sort(np.argsort(priority, kind="stable")[: BEST + NEWEST + SPREAD])


def scheduled(count: int) -> int:
    """The number of trials after which hyperparameters were last due: each up to 12, then every 4, later every 6 to 12%."""
    if count <= 12:
        return count
    step = 1 << max(2, count.bit_length() - 5)
    return count - count % step
