"""How numbers, durations and configurations are written for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from tunewright.records import Scalar

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400


def format_number(value: float) -> str:
    """A measured number in five significant digits: `0.98221`, `1.5e-07`, `nan`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return f"{value:.5g}" if math.isfinite(value) else str(value)


def format_value(value: Scalar) -> str:
    """A parameter's value: text as JSON when it could be taken for something else, floats in five significant digits."""
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, str):
        return (
            value if value.isidentifier() and value not in ("true", "false", "null") else json.dumps(value, ensure_ascii=False)
        )
    return json.dumps(value)


def format_params(params: Mapping[str, Scalar]) -> str:
    """A configuration on one line: `depth=4 optimizer=adam learning_rate=0.0031`."""
    return " ".join(f"{name}={format_value(value)}" for name, value in params.items())


def format_duration(seconds: float) -> str:
    """A length of time in its two largest units: `0.4 s`, `41 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    for unit, name, smaller, smaller_name in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", SECOND, "s")):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)


def format_location(location: str) -> str:
    """A store's place for people: a path within the current folder is written relative to it."""
    path = Path(location)
    if "://" in location or not path.is_absolute():
        return location
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return location


def align(rows: Iterable[tuple[str, str]], indent: str = "    ") -> list[str]:
    """Names and values in two columns."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{indent}{name:<{width}}  {value}" for name, value in pairs]


def counted(number: int, what: str) -> str:
    """`1 trial`, `30 trials`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
