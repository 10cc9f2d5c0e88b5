"""The controller of scripts is killed at random moments; scripts go on, and none is executed again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

import tunewright as tw
from tests.recovery.scripting import NAME, STEPS, store_of
from tests.recovery.test_controller_kills import environment
from tunewright.executors.leftovers import marked
from tunewright.queries import Executions, Points, Trials
from tunewright.records import Execution, ExecutionStatus, Status

KILLS, TRIALS, FEW = 20, 80, 12


def _controller(folder: Path, trials: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.recovery.scripting", str(folder), str(trials)]
    return subprocess.Popen(command, cwd=folder, env=environment())


def _witness(folder: Path) -> dict[str, Counter[tuple[int, int]]]:
    seen: dict[str, Counter[tuple[int, int]]] = {"begin": Counter(), "end": Counter()}
    for line in (folder / "witness").read_text().splitlines():
        word, trial, execution = line.split()
        seen[word][int(trial), int(execution)] += 1
    return seen


def _check_rows(folder: Path, trials: int) -> list[Execution]:
    """Every trial is completed, by the one execution that really ran, with all its reports."""
    store = tw.open_store(store_of(folder))
    rows, executions = [*store.read(Trials(NAME))], [*store.read(Executions(NAME))]
    assert [row.number for row in rows] == [*range(trials)]
    assert all(row.status is Status.COMPLETED for row in rows), Counter(row.status for row in rows)
    assert all(row.objective == row.params["x"] for row in rows)
    completed = {(e.trial, e.number) for e in executions if e.status is ExecutionStatus.COMPLETED}
    seen = _witness(folder)
    assert seen["begin"] == seen["end"] == Counter(completed), "something was executed twice, or not to its end"
    assert len(completed) == trials
    # An execution may have been committed, and its controller killed, before it was launched: then it never began.
    assert {e.status for e in executions if (e.trial, e.number) not in completed} <= {ExecutionStatus.LOST}
    points = Counter((point.trial, point.execution) for point in store.read(Points(NAME)))
    assert points == dict.fromkeys(completed, STEPS)
    return executions


def _no_process_is_left(folder: Path, patience: float = 10.0) -> None:
    end = time.monotonic() + patience
    while left := [process for _, process in marked(lambda token: True, "TUNEWRIGHT_TOKEN") if _works_for(process, folder)]:
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.1)


def _works_for(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in process.environ().get("TUNEWRIGHT_FOLDER", "")
    except psutil.Error:
        return False


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_finished_work_is_repeated(tmp_path: Path) -> None:
    chance = random.Random(3)
    alone: list[tuple[float, float]] = []  # when no controller lived
    for _ in range(KILLS):
        controller = _controller(tmp_path, TRIALS)
        time.sleep(chance.uniform(0.3, 3.0))
        assert controller.poll() is None, "the job ended before it was killed often enough; make its trials longer"
        controller.send_signal(signal.SIGKILL)
        controller.wait()
        began = time.time()
        time.sleep(chance.choice([0.0, 0.3, 1.5]))
        alone.append((began, time.time()))
    assert _controller(tmp_path, TRIALS).wait(timeout=300) == 0
    _check_rows(tmp_path, TRIALS)
    _no_process_is_left(tmp_path)
    times = [point.at for point in tw.open_store(store_of(tmp_path)).read(Points(NAME))]
    assert any(start < at < end for at in times for start, end in alone), "nothing was printed while no controller lived"


@pytest.mark.slow
def test_a_controller_that_lost_its_lease_leaves_scripts_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEWRIGHT_LEASE", "2")
    first = _controller(tmp_path, FEW)
    end = time.monotonic() + 60
    while not (tmp_path / "witness").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    second = _controller(tmp_path, FEW)
    time.sleep(2.0)
    first.send_signal(signal.SIGCONT)
    assert first.wait(timeout=30) != 0
    assert second.wait(timeout=200) == 0
    executions = _check_rows(tmp_path, FEW)
    assert len(executions) == FEW
    _no_process_is_left(tmp_path)


@pytest.mark.slow
def test_an_interrupt_ends_the_scripts_and_a_resume_executes_them_again(tmp_path: Path) -> None:
    controller = _controller(tmp_path, FEW)
    end = time.monotonic() + 60
    while not (tmp_path / "witness").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    controller.send_signal(signal.SIGINT)
    assert controller.wait(timeout=30) == 0
    _no_process_is_left(tmp_path, patience=0.5)
    assert tw.job(NAME, store=store_of(tmp_path)).record.state.reason_code == "interrupted"
    assert _controller(tmp_path, FEW).wait(timeout=200) == 0
    seen = _witness(tmp_path)
    assert sorted(trial for trial, _ in seen["end"]) == [*range(FEW)]
    assert max(execution for _, execution in seen["end"]) == 2
