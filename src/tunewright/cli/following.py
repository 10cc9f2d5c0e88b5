"""Trials' logs as they grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from tunewright.lifecycle.job import Job
from tunewright.protocol import log_path
from tunewright.records import TERMINAL

PAUSE = 0.25  # seconds between two looks


class Follower:
    """Prints what trials' logs grow by.

    Args:
        trial: follows one trial; None: every trial of the job, each line with its trial's number before it.
        out: where it is printed.
        begin_at_end: what is there already is passed over.
    """

    def __init__(self, job: Job, trial: int | None, out: TextIO, *, begin_at_end: bool) -> None:
        self._job, self._trial, self._out = job, trial, out
        self._offsets: dict[int, int] = {}
        if begin_at_end:
            self._offsets = {number: _size(path) for number, path in self._logs()}

    def follow(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prints until the trial, or the job, has ended."""
        while True:
            ended = self._ended()
            self.print_new(whole=ended)
            if ended:
                return
            sleep(PAUSE)

    def print_new(self, *, whole: bool) -> None:
        """Prints the lines added since the last call; a last line without its end waits unless `whole`."""
        for number, path in self._logs():
            start = self._offsets.get(number, 0)
            if _size(path) <= start:
                continue
            with path.open("rb") as file:
                file.seek(start)
                added = file.read()
            if not whole:
                added = added[: added.rfind(b"\n") + 1]
            self._offsets[number] = start + len(added)
            mark = "" if self._trial is not None else f"[{number}] "
            for line in added.decode(errors="replace").splitlines():
                print(f"{mark}{line}", file=self._out, flush=True)

    def _logs(self) -> list[tuple[int, Path]]:
        trials = self._job.trials if self._trial is None else [self._job.trial(self._trial)]
        return [(trial.number, log_path(str(trial.folder))) for trial in trials]

    def _ended(self) -> bool:
        status = self._job.status if self._trial is None else self._job.trial(self._trial).status
        return status in TERMINAL


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
