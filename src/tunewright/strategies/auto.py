"""Picks a strategy by the space, the budget and the parallelism, and says why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunewright.history import History
from tunewright.interfaces import Exhausted, Problem, Proposal, Strategy, Wait

LARGEST_GRID = 10_000
LARGEST_SOBOL = 1_000  # trials; beyond that, random draws fill the space as well and cost less
WIDEST_SOBOL = 32  # parameters; beyond that, so few points of a Sobol sequence are no more even than random draws
WIDEST_MODEL = 100  # parameters
FEWEST_LEARNING = 8  # trials; the first four only fill the space, so fewer leave next to nothing to be learned for


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
    at_once = trials is not None and trials <= problem.max_parallel
    too_few = trials is not None and trials < FEWEST_LEARNING
    if len(problem.objectives) == 1 and dimension <= WIDEST_MODEL and not at_once and not too_few:
        return "bayesian", "each trial is chosen by what the earlier ones have shown"
    if dimension > WIDEST_SOBOL:
        return "random", f"{dimension} parameters are too many for a Sobol sequence to fill evenly"
    if trials is None:
        return "random", "the number of trials is open"
    if trials > LARGEST_SOBOL:
        return "random", f"{trials:,} trials fill the space without a design"
    if at_once:
        return "sobol", f"all {trials:,} trials start at once, so they are spread evenly"
    return "sobol", f"{trials:,} trials are spread evenly over {dimension} parameter{'s' if dimension > 1 else ''}"


def _make(name: str, problem: Problem) -> Strategy:
    if name == "grid":
        from tunewright.strategies.grid import GridStrategy

        return GridStrategy(problem, limit=LARGEST_GRID)
    if name == "bayesian":
        from tunewright.strategies.bayesian import BayesianStrategy

        return BayesianStrategy(problem)
    if name == "sobol":
        from tunewright.strategies.sobol import SobolStrategy

        return SobolStrategy(problem)
    from tunewright.strategies.random import RandomStrategy

    return RandomStrategy(problem)
