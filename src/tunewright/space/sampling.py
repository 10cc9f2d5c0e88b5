"""Random points of a constrained space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.errors import InfeasibleSpace

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace


def sample(space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    for _ in range(100_000):
        params = space._assemble(rng.random(len(space.names)).tolist())
        if space.feasible(params):
            return params
    raise InfeasibleSpace("constraints", "leave no point")
