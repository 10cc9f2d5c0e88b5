"""Who controls a job, and whether it is known to be dead."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tunewright.lifecycle.ownership import describe, is_dead, this_owner


def test_this_process_is_alive_and_each_claim_has_a_name_of_its_own() -> None:
    one, other = this_owner(), this_owner()
    assert one != other
    assert not is_dead(one)
    assert describe(one).startswith(f"process {os.getpid()} on ")


def test_a_process_that_ended_is_dead() -> None:
    code = "from tunewright.lifecycle.ownership import this_owner; print(this_owner())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_dead(done.stdout.strip())


def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    host, pid, start, rest = this_owner().split("|")
    assert is_dead(f"{host}|{pid}|{float(start) - 100:.2f}|{rest}")


@pytest.mark.parametrize(
    "owner", ["elsewhere|1|123.00|abc", "elsewhere/boot/pid:[4]|999999|1.00|abc", "nonsense", "a|b|c|d", ""]
)
def test_what_can_not_be_known_from_here_is_not_dead(owner: str) -> None:
    assert not is_dead(owner)


def test_a_stopped_process_lives_and_a_zombie_does_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    host = this_owner().split("|")[0]
    import psutil

    start = f"{psutil.Process(child.pid).create_time():.2f}"
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert is_dead(f"{host}|{child.pid}|{start}|abc")
    child.wait()


def test_an_owner_of_another_host_is_described() -> None:
    assert describe("node7/1a2b|4711|1.00|abc") == "process 4711 on node7"
