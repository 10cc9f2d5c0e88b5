"""Tunewright's Bayesian search as a sampler of Optuna.

    study = optuna.create_study(sampler=TunewrightSampler(seed=0))

Needs Optuna. Single objectives only. Parameters that are not part of every trial (Optuna learns a space while it is
searched) are drawn at random, as Optuna's own model-based samplers do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import TrialState

from tunewright.errors import InvalidInput
from tunewright.history import Ledger
from tunewright.interfaces import New, Problem
from tunewright.objective import Goal, Objective
from tunewright.records import Status, Trial
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.strategies.bayesian import BayesianStrategy

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_STATUSES = {
    TrialState.COMPLETE: Status.COMPLETED,
    TrialState.PRUNED: Status.STOPPED,
    TrialState.FAIL: Status.FAILED,
    TrialState.RUNNING: Status.IN_PROGRESS,
}


class TunewrightSampler(BaseSampler):  # type: ignore[misc]
    """Asks `BayesianStrategy` for each trial, given the study's trials so far.

    Args:
        seed: of the search; None draws one.
        options: further arguments of `BayesianStrategy`.
    """

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        self._seed = int(np.random.default_rng(seed).integers(2**31))
        self._options = options
        self._independent = RandomSampler(seed=self._seed)
        self._intersection = IntersectionSearchSpace()

    def reseed_rng(self) -> None:
        self._seed = int(np.random.default_rng().integers(2**31))
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What all trials so far had, except what can only have one value."""
        shared: Mapping[str, BaseDistribution] = self._intersection.calculate(study)
        return {name: distribution for name, distribution in shared.items() if not distribution.single()}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """One proposal, as Optuna's parameters; nothing when there is nothing to search or nothing left."""
        self._raise_error_if_multi_objective(study)
        varying = {name: distribution for name, distribution in search_space.items() if not distribution.single()}
        if not varying:
            return {}
        translation = _Translation(varying)
        goal: Goal = "maximize" if study.direction == StudyDirection.MAXIMIZE else "minimize"
        problem = Problem(translation.space, (Objective("value", goal),), self._seed)
        ledger = translation.ledger(problem, study.get_trials(deepcopy=False))
        proposals = BayesianStrategy(problem, **self._options).suggest(ledger.view(), 1)
        if not isinstance(proposals, list) or not isinstance(proposals[0], New):
            return {}
        fixed = {name: _only_value(d) for name, d in search_space.items() if d.single()}
        return {**fixed, **translation.theirs(proposals[0].params)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        self._raise_error_if_multi_objective(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


class _Translation:
    """Between Optuna's distributions and a space, in which parameters have numbered names and choices are their indices."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self._distributions = distributions
        self._ours = {name: f"p{i}" for i, name in enumerate(distributions)}
        self.space = SearchSpace({self._ours[name]: _parameter(d) for name, d in distributions.items()})

    def theirs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: params[ours] for name, ours in self._ours.items()}
        for name, distribution in self._distributions.items():
            if isinstance(distribution, CategoricalDistribution):
                values[name] = distribution.choices[values[name]]
        return values

    def _params(self, trial: FrozenTrial) -> dict[str, Any] | None:
        """A trial's parameters as ours; None when it lacks one, or has one outside of the space."""
        try:
            values = {ours: self._value(name, trial.params[name]) for name, ours in self._ours.items()}
            return self.space.validate(values)
        except (KeyError, ValueError, InvalidInput):
            return None

    def _value(self, name: str, value: Any) -> Any:
        distribution = self._distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return int(distribution.to_internal_repr(value))
        return float(value) if isinstance(distribution, FloatDistribution) else int(value)

    def ledger(self, problem: Problem, trials: list[FrozenTrial]) -> Ledger:
        """What the trials tell. A pruned trial counts as stopped, at the last value that it reported."""
        ledger = Ledger(self.space, problem.objectives)
        for trial in trials:
            params = self._params(trial) if trial.state in _STATUSES else None
            if params is None:
                continue
            status = _STATUSES[trial.state]
            value = math.nan if trial.value is None or status is not Status.COMPLETED else float(trial.value)
            objectives = (value,) if status is Status.COMPLETED else None
            ledger.record(Trial(trial.number, params, seed=0, status=status, objectives=objectives), ledger.event + 1)
            if status is Status.STOPPED and trial.intermediate_values:
                step = max(trial.intermediate_values)
                ledger.report(trial.number, step, trial.intermediate_values[step])
        return ledger


def _parameter(distribution: BaseDistribution) -> Float | Int | Categorical:
    if isinstance(distribution, CategoricalDistribution):
        return Categorical(list(range(len(distribution.choices))))
    scale = "log" if distribution.log else "linear"
    if isinstance(distribution, IntDistribution):
        return Int(distribution.low, distribution.high, step=distribution.step, scale=scale)
    return Float(distribution.low, distribution.high, step=distribution.step, scale=scale)


def _only_value(distribution: BaseDistribution) -> Any:
    return distribution.choices[0] if isinstance(distribution, CategoricalDistribution) else distribution.low
