"""The controller and workers are killed at random moments, and the job is resumed until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.recovery.checks import check_no_process_left, check_rows, check_witness
from tests.recovery.searching import NAME, TRIALS, store_of
from tunewright.records import ExecutionStatus

KILLS = {"sqlite": 25, "postgresql": 10}  # by the store


def _controller(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.recovery.searching", str(folder)], cwd=folder, env=environment())


def environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore"}


def _wait_for_work(folder: Path) -> None:
    """Waits until training code begins to do something new."""
    witness = folder / "witness"
    before, end = witness.stat().st_size if witness.exists() else 0, time.monotonic() + 60
    while not witness.exists() or witness.stat().st_size == before:
        assert time.monotonic() < end, "nothing is executed"
        time.sleep(0.01)


def _kill_a_worker(controller: int, chance: random.Random) -> bool:
    """Kills one worker process of a controller with its whole self, if there is one."""
    try:
        below = psutil.Process(controller).children(recursive=True)
        workers = [p for p in below if "tunewright.executors.worker" in " ".join(p.cmdline())]
        chance.choice(workers).kill()
    except (psutil.Error, IndexError):
        return False
    return True


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_survives_kills_of_its_controller_and_workers(place: Path) -> None:
    chance, allowed = random.Random(20), KILLS["postgresql" if (place / "address").exists() else "sqlite"]
    kills = workers_killed = 0
    while kills < allowed:
        controller = _controller(place)
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0.1, 1.5))  # often before anything was launched
        else:
            _wait_for_work(place)
            time.sleep(chance.uniform(0.0, 0.4))
            if chance.random() < 0.6:
                workers_killed += _kill_a_worker(controller.pid, chance)
                time.sleep(chance.uniform(0.0, 0.3))
        assert controller.poll() is None, "the job ended before it was killed often enough; make its trials longer"
        controller.send_signal(signal.SIGKILL)
        controller.wait()
        kills += 1
    assert workers_killed >= allowed // 8
    controller = _controller(place)
    assert controller.wait(timeout=300) == 0
    executions = check_rows(place, TRIALS)
    check_witness(place, executions)
    check_no_process_left(place)
    assert sum(e.status is ExecutionStatus.LOST for e in executions) > 0, "no kill hit a running trial"


@pytest.mark.slow
def test_a_controller_that_lost_its_lease_writes_nothing_and_exits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tunewright as tw

    monkeypatch.setenv("TUNEWRIGHT_LEASE", "2")
    monkeypatch.chdir(place)
    first = subprocess.Popen(
        [sys.executable, "-m", "tests.recovery.searching", str(place)], env=environment(), stderr=subprocess.PIPE
    )
    store = tw.open_store(store_of(place))
    _wait_for_completed_trials(store, 3)
    first.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    second = subprocess.run([sys.executable, "-m", "tests.recovery.searching", str(place)], env=environment(), check=False)
    assert second.returncode == 0
    event = tw.job(NAME, store=store).record.event
    first.send_signal(signal.SIGCONT)
    _, complaint = first.communicate(timeout=30)
    assert first.returncode != 0
    assert b"LeaseLost" in complaint
    assert tw.job(NAME, store=store).record.event == event
    check_witness(place, check_rows(place, TRIALS))
    check_no_process_left(place)


def _wait_for_completed_trials(store: object, number: int) -> None:
    import tunewright as tw

    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if tw.job(NAME, store=store).record.state.counts.completed >= number:  # type: ignore[arg-type]
                return
        except tw.NotFound:
            pass
        time.sleep(0.05)
    raise AssertionError("the controller doesn't get on")
