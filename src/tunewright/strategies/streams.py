"""Random generators of consecutive trials, made in blocks: `default_rng([seed, number])` costs more than a trial may.

What makes it slow is `SeedSequence`, which hashes a seed of a few words in a few dozen small arrays. Here it hashes the
seeds of many trials at once, word for word as NumPy does (O'Neill, "PCG: A Family of Simple Fast Space-Efficient
Statistically Good Algorithms for Random Number Generation", 2014, and her seed_seq_fe; NumPy promises not to change it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, default_rng
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

BLOCK = 128
_POOL = 4  # words of a SeedSequence's pool
_WORD = 1 << 32
Words = NDArray[np.uint32]


class Streams:
    """The generators `default_rng([seed, number])` for any number.

    Args:
        seed: at least 0.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._first = -1
        self._states: NDArray[np.uint64] = np.empty((0, 4), np.uint64)

    def generator(self, number: int) -> Generator:
        """Equal to `default_rng([seed, number])`, and new at each call."""
        if self._seed >= _WORD or number >= _WORD - BLOCK:
            return default_rng([self._seed, number])
        place = number - self._first
        if self._first < 0 or not 0 <= place < BLOCK:
            self._first, place = number, 0
            self._states = _states(self._seed, np.arange(number, number + BLOCK, dtype=np.uint32))
        return Generator(PCG64(_Ready(self._states[place])))  # type: ignore[arg-type]  # any ISeedSequence will do


class _Ready(ISeedSequence):
    """A seed sequence that was hashed before: the four words that PCG64 asks for."""

    __slots__ = ("_state",)

    def __init__(self, state: NDArray[np.uint64]) -> None:
        self._state = state

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[np.uint64]:
        return self._state


class _Hash:
    """One step after another of the hash, on arrays of words; its constant changes with each step."""

    def __init__(self, start: int, factor: int) -> None:
        self._constant, self._factor = start, factor

    def __call__(self, words: Words) -> Words:
        words = words ^ np.uint32(self._constant)
        self._constant = self._constant * self._factor % _WORD
        words *= np.uint32(self._constant)
        words ^= words >> np.uint32(16)
        return words


def _mix(one: Words, other: Words) -> Words:
    mixed = np.uint32(0xCA01F9DD) * one - np.uint32(0x4973F715) * other
    mixed ^= mixed >> np.uint32(16)
    return mixed


def _states(seed: int, numbers: Words) -> NDArray[np.uint64]:
    """(n, 4): `SeedSequence([seed, number]).generate_state(4, uint64)` of each number."""
    nothing = np.zeros_like(numbers)
    entropy = [np.full_like(numbers, seed), numbers, nothing, nothing]
    hashed = _Hash(0x43B0D7E5, 0x931E8875)
    pool = [hashed(words) for words in entropy]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = _mix(pool[target], hashed(pool[source]))
    hashed = _Hash(0x8B51F9DD, 0x58F38DED)
    words = [hashed(pool[index % _POOL]).astype(np.uint64) for index in range(8)]
    return np.stack([words[2 * i] | words[2 * i + 1] << np.uint64(32) for i in range(4)], axis=1)
