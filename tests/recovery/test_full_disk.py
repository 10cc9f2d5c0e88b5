"""A disk fills up while a job runs: the job ends, says why and what to do, loses nothing, and goes on when there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tunewright as tw
from tests.recovery.filling import REPORTS
from tests.recovery.test_controller_kills import environment
from tunewright.queries import AllSeries
from tunewright.records import Status

TRIALS = 120


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, with room for part of the job."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("missing the right to mount a small file system (root has it)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_job_ends_on_a_full_disk_and_goes_on_after(small_disk: Path, executor: str) -> None:
    first = _run(small_disk, executor)
    assert first.returncode != 0
    assert "StoreFull" in first.stderr
    assert "no space left" in first.stderr
    assert "tunewright resume filling" in first.stderr
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    before = _completed(small_disk)
    assert 0 < before < TRIALS
    second = _run(small_disk, executor)
    assert second.returncode == 0, second.stderr
    assert _completed(small_disk) == TRIALS


def _run(folder: Path, executor: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.recovery.filling", str(folder), str(TRIALS), executor]
    return subprocess.run(
        command, env=environment() | {"TMPDIR": os.environ.get("TMPDIR", "/tmp")}, check=False, capture_output=True, text=True
    )


def _completed(folder: Path) -> int:
    """How many trials are completed, each with all its reports."""
    store = tw.open_store(f"{folder}/store.db")
    job = tw.job("filling", store=store)
    trials = [trial for trial in job.trials if trial.status is Status.COMPLETED]
    assert job.record.state.counts.completed == len(trials)
    counts = {(series.trial, series.metric): series.count for series in store.read(AllSeries("filling"))}
    for trial in trials:
        assert counts[trial.number, "loss"] == REPORTS
    return len(trials)
