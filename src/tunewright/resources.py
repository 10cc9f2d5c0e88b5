"""What one trial may use: cores, GPUs, memory and time; and how people spell durations and sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tunewright.errors import InvalidInput

# Sizes as the SI and the IEC spell them: GB is 1000**3 bytes, GiB is 1024**3.
_SIZES = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgtp", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("i", 1024), ("ib", 1024))
}
_TIMES = {
    name: factor
    for factor, names in (
        (0.001, "ms"),
        (1.0, "s sec secs second seconds"),
        (60.0, "m min mins minute minutes"),
        (3600.0, "h hour hours"),
        (86400.0, "d day days"),
        (604800.0, "w week weeks"),
    )
    for name in names.split()
}


@dataclass(frozen=True, slots=True)
class Resources:
    """What one trial gets, and what it must not exceed.

    Args:
        cpus: cores that a trial has for itself.
        gpus: GPUs of a trial; may be a share of one, such as 0.5.
        memory: the most memory that a trial's processes may hold together, as bytes or as text (`"2GB"`, `"512 MiB"`);
            kept as bytes. None: no limit.
        time: the longest that one execution of a trial may run, as seconds, text (`"30m"`, `"1h30m"`) or a timedelta; kept
            as seconds. None: no limit.

    Raises:
        InvalidInput: a value breaks its rule.
    """

    cpus: int = 1
    gpus: float = 0
    memory: int | None = None
    time: float | None = None

    def __init__(
        self,
        cpus: int = 1,
        gpus: float = 0,
        memory: int | str | None = None,
        time: float | str | timedelta | None = None,
    ) -> None:
        if isinstance(cpus, bool) or not isinstance(cpus, int) or cpus < 1:
            raise InvalidInput("resources.cpus", "must be an integer of at least 1", cpus)
        if isinstance(gpus, bool) or not isinstance(gpus, (int, float)) or not math.isfinite(gpus) or gpus < 0:
            raise InvalidInput("resources.gpus", "must be a number of at least 0", gpus)
        if gpus > 1 and gpus != int(gpus):
            raise InvalidInput("resources.gpus", "must be a whole number above 1", gpus)
        object.__setattr__(self, "cpus", cpus)
        object.__setattr__(self, "gpus", gpus)
        object.__setattr__(self, "memory", None if memory is None else size_in_bytes("resources.memory", memory))
        object.__setattr__(self, "time", None if time is None else seconds("resources.time", time))

    def to_json(self) -> dict[str, Any]:
        """As keyword arguments that make it again."""
        return {"cpus": self.cpus, "gpus": self.gpus, "memory": self.memory, "time": self.time}


def seconds(field: str, value: float | str | timedelta) -> float:
    """A duration in seconds, from seconds, a timedelta, or text such as `"2h"`, `"1h30m"`, `"90 s"` or `"1.5 days"`.

    Args:
        field: what is read, as the caller spelled it; for the error.

    Raises:
        InvalidInput: the value is no duration, or not above 0.
    """
    rule = "must be a duration above 0: seconds, a timedelta, or text such as '30m', '2h' or '1h30m'"
    if isinstance(value, timedelta):
        total: float | None = value.total_seconds()
    elif isinstance(value, str):
        total = _sum_of_parts(value.strip().lower())
    else:
        total = _number(value)
    if total is None or not math.isfinite(total) or total <= 0:
        raise InvalidInput(field, rule, value)
    return total


def size_in_bytes(field: str, value: int | str) -> int:
    """A size in bytes, from bytes or text such as `"2GB"` (1000**3), `"512 MiB"` (1024**2) or `"1.5g"`.

    Args:
        field: what is read, as the caller spelled it; for the error.

    Raises:
        InvalidInput: the value is no size, or below one byte.
    """
    rule = "must be a size of at least one byte: bytes, or text such as '2GB' or '512MiB'"
    size: float | None = None
    if isinstance(value, str):
        number, unit = _split(value.strip().lower())
        if number is not None and unit in _SIZES:
            size = number * _SIZES[unit]
    else:
        size = _number(value)
    if size is None or not math.isfinite(size) or size < 1:
        raise InvalidInput(field, rule, value)
    return int(size)


def duration_text(duration: float) -> str:
    """A duration in seconds as people read it: `"45 s"`, `"30 min"`, `"1.5 h"`."""
    if duration < 120:
        return f"{duration:.3g} s"
    return f"{duration / 60:.3g} min" if duration < 7200 else f"{duration / 3600:.3g} h"


def size_text(size: float) -> str:
    """A size in bytes as people read it: `"512 MB"`, `"2 GB"`."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _split(text: str) -> tuple[float | None, str]:
    """The number that a text starts with, and the rest: (None, text) when it starts with none."""
    end = 0
    while end < len(text) and (text[end].isdecimal() or text[end] == "."):
        end += 1
    try:
        return float(text[:end]), text[end:].strip()
    except ValueError:
        return None, text


def _sum_of_parts(text: str) -> float | None:
    total, rest = 0.0, text
    if not rest:
        return None
    while rest:
        number, rest = _split(rest)
        length = 0
        while length < len(rest) and rest[length].isalpha():
            length += 1
        unit, rest = rest[:length], rest[length:].strip()
        if number is None or (unit not in _TIMES and (unit or rest or total)):
            return None
        total += number * _TIMES.get(unit, 1.0)
    return total
