"""The search space: what may vary, under which conditions, within which constraints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tunewright.errors import InvalidInput, InvalidSpace, nearest
from tunewright.space.categorical import Categorical
from tunewright.space.constraints import FunctionConstraint
from tunewright.space.encoding import Codec, codec
from tunewright.space.parameters import Parameter
from tunewright.space.scalars import Scalar, canonical, same
from tunewright.space.structure import ConstraintLike, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Params = dict[str, Any]
Constraints = str | Callable[[dict[str, Any]], object] | Sequence[ConstraintLike]
Key = tuple[tuple[str, Any] | None, ...]


class SearchSpace:
    """Parameters by name, with conditions, constraints and fixed values. Immutable.

    Params, one point of the space, are a dict of the active parameters and all fixed values, in declared order. The unit
    cube has one coordinate per varying parameter, in the order of `names`; NaN where a parameter is inactive.

    Args:
        parameters: name -> Float, Int or Categorical; or a list (a Categorical, ordered when numeric), a scalar (fixed),
            or scipy's frozen uniform, loguniform or randint.
        constraints: expressions over the parameters (`"width * depth <= 4096"`) or functions of the params that return
            whether they are allowed. One that names an inactive parameter doesn't apply, one without a value (log of a
            negative number) is not satisfied.
        fixed: values that every point has. A parameter that is fixed no longer varies, and conditions on it are resolved;
            other names are added.

    Attributes:
        names: the varying parameters, in declared order.

    Raises:
        InvalidSpace: a rule is broken; the message names the parameter, the rule and the value. Its subclass
            InvalidExpression points at the character.
    """

    __slots__ = ("__weakref__", "_codecs", "_draw", "_memo", "_structure", "_template", "names")
    names: tuple[str, ...]
    _structure: Structure
    _codecs: dict[str, Codec]
    _template: Params
    _draw: tuple[tuple[str, int, Callable[[float], Any], Callable[[Params], bool] | None], ...]
    _memo: dict[object, Any]

    def __init__(
        self,
        parameters: Mapping[str, Any],
        *,
        constraints: Constraints = (),
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        listed = [constraints] if isinstance(constraints, str) or callable(constraints) else list(constraints)
        self._install(Structure(parameters, listed, fixed or {}))

    def _install(self, structure: Structure) -> None:
        names = tuple(structure.parameters)
        index = {name: position for position, name in enumerate(names)}
        codecs = {name: codec(name, parameter) for name, parameter in structure.parameters.items()}
        template = {name: structure.fixed.get(name) for name in structure.entries}
        draw = tuple((name, index[name], codecs[name].decode, _guarded(structure, name)) for name in structure.order)
        if not structure.conditions:
            draw = tuple(sorted(draw, key=lambda step: step[1]))
        values = {"names": names, "_structure": structure, "_codecs": codecs, "_template": template, "_draw": draw}
        for attribute, value in {**values, "_memo": {}}.items():
            object.__setattr__(self, attribute, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a SearchSpace is immutable; make a new one, or use with_fixed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a SearchSpace is immutable; make a new one, or use with_fixed")

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The varying parameters by name, in declared order."""
        return MappingProxyType(self._structure.parameters)

    @property
    def fixed(self) -> Mapping[str, Scalar]:
        """The values that every point has."""
        return MappingProxyType(self._structure.fixed)

    @property
    def constraints(self) -> tuple[str | Callable[[dict[str, Any]], object], ...]:
        """The constraints: expressions and functions. A function that JSON has lost is there by its name only."""
        return tuple(
            (c.function or c.name) if isinstance(c, FunctionConstraint) else c.text for c in self._structure.constraints
        )

    @property
    def conditional(self) -> frozenset[str]:
        """The parameters that are inactive at some points."""
        return frozenset(self._structure.conditions)

    # --- points ---

    def sample(self, rng: np.random.Generator) -> Params:
        """A random point that satisfies the constraints, uniform in the parameters' scales.

        Raises:
            InfeasibleSpace: none was found, in about two seconds at most.
        """
        if not self._structure.constraints:
            return self._assemble(rng.random(len(self.names)).tolist())
        from tunewright.space.sampling import sample

        return sample(self, rng)

    def sample_unit(self, rng: np.random.Generator) -> Array:
        """A random point that satisfies the constraints, in the unit cube (d,). Raises as `sample`."""
        return self.encode(self.sample(rng))

    def _assemble(self, units: list[float]) -> Params:
        """The params at coordinates in [0, 1], none of them NaN."""
        params = self._template.copy()
        for name, index, decode, condition in self._draw:
            if condition is None or condition(params):
                params[name] = decode(units[index])
            else:
                del params[name]
        return params

    def encode(self, params: Mapping[str, Any]) -> Array:
        """Valid params in the unit cube: (d,), NaN for parameters that they lack.

        Raises:
            InvalidInput: a value outside of its parameter.
        """
        codecs = self._codecs
        return np.array([codecs[name].encode(params[name]) if name in params else math.nan for name in self.names])

    def encode_many(self, params: Sequence[Mapping[str, Any]]) -> Array:
        """Several valid params in the unit cube: (n, d); equals `encode` up to rounding.

        Raises:
            InvalidInput: a choice that is none of its parameter's.
        """
        from tunewright.space.columns import encode_rows

        return encode_rows(self, params)

    def decode(self, point: NDArray[Any]) -> Params:
        """The params at a point (d,) of the unit cube, which is clipped to it; coordinates of inactive ones don't count.

        Raises:
            InvalidInput: the wrong shape, or NaN for an active parameter.
        """
        array = np.asarray(point, dtype=np.float64)
        if array.shape != (len(self.names),):
            raise InvalidInput("point", f"must have shape ({len(self.names)},)", array.shape)
        units = array.clip(0.0, 1.0).tolist()
        missing = [index for index, u in enumerate(units) if u != u]
        for index in missing:
            units[index] = 0.5
        params = self._assemble(units)
        for index in missing:
            if self.names[index] in params:
                raise InvalidInput(f"point[{index}]", f"must not be NaN: {self.names[index]} is active there", math.nan)
        return params

    def active(self, params: Mapping[str, Any]) -> frozenset[str]:
        """The varying parameters whose conditions hold; a condition on something inactive or missing doesn't."""
        present = {**params, **self._structure.fixed}
        active = set()
        for name in self._structure.order:
            condition = self._structure.conditions.get(name)
            if condition is None or (condition.names <= present.keys() and condition.holds(present)):
                active.add(name)
            else:
                present.pop(name, None)
        return frozenset(active)

    def validate(self, params: Mapping[str, Any], *, partial: bool = False) -> Params:
        """The params as they are stored: Python types, an int for a Float as float, fixed values added.

        Constraints are not looked at; see `feasible`.

        Args:
            params: name -> value.
            partial: whether active parameters may be missing. What depends on a missing one is then taken as active.

        Raises:
            InvalidInput: an unknown name, a value outside of its parameter, an inactive or a missing parameter, or another
                value than the fixed one.
        """
        if not isinstance(params, Mapping):
            raise InvalidInput("params", "must be a dict of names and values", params)
        for name in params:
            if name not in self._structure.entries:
                raise InvalidInput(repr(name), f"is no parameter of the space ({nearest(str(name), self._structure.entries)})")
        checked: Params = {}
        for name in self._structure.order:
            if name in params:
                checked[name] = _checked(self._structure.parameters[name], params[name], name)
        checked.update(self._check_fixed(params))
        self._check_activity(checked, partial)
        return {name: checked[name] for name in self._structure.entries if name in checked}

    def _check_fixed(self, params: Mapping[str, Any]) -> Mapping[str, Scalar]:
        for name, value in self._structure.fixed.items():
            if name in params and not same(canonical(params[name], name), value):
                raise InvalidInput(name, f"is fixed at {value!r}", params[name])
        return self._structure.fixed

    def _check_activity(self, params: Params, partial: bool) -> None:
        undecided: set[str] = set()
        for name in self._structure.order:
            condition = self._structure.conditions.get(name)
            if partial and condition and undecided & condition.names:
                undecided.add(name)
            elif condition and not (condition.names <= params.keys() and condition.holds(params)):
                if name in params:
                    raise InvalidInput(name, f"must be left out here: it is active only when {self._when(name)}", params[name])
            elif name not in params:
                if not partial:
                    raise InvalidInput(name, f"is missing: it must be a value of {self._structure.parameters[name]!r}")
                undecided.add(name)

    def _when(self, name: str) -> str:
        when = self._structure.parameters[name].when
        if isinstance(when, dict):
            return " and ".join(f"{parent} is {' or '.join(map(repr, values))}" for parent, values in when.items())
        return str(when)

    def feasible(self, params: Mapping[str, Any]) -> bool:
        """Whether params satisfy every constraint."""
        if not self._structure.constraints:
            return True
        present = {**params, **self._structure.fixed}
        return all(constraint.allows(present) for constraint in self._structure.constraints)

    def active_many(self, points: Array) -> NDArray[np.bool_]:
        """Which parameters are active at points (n, d) of the unit cube: a mask (n, d). Agrees with `decode` up to rounding."""
        from tunewright.space.columns import active_points

        return active_points(self, points)

    def feasible_many(self, points: Array) -> NDArray[np.bool_]:
        """Which points (n, d) of the unit cube satisfy the constraints: a mask (n,). Agrees with `feasible` up to rounding."""
        from tunewright.space.columns import feasible_points

        return feasible_points(self, points)

    def cells(self, name: str) -> tuple[Array, Array]:
        """How a parameter's values share its axis of the unit cube.

        Returns:
            The coordinates (k,) of its k values, ascending, and the edges (k - 1,) between their cells; both empty for a
            Float without step. Arrays: ask for `parameters[name].count` first where it may be large.
        """
        return self._codecs[name].cells()

    def default(self) -> Params | None:
        """The point of all defaults; None when an active parameter has none, or when constraints refuse it."""
        params = self._template.copy()
        for name, _, _, condition in self._draw:
            default = self._structure.parameters[name].default
            if condition is not None and not condition(params):
                del params[name]
            elif default is None:
                return None
            else:
                params[name] = default
        return params if self.feasible(params) else None

    def realize(self, params: Mapping[str, Any]) -> Params:
        """What training code gets: objects in place of their labels, fixed values added."""
        structure = self._structure
        real = {}
        for name in structure.entries:
            parameter = structure.parameters.get(name)
            if parameter is None:
                real[name] = structure.objects.get(name, structure.fixed[name])
            elif name in params:
                labelled = isinstance(parameter, Categorical) and parameter.objects is not None
                real[name] = parameter.objects[params[name]] if labelled else params[name]  # type: ignore[attr-defined]
        return real

    def key(self, params: Mapping[str, Any]) -> Key:
        """A hashable that two valid params share exactly when they are the same point; 1, True, 1.0 and "1" differ."""
        return tuple([(type(params[name]).__name__, params[name]) if name in params else None for name in self.names])

    # --- the space as a whole ---

    def size(self) -> int | float:
        """The number of distinct points; math.inf when a Float without step can be active.

        Constraints are counted in when there are few enough points to try them all (100,000), else it is the number
        without them.
        """
        from tunewright.space.enumeration import size

        return size(self)

    def grid(self, bins: int = 10) -> Iterator[Params]:
        """Walks over all points in order, the last parameter fastest; only those that satisfy the constraints.

        A parameter comes after those that its condition names.

        Args:
            bins: how many values a Float without step is given, evenly on its scale, with both bounds (the middle for 1).

        Raises:
            InvalidInput: bins < 1.
        """
        from tunewright.space.enumeration import grid

        return grid(self, bins)

    def grid_size(self, bins: int = 10) -> int:
        """The number of points of `grid(bins)`; exact up to 100,000, beyond that it leaves constraints out."""
        from tunewright.space.enumeration import grid_size

        return grid_size(self, bins)

    def with_fixed(self, fixed: Mapping[str, Any]) -> SearchSpace:
        """The same with more values fixed: they leave the varying parameters, and conditions on them are resolved.

        A fixed value is given to every trial, also where the parameter would have been inactive.
        """
        return _make(*self._parts(), fixed)

    def to_json(self) -> dict[str, Any]:
        """The space as JSON data, by `json_schema()`. Objects keep their labels, functions only their names."""
        from tunewright.space.json_format import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchSpace:
        """The space that `to_json` wrote. Labels stand for their objects; a constraint that was a function must be given anew.

        Raises:
            InvalidSpace: the data is no space.
        """
        from tunewright.space.json_format import from_json

        return from_json(data)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON Schema (2020-12) of `to_json`."""
        from tunewright.space.json_format import json_schema

        return json_schema()

    def differences(self, other: SearchSpace) -> list[str]:
        """What differs in `other`, one line each; empty when they are equal."""
        from tunewright.space.differences import differences

        return differences(self, other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchSpace):
            return NotImplemented
        return self is other or not self.differences(other)

    def __hash__(self) -> int:
        return hash(tuple(self._structure.parameters.items()))

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._structure.parameters

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (*self._parts(), {})

    def _parts(self) -> tuple[dict[str, Any], list[ConstraintLike], dict[str, Any]]:
        structure = self._structure
        kept: list[ConstraintLike] = [c if isinstance(c, FunctionConstraint) else c.text for c in structure.constraints]
        return dict(structure.entries), kept, structure.objects

    def __copy__(self) -> SearchSpace:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SearchSpace:
        return self

    def __repr__(self) -> str:
        lines = [f"    {name!r}: {value!r}," for name, value in self._structure.entries.items()]
        if self._structure.constraints:
            lines.append(f"}}, constraints=[{', '.join(c.describe() for c in self._structure.constraints)}])")
        else:
            lines.append("})")
        return "\n".join(["SearchSpace({", *lines])


def _make(
    entries: dict[str, Any], constraints: list[ConstraintLike], objects: dict[str, Any], fixed: Mapping[str, Any]
) -> SearchSpace:
    space = SearchSpace.__new__(SearchSpace)
    space._install(Structure(entries, constraints, fixed, objects))
    return space


def _guarded(structure: Structure, name: str) -> Callable[[Params], bool] | None:
    """The condition of a parameter as a function of params in which inactive parameters are missing."""
    condition = structure.conditions.get(name)
    if condition is None:
        return None
    holds = condition.holds
    may_miss = tuple(sorted(condition.names & structure.conditions.keys()))
    if not may_miss:
        return holds
    return lambda params: all(parent in params for parent in may_miss) and holds(params)


def _checked(parameter: Parameter, value: object, name: str) -> Any:
    try:
        return parameter.check(value, name)
    except InvalidSpace as error:
        raise InvalidInput(name, error.rule, value) from None
