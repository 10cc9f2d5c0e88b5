"""Random search: every trial is an independent draw from the space.

Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization" (JMLR 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.history import History
from tunewright.interfaces import Exhausted, New, Problem, Proposal
from tunewright.strategies.streams import Streams
from tunewright.strategies.untried import Untried, is_finite


class RandomStrategy:
    """Draws each trial at random: the one with number k from `default_rng([seed, k])`. No point of a finite space twice.

    Args:
        problem: its space and seed.
    """

    def __init__(self, problem: Problem) -> None:
        self._space, self._streams = problem.space, Streams(problem.seed)
        self._untried = Untried(problem.space, problem.seed) if is_finite(problem.space) else None
        self.reason = f"random search with seed {problem.seed}"

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Exhausted:
        if self._untried is None:
            first, sample, generator = history.next_number, self._space.sample, self._streams.generator
            return [New(sample(generator(number)), "random draw") for number in range(first, first + n)]
        return self._distinct(history, n, self._untried)

    def _distinct(self, history: History, n: int, untried: Untried) -> Sequence[Proposal] | Exhausted:
        proposals: list[Proposal] = []
        taken: set[Any] = set()
        for number in range(history.next_number, history.next_number + n):
            params = untried.draw(self._streams.generator(number), history, taken)
            if params is None:
                break
            taken.add(self._space.key(params))
            proposals.append(New(params, "random draw among the untried points"))
        return proposals or Exhausted(untried.exhausted(history))
