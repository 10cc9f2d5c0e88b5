"""What a model of the losses tells people: predictions with intervals, partial dependence, importance, the best trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import InvalidInput, nearest
from tunewright.history import History
from tunewright.interfaces import Problem
from tunewright.strategies.domain import Domain
from tunewright.strategies.evidence import Evidence
from tunewright.strategies.explanation import as_loss
from tunewright.strategies.learning import Learned, Learner
from tunewright.strategies.single_thread import single_threaded
from tunewright.strategies.surrogate import Recipe

Array = NDArray[np.float64]

LEAST_LOSSES = 4
DRAWS = 512  # points of the Monte Carlo estimates
QUANTILE = 1.645  # of the standard normal: intervals hold 90%


@dataclass(frozen=True)
class Recommendation:
    """The trial to use, by the model.

    Args:
        number: of the trial.
        estimate: its objective as the model sees it, in the objective's own direction: not the luckiest observation.
        interval: where that lies with 90% probability, by the model.
        reason: why this one.
    """

    number: int
    estimate: float
    interval: tuple[float, float]
    reason: str


class LossModel:
    """A model of a job's first objective, fitted to its history.

    Args:
        problem: the job's space, objective and seed.
        history: its trials.
        recipe: what the model is made of.

    Raises:
        InvalidInput: fewer than 4 trials have a finite objective.
    """

    def __init__(self, problem: Problem, history: History, recipe: Recipe | None = None) -> None:
        evidence = Evidence.of(history)
        if len(evidence.losses) < LEAST_LOSSES:
            raise InvalidInput("history", f"must hold at least {LEAST_LOSSES} finite objectives", len(evidence.losses))
        self._space, self._seed, self._sign = problem.space, problem.seed, problem.objectives[0].sign
        self._evidence, self._numbers = evidence, history.numbers
        with single_threaded():
            self._learned: Learned = Learner(Domain(problem.space), recipe or Recipe(noise_share=1.0), problem.seed).learn(
                evidence
            )

    def predict(self, params: Sequence[Mapping[str, Any]]) -> tuple[Array, Array, Array]:
        """The objective at configurations: its median, and the ends of the interval that holds it with 90% probability.

        Returns:
            Three arrays (n,): median, low, high; noise of single trials is not in them.
        """
        return self._objective(self._space.encode_many(params))

    def _objective(self, points: Array) -> tuple[Array, Array, Array]:
        with single_threaded():
            mean, sd = self._learned.surrogate.predict(points)
        ends = [self._sign * self._losses(mean + k * QUANTILE * sd) for k in (0.0, -1.0, 1.0)]
        return ends[0], np.minimum(ends[1], ends[2]), np.maximum(ends[1], ends[2])

    def _losses(self, targets: Array) -> Array:
        return np.array([as_loss(self._learned, float(target)) for target in targets])

    def recommended(self) -> Recommendation:
        """The completed trial with the best predicted objective."""
        median, low, high = self._objective(self._evidence.points)
        best = int(np.argmin(self._sign * median))
        lucky = int(np.argmin(self._evidence.losses))
        number, other = (int(self._numbers[self._evidence.rows[i]]) for i in (best, lucky))
        reason = "best by the model and best observed"
        if best != lucky:
            reason = f"best by the model; trial {other} was observed to be better, which the model takes for luck"
        return Recommendation(number, float(median[best]), (float(low[best]), float(high[best])), reason)

    def partial_dependence(self, name: str, points: int = 20) -> tuple[list[Any], Array]:
        """The objective as a function of one parameter, averaged over the others (Friedman 2001, section 8.2).

        Args:
            name: of the parameter; where it is inactive, it doesn't count.
            points: how many values of a continuum; of a discrete one all, or as many at random places.

        Returns:
            Values of the parameter, and the mean predicted median of the objective at each, (len(values),).

        Raises:
            InvalidInput: an unknown name.
        """
        column, domain = self._column(name), self._learned.surrogate.family.domain
        levels = domain.levels[column]
        units = levels if 0 < len(levels) <= points else np.linspace(0.0, 1.0, points)
        others = self._random(DRAWS // 4)
        values: dict[Any, float] = {}
        for unit in units.tolist():
            moved = others.copy()
            moved[:, column] = unit
            canonical = domain.canonical(domain.snap(moved))
            active = ~np.isnan(canonical[:, column])
            if active.any():
                value = self._space.decode(np.nan_to_num(canonical[active][0], nan=0.5))[name]
                values[value] = float(self._objective(canonical[active])[0].mean())
        return list(values), np.array(list(values.values()))

    def importance(self) -> dict[str, float]:
        """Each parameter's share in the variation of the predicted objective, interactions included; they sum to 1.

        Total effects by Jansen's estimator (Saltelli et al. 2010, table 2), of the model's mean over the whole space.
        """
        domain = self._learned.surrogate.family.domain
        first, second = self._random(DRAWS), self._random(DRAWS, 1)
        base = self._mean(domain.canonical(first))
        effects = []
        for column in range(domain.dimension):
            moved = first.copy()
            moved[:, column] = second[:, column]
            effects.append(0.5 * float(np.mean((base - self._mean(domain.canonical(moved))) ** 2)))
        total = sum(effects)
        return {name: effect / total if total > 0 else 0.0 for name, effect in zip(self._space.names, effects, strict=True)}

    def _mean(self, points: Array) -> Array:
        with single_threaded():
            return self._learned.surrogate.predict(points)[0]

    def _random(self, count: int, stream: int = 0) -> Array:
        domain = self._learned.surrogate.family.domain
        return domain.snap(np.random.default_rng([self._seed, stream]).random((count, domain.dimension)))

    def _column(self, name: str) -> int:
        if name not in self._space.names:
            raise InvalidInput("name", f"must be a parameter that varies ({nearest(name, self._space.names)})", name)
        return self._space.names.index(name)
