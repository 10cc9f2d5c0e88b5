"""Generators made in blocks are the ones that NumPy makes one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from tunewright.strategies.streams import BLOCK, Streams

WORD = 2**32


@given(
    st.integers(0, 2**40) | st.sampled_from([0, 1, WORD - 1, WORD]),
    st.lists(st.integers(0, 3 * BLOCK) | st.sampled_from([WORD - BLOCK - 1, WORD - 1, WORD, 2**40]), min_size=1, max_size=20),
)
def test_any_number_in_any_order_gives_numpys_generator(seed: int, numbers: list[int]) -> None:
    streams = Streams(seed)
    for number in numbers:
        made, known = streams.generator(number), default_rng([seed, number])
        assert made.bit_generator.state == known.bit_generator.state
        assert made.random(3).tolist() == known.random(3).tolist()
        assert made.integers(10**9) == known.integers(10**9)


@pytest.mark.parametrize("first", [0, 5, BLOCK - 1])
def test_across_the_ends_of_blocks(first: int) -> None:
    streams = Streams(7)
    for number in range(first, first + 3 * BLOCK):
        assert streams.generator(number).bit_generator.state == default_rng([7, number]).bit_generator.state


def test_each_call_gives_a_generator_of_its_own() -> None:
    streams = Streams(3)
    one, other = streams.generator(4), streams.generator(4)
    assert one.random() == other.random()
    one.random()
    assert one.bit_generator.state != other.bit_generator.state
