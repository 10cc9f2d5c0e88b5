"""Stops, pauses and kills of scripts, and that nothing of them is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.executors.scripts import (
    LOSS,
    bash,
    ended,
    executor_of,
    launch,
    left_of,
    log_of,
    poll_until,
    python,
    run,
    wait_for,
)
from tunewright.interfaces import ExecutorEvent, Halt, Kill, Order, Reported
from tunewright.testing.executors import follow

pytestmark = pytest.mark.slow
REPORTING = """
import time
from tunewright.report import report
for step in range(1, 1000):
    report(loss=1.0, step=step)
    time.sleep({pause})
"""


def at_first_report(order: Order) -> Callable[[ExecutorEvent], Order | None]:
    return lambda event: order if isinstance(event, Reported) else None


@pytest.mark.parametrize(("action", "outcome"), [("stop", "stopped"), ("pause", "paused")])
def test_a_script_that_reports_ends_at_its_next_report(tmp_path: Path, action: str, outcome: str) -> None:
    began = time.monotonic()
    seen = run(python(REPORTING.format(pause=0.05)), tmp_path, answer=at_first_report(Halt(action, "enough", grace=30.0)))
    assert seen.exited.outcome == outcome
    assert time.monotonic() - began < 15, "it was ended by a signal"
    assert log_of(tmp_path).splitlines()[1:] == [f"tunewright: {action}: enough"]


def test_a_script_that_only_prints_is_sent_sigterm_at_once(tmp_path: Path) -> None:
    code = "trap 'echo cleaning up; exit 0' TERM; while true; do echo loss=1; sleep 0.05; done"
    seen = run(bash(code, metrics=LOSS), tmp_path, answer=at_first_report(Halt("stop", "enough", grace=60.0)))
    assert seen.exited.outcome == "stopped"
    assert "cleaning up" in log_of(tmp_path)


def test_a_script_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = "trap '' TERM; sh -c \"trap '' TERM; sleep 300\" & while true; do echo loss=1; sleep 0.05; done"
    seen = run(bash(code, metrics=LOSS), tmp_path, answer=at_first_report(Halt("pause", "enough", grace=0.5)))
    assert seen.exited.outcome == "paused"
    assert left_of(tmp_path) == []


def test_a_script_that_reports_too_rarely_is_sent_sigterm_within_the_grace(tmp_path: Path) -> None:
    seen = run(python(REPORTING.format(pause=300)), tmp_path, answer=at_first_report(Halt("stop", "enough", grace=1.0)))
    assert seen.exited.outcome == "stopped"
    assert len(seen.reports) == 1


def test_processes_that_left_the_group_are_ended_too(tmp_path: Path) -> None:
    code = "setsid sh -c \"trap 'echo cleaned > cleaned' TERM; sleep 300 & wait\" & echo loss=1; wait"
    seen = run(bash(code, metrics=LOSS, cwd=tmp_path), tmp_path, answer=at_first_report(Halt("stop", "enough", grace=5.0)))
    assert seen.exited.outcome == "stopped"
    assert wait_for(tmp_path / "cleaned") == "cleaned\n"
    assert left_of(tmp_path) == []


def test_a_script_that_finishes_before_it_hears_of_the_order_has_finished(tmp_path: Path) -> None:
    code = "import time; from tunewright.report import report; report(loss=1.0); time.sleep(0.5); print('done')"
    seen = run(python(code), tmp_path, answer=at_first_report(Halt("stop", "enough", grace=60.0)))
    assert seen.exited.outcome == "completed"


def test_one_that_was_told_and_exits_as_if_nothing_were_is_stopped(tmp_path: Path) -> None:
    code = (
        "import time; from tunewright.report import report\n"
        "while report(loss=1.0, interrupt=False) == 'continue': time.sleep(0.05)"
    )
    seen = run(python(code), tmp_path, answer=at_first_report(Halt("stop", "enough", grace=60.0)))
    assert seen.exited.outcome == "stopped"


@pytest.mark.parametrize("portable", [False, True], ids=["linux", "portable"])
def test_a_kill_ends_the_whole_tree_at_once(tmp_path: Path, portable: bool) -> None:
    code = "trap '' TERM; setsid sleep 300 & echo loss=1; sleep 300"
    seen = run(bash(code, metrics=LOSS), tmp_path, answer=at_first_report(Kill("no more")), portable=portable)
    assert seen.exited.outcome == "stopped"
    assert left_of(tmp_path) == []


def test_an_order_before_the_start_is_kept_until_then(tmp_path: Path) -> None:
    with executor_of(bash("sleep 300"), tmp_path) as executor:
        executor.launch(only := launch(tmp_path))
        executor.order(only.execution.token, Kill("changed my mind"))
        seen = poll_until(executor, ended)
    assert seen.exited.outcome == "stopped"
    assert left_of(tmp_path) == []


def test_closing_kills_everything(tmp_path: Path) -> None:
    code = "trap '' TERM; setsid sleep 300 & echo loss=1; sleep 300"
    with executor_of(bash(code, metrics=LOSS), tmp_path, slots=3) as executor:
        for number in range(3):
            executor.launch(launch(tmp_path, number))
        poll_until(executor, lambda events: sum(isinstance(event, Reported) for event in events) == 3)
        executor.close()
    for number in range(3):
        assert left_of(tmp_path, number) == []


def test_closing_at_once_leaves_nothing_that_starts_later(tmp_path: Path) -> None:
    with executor_of(bash("echo begun >> begun; sleep 300", cwd=tmp_path), tmp_path, slots=2) as executor:
        executor.launch(launch(tmp_path, 0))
        executor.launch(launch(tmp_path, 1))
    time.sleep(0.5)
    assert left_of(tmp_path, 0) == left_of(tmp_path, 1) == []


def test_a_slot_is_free_again_after_each_end(tmp_path: Path) -> None:
    with executor_of(bash("exit $TUNEWRIGHT_NUMBER"), tmp_path, slots=2) as executor:
        seen = follow(executor, [launch(tmp_path, number) for number in range(6)])
    outcomes = [seen[launch(tmp_path, number).execution.token].exited.outcome for number in range(6)]
    assert outcomes == ["completed"] + ["failed"] * 5
