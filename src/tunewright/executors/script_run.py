"""One script execution as its executor follows it: its supervisor, its spool, when its patience ends, and how it ended."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tunewright.executors.process_identity import start_time, this_host
from tunewright.executors.script_launching import signal_process
from tunewright.executors.script_place import Place
from tunewright.executors.script_supervisor import OUTCOMES
from tunewright.interfaces import ExecutorEvent, Exited, Failure, Halt, Launch, Order, Reported, Until
from tunewright.protocol import SpoolReader, execution_folder, write_order
from tunewright.records import FailureKind


class ScriptRun:
    """See the module. Times are of the monotonic clock, in seconds; infinite when there is none.

    Args:
        required: the metrics without which a completed script is a failure, if it was to print them and none was found.
        start_end: until when its supervisor has to have begun.

    Attributes:
        slot: which slot it takes; None for an adopted one that hasn't told yet.
        request: what the launcher was asked for and has not answered; requests: how often.
        forked, pid: its supervisor as the launcher names it, and once it has begun; None before.
        port: the port that was chosen for it.
        exited: the end that the spool tells.
        term_at, kill_at: when to end it in earnest.
        killed: whether it was sent a kill, or is to be once it has begun.
    """

    def __init__(
        self, launch: Launch, required: Sequence[str], start_end: float, slot: int | None = None, port: int = 0
    ) -> None:
        self.launch, self.slot, self.port = launch, slot, port
        self.place = Place(execution_folder(launch.folder, launch.execution.number).absolute())
        self.reader = SpoolReader(launch.folder, launch.execution.number, launch.execution.token)
        self.request: dict[str, Any] | None = None
        self.requests = 0
        self.forked: int | None = None
        self.pid: int | None = None
        self.start_end = start_end
        self.term_at = self.kill_at = math.inf
        self.exited: Exited | None = None
        self.killed = False
        self._start = ""
        self._required, self._seen = required, set[str]()

    @property
    def token(self) -> str:
        return self.launch.execution.token

    @property
    def handle(self) -> str:
        return f"{self.pid}:{self._start}"

    # --- its process ---

    def begun(self) -> bool:
        """Whether its supervisor has begun; looks, if that isn't known yet."""
        if self.pid is None and (claim := self.place.claimed()) is not None and "pid" in claim:
            self.pid, self._start, self.slot, self.port = claim["pid"], claim["start"], claim["slot"], claim["port"]
            self.start_end = math.inf
            if self.killed:
                self.signal(signal.SIGUSR1)
        return self.pid is not None

    def aborted(self) -> bool:
        """Whether its supervisor died before it began, or as far as is known so."""
        return self.forked is not None and not start_time(self.forked)

    def runs(self) -> bool:
        """Whether its supervisor lives, on this host."""
        claim = self.place.claimed() or {}
        return claim.get("host") == this_host() and self.pid is not None and start_time(self.pid) == self._start

    def lives(self) -> bool:
        """As `runs`, of one that is known to be of this host."""
        return self.pid is not None and start_time(self.pid) == self._start

    def signal(self, number: int) -> None:
        """Sends its supervisor a signal."""
        if self.lives():
            assert self.pid is not None
            signal_process(self.pid, number)

    def kill(self, end: dict[str, Any]) -> None:
        """Ends it now, with everything that it started; `end` is what its spool is to tell."""
        if not self.killed:
            self.killed = True
            self.place.decide_end(end)
            self.signal(signal.SIGUSR1)

    # --- what it tells ---

    def read(self) -> list[ExecutorEvent]:
        """What is new in the spool. Its end is kept in `exited`."""
        events: list[ExecutorEvent] = []
        for event in self.reader.read():
            if isinstance(event, Exited):
                self.exited = self._judged(event)
                break
            if isinstance(event, Reported):
                self._seen.update(*(report.metrics for report in event.reports))
            events.append(event)
        return events

    def _judged(self, event: Exited) -> Exited:
        """An end, after what only the script's own words tell: it obeyed an order, or never printed what it had to."""
        told = self.reader.notes.get("told", {}).get("action")
        if event.outcome != "completed":
            return event
        if told in OUTCOMES:
            return replace(event, outcome=OUTCOMES[told])
        unmatched = self.reader.notes.get("unmatched", {}).get("metrics", {})
        for name in self._required:
            if name in unmatched and name not in self._seen and not self.launch.execution.from_step:
                lines = " | ".join(unmatched[name]) or "there were none"
                text = f"metric {name!r} was never found: its regular expression matched no line of the output; lines: {lines}"
                return Exited(self.token, "failed", event.at, None, Failure(FailureKind.MISSING_METRIC, text))
        return event

    # --- orders ---

    def order(self, order: Order) -> None:
        """Leaves an order for the script. A halt of one that doesn't read orders goes to its processes at once."""
        if isinstance(order, (Until, Halt)):
            last = (self.place.last_order() or {}).get("number", 0)
            write_order(self.launch, max(last + 1, time.time_ns()), order)
        if isinstance(order, Halt):
            self.halt(order.grace)

    def halt(self, grace: float) -> None:
        """Gives it `grace` seconds to end: half of them to obey, if it reads orders. Another order gives it no more time."""
        now = time.monotonic()
        if self.kill_at == math.inf:
            self.term_at = now + (grace / 2 if "attached" in self.reader.notes else 0.0)
        self.kill_at = min(self.kill_at, now + grace)

    def ordered_end(self) -> dict[str, Any]:
        """The end of one that was killed after its grace."""
        return {"outcome": OUTCOMES.get((self.place.last_order() or {}).get("halt", ""), "stopped")}

    @property
    def next_end(self) -> float:
        """When to look after it at the latest."""
        return math.inf if self.killed else min(self.start_end, self.term_at, self.kill_at)
