"""Progress as plain lines: for files, pipes and continuous integration. A few lines a job, however long it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from tunewright.progress.board import Board
from tunewright.progress.display import Display
from tunewright.progress.ending import ending
from tunewright.progress.formatting import counted, format_duration, format_params
from tunewright.records import JobState, Status, Trial

QUIET = 10.0  # seconds between two lines that only say how far it is
BEST_QUIET = 1.0  # seconds between two lines on a new best
FAILURES = 3  # as many failures are told one by one


class PlainProgress(Display):
    """A listener that writes lines to `stream`.

    Args:
        board: follows the job.
        clock: seconds, from any origin.
    """

    def __init__(self, board: Board, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(board)
        self._stream, self._clock = stream, clock
        self._last = self._last_best = clock()
        self._told_best: int | None = None if board.best is None else board.best.number
        self._failures = 0
        self._last_waiting: float | None = None

    def __enter__(self) -> PlainProgress:
        self._write(self.board.brief.announcement())
        return self

    def finish(self) -> None:
        """Says how the job ended."""
        for line in ending(self.board):
            self._write(line)

    def trial_ended(self, trial: Trial) -> None:
        super().trial_ended(trial)
        if trial.status is Status.FAILED:
            self._failed(trial)

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        super().trial_waits(trial, reason)
        now = self._clock()
        if reason is not None and (self._last_waiting is None or now - self._last_waiting >= QUIET):
            self._last_waiting = now
            self._write(f"trial {trial.number} {reason}")

    def state_changed(self, state: JobState) -> None:
        super().state_changed(state)
        now, best = self._clock(), self.board.best
        if (
            best is not None
            and best.number != self._told_best
            and (self._told_best is None or now - self._last_best >= BEST_QUIET)
        ):
            self._told_best, self._last_best, self._last = best.number, now, now
            self._write(f"{self._position()}: best {self.best_text()} with {format_params(best.params)}")
        elif now - self._last >= QUIET:
            self._last = now
            left = self.board.time_left()
            about = "" if left is None else f", about {format_duration(left)} left"
            self._write(f"{self._position()}{'' if best is None else f': best {self.best_text()}'}{about}")

    def message(self, text: str) -> None:
        self._write(text)

    def _failed(self, trial: Trial) -> None:
        self._failures += 1
        if self._failures <= FAILURES:
            self._write(f"trial {trial.number} failed: {trial.reason}")
        if self._failures == FAILURES:
            self._write("later failures are counted, not told one by one")

    def _position(self) -> str:
        limit, counts = self.board.brief.max_trials, self.board.counts
        done = counted(counts.ended, "trial") if limit is None else f"{counts.ended} of {counted(limit, 'trial')}"
        return f"{done} in {format_duration(self.board.elapsed)}" + (f", {counts.failed} failed" if counts.failed else "")

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
