from __future__ import annotations

from pathlib import Path

import pytest

from tunewright.progress.formatting import (
    align,
    counted,
    format_duration,
    format_location,
    format_number,
    format_params,
    format_value,
)
from tunewright.records import Scalar


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.982214, "0.98221"), (1.5e-7, "1.5e-07"), (float("nan"), "nan"), (float("-inf"), "-inf"), (12, "12"), (1e22, "1e+22")],
)
def test_numbers_have_five_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "adam"),
        ("", '""'),
        ("1", '"1"'),
        ("true", '"true"'),
        ("two words", '"two words"'),
        (True, "true"),
        (None, "null"),
        (4, "4"),
        (0.1, "0.1"),
    ],
)
def test_values_keep_their_types_apart(value: Scalar, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (41.3, "41 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7499, "2 h 4 min"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_lines_and_counts() -> None:
    assert format_params({"depth": 4, "optimizer": "adam", "rate": 0.0031}) == "depth=4 optimizer=adam rate=0.0031"
    assert align([("a", "1"), ("long", "2")], indent="") == ["a     1", "long  2"]
    assert align([]) == []
    assert (counted(1, "trial"), counted(0, "trial")) == ("1 trial", "0 trials")


def test_a_place_within_the_current_folder_is_written_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert format_location(str(tmp_path / ".tunewright" / "store.db")) == ".tunewright/store.db"
    assert format_location(str(tmp_path.parent / "store.db")) == str(tmp_path.parent / "store.db")
    assert format_location("postgresql://user@host/database") == "postgresql://user@host/database"
