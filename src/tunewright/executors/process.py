"""The process executor: executions run in warm worker processes on this machine, one per slot, on cores of their own."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tunewright.errors import InvalidInput
from tunewright.executors.connection import Message
from tunewright.executors.leftovers import kill_earlier, new_mark
from tunewright.executors.memory import tree_memory
from tunewright.executors.placement import cores_of, own_cores
from tunewright.executors.residue import DEVICES
from tunewright.executors.run import Run, tail
from tunewright.executors.workers import Worker, Workers
from tunewright.interfaces import (
    Adopted,
    Dead,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Launch,
    Order,
    Placement,
    Started,
    Until,
)
from tunewright.protocol import failure_of_record, harvest, order_record, remove_partial_checkpoints
from tunewright.records import FailureKind
from tunewright.resources import Resources, duration_text, size_text

_START_LIMIT = 300.0  # seconds for a worker to start and to load the function
_LEAVE_LIMIT = 5.0  # seconds for a worker to exit by itself
_MEMORY_LOOK = 0.25  # seconds between looks at a tree's memory


class ProcessExecutor:
    """Runs up to `slots` executions at once, each in a worker process that is kept for the next one.

    Workers start when they are first needed. They have this process's search path, working directory and environment, load
    the function once, and keep to the cores that each launch places them on, or else to those of their slot. A worker is
    replaced when it dies, when its training code left processes behind, and when it used a GPU. All processes end with this
    one, whatever ends it, and only then are the leases of their GPUs free.

    Args:
        folder: where `shipping.pack_function` has put the task; the workers' own logs go to its `workers/`.
        slots: how many executions run at once.
        resources: cores of a slot, and the limits of one execution: its time from the call of the training function on, and
            the memory of its process tree.
        devices: prefixes of device files whose use makes a worker unfit for another execution.
        portable: do without what only Linux has; the default is what this system needs.

    Raises:
        InvalidInput: the system has no processes of the kind that is needed.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        slots: int,
        resources: Resources | None = None,
        devices: Sequence[str] = DEVICES,
        portable: bool | None = None,
    ) -> None:
        if os.name != "posix":
            raise InvalidInput("executor", "must be 'inline' on this system; process workers need Linux or macOS", "process")
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise InvalidInput("slots", "must be an integer of at least 1", slots)
        self.slots = slots
        self._folder = Path(folder).absolute()
        self._resources = resources or Resources()
        self._devices = list(devices)
        self._mark = new_mark(self._folder)
        portable = sys.platform != "linux" if portable is None else portable
        self._workers = Workers(self._mark, self._folder / "workers", portable)
        self._idle: list[Worker] = []
        self._runs: dict[str, Run] = {}
        self._events: deque[ExecutorEvent] = deque()
        self._alone = False
        self._memory_look = 0.0
        self._closed = False

    def launch(self, launch: Launch) -> None:
        """Hands an execution to an idle worker, or to a new one."""
        assert len(self._runs) < self.slots, f"there are {self.slots} slots"
        token = launch.execution.token
        try:
            worker = self._idle_worker(launch.placement) or self._new_worker(launch.placement)
            if launch.placement is not None and launch.placement.environment:
                self._workers.hold(token, launch.placement)
        except OSError as problem:
            failure = Failure(FailureKind.LOST, f"no worker process could be started: {problem}")
            self._events.append(Exited(token, "lost", time.time(), None, failure))
            return
        self._runs[token] = Run(launch, worker, time.monotonic() + _START_LIMIT)
        worker.send_launch(launch)

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Hands over what has happened, and keeps limits and graces."""
        if not self._events:
            now = time.monotonic()
            ends = [run.next_end for run in self._runs.values()]
            wait = max(0.0, min([timeout, *(end - now for end in ends)]))
            if self._resources.memory is not None and self._runs:
                wait = min(wait, _MEMORY_LOOK)
            for worker, message in self._workers.wait(wait):
                self._hear(worker, message)
            self._enforce()
        while self._events:
            deliver(self._events.popleft())

    def order(self, token: str, order: Order) -> None:
        """Passes an order on to training code, or kills."""
        run = self._runs.get(token)
        if run is None:
            return
        if isinstance(order, (Until, Halt)):
            run.worker.connection.send({"kind": "order", "token": token, **order_record(order)})
        if isinstance(order, Halt):
            run.halt(order, time.monotonic())
        elif not isinstance(order, Until):
            self._kill(run, Exited(token, "stopped", 0.0))

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """Process workers end with their controller: makes sure that it is so, and reads what the execution left."""
        if not self._alone:
            kill_earlier(self._folder, self._mark)
            self._alone = True
        remove_partial_checkpoints(launch)
        return Dead(harvest(launch))

    def close(self) -> None:
        """Kills what runs, lets idle workers leave, and waits for all of it."""
        if self._closed:
            return
        self._closed = True
        for run in self._runs.values():
            self._workers.kill(run.worker)
            run.reader.close()
        self._runs.clear()
        self._workers.close(self._idle)
        self._idle.clear()
        self._events.clear()

    # --- what workers say ---

    def _hear(self, worker: Worker, message: Message) -> None:
        kind = message["kind"]
        if kind == "exit":
            self._worker_gone(worker, message)
        elif kind == "unloadable":
            worker.failure = failure_of_record(message["failure"])
        elif (run := self._runs.get(message["token"])) is not None and run.worker is worker:
            self._hear_of(run, kind, message)

    def _hear_of(self, run: Run, kind: str, message: Message) -> None:
        if kind == "started":
            run.started = run.worker.used = True
            if self._resources.time is not None:
                run.time_end = time.monotonic() + self._resources.time
            self._events.append(Started(run.token, f"{self._mark}/{message['pid']}"))
            return
        self._events += run.read()
        if kind == "unwritable":
            failure = Failure(FailureKind.LOST, message["message"])
            run.exited = Exited(run.token, "lost", time.time(), None, failure)
        if kind == "unwritable" or (kind == "end" and message["retire"] is not None):
            # What it holds (a GPU's memory, processes) is free once it is gone: only then the execution has ended.
            run.leave_end = time.monotonic() + _LEAVE_LIMIT
        elif kind == "end" and run.cause is None:
            failure = Failure(FailureKind.LOST, "its spool has no last line")
            self._end(run, run.exited or Exited(run.token, "lost", time.time(), None, failure))
            self._idle.append(run.worker)

    def _worker_gone(self, worker: Worker, message: Message) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        for run in [run for run in self._runs.values() if run.worker is worker]:
            self._events += run.read()
            now = time.time()
            exited = run.exited or (replace(run.cause, at=now) if run.cause is not None else run.vanished(message, now))
            remove_partial_checkpoints(run.launch)
            self._end(run, exited)

    def _end(self, run: Run, exited: Exited) -> None:
        run.reader.close()
        del self._runs[run.token]
        self._workers.drop(run.token)
        self._events.append(exited)

    def _idle_worker(self, placement: Placement | None) -> Worker | None:
        """An idle worker, if there is one: one that is on the right cores already if possible."""
        if placement is None or not self._idle:
            return self._idle.pop() if self._idle else None
        fit = (worker for worker in reversed(self._idle) if worker.cores == placement.cores)
        worker = next(fit, self._idle[-1])
        self._idle.remove(worker)
        return worker

    def _new_worker(self, placement: Placement | None) -> Worker:
        taken = {run.worker.slot for run in self._runs.values()}
        slot = next(slot for slot in range(self.slots) if slot not in taken)
        placement = placement or Placement(cores_of(slot, self._resources.cpus, own_cores()))
        worker = self._workers.start(slot, placement)
        worker.connection.send({"kind": "hello", "folder": str(self._folder), "argv": sys.argv, "devices": self._devices})
        return worker

    # --- limits ---

    def _enforce(self) -> None:
        now = time.monotonic()
        look = self._resources.memory is not None and now - self._memory_look >= _MEMORY_LOOK
        if look:
            self._memory_look = now
        for run in self._runs.values():
            if run.cause is not None:
                continue
            if run.next_end <= now:
                self._kill(run, self._overdue(run, now))
            elif look and run.started and run.worker.pid is not None:
                self._keep_memory(run, run.worker.pid)

    def _overdue(self, run: Run, now: float) -> Exited:
        if run.halt_end <= now:
            return run.halted(time.time())
        if run.leave_end <= now and run.exited is not None:
            return run.exited
        limit = self._resources.time
        if run.started and limit is not None:
            failure = Failure(FailureKind.TIMEOUT, f"ran longer than its limit of {duration_text(limit)}")
        else:
            text = f"its worker process took longer than {duration_text(_START_LIMIT)} to start"
            failure = Failure(FailureKind.CRASH, text, "start", tail(run.worker.log))
        return Exited(run.token, "failed", 0.0, None, failure)

    def _keep_memory(self, run: Run, pid: int) -> None:
        limit = self._resources.memory
        assert limit is not None
        used = tree_memory(pid, limit)
        if used > limit:
            text = f"held {size_text(used)} of memory, over its limit of {size_text(limit)}"
            self._kill(run, Exited(run.token, "failed", 0.0, None, Failure(FailureKind.OUT_OF_MEMORY, text)))

    def _kill(self, run: Run, cause: Exited) -> None:
        if run.cause is None:
            run.cause = cause
            self._workers.kill(run.worker)
