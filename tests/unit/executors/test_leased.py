"""Executions that hold leases, with an executor beneath that does what the test says."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gpus import GIBIBYTE, GpuHost
from tunewright.errors import InvalidInput
from tunewright.executors import leased
from tunewright.executors.leased import LeasedExecutor, host_for
from tunewright.interfaces import (
    Adopted,
    Dead,
    ExecutorEvent,
    Exited,
    Halt,
    Kill,
    Launch,
    Order,
    Placement,
    Started,
    Until,
    Waiting,
)
from tunewright.records import Execution, Trial
from tunewright.resources import Resources
from tunewright.slots.registry import Registry


class Beneath:
    """Keeps what it was told; executions end when the test says so."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.launched: list[Launch] = []
        self.orders: list[tuple[str, Order]] = []
        self.events: list[ExecutorEvent] = []
        self.adopted: Adopted | Dead = Adopted()
        self.closed = False
        self.patience = -1.0

    def placement(self, token: str) -> Placement:
        (launch,) = [launch for launch in self.launched if launch.execution.token == token]
        assert launch.placement is not None
        return launch.placement

    def gpu(self, token: str) -> str:
        return self.placement(token).environment["CUDA_VISIBLE_DEVICES"]

    def end(self, token: str) -> None:
        self.events.append(Exited(token, "completed", 1.0))

    def launch(self, launch: Launch) -> None:
        self.launched.append(launch)
        self.events.append(Started(launch.execution.token, "beneath"))

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        self.patience = timeout
        events, self.events = self.events, []
        for event in events:
            deliver(event)

    def order(self, token: str, order: Order) -> None:
        self.orders.append((token, order))

    def adopt(self, launch: Launch) -> Adopted | Dead:
        return self.adopted

    def close(self) -> None:
        self.closed = True


class Job:
    """A job's executor, and what it was heard to say."""

    def __init__(self, name: str, resources: Resources, slots: int) -> None:
        host = host_for(resources, name)
        assert host is not None
        self.beneath, self.said, self.told = Beneath(slots), list[ExecutorEvent](), list[str]()
        self.executor = LeasedExecutor(self.beneath, host, self.told.append)

    def launch(self, *numbers: int) -> None:
        for number in numbers:
            self.executor.launch(launch(number))

    def poll(self) -> list[ExecutorEvent]:
        """What it says now."""
        said: list[ExecutorEvent] = []
        self.executor._next_look = 0.0
        self.executor.poll(0.0, said.append)
        self.said += said
        return said

    def reasons(self) -> list[str]:
        return [event.reason for event in self.said if isinstance(event, Waiting)]


def launch(number: int) -> Launch:
    return Launch(Trial(number, {}, seed=0), Execution(number, 1, f"t{number}"), f"/nowhere/{number}")


@pytest.fixture
def start(gpu_host: GpuHost) -> Iterator[Callable[..., Job]]:
    """Starts a job; its host has two GPUs that were declared, unless the test says otherwise."""
    gpu_host.declares("2")
    made: list[Job] = []

    def make(gpus: float = 1, slots: int = 4, name: str = "mine", cpus: int = 1) -> Job:
        made.append(Job(name, Resources(cpus=cpus, gpus=gpus), slots))
        return made[-1]

    yield make
    for job in made:
        job.executor.close()


Start = Callable[..., Job]


def test_each_execution_is_placed_on_a_gpu_of_its_own(start: Start) -> None:
    job = start()
    job.launch(0, 1)
    assert (job.beneath.gpu("t0"), job.beneath.gpu("t1")) == ("0", "1")
    assert job.poll() == [Started("t0", "beneath"), Started("t1", "beneath")]


def test_it_takes_no_more_executions_than_gpus_hold(start: Start) -> None:
    job, half = start(slots=8), start(gpus=0.5, slots=3, name="half")
    assert (job.executor.slots, half.executor.slots) == (2, 3)
    job.launch(0)
    assert job.executor.slots == 2
    job.launch(1)
    assert job.executor.slots == 2


def test_while_one_waits_it_takes_no_further_one(start: Start) -> None:
    other, job = start(name="other"), start()
    other.launch(0, 1)
    assert job.executor.slots == 1, "one trial may wait"
    job.launch(0)
    assert job.executor.slots == 1
    other.beneath.end("t0")
    other.poll()
    job.poll()
    assert [each.execution.token for each in job.beneath.launched] == ["t0"]
    assert job.executor.slots == 2, "and now the next one may"


def test_one_that_waits_says_for_what_and_starts_when_it_is_there(start: Start) -> None:
    other, job = start(name="other"), start()
    other.launch(0, 1)
    job.launch(5)
    (waiting,) = job.poll()
    assert isinstance(waiting, Waiting)
    assert waiting.token == "t5"
    assert waiting.reason.startswith(f"waits for 1 GPU: GPU 0 is used by job other (process {os.getpid()} of ")
    assert job.poll() == [], "the same isn't said again"
    other.beneath.end("t1")
    other.poll()
    assert job.poll() == [Started("t5", "beneath")]
    assert job.beneath.gpu("t5") == "1"
    assert [entry.waits for entry in Registry().living()] == [False, False], "it has left the line"


def test_what_it_waits_for_is_said_again_when_it_changes_but_not_all_the_time(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, large = start(name="other"), start(gpus=2)
    other.launch(0, 1)
    large.launch(0)
    large.poll()
    other.beneath.end("t0")
    other.poll()
    assert large.poll() == []
    monkeypatch.setattr(leased, "_QUIET", 0.0)
    large.poll()
    assert [reason.partition(" is used")[0] for reason in large.reasons()] == [
        "waits for 2 GPUs: GPU 0", "waits for 2 GPUs: GPU 1",
    ]  # fmt: skip


def test_a_share_waits_too(start: Start, gpu_host: GpuHost) -> None:
    gpu_host.declares("1")
    first, second = start(gpus=0.6, name="first"), start(gpus=0.6)
    first.launch(0)
    second.launch(0)
    second.poll()
    assert second.reasons()[0].startswith("waits for 0.6 of a GPU: 0.6 of GPU 0 is used by job first")


def test_jobs_take_turns(start: Start) -> None:
    first, second = start(gpus=2, name="first"), start(gpus=2, name="second")
    first.launch(0)
    second.launch(0)
    second.poll()
    first.beneath.end("t0")
    first.poll()
    first.launch(1)
    assert len(first.beneath.launched) == 1, "the other one waits for longer"
    second.poll()
    assert len(second.beneath.launched) == 1
    second.beneath.end("t0")
    second.poll()
    first.poll()
    assert len(first.beneath.launched) == 2


@pytest.mark.parametrize(
    ("order", "outcome"),
    [(Halt("stop", "why"), "stopped"), (Halt("pause", "why"), "paused"), (Kill("why"), "stopped"), (Until(3), None)],
)
def test_an_order_to_end_ends_one_that_waits(start: Start, order: Order, outcome: str | None) -> None:
    other, job = start(name="other"), start()
    other.launch(0, 1)
    job.launch(0, 1)
    job.poll()
    job.executor.order("t0", order)
    ended = [event for event in job.poll() if isinstance(event, Exited)]
    assert [(event.token, event.outcome) for event in ended] == ([] if outcome is None else [("t0", outcome)])
    assert job.beneath.orders == []
    job.executor.order("t9", order)
    assert job.beneath.orders == [("t9", order)]


def test_while_one_waits_the_executor_beneath_is_not_given_long(start: Start) -> None:
    job, other = start(), start(name="other")
    job.executor.poll(5.0, print)
    assert job.beneath.patience == 5.0
    other.launch(0, 1)
    job.launch(0)
    job.executor.poll(5.0, lambda event: None)
    assert job.beneath.patience == 0.0, "it has something to say"
    job.executor.poll(5.0, print)
    assert 0.0 < job.beneath.patience < 1.0


# --- memory ---


def test_the_next_one_waits_until_the_memory_is_back(start: Start, gpu_host: GpuHost) -> None:
    gpu_host.tells({})
    gpu_host.declares("1")
    job = start()
    job.launch(0)
    gpu_host.tells({"used": 30 * GIBIBYTE})
    job.beneath.end("t0")
    job.poll()
    job.launch(1)
    job.poll()
    assert [each.execution.token for each in job.beneath.launched] == ["t0"]
    assert job.reasons() == ["waits for 1 GPU: the memory of GPU 0 is not back yet from a trial that has ended"]
    gpu_host.tells({})
    job.poll()
    assert [each.execution.token for each in job.beneath.launched] == ["t0", "t1"]
    assert job.told == []


def test_memory_that_does_not_come_back_is_told_and_not_waited_for_for_ever(
    start: Start, gpu_host: GpuHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_host.tells({})
    gpu_host.declares("1")
    job = start()
    job.launch(0)
    gpu_host.tells({"used": 10 * GIBIBYTE})
    monkeypatch.setattr(leased, "_SETTLE", 0.0)
    job.beneath.end("t0")
    job.poll()
    job.poll()
    assert job.told == ["the memory of GPU 0 is not back 0 s after its trial has ended"]
    job.launch(1)
    assert len(job.beneath.launched) == 2


# --- cores ---


def test_cores_stay_with_a_job_from_one_execution_to_the_next(start: Start) -> None:
    job = start(gpus=0)
    job.launch(0)
    descriptor = job.beneath.placement("t0").descriptor
    job.poll()
    job.beneath.end("t0")
    job.poll()
    job.launch(1)
    assert job.beneath.placement("t1") == Placement(job.beneath.placement("t0").cores, {}, descriptor)
    job.beneath.end("t1")
    job.poll()
    job.poll()
    assert Registry().living() == [], "but not when nothing follows"


def test_cores_that_are_shared_are_exchanged_when_others_are_free(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leased, "own_cores", lambda: (0, 1))
    first, second, job = start(gpus=0, name="first"), start(gpus=0, name="second"), start(gpus=0)
    first.launch(0)
    second.launch(0)
    job.launch(0)
    assert job.beneath.placement("t0").cores == (0,)
    second.beneath.end("t0")
    second.poll()
    second.poll()
    for number, renew, expected in ((1, 60.0, (0,)), (2, 0.0, (1,))):
        monkeypatch.setattr(leased, "_RENEW", renew)
        job.beneath.end(f"t{number - 1}")
        job.poll()
        job.launch(number)
        assert job.beneath.placement(f"t{number}").cores == expected


# --- what goes wrong, and the end ---


def test_without_room_for_a_lease_cores_are_shared_and_gpus_waited_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cores, gpus = start(gpus=0), start(name="gpus")
    monkeypatch.setattr(Registry, "publish", full)
    cores.launch(0)
    assert cores.beneath.launched[0].placement is None
    gpus.launch(0)
    gpus.poll()
    assert gpus.beneath.launched == []
    assert "waits for 1 GPU: no lease can be written ([Errno 28] No space left on device)" in gpus.reasons()[0]
    monkeypatch.undo()
    gpus.poll()
    assert len(gpus.beneath.launched) == 1


def test_a_host_without_a_folder_of_leases_will_do_for_cores(gpu_host: GpuHost, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_host.declares("2")
    monkeypatch.setenv("TUNEWRIGHT_SLOTS", "/dev/null/slots")
    assert host_for(Resources(), "job") is None
    with pytest.raises(InvalidInput, match="TUNEWRIGHT_SLOTS must be a folder"):
        host_for(Resources(gpus=1), "job")


def test_an_adopted_execution_counts_and_holds_its_lease_itself(start: Start) -> None:
    job = start()
    assert isinstance(job.executor.adopt(launch(0)), Adopted)
    assert Registry().living() == []
    job.launch(1)
    assert job.executor.slots == 2
    job.beneath.end("t0")
    job.poll()
    job.beneath.adopted = Dead()
    assert isinstance(job.executor.adopt(launch(2)), Dead)
    assert len(Registry().living()) == 1


def test_closing_gives_everything_back_but_what_others_have_inherited(start: Start, gpu_host: GpuHost) -> None:
    other, job = start(name="other"), start(gpus=0.5)
    job.launch(0, 1, 2, 3)
    other.launch(0)
    other.poll()
    descriptor = job.beneath.placement("t1").descriptor
    assert descriptor is not None
    inherited = os.dup(descriptor)
    for each in (job, other):
        each.executor.close()
        each.executor.close()
        assert each.beneath.closed
    assert [entry.trial for entry in Registry().living()] == [1]
    os.close(inherited)
    assert Registry().living() == []
    assert [*Path(gpu_host.slots).iterdir()] == []


def test_long_leases_are_touched_so_that_nobody_cleans_them_up(start: Start, gpu_host: GpuHost) -> None:
    job = start()
    job.launch(0)
    (path,) = gpu_host.slots.iterdir()
    os.utime(path, (1, 1))
    job.poll()
    assert path.stat().st_mtime == 1
    job.executor._next_touch = 0.0
    job.poll()
    assert path.stat().st_mtime > 1


def test_leases_are_of_the_job_and_trial_that_hold_them(start: Start) -> None:
    start(name="churn").launch(7)
    (entry,) = Registry().living()
    assert (entry.job, entry.trial) == ("churn", 7)
