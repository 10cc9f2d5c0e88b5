"""Many points at once: encoding rows, and which of the unit cube's points are active and allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import InvalidInput
from tunewright.space.categorical import Categorical
from tunewright.space.constraints import ExpressionConstraint
from tunewright.space.vectorized import Evaluator, NotVectorized, vectorize

if TYPE_CHECKING:
    from tunewright.space.expressions import Node
    from tunewright.space.search_space import SearchSpace

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def encode_rows(space: SearchSpace, rows: Sequence[Mapping[str, Any]]) -> Array:
    """Valid params in the unit cube: (n, d), NaN for parameters that they lack."""
    points = np.empty((len(rows), len(space.names)))
    for column, (name, parameter) in enumerate(space.parameters.items()):
        if isinstance(parameter, Categorical):
            values = [_code(name, parameter, row[name]) if name in row else math.nan for row in rows]
        else:
            values = [row.get(name, math.nan) for row in rows]
        points[:, column] = space._codecs[name].encode_column(np.array(values, dtype=np.float64))
    return points


def _code(name: str, parameter: Categorical, value: Any) -> int:
    try:
        return parameter.index(value)
    except (KeyError, TypeError):
        raise InvalidInput(name, f"must be a value of {parameter!r}", value) from None


class Screen:
    """What conditions and expression constraints say about many points of the unit cube.

    It agrees with the scalar answers up to rounding, and says which of them it can't give.

    Args:
        space: the space; only what its conditions and constraints name is looked at.

    Attributes:
        activity_complete: whether all conditions are covered.
        complete: whether all conditions and constraints are.
    """

    def __init__(self, space: SearchSpace) -> None:
        structure = space._structure
        self._space = space
        self._index = {name: column for column, name in enumerate(space.names)}
        self._choices = {name: p.choices if isinstance(p, Categorical) else None for name, p in structure.parameters.items()}
        self._conditions: list[tuple[str, frozenset[str], Evaluator]] = []
        unknown: set[str] = set()
        for name in structure.order:
            condition = structure.conditions.get(name)
            if condition is None:
                continue
            evaluator = None if condition.names & unknown else self._vectorized(condition.tree)
            if evaluator is None:
                unknown.add(name)
            else:
                self._conditions.append((name, condition.names, evaluator))
        self._constraints: list[tuple[frozenset[str], Evaluator]] = []
        for constraint in structure.constraints:
            if isinstance(constraint, ExpressionConstraint) and not constraint.names & unknown:
                evaluator = self._vectorized(constraint.tree)
                if evaluator is not None:
                    self._constraints.append((constraint.names, evaluator))
        self.activity_complete = not unknown
        self.complete = not unknown and len(self._constraints) == len(structure.constraints)
        self._needed = self._named(structure.order)

    def _vectorized(self, tree: Node) -> Evaluator | None:
        try:
            return vectorize(tree, self._choices)
        except NotVectorized:
            return None

    def _named(self, order: Sequence[str]) -> list[str]:
        named = {name for _, names, _ in self._conditions for name in names}
        named.update(name for names, _ in self._constraints for name in names)
        return [name for name in order if name in named]

    def _columns(self, points: Array) -> dict[str, Array]:
        codecs = self._space._codecs
        return {name: codecs[name].decode_column(points[:, self._index[name]]) for name in self._needed}

    def _active(self, columns: dict[str, Array], n: int) -> dict[str, Mask]:
        """Masks (n,) of the parameters that have conditions."""
        active: dict[str, Mask] = {}
        for name, parents, evaluator in self._conditions:
            mask = np.broadcast_to(evaluator(columns) == 1.0, (n,))
            for parent in parents & active.keys():
                mask = mask & active[parent]
            active[name] = mask
        return active

    def active(self, points: Array) -> Mask:
        """Which parameters are active at points (n, d) without NaN: a mask (n, d)."""
        mask = np.ones(points.shape, dtype=bool)
        for name, column in self._active(self._columns(points), len(points)).items():
            mask[:, self._index[name]] = column
        return mask

    def allowed(self, points: Array) -> Mask:
        """Which points (n, d) without NaN the constraints that are covered allow: a mask (n,)."""
        columns, n = self._columns(points), len(points)
        active = self._active(columns, n)
        allowed = np.ones(n, dtype=bool)
        for names, evaluator in self._constraints:
            satisfied = evaluator(columns) == 1.0
            for name in names & active.keys():
                satisfied = satisfied | ~active[name]
            allowed &= satisfied
        return allowed


def screen(space: SearchSpace) -> Screen:
    """The space's screen, made when first needed."""
    if "screen" not in space._memo:
        space._memo["screen"] = Screen(space)
    found: Screen = space._memo["screen"]
    return found


def active_points(space: SearchSpace, points: Array) -> Mask:
    """Which parameters are active at points (n, d) of the unit cube."""
    filled = np.where(np.isnan(points), 0.5, points)
    if screen(space).activity_complete:
        return screen(space).active(filled)
    rows = [space._assemble(row) for row in filled.tolist()]
    return np.array([[name in row for name in space.names] for row in rows], dtype=bool).reshape(points.shape)


def feasible_points(space: SearchSpace, points: Array) -> Mask:
    """Which points (n, d) of the unit cube satisfy the constraints: a mask (n,)."""
    filled = np.where(np.isnan(points), 0.5, points)
    allowed = screen(space).allowed(filled)
    if not screen(space).complete:
        for row in np.flatnonzero(allowed):
            allowed[row] = space.feasible(space._assemble(filled[row].tolist()))
    return allowed
