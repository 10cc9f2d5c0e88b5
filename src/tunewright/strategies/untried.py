"""The points of a finite space that no trial has yet: in order, or at random."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from tunewright.errors import InfeasibleSpace
from tunewright.history import History
from tunewright.records import Params
from tunewright.space import SearchSpace

DRAWS = 64  # random draws before what is left is enumerated: all fail by chance only when little is left
CHUNK = 65_536  # how many points are shuffled together, which bounds the memory
ENUMERATED = 1_000_000  # larger spaces are never walked; there more draws are made instead
MANY_DRAWS = 1_000


class Walk:
    """Walks a fixed sequence of points and gives the first ones that no trial has.

    What it gives follows from the history alone. While one history grows, tried points at the front are dropped, so each
    point of the sequence is looked at a few times in all.

    Args:
        space: the points' space.
        points: makes the sequence, always the same one, without repetitions.
    """

    def __init__(self, space: SearchSpace, points: Callable[[], Iterator[Params]]) -> None:
        self._space, self._points = space, points
        self._lineage: object = None
        self._rest: Iterator[Params] = iter(())
        self._ahead: deque[Params] = deque()
        self._passed = 0

    def next(self, history: History, taken: set[Any]) -> tuple[int, Params] | None:
        """The first point that is new, with its position from 0; None at the end.

        New is what is neither in the history nor, by its key, in `taken`.
        """
        if history.lineage is not self._lineage:
            self._lineage, self._rest, self._passed = history.lineage, self._points(), 0
            self._ahead.clear()
        while self._ahead and self._ahead[0] in history:
            self._ahead.popleft()
            self._passed += 1
        for offset, params in enumerate(self._ahead):
            if is_new(self._space, params, history, taken):
                return self._passed + offset, params
        for params in self._rest:
            if not self._ahead and params in history:
                self._passed += 1
                continue
            self._ahead.append(params)
            if is_new(self._space, params, history, taken):
                return self._passed + len(self._ahead) - 1, params
        return None


class Untried:
    """Random points of a finite space, none twice.

    Args:
        space: a space of finite size.
        seed: of the order in which the last points are taken.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._walk = Walk(space, lambda: _shuffled(space, seed))

    def draw(self, rng: np.random.Generator, history: History, taken: set[Any]) -> Params | None:
        """A point that is neither in the history nor, by its key, in `taken`; None when there is none.

        Rejection is uniform over what is left, and so is the first untried point of a shuffled enumeration.

        Raises:
            InfeasibleSpace: no point satisfies the constraints, and the history is empty.
        """
        try:
            params = self._draw(DRAWS, rng, history, taken)
            if params is None and self._space.size() > ENUMERATED:
                params = self._draw(MANY_DRAWS, rng, history, taken)
        except InfeasibleSpace:
            if len(history) == 0:
                raise
            params = None
        if params is not None or self._space.size() > ENUMERATED:
            return params
        found = self._walk.next(history, taken)
        return None if found is None else found[1]

    def _draw(self, times: int, rng: np.random.Generator, history: History, taken: set[Any]) -> Params | None:
        for _ in range(times):
            params = self._space.sample(rng)
            if is_new(self._space, params, history, taken):
                return params
        return None

    def exhausted(self, history: History) -> str:
        """Why there is none: the reason with which the search ends."""
        if self._space.size() <= ENUMERATED:
            return f"the space has no untried point left after {len(history):,} trials"
        return f"{MANY_DRAWS:,} random draws gave no untried point after {len(history):,} trials"


def is_finite(space: SearchSpace) -> bool:
    """Whether a space has finitely many points."""
    return not any(math.isinf(parameter.count) for parameter in space.parameters.values())


def is_new(space: SearchSpace, params: Params, history: History, taken: set[Any]) -> bool:
    """Whether a point is neither in the history nor, by its key, in `taken`."""
    return params not in history and space.key(params) not in taken


def _shuffled(space: SearchSpace, seed: int) -> Iterator[Params]:
    points = space.grid()
    chunk = 0
    while block := list(islice(points, CHUNK)):
        for index in np.random.default_rng([seed, chunk]).permutation(len(block)).tolist():
            yield block[index]
        chunk += 1
