"""Who gets what of a host, with several hosts' views on one folder of leases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gpus import GIBIBYTE, GpuHost
from tunewright.errors import InvalidInput
from tunewright.resources import Resources
from tunewright.slots import host as host_module
from tunewright.slots.allocation import choose_cores
from tunewright.slots.host import Host, Lease
from tunewright.slots.inventory import find_gpus
from tunewright.slots.registry import Registry

View = Callable[..., Host]


@pytest.fixture
def view(gpu_host: GpuHost) -> Iterator[View]:
    """Makes a job's view of the host; with 4 cores, and 2 GPUs that are declared unless the test says otherwise."""
    gpu_host.declares("2")
    made: list[Host] = []

    def make(gpus: float = 1, job: str = "mine", cpus: int = 1, cores: tuple[int, ...] = (0, 1, 2, 3)) -> Host:
        made.append(Host(Resources(cpus=cpus, gpus=gpus), find_gpus(), Registry(), cores, job))
        return made[-1]

    yield make
    for each in made:
        each.close()


def taken(host: Host, trial: int = 0) -> Lease:
    lease = host.take(trial)
    assert isinstance(lease, Lease), lease
    return lease


def test_a_trial_is_shown_its_gpus_and_no_others(view: View) -> None:
    first, second = taken(view()), taken(view(job="other"))
    assert first.placement.environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert second.placement.environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert first.placement.descriptor is not None
    both = view(2)
    first.release()
    assert isinstance(both.take(0), str)
    second.release()
    assert taken(both).placement.environment["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_uuids_show_gpus_where_they_are_known(view: View, gpu_host: GpuHost) -> None:
    gpu_host.tells({}, {})
    assert taken(view()).placement.environment["CUDA_VISIBLE_DEVICES"] == "GPU-0"


def test_without_gpus_nothing_is_said_of_them(view: View) -> None:
    host = view(0)
    lease = taken(host)
    assert (lease.gpus, lease.placement.environment) == ({}, {})


def test_what_is_taken_is_told_with_who_has_it(view: View) -> None:
    mine = view(2, job="large")
    held = [taken(view(job="churn"), trial=4), taken(view(job="large"), trial=7)]
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert mine.take(9) == (
        f"GPU 0 is used by job churn (process {os.getpid()} of {user}); GPU 1 is used by trial 7 of this job"
    )
    held[0].release()
    assert mine.take(9) == "GPU 1 is used by trial 7 of this job"


def test_of_many_gpus_a_few_are_told(view: View, gpu_host: GpuHost) -> None:
    gpu_host.declares("8")
    all_of_them = taken(view(8, job="all"))
    reason = view().take(0)
    assert isinstance(reason, str)
    assert reason.count("is used by job all") == 4
    assert reason.endswith("; and 4 more are taken")
    all_of_them.release()


def test_halves_share_a_gpu_and_more_than_halves_do_not(view: View, gpu_host: GpuHost) -> None:
    gpu_host.declares("1")
    half, other = view(0.5), view(0.5, job="other")
    first, second = taken(half), taken(other)
    assert first.gpus == second.gpus == {"0": 0.5}
    assert isinstance(half.take(1), str)
    second.release()
    more = view(0.6).take(0)
    assert isinstance(more, str)
    assert more.startswith("0.5 of GPU 0 is used by ")
    first.release()
    lease = taken(view(0.6))
    assert isinstance(view(0.6, job="other").take(0), str)
    assert taken(view(0.4)).gpus == {"0": 0.4}
    lease.release()


def test_how_many_trials_could_start_now(view: View) -> None:
    host, half = view(), view(0.5)
    assert (host.capacity, host.free(), half.capacity, half.free()) == (2, 2, 4, 4)
    lease = taken(half)
    assert (host.free(), half.free()) == (1, 3)
    lease.release()


def test_an_inventory_that_is_too_small_is_refused_at_once(view: View) -> None:
    with pytest.raises(InvalidInput, match=r"resources\.gpus must be at most 2"):
        view(3)


def test_gpus_of_foreign_processes_are_not_given_away(view: View, gpu_host: GpuHost) -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    gpu_host.tells({"compute": [stranger.pid]}, {})
    host = view()
    assert (host.free(), taken(host).gpus) == (1, {"GPU-1": 1.0})
    reason = host.take(1)
    assert isinstance(reason, str)
    assert reason.startswith(f"GPU 0 is used by process {stranger.pid} (sleep) of ")
    stranger.kill()
    stranger.wait()
    gpu_host.tells({}, {})
    assert taken(host).gpus == {"GPU-0": 1.0}


def test_the_driver_is_asked_anew_before_a_gpu_is_given(view: View, gpu_host: GpuHost) -> None:
    gpu_host.tells({}, {})
    host = view()
    assert host.free() == 2  # its answer may be used for a while where nothing is decided by it
    gpu_host.tells({"used": 60 * GIBIBYTE}, {})
    assert taken(host).gpus == {"GPU-1": 1.0}


def test_a_trial_may_use_what_it_holds_itself(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = taken(view(2))
    assert isinstance(view(job="other").take(0), str)
    for name, value in outer.placement.environment.items():
        monkeypatch.setenv(name, value)
    inner = view(job="inner")
    leases = [taken(inner), taken(inner)]
    assert [[*lease.gpus] for lease in leases] == [["0"], ["1"]]
    assert isinstance(inner.take(2), str), "those that are within hold them against each other"
    assert outer.name in leases[0].placement.environment["TUNEWRIGHT_HELD"].split(",")
    for lease in (*leases, outer):
        lease.release()


# --- who waits ---


def test_who_waits_for_longer_comes_first(view: View) -> None:
    early, late, last = view(job="early"), view(job="late"), view(job="last")
    held = [taken(last), taken(last)]
    first, second = early.wait_in_line(1), late.wait_in_line(2)
    held[0].release()
    reason = late.take(2, second)
    assert isinstance(reason, str)
    assert "GPU 0 is kept for job early (process" in reason
    assert isinstance(last.take(3), str), "one that has only come has to wait, too"
    lease = early.take(1, first)
    assert isinstance(lease, Lease)
    first.withdraw()
    held[1].release()
    assert isinstance(late.take(2, second), Lease)
    second.withdraw()


def test_who_has_not_been_heard_of_for_a_while_keeps_nobody_waiting(view: View, gpu_host: GpuHost) -> None:
    wish = view(job="stopped").wait_in_line(1)
    host = view()
    assert host.free() == 1
    os.utime(gpu_host.slots / wish.name, (1, 1))
    assert host.free() == 2
    wish.withdraw()


def test_small_trials_do_not_keep_a_large_one_waiting_for_ever(view: View) -> None:
    large, small = view(2, job="large"), view(job="small")
    held = [taken(small), taken(small)]
    wish = large.wait_in_line(0)
    held[0].release()
    assert isinstance(small.take(2), str)
    held[1].release()
    assert isinstance(large.take(0, wish), Lease)
    wish.withdraw()


def test_a_large_trial_that_waits_for_a_foreign_process_keeps_nobody_waiting(view: View, gpu_host: GpuHost) -> None:
    gpu_host.tells({"used": 60 * GIBIBYTE}, {})
    wish = view(2, job="large").wait_in_line(0)
    assert taken(view()).gpus == {"GPU-1": 1.0}
    wish.withdraw()


def test_of_two_that_take_one_gpu_at_the_same_moment_one_withdraws(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = view(2), view(2, job="other")
    publish, held = Host._publish, list[Lease]()

    def after_another(self: Host, *arguments: object) -> Lease:
        monkeypatch.setattr(Host, "_publish", publish)
        held.append(taken(other))  # after this one looked, and before it tells
        return publish(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Host, "_publish", after_another)
    reason = mine.take(0)
    assert isinstance(reason, str)
    assert "is used by job other" in reason
    held[0].release()
    assert isinstance(mine.take(0), Lease)


TAKER = """
import os, random, sys, time
from tunewright.resources import Resources
from tunewright.slots.host import Host
from tunewright.slots.inventory import find_gpus
from tunewright.slots.registry import Registry
number, witness = int(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)
hosts = [Host(Resources(gpus=share), find_gpus(), Registry(), (0, 1), f"job {number}") for share in (0.3, 0.6, 1, 2)]
dice, count = random.Random(number), 0
while count < 150:
    host = dice.choice(hosts)
    lease = host.take(count)
    if not isinstance(lease, str):
        count += 1
        for sign, pause in (("+", dice.random() / 1000), ("-", 0)):
            os.write(witness, f"{sign}{host.need} {','.join(lease.gpus)}\\n".encode())
            time.sleep(pause)
        lease.release()
"""


@pytest.mark.slow
def test_processes_that_take_as_fast_as_they_can_never_take_too_much(gpu_host: GpuHost, tmp_path: Path) -> None:
    gpu_host.declares("2")
    witness = tmp_path / "witness"
    witness.touch()
    takers = [subprocess.Popen([sys.executable, "-c", TAKER, str(number), str(witness)]) for number in range(6)]
    assert [taker.wait(120) for taker in takers] == [0] * 6
    used = {"0": 0.0, "1": 0.0}
    lines = witness.read_text().splitlines()
    assert len(lines) == 6 * 150 * 2
    for line in lines:
        amount, gpus = line.split()
        for gpu in gpus.split(","):
            used[gpu] += max(-1.0, min(1.0, float(amount)))
            assert used[gpu] <= 1 + 1e-6


# --- memory ---


def test_memory_has_to_be_back_before_a_lease_is_given_back(view: View, gpu_host: GpuHost) -> None:
    gpu_host.tells({}, {})
    host = view()
    lease = taken(host)
    assert host.labels(lease) == "GPU 0"
    gpu_host.tells({"used": 50 * GIBIBYTE}, {"used": 50 * GIBIBYTE})
    assert not host.settled(lease)
    gpu_host.tells({}, {"used": 50 * GIBIBYTE})
    assert host.settled(lease)


def test_memory_of_a_shared_gpu_is_nobodys_in_particular(view: View, gpu_host: GpuHost) -> None:
    gpu_host.tells({})
    gpu_host.declares("1")
    half = view(0.5)
    first, second = taken(half), taken(half)
    gpu_host.tells({"used": 50 * GIBIBYTE})
    assert half.settled(second), "when it began, the other one had begun"
    assert half.settled(first), "the other one uses it"
    second.release()
    assert not half.settled(first)


# --- cores ---


def test_jobs_have_cores_of_their_own_while_there_are_some(view: View) -> None:
    first, second, third = view(0, cpus=2), view(0, cpus=2, job="other"), view(0, cpus=2, job="third")
    leases = [taken(first), taken(second)]
    assert [lease.placement.cores for lease in leases] == [(0, 1), (2, 3)]
    assert not any(lease.shared for lease in leases)
    shared = taken(third)
    assert (shared.placement.cores, shared.shared) == ((0, 1), True)
    leases[1].release()
    assert taken(third).placement.cores == (2, 3)


def test_of_two_that_take_one_core_at_the_same_moment_one_moves(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = view(0), view(0, job="other")
    choose, held = choose_cores, list[Lease]()

    def after_another(*arguments: object) -> tuple[int, ...]:
        monkeypatch.setattr(host_module, "choose_cores", choose)
        cores = choose(*arguments)  # type: ignore[arg-type]
        held.append(taken(other))
        return cores

    monkeypatch.setattr(host_module, "choose_cores", after_another)
    lease = taken(mine)
    assert lease.placement.cores != held[0].placement.cores
    assert not lease.shared


def test_more_trials_than_cores_share_them_evenly(view: View) -> None:
    host = view(0, cores=(0, 1))
    assert [taken(host).placement.cores for _ in range(5)] == [(0,), (1,), (0,), (1,), (0,)]
    assert taken(view(0, cpus=8, cores=(0, 1))).placement.cores == (0, 1)
