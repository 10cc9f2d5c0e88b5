from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from tunewright.errors import InvalidInput
from tunewright.resources import Resources, duration_text, seconds, size_in_bytes, size_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (90, 90.0),
        (0.5, 0.5),
        (timedelta(minutes=2), 120.0),
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5 h", 5400.0),
        ("1h30m", 5400.0),
        ("1h 30 min 5s", 5405.0),
        ("2 Days", 172800.0),
        ("250ms", 0.25),
    ],
)
def test_durations(value: Any, expected: float) -> None:
    assert seconds("time", value) == pytest.approx(expected)


@pytest.mark.parametrize(
    "value", [0, -1, True, None, "", "h", "1x", "1h30", "30 1h", "1.2.3s", "-5m", "inf", math.inf, math.nan, timedelta(0), [1]]
)
def test_what_is_no_duration_is_refused_with_field_rule_and_value(value: Any) -> None:
    with pytest.raises(InvalidInput, match="max_time must be a duration above 0") as caught:
        seconds("max_time", value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1024, 1024), ("2GB", 2_000_000_000), ("2 GiB", 2 << 30), ("512mib", 512 << 20), ("1.5g", 1_500_000_000), ("100", 100)],
)
def test_sizes(value: Any, expected: int) -> None:
    assert size_in_bytes("memory", value) == expected


@pytest.mark.parametrize("value", [0, -1, True, None, "", "GB", "2 XB", "-2GB", math.nan, "0.1"])
def test_what_is_no_size_is_refused_with_field_rule_and_value(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"resources\.memory must be a size of at least one byte") as caught:
        size_in_bytes("resources.memory", value)
    assert repr(value) in str(caught.value)


def test_resources_keep_numbers_and_make_themselves_again() -> None:
    resources = Resources(cpus=2, gpus=0.5, memory="2GB", time="30m")
    assert (resources.memory, resources.time) == (2_000_000_000, 1800.0)
    assert Resources(**resources.to_json()) == resources
    assert Resources().to_json() == {"cpus": 1, "gpus": 0, "memory": None, "time": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpus", 0),
        ("cpus", 1.5),
        ("cpus", True),
        ("gpus", -1),
        ("gpus", 1.5),
        ("gpus", math.nan),
        ("memory", "much"),
        ("time", 0),
    ],
)
def test_bad_resources_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"resources\.{field} must be"):
        Resources(**{field: value})


def test_texts_for_people() -> None:
    assert [duration_text(value) for value in (0.5, 90, 1800, 9000)] == ["0.5 s", "90 s", "30 min", "2.5 h"]
    assert [size_text(value) for value in (12, 250e6, 2e9, 3e15)] == ["12 bytes", "250 MB", "2 GB", "3e+03 TB"]
