"""The search space as JSON data, and back. `schema.json` is the published schema of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidSpace
from tunewright.space.categorical import Categorical
from tunewright.space.constraints import Constraint, FunctionConstraint
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter, about

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace
    from tunewright.space.structure import ConstraintLike

VERSION = 1
_KINDS: dict[str, tuple[type[Parameter], tuple[str, ...]]] = {
    "float": (Float, ("low", "high")),
    "int": (Int, ("low", "high")),
    "categorical": (Categorical, ("choices",)),
}
_OPTIONS = {
    "float": ("step", "scale", "default", "when"),
    "int": ("step", "scale", "default", "when"),
    "categorical": ("ordered", "default", "when"),
}


def to_json(space: SearchSpace) -> dict[str, Any]:
    """The space as data of `json_schema()`, its parameters and fixed values in declared order."""
    structure = space._structure
    return {
        "version": VERSION,
        "parameters": [_entry(name, value) for name, value in structure.entries.items()],
        "constraints": [_constraint(constraint) for constraint in structure.constraints],
    }


def _entry(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Parameter):
        return {"name": name, "type": "fixed", "value": value}
    required = _KINDS[value.kind][1]
    entry: dict[str, Any] = {"name": name, "type": value.kind}
    for key in required:
        entry[key] = list(value.choices) if key == "choices" else getattr(value, key)  # type: ignore[attr-defined]
    entry.update({key: getattr(value, key) for key in _OPTIONS[value.kind] if getattr(value, key) is not None})
    return entry


def _constraint(constraint: Constraint) -> dict[str, Any]:
    if isinstance(constraint, FunctionConstraint):
        return {"function": constraint.name, "restorable": False}
    return {"expression": constraint.text}


def from_json(data: Mapping[str, Any]) -> SearchSpace:
    """The space of such data.

    Raises:
        InvalidSpace: the data breaks the schema, or a rule of spaces.
    """
    from tunewright.space.search_space import SearchSpace

    _require(isinstance(data, Mapping), "space", "must be a JSON object", data)
    version = data.get("version")
    _require(version == VERSION, "version", f"must be {VERSION}: this is another version's space", version)
    _only(data, "space", ("version", "parameters", "constraints"))
    entries = data.get("parameters")
    _require(isinstance(entries, list), "parameters", "must be a list", entries)
    constraints = data.get("constraints", [])
    _require(isinstance(constraints, list), "constraints", "must be a list", constraints)
    parameters: dict[str, Any] = {}
    for index, entry in enumerate(data["parameters"]):
        name, value = _read_entry(f"parameters[{index}]", entry)
        _require(name not in parameters, f"parameters[{index}].name", "must not be there twice", name)
        parameters[name] = value
    read = [_read_constraint(f"constraints[{index}]", given) for index, given in enumerate(constraints)]
    return SearchSpace(parameters, constraints=read)


def _require(holds: bool, field: str, rule: str, value: object) -> None:
    if not holds:
        raise InvalidSpace(field, rule, value)


def _only(data: Mapping[str, Any], field: str, known: tuple[str, ...]) -> None:
    unknown = [key for key in data if key not in known]
    _require(not unknown, field, f"must have no keys but {', '.join(known)}", unknown)


def _read_entry(field: str, entry: Any) -> tuple[str, Any]:
    _require(isinstance(entry, Mapping) and isinstance(entry.get("name"), str), field, "must be an object with a name", entry)
    name, kind = entry["name"], entry.get("type")
    if kind == "fixed":
        _only(entry, field, ("name", "type", "value"))
        _require("value" in entry, f"{field}.value", "is missing", entry)
        value = entry["value"]
        _require(not isinstance(value, list | Mapping), f"{field}.value", "must be a scalar", value)
        return name, value
    _require(isinstance(kind, str) and kind in _KINDS, f"{field}.type", f"must be one of {', '.join([*_KINDS, 'fixed'])}", kind)
    made, required = _KINDS[kind]
    _only(entry, field, ("name", "type", *required, *_OPTIONS[kind]))
    for key in required:
        _require(key in entry, f"{field}.{key}", "is missing", entry)
    if kind == "categorical":
        _require(isinstance(entry["choices"], list), f"{field}.choices", "must be a list", entry["choices"])
    options = {key: entry[key] for key in _OPTIONS[kind] if key in entry}
    try:
        return name, made(*(entry[key] for key in required), **options)
    except InvalidSpace as error:
        raise about(name, error) from None


def _read_constraint(field: str, data: Any) -> ConstraintLike:
    _require(isinstance(data, Mapping), field, "must be an object", data)
    if "function" in data:
        _only(data, field, ("function", "restorable"))
        _require(isinstance(data["function"], str), f"{field}.function", "must be a name", data["function"])
        return FunctionConstraint(field, data["function"], None, frozenset())
    _only(data, field, ("expression",))
    text = data.get("expression")
    _require(isinstance(text, str), f"{field}.expression", "must be a string", text)
    return str(text)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `to_json`."""
    text = (files("tunewright.space") / "schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
