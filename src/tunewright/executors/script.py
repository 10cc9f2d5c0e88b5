"""The script executor: executions are commands, which go on when their controller dies and are adopted by the next one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tunewright.errors import InvalidInput
from tunewright.executors.leftovers import kill_execution, new_mark
from tunewright.executors.memory import tree_memory
from tunewright.executors.placement import cores_of, own_cores
from tunewright.executors.script_launching import Launcher, signal_process
from tunewright.executors.script_request import request_of
from tunewright.executors.script_run import ScriptRun
from tunewright.executors.script_task import Script
from tunewright.interfaces import (
    Adopted,
    Dead,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Kill,
    Launch,
    Order,
    Placement,
    Started,
    Until,
)
from tunewright.protocol import failure_record, remove_partial_checkpoints
from tunewright.records import FailureKind
from tunewright.resources import Resources, size_text

_START_LIMIT = 60.0  # seconds for a supervisor to begin
_REQUESTS = 3  # how often a supervisor is asked for, when launchers die
_BUSY, _QUIET = 0.005, 0.05  # seconds between looks at spools, just after something happened and when nothing does
_PER_RUN = 0.0003  # seconds between looks, at least, for each script: so that many of them cost no more than few
_LOOK = 0.5  # seconds between looks at whether supervisors live
_MEMORY_LOOK = 0.25  # seconds between looks at a tree's memory
_CLOSE = 15.0  # seconds for killed scripts to be gone
_GRACE = 10.0  # seconds for an adopted script that had been ordered to end


class ScriptExecutor:
    """Runs up to `slots` commands at once, each under a supervisor of its own that outlives this process.

    Commands have this process's environment and, unless the script says otherwise, its working directory. They keep to the
    cores that each launch places them on, or else to those of their slot, and their supervisors hold its lease. When this
    process ends without `close`, they go on, and what they report meanwhile is read by the next executor that adopts them.
    `close` kills those that are still this executor's.

    Args:
        script: what to run.
        folder: the job's; the launcher's own log goes there.
        slots: how many executions run at once.
        resources: cores of a slot, and the limits of one execution: its time, and the memory of its process tree. Time is
            kept while no controller lives, too; memory isn't.
        names: all parameters of the space, active or not.
        required: metrics without which a completed script has failed, if it was to print them and never did.
        portable: do without what only Linux has; the default is what this system needs.

    Raises:
        InvalidInput: the system has no processes of the kind that is needed.
    """

    def __init__(
        self,
        script: Script,
        folder: str | Path,
        *,
        slots: int,
        resources: Resources | None = None,
        names: Sequence[str] = (),
        required: Sequence[str] = (),
        portable: bool | None = None,
    ) -> None:
        if os.name != "posix":
            raise InvalidInput("executor", "must be 'inline' on this system; scripts need Linux or macOS", "script")
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise InvalidInput("slots", "must be an integer of at least 1", slots)
        self.slots = slots
        self._script = script.within(Path.cwd())
        self._names, self._required = tuple(names), tuple(required)
        self._resources = resources or Resources()
        self._portable = sys.platform != "linux" if portable is None else portable
        folder = Path(folder).absolute()
        self._mark = new_mark(folder)
        self._launcher = Launcher(folder / "scripts.log")
        self._runs: dict[str, ScriptRun] = {}
        self._events: deque[ExecutorEvent] = deque()
        self._heard = self._looked = self._memory_looked = 0.0
        self._closed = False

    def launch(self, launch: Launch) -> None:
        """Starts a command under a supervisor."""
        assert len(self._runs) < self.slots, f"there are {self.slots} slots"
        taken = {run.slot for run in self._runs.values()}
        slot = next(slot for slot in range(self.slots) if slot not in taken)
        run = ScriptRun(launch, self._required, time.monotonic() + _START_LIMIT, slot, self._free_port())
        self._runs[run.token] = run
        try:
            run.place.own(self._mark)
            placement = launch.placement or Placement(cores_of(slot, self._resources.cpus, own_cores()))
            request = request_of(self._script, self._resources, self._names, launch, run.place, run.port, placement)
            run.request = {**request, "slot": slot, "portable": self._portable}
        except (OSError, InvalidInput) as problem:
            self._give_up(run, f"the script could not be started: {problem}")
        else:
            self._ask(run)

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Hands over what has happened, and keeps limits and graces."""
        end = time.monotonic() + timeout
        while True:
            self._look()
            now = time.monotonic()
            if self._events or now >= end:
                break
            pause = max(_BUSY, _PER_RUN * len(self._runs), min(_QUIET, (now - self._heard) / 20))
            time.sleep(min(pause, end - now) if self._runs else end - now)
        while self._events:
            deliver(self._events.popleft())

    def order(self, token: str, order: Order) -> None:
        """Leaves an order for training code, signals its processes, or kills them. One that has another owner is let be."""
        run = self._runs.get(token)
        if run is None or not run.place.owned_by(self._mark):
            return
        if isinstance(order, Kill):
            run.kill({"outcome": "stopped"})
            return
        try:
            run.order(order)
        except OSError:  # no room for it on the disk: who is to end does so by signals
            if isinstance(order, Halt):
                run.halt(order.grace)

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """Takes over a script that still runs; else makes sure that nothing of it is left, and reads what it told.

        A script that was started on another host can't be reached from here; what it told is read.
        """
        run = ScriptRun(launch, self._required, time.monotonic() + _START_LIMIT)
        never = run.place.claim({"dead": True})
        if never or not run.begun() or not run.runs():
            events = run.read()
            if run.exited is None and not (never and launch.execution.handle is None):
                kill_execution(run.token)
                events += run.read()
            run.reader.close()
            remove_partial_checkpoints(launch)
            return Dead([*events, *([] if run.exited is None else [run.exited])])
        run.place.own(self._mark)
        self._runs[run.token] = run
        self._events += [Started(run.token, run.handle), *run.read()]
        order, until = run.place.last_order() or {}, launch.execution.until_step
        if order.get("halt"):
            run.halt(_GRACE)
        elif not order or _later(until, order.get("until")):
            # The controller before may have died between its decision and the order.
            run.order(Until(until))
        return Adopted()

    def close(self) -> None:
        """Kills what is still this executor's, and waits for it."""
        if self._closed:
            return
        self._closed = True
        failure = failure_record(Failure(FailureKind.LOST, "its controller ended"))
        mine = [run for run in self._runs.values() if run.place.owned_by(self._mark)]
        for run in mine:
            run.begun()
            run.kill({"outcome": "lost", "failure": failure})
        end = time.monotonic() + _CLOSE
        while (left := [run for run in mine if not self._gone(run)]) and time.monotonic() < end:
            time.sleep(_BUSY)
        for run in left:
            if run.lives() and run.pid is not None:
                signal_process(run.pid, signal.SIGKILL)
            kill_execution(run.token)
        for run in self._runs.values():
            run.reader.close()
        self._runs.clear()
        self._events.clear()
        self._launcher.close()

    # --- starting ---

    def _ask(self, run: ScriptRun) -> None:
        """Asks the launcher for a supervisor. Asking again is safe: of two supervisors of an execution, one begins."""
        run.requests += 1
        try:
            if run.requests > _REQUESTS:
                raise OSError(f"its launcher died {_REQUESTS} times; see {self._launcher.log}")
            assert run.request is not None
            placement = run.launch.placement
            self._launcher.request(run.request, None if placement is None else placement.descriptor)
        except OSError as problem:
            self._give_up(run, f"the script could not be started: {problem}")

    def _free_port(self) -> int:
        """A port that nothing listens on, and that no other script of this executor was given."""
        taken = {run.port for run in self._runs.values()}
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in taken:
                return port

    def _give_up(self, run: ScriptRun, message: str) -> None:
        """Ends an execution whose supervisor didn't begin, and sees to it that it never will."""
        try:
            if not run.place.claim({"dead": True}) and run.begun():
                return
        except OSError:
            kill_execution(run.token)
        self._end(run, self._exited(run, "failed", Failure(FailureKind.CRASH, message, "start")))

    # --- looking ---

    def _look(self) -> None:
        now = time.monotonic()
        look = now - self._looked >= _LOOK
        for answer in self._launcher.answers():
            if (run := self._runs.get(answer["token"])) is None:
                continue
            run.request, run.forked = None, answer.get("pid")
            if run.forked is None:
                self._give_up(run, f"no process could be started: {answer['error']}")
        for run in [*self._runs.values()]:
            known = run.pid is not None
            if not run.begun():
                if run.request is not None and not self._launcher.open:
                    self._ask(run)
                elif run.start_end <= now or (look and run.aborted()):
                    self._give_up(run, f"its supervisor did not begin; see {self._launcher.log}")
                continue
            if not known:
                self._events.append(Started(run.token, run.handle))
            gone = look and not run.lives()  # before the spool is read: what it wrote last is read then
            self._events += run.read()
            if run.exited is not None:
                self._end(run, run.exited)
            elif gone:
                kill_execution(run.token)
                failure = Failure(FailureKind.LOST, "the process that supervised it was killed")
                self._end(run, self._exited(run, "lost", failure))
            elif run.next_end <= now:
                self._enforce(run, now)
        if look:
            self._looked = now
        if self._resources.memory is not None and now - self._memory_looked >= _MEMORY_LOOK:
            self._memory_looked = now
            self._keep_memory(self._resources.memory)
        if self._events:
            self._heard = now

    def _enforce(self, run: ScriptRun, now: float) -> None:
        if run.kill_at <= now:
            run.kill(run.ordered_end())
        elif run.term_at <= now:
            run.term_at = float("inf")
            run.signal(signal.SIGTERM)

    def _keep_memory(self, limit: int) -> None:
        for run in self._runs.values():
            if run.pid is None or run.killed:
                continue
            used = tree_memory(run.pid, limit, root=False)
            if used > limit:
                text = f"held {size_text(used)} of memory, over its limit of {size_text(limit)}"
                run.kill({"outcome": "failed", "failure": failure_record(Failure(FailureKind.OUT_OF_MEMORY, text))})

    def _end(self, run: ScriptRun, exited: Exited) -> None:
        if self._portable:
            kill_execution(run.token)
        remove_partial_checkpoints(run.launch)
        run.reader.close()
        del self._runs[run.token]
        self._events.append(exited)

    def _exited(self, run: ScriptRun, outcome: str, failure: Failure) -> Exited:
        return Exited(run.token, outcome, time.time(), None, failure)

    def _gone(self, run: ScriptRun) -> bool:
        if not run.begun():
            run.place.claim({"dead": True})
            return not run.begun()
        return not run.lives()


def _later(step: int | None, other: int | None) -> bool:
    """Whether a decision step, None for none, is after another one."""
    return other is not None and (step is None or step > other)
