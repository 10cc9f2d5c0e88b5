"""What pydantic found wrong, in our words and with the place of each."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tunewright.config.document import Keys, Problem
from tunewright.config.fields import RULE, UNKNOWN
from tunewright.errors import nearest

_RULES = {
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys and values",
    "model_type": "must be a mapping of keys and values",
    "none_required": "must be null",
}


def problems_of(error: ValidationError, data: Any) -> list[Problem]:
    """One problem per broken rule; none twice."""
    found: dict[tuple[Keys, str], Problem] = {}
    for details in error.errors(include_url=False):
        problem = _problem(details, data)
        found.setdefault((problem.keys, problem.rule), problem)
    # Of the branches of a union, those that went further into the value tell more.
    return [
        one
        for one in found.values()
        if not any(other.keys[: len(one.keys)] == one.keys and len(other.keys) > len(one.keys) for other in found.values())
    ]


def _problem(details: ErrorDetails, data: Any) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    keys = _in_data(details["loc"], data)
    if kind == "missing":
        return Problem((*keys, details["loc"][-1]), "is missing")
    if kind == UNKNOWN:
        return Problem(keys, f"is no key that is known here ({context['hint']})")
    if kind == RULE:
        rule = context.get("rule") or details["msg"]
        return Problem(keys, rule, () if isinstance(details["input"], dict | list) else (details["input"],))
    if kind == "literal_error":
        expected = context["expected"]
        names = [name.strip(" '") for name in expected.replace(" or ", ",").split(",")]
        value = details["input"]
        hint = f" ({nearest(value, names)})" if isinstance(value, str) and len(names) > 2 else ""
        return Problem(keys, f"must be {expected}{hint}", (value,))
    return Problem(keys, _RULES.get(kind) or details["msg"].replace("Input should be", "must be", 1), (details["input"],))


def _in_data(location: tuple[int | str, ...], data: Any) -> Keys:
    """The keys of a location that are the file's: pydantic puts the branches of unions between them."""
    keys: list[int | str] = []
    for part in location:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part in known:
            keys.append(part)
            data = data[part]
    return tuple(keys)
