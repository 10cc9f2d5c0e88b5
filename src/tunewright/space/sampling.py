"""Random points of a constrained space, by rejection: exact, and bounded in draws and in time.

A few single draws first, which is all that a loose constraint needs; then blocks that the vectorised screen thins out, so
that a feasible part of 1e-4 of the volume costs about a millisecond. A small finite space is searched point by point
before giving up.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.errors import InfeasibleSpace
from tunewright.space.columns import screen
from tunewright.space.constraints import ExpressionConstraint
from tunewright.space.enumeration import grid, unconstrained_size
from tunewright.space.expressions import Logical

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace

SINGLE_DRAWS = 16
BLOCKS = (256, 1024, 4096)
LARGEST_BLOCK = 32_768
MOST_DRAWS = 10_000_000
MOST_CHECKS = 300_000  # of points that passed the screen, each taking microseconds
SECONDS = 2.0  # a backstop for slow functions and busy machines; what ends a search otherwise is the number of draws
SMALL_SPACE = 20_000  # points that are rather walked over than drawn
PROBES = 500  # random points on which an error says how often each constraint holds


def sample(space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    """A random point that satisfies the constraints.

    Raises:
        InfeasibleSpace: there is none, or none was found in bounded time.
    """
    dimension = len(space.names)
    for _ in range(SINGLE_DRAWS):
        params = space._assemble(rng.random(dimension).tolist())
        if space.feasible(params):
            return params
    if _impossible(space):
        raise InfeasibleSpace("constraints", f"can't be satisfied by any point: {_listed(space)}")
    deadline = monotonic() + SECONDS
    small = unconstrained_size(space) <= SMALL_SPACE
    drawn = checked = 0
    for size in _sizes():
        points = rng.random((size, dimension))
        drawn += size
        for row in np.flatnonzero(screen(space).allowed(points)):
            params = space._assemble(points[row].tolist())
            if space.feasible(params):
                return params
            checked += 1
            if checked % 64 == 0 and monotonic() > deadline:
                break
        if small and size == BLOCKS[-1]:
            return _from_small(space, rng, deadline)
        if drawn >= MOST_DRAWS or checked >= MOST_CHECKS or monotonic() > deadline:
            break
    raise InfeasibleSpace("constraints", f"leave no point: none of {drawn:,} random ones satisfies them. {_rates(space)}")


def _sizes() -> Iterator[int]:
    yield from BLOCKS
    while True:
        yield LARGEST_BLOCK


def _impossible(space: SearchSpace) -> bool:
    """Whether the expressions that always apply are proven to contradict each other or the bounds."""
    if "impossible" not in space._memo:
        from tunewright.space.intervals import can_be_true, domain

        structure = space._structure
        trees = [
            constraint.tree
            for constraint in structure.constraints
            if isinstance(constraint, ExpressionConstraint) and not constraint.names & structure.conditions.keys()
        ]
        domains = {name: domain(parameter) for name, parameter in structure.parameters.items()}
        space._memo["impossible"] = bool(trees) and not can_be_true(Logical(True, tuple(trees), 0), domains)
    return bool(space._memo["impossible"])


def _from_small(space: SearchSpace, rng: np.random.Generator, deadline: float) -> dict[str, Any]:
    """One of the few points of a finite space that satisfy the constraints, all alike."""
    if "feasible" not in space._memo:
        found = []
        for params in grid(space, 1):
            found.append(params)
            if monotonic() > deadline:
                break
        else:
            space._memo["feasible"] = found
    else:
        found = space._memo["feasible"]
    if not found:
        points = unconstrained_size(space)
        raise InfeasibleSpace("constraints", f"leave none of the space's {points:,} points. {_rates(space)}")
    return dict(found[int(rng.integers(len(found)))])


def _listed(space: SearchSpace) -> str:
    return ", ".join(constraint.describe() for constraint in space._structure.constraints)


def _rates(space: SearchSpace) -> str:
    """How often each constraint holds alone, so that the one to mend is seen."""
    rng, deadline = np.random.default_rng(0), monotonic() + SECONDS / 4
    constraints = space._structure.constraints
    holds, probes = [0] * len(constraints), 0
    while probes < PROBES and (probes == 0 or monotonic() < deadline):
        params = space._assemble(rng.random(len(space.names)).tolist())
        for index, constraint in enumerate(constraints):
            holds[index] += constraint.allows(params)
        probes += 1
    shares = [f"{c.describe()} for {count / probes:.1%}" for c, count in zip(constraints, holds, strict=True)]
    return f"Of {probes} random points they hold: {', '.join(shares)}"
