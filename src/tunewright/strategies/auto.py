"""Picks a strategy by the space, the budget and the parallelism, and says why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunewright.history import History
from tunewright.interfaces import Exhausted, Problem, Proposal, Strategy, Wait

LARGEST_GRID = 10_000
LARGEST_SOBOL = 1_000  # trials; beyond that, random draws fill the space as well and cost less
WIDEST_SOBOL = 32  # parameters; beyond that, so few points of a Sobol sequence are no more even than random draws


class AutoStrategy:
    """Chooses once, from the problem alone, and then passes everything on.

    Args:
        problem: what to choose for.

    Attributes:
        chosen: the name of the strategy.
        reason: which and why, as one line.
    """

    def __init__(self, problem: Problem) -> None:
        self.chosen, why = choose(problem)
        self.reason = f"{self.chosen}: {why}"
        self._strategy = _make(self.chosen, problem)

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Wait | Exhausted:
        return self._strategy.suggest(history, n)


def choose(problem: Problem) -> tuple[str, str]:
    """The name of the strategy that suits a problem, and why. Conditions are tried from the top."""
    trials, dimension = problem.max_trials, len(problem.space.names)
    points = problem.space.size() if trials is not None else math.inf
    if trials is not None and points <= min(trials, LARGEST_GRID):
        return "grid", f"all {points:,} points of the space fit into {trials:,} trials"
    # A strategy that learns from results goes here, before those that don't; not when trials <= max_parallel, for then
    # every trial starts before the first result.
    if dimension > WIDEST_SOBOL:
        return "random", f"{dimension} parameters are too many for a Sobol sequence to fill evenly"
    if trials is None:
        return "random", "the number of trials is open"
    if trials > LARGEST_SOBOL:
        return "random", f"{trials:,} trials fill the space without a design"
    if trials <= problem.max_parallel:
        return "sobol", f"all {trials:,} trials start at once, so they are spread evenly"
    return "sobol", f"{trials:,} trials are spread evenly over {dimension} parameter{'s' if dimension > 1 else ''}"


def _make(name: str, problem: Problem) -> Strategy:
    if name == "grid":
        from tunewright.strategies.grid import GridStrategy

        return GridStrategy(problem, limit=LARGEST_GRID)
    if name == "sobol":
        from tunewright.strategies.sobol import SobolStrategy

        return SobolStrategy(problem)
    from tunewright.strategies.random import RandomStrategy

    return RandomStrategy(problem)
