"""Leaves a job to a process of its own, which outlives the terminal and the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tunewright.errors import InvalidInput, TunewrightError
from tunewright.lifecycle.job import Job
from tunewright.store.location import ADDRESS

LOG = "controller.log"
_START = 60.0  # seconds for the process to take the job up
_LOOK = 0.05  # seconds between looks whether it has


def detach(job: Job, arguments: Sequence[str] = (), store: str | None = None) -> Path:
    """Has a job taken up by a new process, and returns once it is.

    Args:
        arguments: of the command `tunewright resume NAME`, further ones.
        store: the address of the job's store as it was given, if it was; it may hold a password, so it goes by the environment.

    Returns:
        The file that holds what the process prints.

    Raises:
        InvalidInput: the job is only in memory, or a trial of it would run in the process that starts it.
        TunewrightError: the process ended before it took the job up; the message holds its last words.
    """
    if job.location is None:
        raise InvalidInput("store", "must be a file or a database for a job in a process of its own; this one is in memory")
    log = job.folder / LOG
    environment = {**os.environ, **({ADDRESS: store} if store is not None else {})}
    before = job.record.fence
    with log.open("ab") as output:
        start = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "tunewright", "resume", job.name, *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True,
        )  # fmt: skip
    end = time.monotonic() + _START
    while job.record.fence == before:
        if (code := process.poll()) is not None and job.record.fence == before:
            raise TunewrightError(f"the process for job {job.name!r} ended with code {code}: {_last_words(log, start)}")
        if time.monotonic() > end:
            raise TunewrightError(f"process {process.pid} has not taken up job {job.name!r} in {_START:g} s; see {log}")
        time.sleep(_LOOK)
    _forget(process)
    return log


def _last_words(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "without a word"


def _forget(process: subprocess.Popen[bytes]) -> None:
    """Keeps the interpreter from warning about a child that is to outlive it."""
    process.returncode = 0
