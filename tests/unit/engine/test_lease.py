"""What becomes of a controller that may not, or can not, write any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.unit.engine.failing_store import FailingStore
from tests.unit.engine.rig import JOB, Make, Rig, Scripted, at_once, completed, counting, reported
from tunewright.engine.lease import LeaseKeeper
from tunewright.errors import LeaseLost, StoreBusy, StoreFull
from tunewright.interfaces import Fence, Launch
from tunewright.records import Change, Counts, Execution, Status, Trial
from tunewright.store.memory import MemoryStore
from tunewright.testing.clock import FakeClock


def epochs(launch: Launch) -> Sequence[Make]:
    return [*[reported(step, loss=float(step)) for step in range(1, 30)], completed()]


def rows(rig: Rig) -> tuple[list[Trial], list[Execution], int, list[Any]]:
    return rig.trials, rig.executions, rig.job.event, rig.points()


def test_a_controller_whose_job_was_taken_over_kills_its_own_and_writes_nothing() -> None:
    executor = Scripted(epochs, slots=2)
    rig = Rig(counting(), executor, max_trials=9)
    taken: list[Any] = []

    def on_poll(executor: Scripted) -> None:
        if executor.polls == 7:
            assert rig.store.claim(JOB, "another", 30.0, evict="me") is not None
            taken.append(rows(rig))

    executor.on_poll = on_poll
    with pytest.raises(LeaseLost):
        rig.controller(rig.claim()).run()
    assert executor.closed
    assert executor.running == {}
    assert taken == [rows(rig)]
    assert rig.job.owner == "another"


def test_an_idle_controller_notices_by_its_lease_keeper() -> None:
    executor = Scripted(epochs)
    executor.idle = 10_000
    rig = Rig(counting(), executor, max_trials=9)

    def on_poll(executor: Scripted) -> None:
        executor.polls = 3
        if not executor.orders:
            rig.store.claim(JOB, "another", 30.0, evict="me")
            executor.orders.append((0, None))  # type: ignore[arg-type]  # a mark: only once
        time.sleep(0.005)

    executor.on_poll = on_poll
    with pytest.raises(LeaseLost):
        rig.controller(rig.claim(ttl=0.03)).run()
    assert executor.closed


def test_the_keeper_renews_a_lease_and_stops_when_it_is_told() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    rig = Rig(counting(), at_once, store=store, max_trials=1)
    fence = rig.claim(ttl=0.03)
    before = rig.job.lease_until
    clock.advance(5.0)
    with LeaseKeeper(store, fence) as keeper:
        wait_for(lambda: rig.job.lease_until != before)
        keeper.check()
    assert rig.job.lease_until == pytest.approx(clock.now() + 0.03)
    clock.advance(5.0)
    time.sleep(0.05)
    assert rig.job.lease_until == pytest.approx(clock.now() - 5.0 + 0.03)


def test_the_keeper_lives_through_a_busy_store_and_tells_of_a_lost_lease() -> None:
    class Busy(FailingStore):
        calls = 0

        def commit(self, changes: Sequence[Change], fence: Fence) -> int:
            self.calls += 1
            if self.calls < 3:
                raise StoreBusy("for a while")
            return super().commit(changes, fence)

    store = MemoryStore(FakeClock())
    rig = Rig(counting(), at_once, store=store, max_trials=1)
    busy = Busy(store, 10**9)
    fence = rig.claim(ttl=0.03)
    with LeaseKeeper(busy, fence) as keeper:
        wait_for(lambda: busy.calls >= 4)
        keeper.check()
        store.claim(JOB, "another", 30.0, evict="me")
        wait_for(lambda: keeper.lost is not None)
        with pytest.raises(LeaseLost):
            keeper.check()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end, "it doesn't happen"
        time.sleep(0.005)


@pytest.mark.parametrize("error", [StoreFull("no space"), StoreBusy("locked")])
@pytest.mark.parametrize("number", range(1, 8))
def test_a_store_that_takes_no_more_ends_the_run_and_the_job_can_be_resumed(number: int, error: Exception) -> None:
    executor = Scripted(epochs, slots=2)
    rig = Rig(counting(), executor, max_trials=4)
    inner = rig.store
    rig.store = FailingStore(inner, number, error=lambda: error)
    with pytest.raises(type(error)):
        rig.run()
    assert executor.closed
    assert executor.running == {}
    rig.store = inner
    again = rig.again(epochs, slots=2)
    assert again.run().counts == Counts(completed=4)
    again.check()


def test_an_execution_is_committed_before_it_is_launched() -> None:
    seen: list[tuple[int, str]] = []

    class Watched(Scripted):
        def launch(self, launch: Launch) -> None:
            stored = {e.token: e.status.value for e in rig.executions}
            seen.append((launch.trial.number, stored[launch.execution.token]))
            super().launch(launch)

    rig = Rig(counting(), Watched(at_once, slots=2), max_trials=5)
    rig.run()
    assert seen == [(n, "Launching") for n in range(5)]


def test_the_handle_and_the_reports_are_committed_soon() -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=1)
    found: dict[int, tuple[str | None, int]] = {}
    executor.on_poll = lambda executor: found.update({executor.polls: (rig.executions[0].handle, len(rig.points()))})
    rig.run()
    assert found[4][0] == f"handle of {rig.executions[0].token}"
    # At poll n, n - 2 reports came, a second apart: the last one may wait.
    assert all(n - 3 <= found[n][1] <= n - 2 for n in range(3, 30))


def test_reports_that_come_within_the_delay_are_committed_together() -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=1)
    advance = executor.clock.advance
    executor.clock.advance = lambda seconds: advance(seconds / 1000)  # type: ignore[method-assign]
    rig.run()
    assert len([event for event in rig.events if event.startswith("reports")]) == 29  # none is dropped
    commits = FailingStore(MemoryStore(executor.clock), 10**9)
    executor = Scripted(epochs, clock=executor.clock)
    rig = Rig(counting(), executor, store=commits, max_trials=1)
    rig.run()
    assert commits.commits <= 5


def test_a_listener_hears_of_an_end_when_it_is_committed_and_its_error_leaves_the_job_in_order() -> None:
    from tests.unit.engine.rig import Heard

    stored: list[Status] = []

    class Careless(Heard):
        def trial_ended(self, trial: Trial) -> None:
            stored.append(rig.trials[trial.number].status)
            if trial.number == 2:
                raise RuntimeError("in the listener")

    rig = Rig(counting(), at_once, slots=2, max_trials=9)
    rig.heard = Careless()
    with pytest.raises(RuntimeError):
        rig.run()
    assert stored[:3] == [Status.COMPLETED] * 3
    assert (rig.state.status, rig.state.reason) == (Status.FAILED, "RuntimeError: in the listener")
    rig.check()
    again = rig.again(at_once)
    assert again.run().counts == Counts(completed=9)
