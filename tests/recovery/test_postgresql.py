"""Jobs on a PostgreSQL server: many controllers at once, and a server that goes away in mid-job."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import tunewright as tw
from tests.postgres_server import PASSWORD, Server
from tests.recovery.checks import check_no_process_left, check_rows, check_witness
from tests.recovery.searching import NAME, TRIALS, store_of
from tests.recovery.test_controller_kills import environment
from tunewright.queries import AllSeries, Events, Executions
from tunewright.records import ExecutionStatus, Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONTROLLERS, SHARED_TRIALS = 8, 40


def test_eight_controllers_share_a_database(postgresql: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.recovery.sharing", postgresql]
    names = [f"job-{number}" for number in range(CONTROLLERS)]
    controllers = [
        subprocess.Popen(
            [*command, name, str(SHARED_TRIALS)],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in names
    ]
    for controller in controllers:
        said, complaint = controller.communicate(timeout=300)
        assert (said, controller.returncode) == (b"Completed\n", 0), complaint.decode()
    store = tw.open_store(postgresql)
    assert sorted(job.name for job in tw.jobs(store=store)) == names
    asked = 0
    for name in names:
        job = tw.job(name, store=store)
        trials = job.trials
        counts = job.record.state.counts
        assert [trial.number for trial in trials] == list(range(SHARED_TRIALS))
        statuses = Counter(trial.status for trial in trials)
        assert (statuses[Status.COMPLETED], statuses[Status.FAILED]) == (counts.completed, counts.failed)
        assert counts.failed == len(range(3, SHARED_TRIALS, 7))
        assert counts.total == SHARED_TRIALS
        assert min(trial.objective for trial in trials if trial.objective is not None) == job.best.objective
        assert [event.number for event in store.read(Events(name))] == list(range(1, job.record.event + 1))
        assert all(series.count == 5 for series in store.read(AllSeries(name)))
        assert [execution.reports for execution in store.read(Executions(name))] == [5] * SHARED_TRIALS
        asked += sum(trial.origin.startswith("asked by ") for trial in trials)
    assert asked > 0, "no command of one controller reached another's job in time"
    store.close()


def _start(folder: Path, address: str) -> subprocess.Popen[bytes]:
    (folder / "address").write_text(address)
    command = [sys.executable, "-m", "tests.recovery.searching", str(folder)]
    return subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE)


def _wait_for_completed(folder: Path, number: int) -> None:
    """Waits by what training code has done, for the store may be away."""
    end, witness = time.monotonic() + 150, folder / "witness"
    while not witness.exists() or witness.read_text().count("end") < number:
        assert time.monotonic() < end, "the controller doesn't get on"
        time.sleep(0.05)


def test_a_job_waits_for_a_server_that_crashed_and_goes_on(own_server: Server, tmp_path: Path) -> None:
    controller = _start(tmp_path, own_server.database())
    for completed, away in ((4, 0.0), (12, 2.5), (20, 0.5)):
        _wait_for_completed(tmp_path, completed)
        own_server.restart(away)
    _, complaint = controller.communicate(timeout=300)
    assert controller.returncode == 0, complaint.decode()
    executions = check_rows(tmp_path, TRIALS)
    check_witness(tmp_path, executions)
    assert len(executions) == TRIALS, "nothing had to be executed again"
    check_no_process_left(tmp_path)


def test_a_job_ends_when_its_server_stays_away_and_is_resumed_when_it_is_back(own_server: Server, tmp_path: Path) -> None:
    address = f"{own_server.database()}?timeout=2"
    controller = _start(tmp_path, address)
    _wait_for_completed(tmp_path, 4)
    own_server.stop()
    _, complaint = controller.communicate(timeout=60)
    said = complaint.decode()
    assert controller.returncode != 0
    assert "StoreUnreachable" in said
    assert "can't be reached for 2 s" in said
    assert f"tunewright resume {NAME}" in said
    assert PASSWORD not in said
    assert address not in said
    check_no_process_left(tmp_path)
    own_server.start()
    assert 4 <= tw.job(NAME, store=store_of(tmp_path)).record.state.counts.completed < TRIALS
    second = _start(tmp_path, address)
    _, complaint = second.communicate(timeout=300)
    assert second.returncode == 0, complaint.decode()
    executions = check_rows(tmp_path, TRIALS)
    check_witness(tmp_path, executions)
    lost = [execution for execution in executions if execution.status is ExecutionStatus.LOST]
    assert len(lost) <= 3, "what ran when the controller gave up, and had not come to its end"
