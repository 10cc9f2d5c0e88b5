"""Ctrl-C and SIGTERM end a job in order, and it goes on afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tunewright as tw
from tests.recovery.checks import check_no_process_left, check_rows, check_witness
from tests.recovery.searching import NAME, TRIALS, store_of
from tests.recovery.test_controller_kills import environment
from tunewright.records import Status


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_an_interrupted_job_is_left_in_order_and_resumed_from_the_command_line(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-m", "tests.recovery.searching", str(tmp_path)], cwd=tmp_path, env=environment()
    )
    store = tw.open_store(store_of(tmp_path))
    _wait_for(store, lambda job: job.record.state.counts.completed >= 4)
    controller.send_signal(sent)
    assert controller.wait(timeout=30) == code
    job = tw.job(NAME, store=store)
    assert (job.status, job.reason) == (Status.STOPPED, "interrupted")
    assert job.record.owner is None
    check_no_process_left(tmp_path)
    paused = [trial for trial in job.trials if trial.status is Status.PAUSED]
    assert 1 <= len(paused) <= 3
    command = [sys.executable, "-m", "tunewright", "resume", NAME, "--store", str(tmp_path / "store.db")]
    resumed = subprocess.run(command, cwd=tmp_path, env=environment(), check=False, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    check_witness(tmp_path, check_rows(tmp_path, TRIALS))


@pytest.mark.slow
def test_a_running_job_is_stopped_from_another_process(tmp_path: Path) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-m", "tests.recovery.searching", str(tmp_path)], cwd=tmp_path, env=environment()
    )
    store = tw.open_store(store_of(tmp_path))
    _wait_for(store, lambda job: job.record.state.counts.completed >= 2)
    command = [sys.executable, "-m", "tunewright", "stop", NAME, "--store", str(tmp_path / "store.db")]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    assert controller.wait(timeout=60) == 0
    job = tw.job(NAME, store=store)
    assert job.status is Status.STOPPED
    assert job.reason_code == "stopped"
    assert all(trial.status in (Status.COMPLETED, Status.STOPPED) for trial in job.trials)
    assert job.record.state.counts.completed >= 2
    check_no_process_left(tmp_path)


def _wait_for(store: tw.Store, condition: object) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if condition(tw.job(NAME, store=store)):  # type: ignore[operator]
                return
        except tw.NotFound:
            pass
        time.sleep(0.05)
    raise AssertionError("the controller doesn't get on")
