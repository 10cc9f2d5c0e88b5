"""One execution as the process executor follows it: its worker, its spool, when its patience ends, and how it ended."""

from __future__ import annotations

import math
import signal
from collections import deque
from pathlib import Path

from tunewright.executors.connection import Message
from tunewright.executors.workers import Worker
from tunewright.interfaces import ExecutorEvent, Exited, Failure, Halt, Launch
from tunewright.protocol import SpoolReader, log_path
from tunewright.records import FailureKind

_TAIL_LINES, _TAIL_BYTES = 20, 8192
_OUTCOMES = {"stop": "stopped", "pause": "paused"}


class Run:
    """See the module. Times are of the monotonic clock, in seconds; infinite when there is none.

    Attributes:
        started: whether the training function was called.
        start_end, time_end, halt_end, leave_end: until when the worker has to have started, the training code to have
            ended by itself, or by order, and a worker that is to be replaced to have exited.
        exited: the end that the spool tells.
        cause: the end that a kill brings, unless the spool tells another.
    """

    def __init__(self, launch: Launch, worker: Worker, start_end: float) -> None:
        self.launch, self.worker = launch, worker
        self.reader = SpoolReader(launch.folder, launch.execution.number, launch.execution.token)
        self.started, self.start_end = False, start_end
        self.time_end = self.halt_end = self.leave_end = math.inf
        self.exited: Exited | None = None
        self.cause: Exited | None = None
        self._halt: Halt | None = None

    @property
    def token(self) -> str:
        return self.launch.execution.token

    @property
    def next_end(self) -> float:
        """When to look after it at the latest."""
        if self.cause is not None:
            return math.inf
        return min(self.time_end if self.started else self.start_end, self.halt_end, self.leave_end)

    def halt(self, order: Halt, now: float) -> None:
        """Keeps an order to end in mind."""
        self._halt, self.halt_end = order, now + order.grace

    def halted(self, at: float) -> Exited:
        """Its end, when the grace of its order is over."""
        assert self._halt is not None
        return Exited(self.token, _OUTCOMES[self._halt.action], at)

    def read(self) -> list[ExecutorEvent]:
        """What is new in the spool. Its end is kept in `exited`: it is an event only once the worker has done with it."""
        events: list[ExecutorEvent] = []
        for event in self.reader.read():
            if isinstance(event, Exited):
                self.exited = event
            else:
                events.append(event)
        return events

    def vanished(self, exit: Message, at: float) -> Exited:
        """Its end, when its worker exited without being told to, and without a last line in the spool."""
        if "error" in exit:
            return self._failed(f"no worker process could be started: {exit['error']}", "start", "", at)
        code = exit.get("code")
        if code is None:
            return self._lost("its worker process was killed together with its guard", at)
        how = _signal_text(-code) if code < 0 else f"exited with code {code}"
        if self.started:
            where = f"signal {-code}" if code < 0 else f"exit code {code}"
            return self._failed(f"its process {how}", where, tail(log_path(self.launch.folder)), at)
        if self.worker.failure is not None:
            return Exited(self.token, "failed", at, None, self.worker.failure)
        if self.worker.used:
            return self._lost(f"its worker process {how} before the training function was called", at)
        return self._failed(f"a worker process {how} while it started", "start", tail(self.worker.log), at)

    def _failed(self, message: str, where: str, trace: str, at: float) -> Exited:
        return Exited(self.token, "failed", at, None, Failure(FailureKind.CRASH, message, where, trace))

    def _lost(self, message: str, at: float) -> Exited:
        return Exited(self.token, "lost", at, None, Failure(FailureKind.LOST, message))


def tail(log: Path) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(deque(text.splitlines(keepends=True), maxlen=_TAIL_LINES))


def _signal_text(number: int) -> str:
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    hint = "; the system does that when memory runs out" if number == signal.SIGKILL else ""
    return f"was killed by signal {number}{name}{hint}"
