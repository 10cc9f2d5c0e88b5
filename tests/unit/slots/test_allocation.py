from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.slots.allocation import capacity, choose_cores, choose_gpus, exceeds, free_shares, set_aside


@pytest.mark.parametrize(
    ("need", "count", "trials"),
    [(1, 4, 4), (2, 5, 2), (3, 2, 0), (0.5, 2, 4), (0.3, 1, 3), (1 / 3, 2, 6), (0.1, 1, 10), (0.6, 3, 3), (0.5, 0, 0)],
)
def test_how_many_trials_gpus_hold(need: float, count: int, trials: int) -> None:
    assert capacity(need, count) == trials


def test_whole_gpus_are_taken_in_their_order() -> None:
    assert choose_gpus(1, {"a": 0.5, "b": 1.0, "c": 1.0}) == {"b": 1.0}
    assert choose_gpus(2, {"a": 0.5, "b": 1.0, "c": 1.0}) == {"b": 1.0, "c": 1.0}
    assert choose_gpus(3, {"a": 0.5, "b": 1.0, "c": 1.0}) is None


def test_a_share_goes_where_the_least_is_left_over() -> None:
    assert choose_gpus(0.5, {"a": 1.0, "b": 0.5, "c": 0.7}) == {"b": 0.5}
    assert choose_gpus(0.6, {"a": 1.0, "b": 0.5, "c": 0.7}) == {"c": 0.6}
    assert choose_gpus(0.6, {"a": 0.4, "b": 0.5}) is None


@given(st.lists(st.sampled_from([0.1, 0.25, 0.3, 1 / 3, 0.5, 0.6, 1.0, 2.0]), max_size=30), st.integers(1, 4))
def test_no_gpu_is_ever_given_away_twice(needs: list[float], count: int) -> None:
    gpus = [str(number) for number in range(count)]
    held: list[dict[str, float]] = []
    for need in needs:
        free = free_shares(gpus, held)
        shares = choose_gpus(need, free)
        if shares is not None:
            assert sum(shares.values()) == pytest.approx(need)
            assert not exceeds(shares, free)
            held.append(shares)
    for gpu in gpus:
        assert sum(shares.get(gpu, 0.0) for shares in held) <= 1 + 1e-5


def test_as_many_shares_fit_as_the_capacity_says() -> None:
    for need in (0.1, 0.3, 1 / 3, 0.5, 0.7):
        held: list[dict[str, float]] = []
        while (shares := choose_gpus(need, free_shares("ab", held))) is not None:
            held.append(shares)
        assert len(held) == capacity(need, 2)


def test_two_shares_that_are_more_than_one_exceed_it() -> None:
    assert exceeds({"a": 0.6}, {"a": 0.4})
    assert not exceeds({"a": 0.6}, {"a": 0.4 + 0.2})
    assert exceeds({"a": 0.1}, {}), "a GPU that can't be had at all"


def test_what_is_free_can_be_set_aside_for_another() -> None:
    free = {"a": 1.0, "b": 1.0}
    assert set_aside(1, ["b"], free) == ["b"]
    assert free == {"a": 1.0, "b": 0.0}
    assert set_aside(0.5, ["a", "b"], free) == ["a"]
    assert free == {"a": 0.5, "b": 0.0}


def test_gpus_that_are_nearest_to_being_free_are_kept_for_who_waits_for_several() -> None:
    free = {"a": 1.0, "b": 0.0, "c": 0.5}
    assert set(set_aside(2, ["a", "b", "c"], free)) == {"a", "c"}
    assert free == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_nothing_is_kept_for_who_could_not_be_served_anyway() -> None:
    free = {"a": 1.0}  # b is taken by a process that holds no lease
    assert set_aside(2, ["a", "b"], free) == []
    assert free == {"a": 1.0}


def test_cores_that_nobody_has_come_first_then_those_that_few_have() -> None:
    assert choose_cores(2, (2, 3, 6, 7), {}) == (2, 3)
    assert choose_cores(2, (2, 3, 6, 7), {2: 1, 6: 1}) == (3, 7)
    assert choose_cores(2, (2, 3, 6, 7), {2: 2, 3: 1, 6: 1, 7: 3}) == (3, 6)
    assert choose_cores(9, (2, 3), {2: 1}) == (2, 3)
