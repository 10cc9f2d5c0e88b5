"""Quasi-random search on a scrambled Sobol sequence, which fills the space more evenly than independent draws.

Sobol' (1967); scrambling by Owen (1998) and Matousek (1998), as in `scipy.stats.qmc.Sobol`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from tunewright.history import History
from tunewright.interfaces import Exhausted, New, Problem, Proposal
from tunewright.records import Params
from tunewright.space import SearchSpace
from tunewright.strategies.untried import Untried, is_finite, is_new

BLOCK = 64  # points generated at once; a power of two keeps the sequence's balance
KEPT = 8  # blocks
LOOKED_AT = 2_000  # infeasible points in a row before one is drawn at random instead


class SobolStrategy:
    """Gives the trial with number k the k-th feasible point of a Sobol sequence that the seed scrambles.

    Where the constraints leave too little of the space, and where a finite space has been given that point before, the trial
    is a random draw from `default_rng([seed, k])` instead, and its reason says so.

    Args:
        problem: its space and seed.
    """

    def __init__(self, problem: Problem) -> None:
        self._space, self._seed = problem.space, problem.seed
        self._untried = Untried(problem.space, problem.seed) if is_finite(problem.space) else None
        self._points = FeasiblePoints(problem.space, problem.seed)
        self.reason = f"scrambled Sobol sequence with seed {problem.seed}"

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Exhausted:
        proposals: list[Proposal] = []
        taken: set[Any] = set()
        for number in range(history.next_number, history.next_number + n):
            proposal = self._propose(number, history, taken)
            if proposal is None:
                assert self._untried is not None
                return proposals or Exhausted(self._untried.exhausted(history))
            if self._untried is not None:
                taken.add(self._space.key(proposal.params))
            proposals.append(proposal)
        return proposals

    def _propose(self, number: int, history: History, taken: set[Any]) -> New | None:
        index, params = self._points.get(number)
        if params is not None and (self._untried is None or is_new(self._space, params, history, taken)):
            return New(params, f"Sobol point {index}")
        why = f"no Sobol point of {LOOKED_AT:,} is feasible" if params is None else f"Sobol point {index} was tried"
        rng = default_rng([self._seed, number])
        drawn = self._space.sample(rng) if self._untried is None else self._untried.draw(rng, history, taken)
        return None if drawn is None else New(drawn, f"random draw: {why}")


class FeasiblePoints:
    """The feasible points of a scrambled Sobol sequence, numbered from 0. Found points are kept as their indices alone."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._sequence = SobolSequence(len(space.names), seed)
        self._indices: list[int] | None = [] if space.constraints else None
        self._looked_at = 0

    def get(self, number: int) -> tuple[int, Params | None]:
        """Its index in the sequence and the point; -1 and None when too many in a row are infeasible."""
        index = number if self._indices is None else self._index(number, self._indices)
        if index < 0:
            return index, None
        return index, self._space.decode(self._sequence.point(index))

    def _index(self, number: int, indices: list[int]) -> int:
        while len(indices) <= number:
            indices.append(self._next_feasible())
        return indices[number]

    def _next_feasible(self) -> int:
        start = self._looked_at
        for index in range(start, start + LOOKED_AT):
            self._looked_at = index + 1
            if self._space.feasible(self._space.decode(self._sequence.point(index))):
                return index
        return -1


class SobolSequence:
    """Points of a scrambled Sobol sequence by their index, from 0. The last blocks are kept.

    Args:
        dimension: d, the number of coordinates.
        seed: of the scrambling.
    """

    def __init__(self, dimension: int, seed: int) -> None:
        self._dimension, self._seed = dimension, seed
        self._engine: Any = None
        self._blocks: dict[int, NDArray[np.float64]] = {}

    def point(self, index: int) -> NDArray[np.float64]:
        """The point (d,) in the unit cube."""
        block = index // BLOCK
        points = self._blocks.get(block)
        if points is None:
            points = self._blocks[block] = self._generate(block)
            if len(self._blocks) > KEPT:
                del self._blocks[next(iter(self._blocks))]
        point: NDArray[np.float64] = points[index % BLOCK]
        return point

    def _generate(self, block: int) -> NDArray[np.float64]:
        start = block * BLOCK
        if self._engine is None or self._engine.num_generated > start:
            self._engine = _engine(self._dimension, self._seed)
        if self._engine.num_generated < start:
            self._engine.fast_forward(start - self._engine.num_generated)
        points: NDArray[np.float64] = self._engine.random(BLOCK)
        return points


def _engine(dimension: int, seed: int) -> Any:
    from scipy.stats import qmc

    try:
        return qmc.Sobol(dimension, scramble=True, rng=default_rng([seed]))
    except TypeError:  # scipy before 1.15 calls it seed
        return qmc.Sobol(dimension, scramble=True, seed=default_rng([seed]))
