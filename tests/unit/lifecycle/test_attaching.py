"""Following a job by its store: the display hears what it would hear in the job's own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import tuned
from tunewright.errors import NotFound
from tunewright.interfaces import Store
from tunewright.lifecycle import attaching, ownership
from tunewright.lifecycle.attaching import attach
from tunewright.lifecycle.request import make_request
from tunewright.progress.board import Board
from tunewright.progress.display import Display
from tunewright.records import WAITS, Execution, JobState, Status, Trial, TuningJob


class Shown(Display):
    """A display that keeps what it hears."""

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.heard: list[tuple[str, int]] = []
        self.values: list[tuple[int, int, float | None]] = []
        self.messages: list[str] = []
        self.finished = False

    def __enter__(self) -> Shown:
        return self

    def trial_started(self, trial: Trial, execution: Execution) -> None:
        super().trial_started(trial, execution)
        self.heard.append(("started", trial.number))

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        super().trial_reported(trial, step, value)
        self.values.append((trial.number, step, value))

    def trial_ended(self, trial: Trial) -> None:
        super().trial_ended(trial)
        self.heard.append(("ended", trial.number))

    def message(self, text: str) -> None:
        self.messages.append(text)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """The displays that were opened."""
    opened: list[Shown] = []

    def open_shown(kind: object, brief: Any, earlier: Any) -> Shown:
        opened.append(Shown(Board(brief, earlier)))
        return opened[-1]

    monkeypatch.setattr(attaching, "open_progress", open_shown)
    return opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = tw.open_store(str(tmp_path / "s.db"))
    yield opened
    opened.close()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_that_has_ended_is_shown_as_it_ended(store: Store, tmp_path: Path, shown: list[Shown]) -> None:
    job = tuned("first", tmp_path / "s.db")
    state = attach(store, "first")
    (display,) = shown
    assert state == job.record.state
    assert display.finished
    assert display.heard == []
    assert display.board.best is not None
    assert display.board.best.number == job.best.number
    assert display.board.brief.elapsed == state.elapsed


def test_a_running_job_is_followed_to_its_end(store: Store, tmp_path: Path, shown: list[Shown]) -> None:
    released = [threading.Event() for _ in range(4)]

    def train(trial: Any) -> float:
        while not released[trial.number].wait(0.02):
            trial.report(loss=float(trial.number))
        return float(trial.number)

    job = tw.start(
        train, {"x": tw.Float(0, 1)}, metric="loss", max_trials=4, executor="inline", store=str(tmp_path / "s.db"), name="first"
    )
    wait_for(lambda: bool(job.trials) and bool(job.trials[0].reports))
    states: list[JobState] = []
    following = threading.Thread(target=lambda: states.append(attach(store, "first")))
    following.start()
    wait_for(lambda: bool(shown) and shown[0].heard == [("started", 0)])
    display = shown[0]
    number, step, value = display.values[0]
    assert (number, value) == (0, 0.0)
    assert step >= 1
    assert display.board.counts.in_progress == 1
    for event in released:
        event.set()
        time.sleep(0.05)
    following.join(30)
    job.wait()
    assert [number for what, number in display.heard if what == "ended"] == [0, 1, 2, 3]
    assert display.finished
    assert display.board.counts.completed == 4
    assert display.board.best is not None
    assert display.board.best.number == 0
    assert states == [job.record.state]
    assert job.record.owner is None


def test_a_job_that_nobody_runs_is_said_so(store: Store, tmp_path: Path, shown: list[Shown]) -> None:
    from tests.unit.lifecycle.interrupted import interrupted

    interrupted(store)
    attach(store, "left")
    (display,) = shown
    assert not display.finished
    assert display.messages == ["job left is InProgress, but no process runs it. To go on: tunewright resume left"]
    host, _, rest = ownership.this_owner().partition("|")
    assert store.claim("left", f"{host}|{rest.partition('|')[0]}|1.00|x", 60.0) is not None
    attach(store, "left")
    assert "has died. To go on: tunewright resume left" in shown[1].messages[0]


def test_the_time_that_trials_run_is_counted_from_their_start(
    store: Store, tmp_path: Path, shown: list[Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.lifecycle.interrupted import interrupted

    trial_started = interrupted(store)
    attach(store, "left", clock=lambda: trial_started + 100.0)
    running = shown[0].board.running[0]
    assert shown[0].board._clock() - running.since == pytest.approx(100.0, abs=5.0)


def test_an_unknown_job(store: Store) -> None:
    with pytest.raises(NotFound):
        attach(store, "nothing")


def test_who_follows_hears_for_what_a_trial_waits(store: Store, shown: list[Shown]) -> None:
    space = tw.SearchSpace({"x": tw.Float(0, 1)})
    request = make_request(lambda trial: 0.0, space, metric="loss", max_trials=1, strategy="random")
    store.create(TuningJob("crowded", request.spec.to_json()))
    fence = store.claim("crowded", ownership.this_owner(), 60.0)
    assert fence is not None
    trial = Trial(0, {"x": 0.5}, seed=1, status=Status.IN_PROGRESS, executions=1)
    store.commit([JobState(Status.IN_PROGRESS), trial, Execution(0, 1, "token")], fence)
    following = threading.Thread(target=lambda: attach(store, "crowded"))
    following.start()
    wait_for(lambda: bool(shown) and shown[0].heard == [("started", 0)])
    running = shown[0].board.running[0]
    for what in ("this", "that"):
        store.commit([replace(trial, reason_code=WAITS, reason=f"waits for 1 GPU: {what}")], fence)
        wait_for(lambda: (running.waits or "").endswith(what))  # noqa: B023
    store.commit([trial], fence)
    wait_for(lambda: running.waits is None)
    store.commit([JobState(Status.STOPPED)], fence)
    store.release(fence)
    following.join(30)
    assert shown[0].heard == [("started", 0)], "once"
