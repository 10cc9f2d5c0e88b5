from __future__ import annotations

import os

import pytest

from tunewright.executors.placement import cores_of, own_cores, thread_environment


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        (1, [(2,), (3,), (6,), (7,), (2,)]),
        (2, [(2, 3), (6, 7), (2, 3), (6, 7), (2, 3)]),
        (3, [(2, 3, 6), (2, 3, 7), (2, 6, 7), (3, 6, 7), (2, 3, 6)]),
        (9, [(2, 3, 6, 7)] * 5),
    ],
)
def test_slots_get_cores_of_their_own_until_there_are_no_more(cpus: int, expected: list[tuple[int, ...]]) -> None:
    assert [cores_of(slot, cpus, (2, 3, 6, 7)) for slot in range(5)] == expected


def test_cores_are_those_that_this_process_may_use() -> None:
    cores = own_cores()
    assert set(cores) == os.sched_getaffinity(0)


def test_thread_pools_get_the_share_unless_a_person_wants_less() -> None:
    environment = thread_environment(4, {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "many"})
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["MKL_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "4"
    assert environment["LOKY_MAX_CPU_COUNT"] == environment["NUMEXPR_NUM_THREADS"] == "4"
