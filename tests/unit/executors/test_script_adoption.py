"""Scripts outlive their controller, and the next executor takes them over with all that they told meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
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
from tunewright.executors.process_identity import start_time
from tunewright.executors.script import ScriptExecutor
from tunewright.executors.script_place import Place
from tunewright.executors.script_task import Script
from tunewright.frozen import changed
from tunewright.interfaces import Adopted, Dead, ExecutorEvent, Exited, Halt, Launch, Reported, Started, Until
from tunewright.protocol import execution_folder
from tunewright.resources import Resources
from tunewright.testing.executors import Watched, check_order, follow

pytestmark = pytest.mark.slow
WAITING = "echo loss=2; while [ ! -e go ]; do sleep 0.02; done; echo loss=1; exit $(cat go)"


def place_of(only: Launch) -> Place:
    return Place(execution_folder(only.folder, only.execution.number))


def abandon(executor: ScriptExecutor) -> None:
    """What is left of an executor whose process was killed: nothing but what it had started."""
    executor._launcher.close()
    executor._runs.clear()


def begun(events: Sequence[ExecutorEvent]) -> bool:
    return any(isinstance(event, Reported) for event in events)


def abandoned(script: Script, folder: Path, only: Launch) -> str:
    """Starts a script, waits for its first report, and abandons it; its handle."""
    with executor_of(script, folder) as executor:
        executor.launch(only)
        seen = poll_until(executor, begun)
        abandon(executor)
    assert isinstance(seen.events[0], Started)
    return seen.events[0].handle


def adopt(executor: ScriptExecutor, only: Launch) -> Watched:
    """Adopts a script that runs, and follows it to its end."""
    assert isinstance(executor.adopt(only), Adopted)
    seen = poll_until(executor, ended)
    for number, event in enumerate(seen.events):
        check_order(seen.events[:number], event)
    return seen


@pytest.mark.parametrize(("code", "outcome"), [(0, "completed"), (3, "failed")])
def test_a_script_that_still_runs_is_adopted_with_its_reports_and_its_exit_code(
    tmp_path: Path, code: int, outcome: str
) -> None:
    script, only = bash(WAITING, metrics=LOSS, cwd=tmp_path), launch(tmp_path)
    handle = abandoned(script, tmp_path, only)
    with executor_of(script, tmp_path) as executor:
        assert isinstance(executor.adopt(only), Adopted)
        (tmp_path / "go").write_text(str(code))
        seen = poll_until(executor, ended)
        assert seen.events[0] == Started(only.execution.token, handle)
        assert [report.metrics["loss"] for report in seen.reports] == [2.0, 1.0]
        assert seen.exited.outcome == outcome
        if code:
            assert seen.exited.failure is not None
            assert seen.exited.failure.where == f"exit code {code}"


@pytest.mark.parametrize("handle", [True, False], ids=["handle known", "killed before the handle was committed"])
def test_what_ended_while_no_controller_lived_is_harvested(tmp_path: Path, handle: bool) -> None:
    script, only = bash(WAITING, metrics=LOSS, cwd=tmp_path), launch(tmp_path)
    known = abandoned(script, tmp_path, only)
    (tmp_path / "go").write_text("0")
    while left_of(tmp_path) or '"end"' not in wait_for(place_of(only).folder / "spool.jsonl"):
        time.sleep(0.02)
    if handle:
        only = changed(only, execution=changed(only.execution, handle=known))
    with executor_of(script, tmp_path) as executor:
        answer = executor.adopt(only)
    assert isinstance(answer, Dead)
    seen = Watched([*answer.harvest])
    assert [report.metrics["loss"] for report in seen.reports] == [2.0, 1.0]
    assert seen.exited.outcome == "completed"
    assert log_of(tmp_path).endswith("loss=2\nloss=1\n")


def test_one_that_never_began_never_will(tmp_path: Path) -> None:
    """Its controller was killed between the launch and the moment at which the supervisor begins."""
    script, only = bash("echo begun > begun", cwd=tmp_path), launch(tmp_path)
    with executor_of(script, tmp_path) as executor:
        assert executor.adopt(only) == Dead([])
    with executor_of(script, tmp_path) as late:
        late.launch(only)
        late.poll(1.5, lambda event: None)
    assert not (tmp_path / "begun").exists()


def test_one_whose_supervisor_was_killed_is_dead_with_all_that_it_started(tmp_path: Path) -> None:
    script, only = bash("setsid sleep 300 & echo loss=2; sleep 300", metrics=LOSS), launch(tmp_path)
    abandoned(script, tmp_path, only)
    claim = place_of(only).claimed()
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    while start_time(claim["pid"]):
        time.sleep(0.01)
    with executor_of(script, tmp_path) as executor:
        answer = executor.adopt(only)
    assert isinstance(answer, Dead)
    assert [type(event) for event in answer.harvest] == [Reported]
    assert left_of(tmp_path) == []


def test_a_supervisor_that_is_killed_ends_its_execution_as_lost(tmp_path: Path) -> None:
    script, only = bash("setsid sleep 300 & echo loss=2; sleep 300", metrics=LOSS), launch(tmp_path)
    with executor_of(script, tmp_path) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        claim = place_of(only).claimed()
        assert claim is not None
        os.kill(claim["pid"], signal.SIGKILL)
        assert poll_until(executor, ended).exited.outcome == "lost"
    assert left_of(tmp_path) == []


def test_a_launcher_that_is_killed_is_started_again_and_its_scripts_go_on(tmp_path: Path) -> None:
    script = bash(WAITING, metrics=LOSS, cwd=tmp_path)
    first, second = launch(tmp_path, 0), launch(tmp_path, 1)
    with executor_of(script, tmp_path, slots=2) as executor:
        executor.launch(first)
        poll_until(executor, begun)
        assert executor._launcher._process is not None
        psutil.Process(executor._launcher._process.pid).kill()
        executor.launch(second)
        (tmp_path / "go").write_text("0")
        seen = poll_until(executor, lambda events: sum(isinstance(event, Exited) for event in events) == 2)
        assert {event.token: event.outcome for event in seen.events if isinstance(event, Exited)} == {
            first.execution.token: "completed",
            second.execution.token: "completed",
        }


def test_an_earlier_owner_that_wakes_up_kills_nothing_and_orders_nothing(tmp_path: Path) -> None:
    script, only = bash(WAITING, metrics=LOSS, cwd=tmp_path), launch(tmp_path)
    with executor_of(script, tmp_path) as earlier, executor_of(script, tmp_path) as executor:
        earlier.launch(only)
        poll_until(earlier, begun)
        assert isinstance(executor.adopt(only), Adopted)
        earlier.order(only.execution.token, Halt("stop", "a decision of the past", grace=0.1))
        earlier.poll(0.3, lambda event: None)
        earlier.close()
        (tmp_path / "go").write_text("0")
        assert poll_until(executor, ended).exited.outcome == "completed"


# --- orders that a controller left behind ---

DECIDING = """
from tunewright.report import report
for step in range(1, 9):
    report(loss=float(step), step=step)
"""


def deciding(folder: Path) -> tuple[Script, Launch]:
    only = launch(folder)
    return python(DECIDING), changed(only, execution=changed(only.execution, until_step=3))


def test_a_script_that_waits_for_a_decision_gets_the_one_that_never_went_out(tmp_path: Path) -> None:
    script, only = deciding(tmp_path)
    abandoned(script, tmp_path, only)
    decided = changed(only, execution=changed(only.execution, until_step=None))
    with executor_of(script, tmp_path) as executor:
        assert [report.step for report in adopt(executor, decided).reports] == [*range(1, 9)]


def test_a_script_is_not_set_back_to_a_decision_step_that_it_has_passed(tmp_path: Path) -> None:
    script, only = deciding(tmp_path)
    with executor_of(script, tmp_path) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        executor.order(only.execution.token, Until(6))
        poll_until(executor, begun)
        abandon(executor)
    with executor_of(script, tmp_path) as executor:
        assert isinstance(executor.adopt(only), Adopted)
        assert (place_of(only).last_order() or {})["until"] == 6
        asked: list[int] = []

        def answer(event: ExecutorEvent) -> None:
            if isinstance(event, Reported) and event.reports[-1].step >= 6 and not asked:
                asked.append(event.reports[-1].step)
                executor.order(only.execution.token, Until(None))

        end = time.monotonic() + 30
        while only.execution.token in executor._runs and time.monotonic() < end:
            executor.poll(0.1, answer)
        assert asked == [6]


def test_orders_of_the_new_owner_are_newer_than_all_before(tmp_path: Path) -> None:
    script, only = deciding(tmp_path)
    with executor_of(script, tmp_path) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        for step in (4, 5):
            executor.order(only.execution.token, Until(step))
        before = (place_of(only).last_order() or {})["number"]
        abandon(executor)
    with executor_of(script, tmp_path) as executor:
        assert isinstance(executor.adopt(only), Adopted)
        executor.order(only.execution.token, Halt("stop", "enough"))
        assert (place_of(only).last_order() or {})["number"] > before
        assert poll_until(executor, ended).exited.outcome == "stopped"


def test_a_script_that_had_been_ordered_to_end_is_ended_by_the_next_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.executors.script._GRACE", 0.5)
    script, only = bash("trap '' TERM; echo loss=1; while true; do sleep 0.1; done", metrics=LOSS), launch(tmp_path)
    with executor_of(script, tmp_path) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        executor.order(only.execution.token, Halt("pause", "others first", grace=300.0))
        abandon(executor)
    with executor_of(script, tmp_path) as executor:
        assert adopt(executor, only).exited.outcome == "paused"
    assert left_of(tmp_path) == []


def test_time_is_kept_while_no_controller_lives(tmp_path: Path) -> None:
    script, only = bash("echo loss=1; sleep 300", metrics=LOSS), launch(tmp_path)
    with executor_of(script, tmp_path, resources=Resources(time=1.0)) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        abandon(executor)
    end = time.monotonic() + 20
    while left_of(tmp_path):
        assert time.monotonic() < end
        time.sleep(0.05)
    with executor_of(script, tmp_path) as executor:
        answer = executor.adopt(only)
    assert isinstance(answer, Dead)
    failure = Watched([*answer.harvest]).exited.failure
    assert failure is not None
    assert failure.message == "ran longer than its limit of 1 s"


def test_a_sigterm_from_elsewhere_loses_the_execution_and_is_no_failure_of_the_script(tmp_path: Path) -> None:
    only = launch(tmp_path)
    with executor_of(bash("echo loss=1; sleep 300", metrics=LOSS), tmp_path) as executor:
        executor.launch(only)
        poll_until(executor, begun)
        claim = place_of(only).claimed()
        assert claim is not None
        os.kill(claim["pid"], signal.SIGTERM)
        assert poll_until(executor, ended).exited.outcome == "lost"


def test_executions_that_follow_each_other_have_files_of_their_own(tmp_path: Path) -> None:
    script = bash(
        'echo loss=$TUNEWRIGHT_EXECUTION; test -z "$TUNEWRIGHT_CHECKPOINT" || echo $TUNEWRIGHT_CHECKPOINT', metrics=LOSS
    )
    assert run(script, tmp_path).reports[0].metrics == {"loss": 1.0}
    with executor_of(script, tmp_path) as executor:
        second = launch(tmp_path, execution=2, checkpoint="/the/checkpoint")
        seen = follow(executor, [second])[second.execution.token]
    assert seen.reports[0].metrics == {"loss": 2.0}
    assert "/the/checkpoint\n" in log_of(tmp_path)
