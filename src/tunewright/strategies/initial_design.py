"""The first configurations of a search, before a model can say anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.records import Params
from tunewright.strategies.domain import Domain
from tunewright.strategies.sobol import FeasiblePoints

Array = NDArray[np.float64]


class InitialDesign:
    """The defaults where all parameters have one, the centre of the space, then a scrambled Sobol sequence.

    The centre comes early because bounds are mostly set around what is expected to be good; its unordered categoricals are
    drawn at random.

    Args:
        domain: what is searched.
        seed: of the scrambling and of the random choices.
    """

    def __init__(self, domain: Domain, seed: int) -> None:
        self._domain, self._seed = domain, seed
        self._first = [point for point in (self._default(), self._centre()) if point is not None]
        self._sobol = FeasiblePoints(domain.space, seed)

    def point(self, number: int) -> tuple[Params | None, str]:
        """The configuration of trial `number`, None when no feasible one was found, and what it is."""
        if number < len(self._first):
            return self._first[number]
        index, params = self._sobol.get(number - len(self._first))
        return params, f"initial design: Sobol point {index}"

    def _default(self) -> tuple[Params, str] | None:
        default = self._domain.space.default()
        return None if default is None else (default, "initial design: the defaults")

    def _centre(self) -> tuple[Params, str] | None:
        rng = np.random.default_rng([self._seed, 0])
        centre = np.where(self._domain.unordered, rng.random(self._domain.dimension), 0.5)
        params = self._domain.space.decode(centre)
        return (params, "initial design: the centre of the space") if self._domain.space.feasible(params) else None
