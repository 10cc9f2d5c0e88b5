"""Foreign processes: which GPUs count as taken although nobody leases them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.gpus import GIBIBYTE, GpuHost
from tunewright.slots.inventory import find_gpus
from tunewright.slots.occupancy import Occupancy
from tunewright.slots.registry import Entry

NOBODY = 4_194_304  # above the highest number of a process


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that this one started, and that carries no mark."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNEWRIGHT_")}
    process = subprocess.Popen(["sleep", "600"], env=environment)
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def trial() -> Iterator[int]:
    """A process of some job's trial."""
    process = subprocess.Popen(["sleep", "600"], env={**os.environ, "TUNEWRIGHT_TOKEN": "abc"})
    yield process.pid
    process.kill()
    process.wait()


def lease(gpu: str, share: float = 0.5, pid: int = 1) -> Entry:
    return Entry("lease-1", False, {gpu: share}, pid=pid, uid=os.getuid())


def taken(*leases: Entry) -> dict[str, str]:
    return Occupancy(find_gpus()).taken(leases)


def test_a_gpu_on_which_a_foreign_process_computes_is_taken(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.tells({"compute": [stranger]}, {})
    (reason,) = taken().values()
    assert [*taken()] == ["GPU-0"]
    assert reason.startswith(f"GPU 0 is used by process {stranger} (sleep) of ")
    assert reason.endswith(", which holds no slot")


def test_a_desktop_takes_no_gpu(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.tells({"graphics": [stranger], "used": 40 * GIBIBYTE})
    assert taken() == {}


def test_this_process_and_those_that_started_it_are_not_foreign(gpu_host: GpuHost) -> None:
    gpu_host.tells({"compute": [os.getpid(), os.getppid()], "used": 40 * GIBIBYTE})
    assert taken() == {}


def test_memory_without_a_process_is_somebodys_whom_one_cannot_see(gpu_host: GpuHost) -> None:
    gpu_host.tells({"used": 30 * GIBIBYTE}, {"used": 10 * GIBIBYTE}, {"used": 30 * GIBIBYTE, "compute": "unknown"})
    found = taken()
    assert [*found] == ["GPU-0", "GPU-2"]
    assert (
        found["GPU-0"] == "GPU 0 is used by a process that can't be seen from here, which holds 30.0 of 80.0 GiB of its memory"
    )


def test_on_a_shared_gpu_trials_are_told_from_strangers(gpu_host: GpuHost, stranger: int, trial: int) -> None:
    gpu_host.tells({"compute": [trial], "used": 40 * GIBIBYTE})
    assert taken(lease("GPU-0")) == {}
    assert [*taken()] == ["GPU-0"], "its lease has ended, but it is still there"
    gpu_host.tells({"compute": [trial, stranger]})
    assert f"process {stranger} " in taken(lease("GPU-0"))["GPU-0"]
    gpu_host.tells({"compute": [stranger]})
    assert taken(lease("GPU-0", pid=stranger)) == {}, "a trial may run in the very process that leases"
    gpu_host.tells({"compute": [NOBODY]})
    assert taken(lease("GPU-0")) == {}, "in a container the driver may number processes otherwise"


def test_a_process_that_hides_its_environment_belongs_to_its_users_lease(
    gpu_host: GpuHost, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*_: object, **__: object) -> object:
        raise PermissionError

    gpu_host.tells({"compute": [stranger]})
    occupancy = Occupancy(find_gpus())
    occupancy.usage()
    monkeypatch.setattr("builtins.open", hidden)  # as for another user: the tests may run as root
    mine, others = lease("GPU-0"), Entry("lease-2", False, {"GPU-0": 0.5}, pid=1, uid=os.getuid() + 1)
    found = [occupancy.taken([entry], age=60) for entry in (mine, others)]
    monkeypatch.undo()
    assert found[0] == {}
    assert [*found[1]] == ["GPU-0"]


def test_a_gpu_that_tells_nothing_is_not_taken(gpu_host: GpuHost) -> None:
    gpu_host.tells({}, {})
    occupancy = Occupancy(find_gpus())
    gpu_host.breaks("GPU is lost")
    assert occupancy.taken([]) == {}


def test_without_a_driver_nothing_is_known_of_foreign_processes(gpu_host: GpuHost) -> None:
    gpu_host.declares("2")
    assert taken() == {}


def test_an_answer_may_be_used_again_for_a_while(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.tells({})
    occupancy = Occupancy(find_gpus())
    assert occupancy.taken([], age=60) == {}
    gpu_host.tells({"compute": [stranger]})
    assert occupancy.taken([], age=60) == {}
    assert [*occupancy.taken([])] == ["GPU-0"]


def test_memory_is_back_when_processes_are_gone_and_it_is_as_little_as_before(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.tells({}, {})
    occupancy = Occupancy(find_gpus())
    before = occupancy.usage()
    assert occupancy.settled(["GPU-0"], before)
    gpu_host.tells({"compute": [stranger]}, {})
    assert not occupancy.settled(["GPU-0"], before)
    gpu_host.tells({"used": 5 * GIBIBYTE}, {})
    assert not occupancy.settled(["GPU-0", "GPU-1"], before)
    assert occupancy.settled(["GPU-1"], before)
    assert occupancy.settled(["GPU-0"], {}), "nobody knows how it was before"
    gpu_host.tells({"used": GIBIBYTE // 2 + GIBIBYTE // 8}, {})
    assert occupancy.settled(["GPU-0"], before)


def test_memory_that_this_process_keeps_is_not_waited_for(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.tells({})
    occupancy = Occupancy(find_gpus())
    before = occupancy.usage()
    gpu_host.tells({"used": 50 * GIBIBYTE, "compute": [os.getpid()]})
    assert occupancy.settled(["GPU-0"], before)
    gpu_host.tells({"used": 50 * GIBIBYTE, "compute": [os.getpid(), stranger]})
    assert not occupancy.settled(["GPU-0"], before)


def test_nvidia_s_command_tells_of_processes_too(gpu_host: GpuHost, stranger: int) -> None:
    gpu_host.command(
        f"""case "$1" in
-L) echo 'GPU 0: NVIDIA A100 (UUID: GPU-aaa)'; echo 'GPU 1: NVIDIA A100 (UUID: GPU-bbb)'
    echo 'GPU 2: NVIDIA A100 (UUID: GPU-ccc)';;
--query-compute-apps*) echo 'GPU-aaa, {stranger}';;
*) echo 'GPU-aaa, 900, 81920, Disabled'; echo 'GPU-bbb, 50000, 81920, Enabled'; echo 'GPU-ccc, [N/A], [N/A], [N/A]';;
esac"""
    )
    found = find_gpus()
    assert found.driver is not None
    usage = found.driver.usage()
    assert (usage["GPU-bbb"].used, usage["GPU-bbb"].total, usage["GPU-bbb"].desktop) == (50000 * 2**20, 80 * GIBIBYTE, True)
    assert [*usage] == ["GPU-aaa", "GPU-bbb"]
    assert [*Occupancy(found).taken([])] == ["GPU-aaa"]


def test_a_command_that_fails_later_tells_nothing(gpu_host: GpuHost) -> None:
    gpu_host.command("[ $1 = -L ] && echo 'GPU 0: NVIDIA A100 (UUID: GPU-aaa)'")
    found = find_gpus()
    assert found.driver is not None
    assert found.driver.usage() == {}
