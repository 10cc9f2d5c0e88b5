"""Trials that were launched and can't start yet: what is stored of it, and what is heard."""

from __future__ import annotations

import pytest

from tests.unit.engine.rig import Heard, Make, Rig, Scripted, completed, counting, reported
from tunewright.interfaces import Launch, Waiting
from tunewright.records import WAITS, ExecutionStatus, Status, Trial

GPU = "waits for 1 GPU: GPU 0 is used by job other"


def waiting(reason: str) -> Make:
    return lambda token, at: Waiting(token, reason)


class Crowded(Scripted):
    """Its executions wait for these reasons, one after the other, before they start."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(lambda launch: [reported(1, loss=1.0), completed(1.0)])
        self._reasons = reasons

    def launch(self, launch: Launch) -> None:
        super().launch(launch)
        self.running[launch.execution.token].extendleft(waiting(reason) for reason in reversed(self._reasons))


class Listening(Heard):
    """Hears of waits, too, and what the store held then."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.waits: list[tuple[int, str | None]] = []
        self._rig = rig

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        self.waits.append((trial.number, reason))


def rig_of(*reasons: str, trials: int = 1) -> tuple[Rig, Listening]:
    rig = Rig(counting(), Crowded(*reasons), max_trials=trials)
    rig.heard = listening = Listening(rig)
    return rig, listening


def stored(rig: Rig) -> list[tuple[Status, str | None, str | None]]:
    return [(trial.status, trial.reason_code, trial.reason) for trial in rig.trials]


def test_for_what_a_trial_waits_is_stored_and_heard_until_it_starts() -> None:
    rig, heard = rig_of(GPU, f"{GPU} 2")
    seen = []

    def look(executor: Scripted) -> None:
        seen.append([*stored(rig), *[execution.status for execution in rig.executions]])

    rig.executor.on_poll = look
    assert rig.run().status is Status.COMPLETED
    waits = [(Status.IN_PROGRESS, WAITS, reason) for reason in (GPU, f"{GPU} 2")]
    assert [each for each in seen if each and each[0] in waits] == [[each, ExecutionStatus.LAUNCHING] for each in waits]
    assert stored(rig) == [(Status.COMPLETED, None, None)]
    assert heard.waits == [(0, GPU), (0, f"{GPU} 2"), (0, None)]


def test_a_trial_that_starts_at_once_waits_for_nothing() -> None:
    rig, heard = rig_of()
    rig.run()
    assert heard.waits == []


def test_every_trial_may_wait() -> None:
    rig, heard = rig_of(GPU, trials=2)
    rig.run()
    assert heard.waits == [(0, GPU), (0, None), (1, GPU), (1, None)]


def test_a_trial_that_still_waited_when_its_job_was_interrupted_goes_on_later() -> None:
    rig, _ = rig_of(GPU)
    controller = rig.controller(fence := rig.claim())
    rig.executor.on_poll = lambda executor: controller.interrupt() if executor.polls == 2 else None
    controller.run()
    rig.store.release(fence)
    assert stored(rig) == [(Status.PAUSED, "interrupted", "the job was interrupted")]
    again = rig.again(Crowded())
    assert again.run().status is Status.COMPLETED
    assert stored(rig) == [(Status.COMPLETED, None, None)]


def test_a_trial_that_waited_under_a_killed_controller_waits_no_more_once_it_starts() -> None:
    rig, _ = rig_of(GPU)

    class Killed(BaseException):
        pass

    def kill(executor: Scripted) -> None:
        if executor.polls == 2:
            assert stored(rig) == [(Status.IN_PROGRESS, WAITS, GPU)]
            raise Killed

    rig.executor.on_poll = kill
    controller = rig.controller(fence := rig.claim())
    controller._leave_after = lambda error: None  # type: ignore[method-assign]  # a killed one writes nothing
    with pytest.raises(Killed):
        controller.run()
    rig.store.release(fence)
    assert stored(rig) == [(Status.IN_PROGRESS, WAITS, GPU)]
    assert rig.again(Crowded()).run().status is Status.COMPLETED
    assert stored(rig) == [(Status.COMPLETED, None, None)]
