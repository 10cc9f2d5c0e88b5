"""Names of jobs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.lifecycle.naming import check_name, free_name


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "7", "x" * 128])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "_x", "a b", "a/b", "../a", "a\n", "ä", "x" * 129, None, 3])
def test_bad_names(name: object) -> None:
    with pytest.raises(InvalidInput, match=r"^name must be 1 to 128 letters, digits, dots, dashes and underscores"):
        check_name(name)


@given(st.text(max_size=300))
def test_any_function_gives_a_good_name(function: str) -> None:
    assert check_name(free_name(function, set()))


def test_the_first_free_number_is_taken() -> None:
    first = free_name("train", set())
    assert re.fullmatch(r"train-20\d{6}-1", first)
    second = free_name("train", {first})
    assert second == first[:-1] + "2"
    assert free_name("train", {first, second})[-2:] == "-3"
    assert free_name("train", {second}) == first
    assert free_name("<lambda>", set()).startswith("lambda-20")
    assert free_name("日本", set()).startswith("job-20")
