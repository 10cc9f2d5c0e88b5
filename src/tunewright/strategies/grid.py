"""Grid search: an ordered walk over all points; floats without a step are cut into bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tunewright.errors import InfeasibleSpace, InvalidInput
from tunewright.history import History
from tunewright.interfaces import Exhausted, New, Problem, Proposal
from tunewright.space import SearchSpace
from tunewright.strategies.untried import Walk


class GridStrategy:
    """Walks all points of the space in order, the last parameter fastest, and skips those that a trial has already.

    Args:
        problem: its space.
        bins: how many values a Float without step gets, its bounds included, even on its scale; at least 2.
        limit: the largest grid that is walked.

    Attributes:
        size: how many points the grid has.

    Raises:
        InvalidInput: an option breaks its rule, or the grid is over the limit; the message has its size and what lowers it.
        InfeasibleSpace: the constraints leave no point of the grid.
    """

    def __init__(self, problem: Problem, *, bins: int = 10, limit: int = 10_000) -> None:
        _integer("bins", bins, 2)
        _integer("limit", limit, 1)
        space = problem.space
        self.size = space.grid_size(bins)
        if self.size == 0:
            raise InfeasibleSpace("constraints", f"must leave a point of the grid{_more_bins(space, bins)}", space.constraints)
        if self.size > limit:
            raise InvalidInput("grid", f"must have at most limit={limit:,} points{_advice(space, bins, limit)}", self.size)
        self._space = space
        self._walk = Walk(space, lambda: space.grid(bins))
        self.reason = f"grid of {self.size:,} points" + (f", {bins} bins per float" if _binned(space) else "")

    def suggest(self, history: History, n: int) -> Sequence[Proposal] | Exhausted:
        proposals: list[Proposal] = []
        taken: set[Any] = set()
        while len(proposals) < n and (found := self._walk.next(history, taken)) is not None:
            position, params = found
            taken.add(self._space.key(params))
            proposals.append(New(params, f"grid point {position + 1:,} of {self.size:,}"))
        return proposals or Exhausted(f"all {self.size:,} points of the grid have been tried")


def _binned(space: SearchSpace) -> list[str]:
    """The parameters that bins cut."""
    return [name for name, parameter in space.parameters.items() if math.isinf(parameter.count)]


def _more_bins(space: SearchSpace, bins: int) -> str:
    return f", perhaps with more than {bins} bins" if _binned(space) else ""


def _advice(space: SearchSpace, bins: int, limit: int) -> str:
    """What would lower the size: fewer bins when they suffice, else the parameters with most values."""
    binned = _binned(space)
    if binned:
        for fewer in range(bins - 1, 1, -1):
            if space.grid_size(fewer) <= limit:
                return f"; bins={fewer} gives {space.grid_size(fewer):,}"
    counts = {name: bins if name in binned else int(p.count) for name, p in space.parameters.items()}
    widest = sorted(counts, key=lambda name: -counts[name])[:3]
    shown = ", ".join(f"{name} has {counts[name]:,}" for name in widest)
    return f"; give fewer values ({shown}), raise limit, or use strategy='random'"


def _integer(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(name, f"must be an integer of at least {least}", value)
