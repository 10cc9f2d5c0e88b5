"""The search space as arrays: what an acquisition function is optimised over.

A *genotype* (n, d) has a unit coordinate for every parameter, active or not. Its *canonical* form is what is tried: discrete
coordinates at their level's representative, NaN where inactive. Genotypes with the same canonical form are
the same configuration.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.inputs import Column
from tunewright.space import Categorical, SearchSpace
from tunewright.space.columns import active_points, feasible_points

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.intp]

TABLED = 4096  # levels up to which a parameter is treated as discrete; beyond, as a continuum that is snapped at the end


class Domain:
    """Snapping, activity and validity of many points at once.

    Args:
        space: what is searched.

    Attributes:
        space: the same.
        dimension: d, the number of parameters.
        counts: (d,) levels of each coordinate; 0 for a continuum.
        unordered: (d,) which are categoricals without order.
        conditional: (d,) which can be inactive.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.dimension = space, len(space.names)
        parameters = space.parameters.values()
        self.unordered = np.array([isinstance(p, Categorical) and not p.ordered for p in parameters])
        self.conditional = np.array([name in space.conditional for name in space.names])
        cells = [space.cells(name) if p.count <= TABLED else None for name, p in space.parameters.items()]
        self.levels = [np.empty(0) if c is None else c[0] for c in cells]
        self._edges = [np.empty(0) if c is None else c[1] for c in cells]
        self.counts = np.array([len(levels) for levels in self.levels], dtype=np.intp)
        self._discrete = np.flatnonzero(self.counts).tolist()
        self._coarse = any(p.count > TABLED and not math.isinf(p.count) for p in parameters)

    def columns(self) -> list[Column]:
        """The parameters as a model's inputs see them."""
        made = []
        for levels, unordered, conditional in zip(self.levels, self.unordered, self.conditional, strict=True):
            even = len(levels) > 1 and bool(np.allclose(np.diff(levels), 1.0 / len(levels), rtol=1e-6, atol=0.0))
            made.append(Column(len(levels) if even or unordered else 0, bool(unordered), bool(conditional)))
        return made

    def codes(self, genotypes: Array, axis: int) -> Codes:
        """Level numbers (n,) of a discrete coordinate."""
        return np.searchsorted(self._edges[axis], genotypes[:, axis], side="right")

    def snap(self, genotypes: Array) -> Array:
        """Genotypes (n, d) inside the cube, with each discrete coordinate at its level's representative."""
        out = np.clip(genotypes, 0.0, 1.0)
        for axis in self._discrete:
            out[:, axis] = self.levels[axis][self.codes(genotypes, axis)]
        return out

    def canonical(self, genotypes: Array) -> Array:
        """Canonical points of snapped genotypes (n, d)."""
        if not self.space.conditional:
            return genotypes
        return np.where(active_points(self.space, genotypes), genotypes, np.nan)

    def feasible(self, points: Array) -> Mask:
        """Which canonical points (n, d) satisfy the constraints: a mask (n,)."""
        if not self.space.constraints:
            return np.ones(len(points), dtype=bool)
        return feasible_points(self.space, points)

    def fill(self, points: Array, rng: np.random.Generator) -> Array:
        """Genotypes of canonical points: inactive coordinates drawn at random."""
        missing = np.isnan(points)
        return self.snap(np.where(missing, rng.random(points.shape), points)) if missing.any() else points
