from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunewright.executors.placement import Cores, cores_of, own_cores, thread_environment


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


def test_executors_side_by_side_get_cores_of_their_own_while_there_are_some(tmp_path: Path) -> None:
    cores, folder = (2, 3, 6, 7), tmp_path / "cores"
    first, second, third = (Cores(wanted, cores, folder) for wanted in (1, 2, 2))
    assert [first.of(slot, 1) for slot in range(2)] == [(2,), (2,)]
    assert [second.of(slot, 1) for slot in range(2)] == [(3,), (6,)]
    assert [third.of(slot, 1) for slot in range(2)] == [(7,), (2,)], "the last free one, and one to share"
    second.close()
    second.close()
    fourth = Cores(3, cores, folder)
    assert fourth.of(0, 3) == (2, 3, 6)
    for made in (first, third, fourth):
        made.close()
    assert Cores(4, cores, folder).of(0, 4) == cores


def test_where_claims_are_impossible_cores_are_shared(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shared = Cores(2, (0, 1, 2), tmp_path / "file")
    assert [shared.of(slot, 1) for slot in range(2)] == [(0,), (1,)]
