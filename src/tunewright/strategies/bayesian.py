"""Bayesian search: a Gaussian process learns from the trials, expected improvement picks the next one.

Jones, Schonlau and Welch 1998, "Efficient Global Optimization of Expensive Black-Box Functions". What the model is made
of is in `surrogate.py`; what was measured to choose it is in docs/decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunewright.errors import InvalidInput
from tunewright.history import History
from tunewright.interfaces import Exhausted, New, Problem, Proposal
from tunewright.records import Params
from tunewright.strategies.domain import Domain
from tunewright.strategies.evidence import Evidence
from tunewright.strategies.explanation import explain
from tunewright.strategies.initial_design import InitialDesign
from tunewright.strategies.learning import Learned, Learner
from tunewright.strategies.maximiser import Effort, ranked
from tunewright.strategies.single_thread import single_threaded
from tunewright.strategies.surrogate import Recipe
from tunewright.strategies.untried import Untried, is_finite, is_new

ANCHORS = 6  # best observed points around which candidates are made
LOOKED_AT = 500  # ranked candidates until an untried one
LEAST_LOSSES = 2  # before a model says anything
DRAWS = 20  # random draws until an untried point of an infinite space

Found = tuple[Params, str]


class BayesianStrategy:
    """Proposes what a model of the losses expects to improve most.

    Args:
        problem: its space, objective and seed.
        initial_trials: how many trials come from the initial design, at least 2.
        recipe: what the model is made of.
        effort: how hard the acquisition function is maximised.

    Raises:
        InvalidInput: initial_trials < 2.
    """

    def __init__(
        self, problem: Problem, *, initial_trials: int = 4, recipe: Recipe | None = None, effort: Effort | None = None
    ) -> None:
        if isinstance(initial_trials, bool) or not isinstance(initial_trials, int) or initial_trials < LEAST_LOSSES:
            raise InvalidInput("initial_trials", f"must be an integer of at least {LEAST_LOSSES}", initial_trials)
        self._space, self._seed = problem.space, problem.seed
        self._initial_trials, self._effort = initial_trials, effort or Effort()
        self._domain = Domain(problem.space)
        self._design = InitialDesign(self._domain, problem.seed)
        self._learner = Learner(self._domain, recipe or Recipe(), problem.seed)
        self._untried = Untried(problem.space, problem.seed) if is_finite(problem.space) else None
        self.reason = f"Bayesian search with seed {problem.seed}"

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Exhausted:
        evidence = Evidence.of(history)
        with single_threaded():
            learned = self._learner.learn(evidence) if self._is_model_due(evidence) else None
            proposals: list[Proposal] = []
            taken: set[Any] = set()
            for number in range(history.next_number, history.next_number + n):
                if learned is None:
                    found = self._designed(number, history, taken)
                else:
                    found = self._modelled(learned, evidence, number, history, taken)
                if found is None:
                    break
                proposals.append(New(*found))
                taken.add(self._space.key(found[0]))
                if learned is not None and len(proposals) < n:
                    learned = learned.believing(self._space.encode(found[0])[None])
        return proposals or Exhausted(self._exhausted(history))

    def _is_model_due(self, evidence: Evidence) -> bool:
        ended = len(evidence.losses) + len(evidence.failed)
        return ended >= self._initial_trials and len(evidence.losses) >= LEAST_LOSSES

    def _designed(self, number: int, history: History, taken: set[Any]) -> Found | None:
        params, reason = self._design.point(number)
        if params is not None and is_new(self._space, params, history, taken):
            return params, reason
        return self._drawn(number, history, taken, "initial design: random draw")

    def _modelled(self, learned: Learned, evidence: Evidence, number: int, history: History, taken: set[Any]) -> Found | None:
        rng = np.random.default_rng([self._seed, number])
        candidates = ranked(learned.acquisition(), self._domain, evidence.best(ANCHORS), rng, self._effort)
        for _, point in zip(range(LOOKED_AT), candidates, strict=False):
            params = self._space.decode(point)
            if is_new(self._space, params, history, taken) and self._space.feasible(params):
                return params, explain(learned, self._space.encode(params))
        return self._drawn(number, history, taken, "random draw: the model's candidates were all tried")

    def _drawn(self, number: int, history: History, taken: set[Any], reason: str) -> Found | None:
        """A random untried point; None when there is none."""
        rng = np.random.default_rng([self._seed, number, 1])
        if self._untried is not None:
            params: Params | None = self._untried.draw(rng, history, taken)
            return None if params is None else (params, reason)
        for _ in range(DRAWS):
            params = self._space.sample(rng)
            if is_new(self._space, params, history, taken):
                return params, reason
        return None

    def _exhausted(self, history: History) -> str:
        if self._untried is not None:
            return self._untried.exhausted(history)
        return f"{DRAWS} random draws gave no untried point after {len(history):,} trials"
