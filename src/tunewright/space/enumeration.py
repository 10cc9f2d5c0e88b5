"""Walking over the points of a space, and counting them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidInput
from tunewright.space.categorical import Categorical
from tunewright.space.constraints import ExpressionConstraint, FunctionConstraint
from tunewright.space.encoding import codec
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace
    from tunewright.space.structure import Structure

MOST_WALKED = 100_000  # points up to which constraints are counted by trying them
MOST_PARENTS = 200_000  # combinations of values that conditions name which are looked at
_INACTIVE = object()
_INACTIVE_ONLY = (_INACTIVE,)


def levels(name: str, parameter: Parameter, bins: int) -> Sequence[Any]:
    """The values that a grid takes of a parameter, in order, each once."""
    if isinstance(parameter, Categorical):
        return parameter.choices
    if isinstance(parameter, Int):
        return range(parameter.low, parameter.high + 1, parameter.step)
    assert isinstance(parameter, Float)
    if parameter.step is not None:
        return [parameter.level(index) for index in range(int(parameter.count))]
    decode = codec(name, parameter).decode
    units = [0.5] if bins == 1 else [index / (bins - 1) for index in range(bins)]
    return list(dict.fromkeys(decode(unit) for unit in units))


def grid(space: SearchSpace, bins: int) -> Iterator[dict[str, Any]]:
    """All points in order that satisfy the constraints, the last parameter fastest."""
    structure = space._structure
    _check_bins(bins)
    declared = tuple(structure.entries)
    for params in _walk(structure, structure.order, bins, constrained=True):
        yield {name: params[name] for name in declared if name in params}


def _check_bins(bins: int) -> None:
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise InvalidInput("bins", "must be an integer of at least 1", bins)


def _walk(structure: Structure, order: Sequence[str], bins: int, *, constrained: bool) -> Iterator[dict[str, Any]]:
    """Every assignment to the parameters in `order`, a superset of their parents; the same dict each time.

    A constraint is tried as soon as all that it names is set, so a branch without points is left early.
    """
    params: dict[str, Any] = dict(structure.fixed)
    values = {name: levels(name, structure.parameters[name], bins) for name in order}
    checks = _checks(structure, order) if constrained else [()] * len(order)
    if any(not check.allows(params) for check in (_constant(structure) if constrained else ())):
        return

    def candidates(depth: int) -> Iterator[Any]:
        condition = structure.conditions.get(order[depth])
        active = condition is None or (condition.names <= params.keys() and condition.holds(params))
        return iter(values[order[depth]]) if active else iter(_INACTIVE_ONLY)

    stack = [candidates(0)]
    while stack:
        depth = len(stack) - 1
        value = next(stack[-1], stack)
        if value is stack:
            params.pop(order[depth], None)
            stack.pop()
            continue
        if value is not _INACTIVE:
            params[order[depth]] = value
        if not all(check.allows(params) for check in checks[depth]):
            continue
        if depth + 1 == len(order):
            yield params
        else:
            stack.append(candidates(depth + 1))


def _constant(structure: Structure) -> list[ExpressionConstraint]:
    return [c for c in structure.constraints if isinstance(c, ExpressionConstraint) and not c.names]


def _checks(structure: Structure, order: Sequence[str]) -> list[Sequence[ExpressionConstraint | FunctionConstraint]]:
    """The constraints that can be tried once the parameter at each depth is set."""
    checks: list[list[ExpressionConstraint | FunctionConstraint]] = [[] for _ in order]
    for constraint in structure.constraints:
        if isinstance(constraint, FunctionConstraint):
            checks[-1].append(constraint)
        elif constraint.names:
            checks[max(order.index(name) for name in constraint.names)].append(constraint)
    return list(checks)


def size(space: SearchSpace) -> int | float:
    """The number of distinct points; math.inf with a Float without step."""
    structure = space._structure
    if any(parameter.count == math.inf for parameter in structure.parameters.values()):
        return math.inf
    return _counted(space, "size", 1)


def unconstrained_size(space: SearchSpace) -> int | float:
    """The number of points without constraints."""
    if any(parameter.count == math.inf for parameter in space.parameters.values()):
        return math.inf
    if "unconstrained" not in space._memo:
        space._memo["unconstrained"] = _without_constraints(space._structure, 1)
    return int(space._memo["unconstrained"])


def grid_size(space: SearchSpace, bins: int) -> int:
    """The number of points of `grid(bins)`."""
    _check_bins(bins)
    return _counted(space, ("grid_size", bins), bins)


def _counted(space: SearchSpace, memo: object, bins: int) -> int:
    if memo not in space._memo:
        structure = space._structure
        count = _without_constraints(structure, bins)
        known = all(not isinstance(c, FunctionConstraint) or c.function for c in structure.constraints)
        if structure.constraints and known and count <= MOST_WALKED:
            count = sum(1 for _ in _walk(structure, structure.order, bins, constrained=True))
        space._memo[memo] = count
    return int(space._memo[memo])


def _without_constraints(structure: Structure, bins: int) -> int:
    """The product over groups of parameters that depend on each other.

    Within a group only the parents are walked; the others are counted. Where the parents have too many combinations
    their conditions are left out, which gives an upper bound.
    """
    counts = {name: len(levels(name, parameter, bins)) for name, parameter in _listed(structure).items()}
    counts.update((name, int(p.count)) for name, p in structure.parameters.items() if name not in counts)
    total = 1
    for group in _groups(structure):
        everything = math.prod(counts[name] for name in group)
        parents = {parent for name in group if name in structure.conditions for parent in structure.conditions[name].names}
        if not parents or math.prod(counts[name] for name in parents) > MOST_PARENTS:
            total *= everything
            continue
        walked = [name for name in group if name in parents]
        rest = [name for name in group if name not in parents]
        total *= sum(
            math.prod(counts[name] for name in rest if _active(structure, name, params))
            for params in _walk(structure, walked, bins, constrained=False)
        )
    return total


def _listed(structure: Structure) -> Mapping[str, Parameter]:
    """The parameters whose number of levels depends on the bins."""
    return {name: p for name, p in structure.parameters.items() if p.count == math.inf}


def _active(structure: Structure, name: str, params: Mapping[str, Any]) -> bool:
    condition = structure.conditions.get(name)
    return condition is None or (condition.names <= params.keys() and condition.holds(params))


def _groups(structure: Structure) -> list[list[str]]:
    """The parameters, split so that no condition reaches from one group into another; each in topological order."""
    group = dict(zip(structure.order, range(len(structure.order)), strict=True))
    for name, condition in structure.conditions.items():
        for parent in condition.names:
            old, new = group[parent], group[name]
            group.update(zip([member for member in group if group[member] == old], repeat(new), strict=False))
    return [[name for name in structure.order if group[name] == number] for number in dict.fromkeys(group.values())]
