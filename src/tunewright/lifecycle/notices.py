"""Tells people what matters in a job, on their channels, without ever being in its way.

Four things are told: the first trial that failed, that a limit is near (nine tenths of it), and that the job has finished or
failed. A thread of its own sends; each delivery is bounded in time, and so is the wait for the last one at the job's end. The
first delivery that fails is told in the job's own display, the others aren't.
"""

from __future__ import annotations

import math
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tunewright.engine.listener import Listener
from tunewright.lifecycle.channels import Channel, Notice
from tunewright.lifecycle.listeners import Passing
from tunewright.progress.board import Board
from tunewright.progress.ending import best_lines, outcome, tally
from tunewright.records import JobState, Status, Trial

NEAR = 0.9  # of a limit
TIMEOUT = 10.0  # seconds for a delivery, and for all that is left at the end


class Notices(Passing):
    """A listener that tells people; also a context manager around a job's run.

    Args:
        board: hears what this one hears, and knows the job as it stands.
        timeout: seconds for a delivery, and for those that are left at the end.
        clock: seconds, from any origin.
    """

    def __init__(
        self,
        following: Listener,
        channels: Sequence[Channel],
        board: Board,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(following)
        self._channels, self._board, self._timeout, self._clock = channels, board, timeout, clock
        self._queue: queue.SimpleQueue[Notice | None] = queue.SimpleQueue()
        self._complaint = ""
        self._complained = self._told_failure = False
        self._near: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="tunewright-notices", daemon=True)

    def __enter__(self) -> Notices:
        brief, counts = self._board.brief, self._board.counts
        self._told_failure = counts.failed > 0
        # Limits that were near when an earlier run ended have been told.
        self._near = {name for name, share in self._shares().items() if share >= NEAR}
        if brief.max_time is not None and "max_time" not in self._near:
            self._due = self._clock() + NEAR * brief.max_time - brief.elapsed
        else:
            self._due = math.inf
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Tells how the job ended, and waits for what is being sent, for a bounded time."""
        state = self._board.state
        if error is not None and not state.ended:
            self._put("failed", f"failed: {type(error).__name__}: {error}")
        else:
            self._put("failed" if state.status is Status.FAILED else "finished", outcome(state))
        self._queue.put(None)
        self._thread.join(self._timeout)
        if self._thread.is_alive():
            self._complaint = self._complaint or f"a notice was not sent within {self._timeout:g} s"
        self._complain()

    def trial_ended(self, trial: Trial) -> None:
        super().trial_ended(trial)
        self._board.trial_ended(trial)
        if trial.status is Status.FAILED and not self._told_failure:
            self._told_failure = True
            self._put("first_failure", f"trial {trial.number} is the first that failed: {trial.reason}", trial=trial.number)
        self._complain()

    def state_changed(self, state: JobState) -> None:
        super().state_changed(state)
        self._board.state_changed(state)
        limit = self._board.brief.max_trials
        if limit is not None and state.counts.ended < limit and self._shares()["max_trials"] >= NEAR:
            self._tell_limit("max_trials", f"{state.counts.ended} of {limit} trials have ended")

    # --- what is told ---

    def _shares(self) -> dict[str, float]:
        """How much of each limit has been used."""
        brief, shares = self._board.brief, {}
        if brief.max_trials is not None:
            shares["max_trials"] = self._board.counts.ended / brief.max_trials
        if brief.max_time is not None:
            shares["max_time"] = brief.elapsed / brief.max_time
        return shares

    def _tell_limit(self, name: str, text: str) -> None:
        if name not in self._near:
            self._near.add(name)
            self._put("limit_near", f"is near its limit: {text}", limit=name)

    def _put(self, event: str, text: str, **details: Any) -> None:
        self._queue.put(self._notice(event, text, details))

    def _notice(self, event: str, text: str, details: dict[str, Any]) -> Notice:
        brief, state, best = self._board.brief, self._board.state, self._board.best
        lines = [f"{brief.name}: {text}" if event == "first_failure" else f"{brief.name} {text[:1].lower()}{text[1:]}"]
        lines.append(f"{tally(state.counts)} after {_minutes(self._board.elapsed)} on {socket.gethostname()}")
        if best is not None:
            lines += best_lines(best, brief.objectives, self._board.reference)
        if brief.more:
            lines.append(f"More: {brief.more}")
        values = None if best is None else dict(zip((o.metric for o in brief.objectives), best.objectives or (), strict=False))
        return Notice(
            event,
            "\n".join(lines),
            {
                "job": brief.name,
                "status": state.status.value,
                "reason": state.reason,
                "completed": state.counts.completed,
                "failed": state.counts.failed,
                "best": None if best is None else {"trial": best.number, "objectives": values, "params": dict(best.params)},
                "host": socket.gethostname(),
                **details,
            },
        )

    # --- sending ---

    def _work(self) -> None:
        while True:
            try:
                wait = None if self._due == math.inf else max(0.0, self._due - self._clock())
                notice = self._queue.get(timeout=wait)
            except queue.Empty:
                self._due = math.inf
                limit = self._board.brief.max_time
                self._tell_limit("max_time", f"{_minutes(NEAR * (limit or 0))} of {_minutes(limit or 0)} are over")
                continue
            if notice is None:
                return
            for channel in self._channels:
                try:
                    channel.send(notice, self._timeout)
                except Exception as error:
                    self._complaint = self._complaint or f"a notice to {channel} was not sent: {_told(error)}"

    def _complain(self) -> None:
        if self._complaint and not self._complained:
            self._complained = True
            self.message(f"{self._complaint}; the job goes on")


def _told(error: Exception) -> str:
    """What went wrong, without the address."""
    reason = getattr(error, "reason", None)
    code = getattr(error, "code", None)
    return f"{code} {reason}" if code is not None else str(reason or error) or type(error).__name__


def _minutes(seconds: float) -> str:
    from tunewright.progress.formatting import format_duration

    return format_duration(seconds)
