"""The executor that keeps what trials write: order, patience, failures, and going on elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tunewright.artifacts.keeping import KeepingExecutor
from tunewright.artifacts.vault import Vault, check_root, is_address
from tunewright.errors import StoreError
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Dead,
    ExecutorEvent,
    Exited,
    Halt,
    Kill,
    Launch,
    Order,
    Reported,
    Started,
    Until,
)
from tunewright.records import Execution, FailureKind, Report, Trial


class Scripted:
    """An executor that tells what a test lets it tell."""

    slots = 3

    def __init__(self) -> None:
        self.launched: list[Launch] = []
        self.orders: list[tuple[str, Order]] = []
        self.events: deque[ExecutorEvent] = deque()
        self.harvest: list[ExecutorEvent] | None = []
        self.closed = False

    def launch(self, launch: Launch) -> None:
        self.launched.append(launch)

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        if not self.events:
            time.sleep(min(timeout, 0.01))
        while self.events:
            deliver(self.events.popleft())

    def order(self, token: str, order: Order) -> None:
        self.orders.append((token, order))

    def adopt(self, launch: Launch) -> Adopted | Dead:
        return Adopted() if self.harvest is None else Dead(self.harvest)

    def close(self) -> None:
        self.closed = True

    def now(self) -> float:
        return 42.0


class SlowVault(Vault):
    """A vault that stores, fetches and refuses when a test says so."""

    def __init__(self, root: str) -> None:
        super().__init__(root, pauses=())
        self.gate = threading.Event()
        self.gate.set()
        self.refuses = False
        self.calls: list[str] = []

    def put(self, folder: Path, key: str) -> str:
        self._wait(f"put {key.rpartition('.')[0] or key}")
        return super().put(folder, key)

    def fetch(self, address: str, target: Path) -> None:
        self._wait("fetch")
        super().fetch(address, target)

    def _wait(self, call: str) -> None:
        self.calls.append(call)
        assert self.gate.wait(20)
        if self.refuses:
            raise StoreError("it refuses")


class Rig:
    """A keeping executor over a scripted one, and what it delivered."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inner = folder, Scripted()
        self.vault = SlowVault(check_root(folder / "shared"))
        self.told: list[str] = []
        self.heard: list[ExecutorEvent] = []
        self.executor = KeepingExecutor(self.inner, self.vault, self.told.append)

    def launch(self, number: int = 0, checkpoint: str | None = None, home: str = "here") -> Launch:
        folder = self.folder / home / "trials" / f"{number:05d}"
        return Launch(Trial(number, {}, 1), Execution(number, 1, f"token-{number}"), str(folder), checkpoint)

    def write(self, launch: Launch, step: int) -> Checkpointed:
        """What training code does for a checkpoint."""
        made = Path(launch.folder, "checkpoints", f"step-{step}")
        made.mkdir(parents=True)
        (made / "state").write_text(str(step))
        return Checkpointed(launch.execution.token, step, str(made), float(step))

    def poll_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, self.heard
            self.executor.poll(0.05, self.heard.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.heard]

    def addresses(self) -> list[str]:
        return [event.path for event in self.heard if isinstance(event, Checkpointed)]


def reported(step: int) -> Reported:
    return Reported("token-0", step - 1, [Report(step, {"loss": 1.0}, 1.0)])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.vault.gate.set()
    made.executor.close()
    assert made.inner.closed


def test_events_keep_their_order_while_a_checkpoint_is_stored(rig: Rig) -> None:
    launch = rig.launch()
    rig.executor.launch(launch)
    rig.vault.gate.clear()
    rig.inner.events += [
        Started("token-0", "h"),
        reported(1),
        rig.write(launch, 1),
        reported(2),
        Exited("token-0", "completed", 1),
    ]
    rig.poll_until(lambda: len(rig.heard) == 2)
    for _ in range(5):
        rig.executor.poll(0.02, rig.heard.append)
    assert rig.kinds() == ["Started", "Reported"], "what follows the checkpoint waits for it"
    rig.vault.gate.set()
    rig.poll_until(lambda: len(rig.heard) == 5)
    assert rig.kinds() == ["Started", "Reported", "Checkpointed", "Reported", "Exited"]
    (address,) = rig.addresses()
    assert is_address(address)
    assert rig.vault.holds(address)


def test_other_executions_do_not_wait(rig: Rig) -> None:
    launch, other = rig.launch(0), rig.launch(1)
    rig.executor.launch(launch)
    rig.executor.launch(other)
    rig.vault.gate.clear()
    rig.inner.events += [rig.write(launch, 1), replace(reported(1), token="token-1")]
    rig.poll_until(lambda: len(rig.heard) == 1)
    assert rig.heard[0].token == "token-1"


def test_checkpoints_that_come_too_fast_are_passed_over(rig: Rig) -> None:
    launch = rig.launch()
    rig.executor.launch(launch)
    rig.vault.gate.clear()
    rig.inner.events += [rig.write(launch, step) for step in range(1, 12)]
    rig.executor.poll(0.0, rig.heard.append)
    rig.vault.gate.set()
    rig.inner.events.append(reported(12))
    rig.poll_until(lambda: "Reported" in rig.kinds())
    steps = [event.step for event in rig.heard if isinstance(event, Checkpointed)]
    assert steps == sorted(steps)
    assert steps[-1] == 11, "the newest is always stored"
    assert len(steps) <= 5, "those that were under way, and the newest"


def test_a_trial_ends_once_its_artifacts_are_stored(rig: Rig) -> None:
    launch = rig.launch()
    rig.executor.launch(launch)
    made = Path(launch.folder, "artifacts")
    made.mkdir(parents=True)
    (made / "model").write_text("m")
    rig.vault.gate.clear()
    rig.inner.events.append(Exited("token-0", "completed", 1.0))
    for _ in range(5):
        rig.executor.poll(0.02, rig.heard.append)
    assert rig.heard == []
    rig.vault.gate.set()
    rig.poll_until(lambda: rig.kinds() == ["Exited"])
    assert rig.vault.names("trials/00000/artifacts") == {"model": 1}


def test_what_can_not_be_stored_is_told_once_and_ends_nothing(rig: Rig) -> None:
    launch = rig.launch()
    rig.executor.launch(launch)
    rig.vault.refuses = True
    rig.inner.events += [rig.write(launch, 1), rig.write(launch, 2), Exited("token-0", "completed", 1.0)]
    rig.poll_until(lambda: rig.kinds() == ["Exited"])
    rig.executor.poll(0.0, rig.heard.append)
    assert len(rig.told) == 1
    assert "could not be stored, so no trial goes on from it: it refuses" in rig.told[0]


# --- going on ---


def stored(rig: Rig, step: int = 3) -> str:
    """The address of a checkpoint that trial 0 wrote on this host."""
    launch = rig.launch()
    rig.executor.launch(launch)
    rig.inner.events.append(rig.write(launch, step))
    rig.poll_until(lambda: len(rig.addresses()) == 1)
    rig.vault.calls.clear()
    rig.inner.launched.clear()
    return rig.addresses()[0]


def test_on_the_same_host_it_goes_on_from_its_own_folder(rig: Rig) -> None:
    address = stored(rig)
    rig.executor.launch(rig.launch(0, address))
    (launched,) = rig.inner.launched
    assert launched.checkpoint == str(Path(launched.folder, "checkpoints", "step-3"))
    assert rig.vault.calls == []


def test_on_another_host_it_is_fetched_first_and_once(rig: Rig) -> None:
    address = stored(rig)
    rig.vault.gate.clear()
    for attempt in range(2):
        rig.executor.launch(rig.launch(0, address, "there"))
        if attempt == 0:
            rig.executor.poll(0.05, rig.heard.append)
            assert rig.inner.launched == [], "it is being fetched"
        rig.vault.gate.set()
        rig.poll_until(lambda wanted=attempt + 1: len(rig.inner.launched) == wanted)  # type: ignore[misc]
    for launched in rig.inner.launched:
        assert launched.checkpoint is not None
        assert Path(launched.checkpoint).is_relative_to(launched.folder)
        assert Path(launched.checkpoint, "state").read_text() == "3"
    assert rig.vault.calls == ["fetch"]


@pytest.mark.parametrize(
    ("order", "outcome"), [(Halt("pause", "why"), "paused"), (Halt("stop", "why"), "stopped"), (Kill("why"), "stopped")]
)
def test_one_that_is_to_end_while_it_is_fetched_is_not_launched(rig: Rig, order: Order, outcome: str) -> None:
    address = stored(rig)
    rig.heard.clear()
    rig.vault.gate.clear()
    rig.executor.launch(rig.launch(0, address, "there"))
    rig.executor.order("token-0", order)
    rig.vault.gate.set()
    rig.poll_until(lambda: bool(rig.heard))
    assert [(event.token, event.outcome) for event in rig.heard if isinstance(event, Exited)] == [("token-0", outcome)]
    assert (rig.inner.launched, rig.inner.orders) == ([], [])


def test_orders_go_through(rig: Rig) -> None:
    rig.executor.launch(rig.launch())
    rig.executor.order("token-0", Until(5))
    assert rig.inner.orders == [("token-0", Until(5))]


def test_one_that_can_not_be_fetched_fails_its_execution(rig: Rig) -> None:
    address = stored(rig)
    rig.heard.clear()
    rig.vault.refuses = True
    rig.executor.launch(rig.launch(0, address, "there"))
    rig.poll_until(lambda: bool(rig.heard))
    (exited,) = rig.heard
    assert isinstance(exited, Exited)
    assert exited.failure is not None
    assert exited.failure.kind is FailureKind.CRASH
    assert "its checkpoint could not be fetched: it refuses" in exited.failure.message


def test_whether_a_checkpoint_is_there(rig: Rig, tmp_path: Path) -> None:
    address = stored(rig)
    assert rig.executor.holds(address)
    rig.vault.remove("trials/00000/checkpoints")
    assert not rig.executor.holds(address)
    assert rig.executor.holds(str(tmp_path))
    assert not rig.executor.holds(str(tmp_path / "nothing"))
    assert rig.executor.holds(""), "of whoever asks and tells"


# --- after a crash ---


def test_what_a_dead_execution_left_is_stored_as_far_as_it_is_of_use(rig: Rig) -> None:
    launch = rig.launch()
    known = stored(rig, 1)
    events = [Checkpointed("token-0", 1, f"{launch.folder}/checkpoints/step-1", 1.0)]
    events += [rig.write(launch, 2), rig.write(launch, 3)]
    Path(launch.folder, "artifacts").mkdir()
    rig.inner.harvest = [reported(1), *events, Exited("token-0", "completed", 9.0)]
    answer = rig.executor.adopt(launch)
    assert isinstance(answer, Dead)
    assert [type(event).__name__ for event in answer.harvest] == ["Reported", "Checkpointed", "Checkpointed", "Exited"]
    first, last = (event for event in answer.harvest if isinstance(event, Checkpointed))
    assert (first.step, first.path) == (1, known), "it was stored before the crash"
    assert last.step == 3
    assert rig.vault.holds(last.path)
    assert rig.vault.names("trials/00000/artifacts") == {}


def test_what_still_runs_is_followed(rig: Rig) -> None:
    rig.inner.harvest = None
    launch = rig.launch()
    assert rig.executor.adopt(launch) == Adopted()
    rig.inner.events += [rig.write(launch, 1), Exited("token-0", "completed", 1.0)]
    rig.poll_until(lambda: rig.kinds() == ["Checkpointed", "Exited"])


# --- in the caller's thread ---


def test_at_once_everything_is_delivered_within_the_executors_own_poll(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    executor = KeepingExecutor(rig.inner, rig.vault, rig.told.append, at_once=True)
    launch = rig.launch()
    executor.launch(launch)
    rig.inner.events += [rig.write(launch, 1), reported(1), Exited("token-0", "completed", 1.0)]
    executor.poll(0.0, rig.heard.append)
    assert rig.kinds() == ["Checkpointed", "Reported", "Exited"]
    assert rig.vault.holds(rig.addresses()[0])
    executor.close()


def test_an_executors_own_clock_is_still_there(rig: Rig) -> None:
    assert rig.executor.slots == 3
    assert rig.executor.now() == 42.0
    assert not hasattr(rig.executor, "in_training")
