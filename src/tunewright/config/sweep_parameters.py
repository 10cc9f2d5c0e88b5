"""The distributions of a W&B sweep file, as parameters.

A distribution that has bounds becomes a Float or Int of the same values on the same scale. Those without bounds (normal ...)
have no counterpart here and are refused. Source: W&B's page "Sweep configuration options".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tunewright.config.document import Keys, Problem
from tunewright.config.fields import is_number, is_scalar
from tunewright.errors import InvalidSpace, nearest
from tunewright.space import Categorical, Float, Int

Parameter = Float | Int | Categorical
_NO_BOUNDS = ("normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta")
_BOUNDS = ("min", "max")
# The keys of each distribution besides `distribution`; q may be left out.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "int_uniform": _BOUNDS,
    "uniform": _BOUNDS,
    "q_uniform": (*_BOUNDS, "q"),
    "log_uniform": _BOUNDS,
    "log_uniform_values": _BOUNDS,
    "q_log_uniform": (*_BOUNDS, "q"),
    "q_log_uniform_values": (*_BOUNDS, "q"),
    "inv_log_uniform": _BOUNDS,
    "inv_log_uniform_values": _BOUNDS,
}


class _Range(NamedTuple):
    """Bounds as values, and the scale between them."""

    low: float
    high: float
    scale: str


def _exponent(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


# From min and max to the bounds that values have: log_uniform's are exponents of e, the inverse one's of 1/e.
_RANGES: Mapping[str, Callable[[float, float], _Range]] = {
    "uniform": lambda low, high: _Range(low, high, "linear"),
    "q_uniform": lambda low, high: _Range(low, high, "linear"),
    "log_uniform": lambda low, high: _Range(_exponent(low), _exponent(high), "log"),
    "q_log_uniform": lambda low, high: _Range(_exponent(low), _exponent(high), "log"),
    "log_uniform_values": lambda low, high: _Range(low, high, "log"),
    "q_log_uniform_values": lambda low, high: _Range(low, high, "log"),
    "inv_log_uniform": lambda low, high: _Range(_exponent(-high), _exponent(-low), "log"),
    "inv_log_uniform_values": lambda low, high: _Range(low, high, "log"),
}


def read_parameter(keys: Keys, given: Any, found: list[Problem], *, as_text: bool) -> Parameter | Any:
    """A parameter, or the fixed value that a constant is. What is wrong is added to `found`; then this is None.

    Args:
        keys: where it stands.
        as_text: a value that is a list or a mapping may become its text, as it stands on a command line.
    """
    if not isinstance(given, dict) or not given:
        found.append(Problem(keys, "must be a mapping with value, values, or min and max", (given,)))
        return None
    distribution = _distribution(keys, given, found)
    if distribution is None or not _has_its_keys(keys, given, distribution, found):
        return None
    if distribution in ("constant", "categorical"):
        return _choices(keys, given, distribution, found, as_text=as_text)
    try:
        return _numeric(given, distribution)
    except InvalidSpace as error:
        found.append(Problem((*keys, _key_of(error.field)), error.rule, (error.value,)))
        return None


def _distribution(keys: Keys, given: Mapping[str, Any], found: list[Problem]) -> str | None:
    """The distribution that is named, or that the keys tell."""
    if "parameters" in given:
        rule = "can't be nested: give each parameter a name of its own, such as optimizer.lr"
        found.append(Problem((*keys, "parameters"), rule))
        return None
    named = given.get("distribution")
    if named is not None:
        if named in _KEYS:
            return str(named)
        if named in _NO_BOUNDS:
            rule = "must have bounds; use uniform, log_uniform_values or their q_ forms with min and max"
        elif named == "categorical_w_probabilities":
            rule = "must be categorical: values have no probabilities of their own here"
        else:
            rule = f"must be a distribution of W&B's ({nearest(str(named), _KEYS)})"
        found.append(Problem((*keys, "distribution"), rule, (named,)))
        return None
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical"
    whole = all(isinstance(given.get(name), int) for name in _BOUNDS)
    return "int_uniform" if whole else "uniform"


def _has_its_keys(keys: Keys, given: Mapping[str, Any], distribution: str, found: list[Problem]) -> bool:
    before, known = len(found), _KEYS[distribution]
    for key in given:
        if key == "probabilities":
            found.append(Problem((*keys, key), "must be left out: values have no probabilities of their own here"))
        elif key not in known and key != "distribution":
            rule = f"is no key of the distribution {distribution} ({nearest(str(key), known)})"
            found.append(Problem((*keys, str(key)), rule))
    for key in known:
        if key not in given and key != "q":
            found.append(Problem((*keys, key), f"is missing: the distribution {distribution} needs it"))
    if distribution not in ("constant", "categorical"):
        for key in known:
            whole = distribution == "int_uniform"
            if key in given and (not is_number(given[key]) or (whole and not isinstance(given[key], int))):
                found.append(Problem((*keys, key), f"must be a {'whole ' if whole else ''}number", (given[key],)))
    return len(found) == before


def _choices(
    keys: Keys, given: Mapping[str, Any], distribution: str, found: list[Problem], *, as_text: bool
) -> Categorical | Any:
    key = _KEYS[distribution][0]
    values = [given["value"]] if distribution == "constant" else given["values"]
    if not isinstance(values, list) or not values:
        found.append(Problem((*keys, key), "must be a list of at least one value", (values,)))
        return None
    for index, value in enumerate(values):
        if not is_scalar(value) and not as_text:
            place: Keys = (*keys, key) if distribution == "constant" else (*keys, key, index)
            found.append(Problem(place, "must be a text, a number, true, false or null with this command", (value,)))
            return None
    plain = [value if is_scalar(value) else str(value) for value in values]
    if len(plain) == 1:
        return plain[0]
    numbers = all(map(is_number, plain))
    try:
        return Categorical(sorted(plain) if numbers else plain, ordered=numbers)
    except InvalidSpace as error:
        found.append(Problem((*keys, key), error.rule, (error.value,)))
        return None


def _numeric(given: Mapping[str, Any], distribution: str) -> Parameter | float:
    low, high = given["min"], given["max"]
    if distribution == "int_uniform":
        return low if low == high else Int(low, high, scale="linear")
    if low > high:
        raise InvalidSpace("max", f"must be at least min ({low!r})", high)
    bounds = _RANGES[distribution](low, high)
    if not (math.isfinite(bounds.high) and (bounds.scale == "linear" or bounds.low > 0)):
        kind = "exponents of e within a float's range" if distribution.endswith("log_uniform") else "above 0 and finite"
        raise InvalidSpace("min" if bounds.low <= 0 else "max", f"must be {kind}", low if bounds.low <= 0 else high)
    if not distribution.startswith("q_"):
        return bounds.low if bounds.low == bounds.high else Float(bounds.low, bounds.high, scale=bounds.scale)
    return _quantized(bounds, given.get("q", 1.0))


def _quantized(bounds: _Range, q: float) -> Parameter | float:
    """The multiples of q that the numbers between the bounds are rounded to."""
    if q <= 0:
        raise InvalidSpace("q", "must be above 0", q)
    first, last = round(bounds.low / q), round(bounds.high / q)
    if bounds.scale == "log" and first <= 0:
        raise InvalidSpace(
            "min", f"must be rounded to a multiple of q ({q!r}) above 0, which a logarithmic scale needs", bounds.low
        )
    if first == last:
        return first * q
    if isinstance(q, int):
        return Int(first * q, last * q, step=q, scale=bounds.scale)
    return Float(first * q, last * q, step=q, scale=bounds.scale)


def _key_of(field: str) -> str:
    name = field.rpartition(".")[2]
    return {"low": "min", "high": "max", "step": "q"}.get(name, name)
