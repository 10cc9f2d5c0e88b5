"""What a space consists of: which parameters vary, in which order they depend on each other, what is fixed.

Reads what people declare, checks it as a whole, and puts fixed values in: a condition that they decide is resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunewright.errors import InvalidSpace
from tunewright.space.categorical import Categorical
from tunewright.space.conditions import Condition, read_expression, read_when
from tunewright.space.constraints import Constraint, ExpressionConstraint, FunctionConstraint, function_name
from tunewright.space.expressions import Logical, Node, names, substitute
from tunewright.space.names import check_name
from tunewright.space.parameters import Parameter
from tunewright.space.plain_values import read_value
from tunewright.space.scalars import Scalar, canonical

Declared = Mapping[str, Any]
ConstraintLike = str | Callable[[dict[str, Any]], object] | FunctionConstraint


class Structure:
    """The parts of a space, checked.

    Attributes:
        entries: varying parameters and fixed values in declared order.
        parameters: the varying ones.
        objects: what the fixed values that are labels stand for; `objects` as given are those of earlier fixed ones.
        fixed: the fixed values.
        conditions: of the parameters that have one, fixed values put in.
        order: the varying parameters, each after those that its condition names.
        constraints: what every point must satisfy.
    """

    __slots__ = ("conditions", "constraints", "entries", "fixed", "objects", "order", "parameters")

    def __init__(
        self,
        declared: Declared,
        constraints: Sequence[ConstraintLike],
        fixed: Mapping[str, Any],
        objects: Mapping[str, Any] | None = None,
    ) -> None:
        entries = _read_entries(declared)
        fixed = {check_name(name): canonical(value, str(name)) for name, value in fixed.items()}
        trees = _read_conditions(entries)
        order = _order(entries, trees)
        _check_possible(entries, trees, order)
        read = [_read_constraint(index, given, entries, fixed) for index, given in enumerate(constraints)]

        self.objects = {name: value for name, value in (objects or {}).items() if name not in fixed}
        for name, value in fixed.items():
            known = entries.get(name)
            entries[name] = known.check(value, name) if isinstance(known, Parameter) else value
            if isinstance(known, Categorical) and known.objects is not None:
                self.objects[name] = known.objects[str(entries[name])]
        self.fixed = {name: value for name, value in entries.items() if not isinstance(value, Parameter)}
        self.conditions, dropped = _resolve(entries, trees, order, self.fixed)
        for name, value in entries.items():
            if isinstance(value, Parameter) and value.when is not None and name not in self.conditions:
                entries[name] = value.without_condition()
        self.entries = {name: value for name, value in entries.items() if name not in dropped}
        self.parameters = {name: value for name, value in self.entries.items() if isinstance(value, Parameter)}
        self.order = tuple(name for name in order if name in self.parameters)
        self.constraints = _keep(read, self.fixed, dropped, frozenset(self.parameters))
        if not self.parameters:
            given = dict(self.fixed) if self.entries else {}
            raise InvalidSpace("space", "must have at least one parameter that varies", given)


def _read_entries(declared: Declared) -> dict[str, Parameter | Scalar]:
    if not isinstance(declared, Mapping):
        raise InvalidSpace("space", "must be a dict of names and parameters", declared)
    if not declared:
        raise InvalidSpace("space", "must not be empty", dict(declared))
    return {check_name(name): read_value(name, value) for name, value in declared.items()}


def _read_conditions(entries: dict[str, Parameter | Scalar]) -> dict[str, Node]:
    trees = {}
    for name, value in entries.items():
        tree = read_when(name, value._when, entries) if isinstance(value, Parameter) else None
        if tree is not None:
            trees[name] = tree
    return trees


def _parents(tree: Node | None) -> list[str]:
    return [] if tree is None else sorted(parts[0] for parts in names(tree))


def _order(entries: Mapping[str, object], trees: Mapping[str, Node]) -> list[str]:
    """All names, each after those that its condition names, else as declared.

    Raises:
        InvalidSpace: conditions form a cycle.
    """
    done: dict[str, None] = {}
    for start in entries:
        path: list[tuple[str, list[str]]] = [(start, _parents(trees.get(start)))]
        while path:
            name, waiting = path[-1]
            if name in done or not waiting:
                done[name] = None
                path.pop()
                continue
            parent = waiting.pop(0)
            walked = [step for step, _ in path]
            if parent in walked:
                cycle = " -> ".join([*walked[walked.index(parent) :], parent])
                raise InvalidSpace(f"{name}.when", f"must not form a cycle: {cycle}")
            if parent not in done:
                path.append((parent, _parents(trees.get(parent))))
    return list(done)


def _with_ancestors(name: str, trees: Mapping[str, Node]) -> Node:
    """The condition of a parameter and of all that it depends on, as one expression."""
    found: dict[str, Node] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in trees and current not in found:
            found[current] = trees[current]
            waiting.extend(_parents(trees[current]))
    links = tuple(reversed(found.values()))
    return links[0] if len(links) == 1 else Logical(True, links, 0)


def _check_possible(entries: dict[str, Parameter | Scalar], trees: Mapping[str, Node], order: Sequence[str]) -> None:
    """Raises InvalidSpace for a condition that no values of the parameters make true."""
    if not trees:
        return
    from tunewright.space.intervals import can_be_true, domain
    from tunewright.space.kinds import check_kinds

    domains = {name: domain(value) for name, value in entries.items()}
    for name in order:
        if name not in trees:
            continue
        definition = entries[name]
        text = definition._when if isinstance(definition, Parameter) else None
        if isinstance(text, str):
            check_kinds(f"{name}.when", text, trees[name], domains)
        tree = _with_ancestors(name, trees)
        # what a plain fixed value rules out was meant so, and is left out of the space instead
        fixed = any(not isinstance(entries[parts[0]], Parameter) for parts in names(tree))
        if not fixed and not can_be_true(tree, domains):
            raise InvalidSpace(f"{name}.when", "can't be true for any values of its parents", definition.when)  # type: ignore[union-attr]


def _read_constraint(
    index: int, given: ConstraintLike, entries: Mapping[str, Parameter | Scalar], fixed: Mapping[str, Any]
) -> Constraint:
    field = f"constraints[{index}]"
    known = {**fixed, **entries}
    if isinstance(given, str):
        from tunewright.space.intervals import domain
        from tunewright.space.kinds import check_kinds

        text = given.strip()
        tree = read_expression(field, text, known)
        check_kinds(field, text, tree, {name: domain(value) for name, value in known.items()})
        return ExpressionConstraint(text, Condition(field, tree))
    if isinstance(given, FunctionConstraint):
        return FunctionConstraint(field, given.name, given.function, frozenset(entries))
    if callable(given):
        return FunctionConstraint(field, function_name(given), given, frozenset(entries))
    raise InvalidSpace(field, "must be an expression or a function of the params", given)


def _resolve(
    entries: dict[str, Parameter | Scalar], trees: Mapping[str, Node], order: Sequence[str], fixed: dict[str, Scalar]
) -> tuple[dict[str, Condition], frozenset[str]]:
    """Conditions with fixed values put in, and the parameters that they make inactive for good."""
    conditions: dict[str, Condition] = {}
    dropped: set[str] = set()
    if not trees:
        return conditions, frozenset()
    from tunewright.space.intervals import can_be_true, domain, must_be_true

    domains = {name: domain(value) for name, value in entries.items()}
    resolved: dict[str, Node] = {}
    for name in order:
        if name in fixed or name not in trees:
            continue
        tree = substitute(trees[name], fixed)
        if dropped.intersection(_parents(tree)):
            dropped.add(name)
            continue
        if not _parents(tree) and must_be_true(tree, domains):
            continue
        resolved[name] = tree
        if can_be_true(_with_ancestors(name, resolved), domains):
            conditions[name] = Condition(f"{name}.when", tree)
        else:
            dropped.add(name)
    return conditions, frozenset(dropped)


def _keep(
    constraints: Sequence[Constraint], fixed: dict[str, Scalar], dropped: frozenset[str], parameters: frozenset[str]
) -> tuple[Constraint, ...]:
    """The constraints that still apply, fixed values put in."""
    kept: list[Constraint] = []
    for constraint in constraints:
        if isinstance(constraint, FunctionConstraint):
            kept.append(FunctionConstraint(constraint.field, constraint.name, constraint.function, parameters | dropped))
        elif not constraint.names & dropped:
            tree = substitute(constraint.tree, fixed)
            kept.append(ExpressionConstraint(constraint.text, Condition(constraint.condition.field, tree)))
    return tuple(kept)
