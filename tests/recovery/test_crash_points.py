"""A controller dies at every point where its work can be cut in two, one after the other, and the job is whole at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recovery.checks import check_no_process_left, check_rows, check_witness
from tests.recovery.test_controller_kills import environment

POINTS, TRIALS = 48, 240
NAMES = {
    f"{side} {point}" for side in ("before", "after") for point in ("commit", "launch", "handle", "reported", "exited")
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_survives_a_crash_at_every_point(tmp_path: Path) -> None:
    died_at = []
    for number in range(POINTS):
        log = tmp_path / f"points-{number}"
        code = _run(tmp_path, str(number), log)
        assert code == -signal.SIGKILL, f"point {number} was not reached"
        died_at.append(log.read_text().splitlines()[-1])
    assert set(died_at) == NAMES
    assert _run(tmp_path, "none", tmp_path / "points") == 0
    check_witness(tmp_path, check_rows(tmp_path, TRIALS))
    check_no_process_left(tmp_path)


def _run(folder: Path, at: str, log: Path) -> int:
    command = [sys.executable, "-m", "tests.recovery.crashing", str(folder), at, str(log), str(TRIALS)]
    return subprocess.run(command, cwd=folder, env=environment(), check=False, timeout=120).returncode
