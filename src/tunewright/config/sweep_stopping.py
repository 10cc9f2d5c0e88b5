"""The `early_terminate` of a W&B sweep file, as a stopper."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tunewright.config.document import Problem
from tunewright.config.fields import is_number
from tunewright.errors import nearest
from tunewright.interfaces import Problem as Search
from tunewright.stoppers.brackets import BracketStopper

_KNOWN = ("type", "min_iter", "max_iter", "s", "eta", "strict")


@dataclass(frozen=True, slots=True)
class Hyperband:
    """W&B's rule for ending runs early: makes a BracketStopper for a job. See there."""

    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3.0
    strict: bool = False

    def __call__(self, problem: Search) -> BracketStopper:
        return BracketStopper(problem, **asdict(self))


def read_stopping(given: Any, found: list[Problem]) -> Hyperband | None:
    """The stopper that is asked for. What is wrong is added to `found`; then this is None."""
    before = len(found)
    if not isinstance(given, dict):
        found.append(Problem(("early_terminate",), "must be a mapping with type: hyperband", (given,)))
        return None
    for key in given:
        if key not in _KNOWN:
            found.append(Problem(("early_terminate", str(key)), f"is no key that is known here ({nearest(str(key), _KNOWN)})"))
    if given.get("type") != "hyperband":
        found.append(Problem(("early_terminate", "type"), "must be hyperband", (given.get("type"),)))
    for key, least in (("min_iter", 1), ("max_iter", 1), ("s", 1)):
        value = given.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            found.append(Problem(("early_terminate", key), f"must be a whole number of at least {least}", (value,)))
    eta, strict = given.get("eta", 3), given.get("strict", False)
    if not is_number(eta) or eta <= 1:
        found.append(Problem(("early_terminate", "eta"), "must be a number above 1", (eta,)))
    if not isinstance(strict, bool):
        found.append(Problem(("early_terminate", "strict"), "must be true or false", (strict,)))
    first, last, s = given.get("min_iter"), given.get("max_iter"), given.get("s")
    if first is None and (last is None or s is None):
        found.append(Problem(("early_terminate",), "must have min_iter, or max_iter and s"))
    if len(found) > before:
        return None
    if first is None and int(last / eta) < 1:
        found.append(Problem(("early_terminate", "max_iter"), f"must be at least eta ({eta})", (last,)))
        return None
    return Hyperband(first, last, s, float(eta), strict)
