"""A controller dies at every point where its work can be cut in two, one after the other, and the job is whole at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recovery.checks import check_no_process_left, check_rows, check_witness
from tests.recovery.test_controller_kills import environment

TRIALS, VISITS = 240, 5
POINTS = [f"{side} {point}" for point in ("commit", "launch", "handle", "reported", "exited") for side in ("before", "after")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_survives_crashes_at_every_point(tmp_path: Path) -> None:
    for visit in range(VISITS):
        for point in POINTS:
            assert _run(tmp_path, f"{point}:{visit}") == -signal.SIGKILL, f"{point} was not passed {visit} times"
    assert _run(tmp_path, "none") == 0
    check_witness(tmp_path, check_rows(tmp_path, TRIALS))
    check_no_process_left(tmp_path)


def _run(folder: Path, at: str) -> int:
    command = [sys.executable, "-m", "tests.recovery.crashing", str(folder), at, str(TRIALS)]
    return subprocess.run(command, cwd=folder, env=environment(), check=False, timeout=120).returncode
