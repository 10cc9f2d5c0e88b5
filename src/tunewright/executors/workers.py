"""Worker processes as their controller sees them: started through the guard, talked to over sockets."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunewright.executors import guard
from tunewright.executors.connection import Connection, Message
from tunewright.executors.leftovers import kill_marked
from tunewright.executors.placement import thread_environment
from tunewright.executors.worker import launch_message
from tunewright.interfaces import Failure, Launch, Placement

_START = "import sys; sys.path[:] = sys.argv[1].split(chr(10)); from tunewright.executors.worker import main; main()"
_LEAVE = 2.0  # seconds that idle workers get to exit by themselves
_CLOSE = 10.0  # seconds that the guard gets to kill everything and leave


class Worker:
    """One worker process.

    Attributes:
        slot: which slot it works for.
        cores: those that it keeps to.
        name: its mark.
        pid: its process id; None until the guard has started it.
        connection: to it.
        log: what it printed outside of any trial.
        used: whether it has called the training function.
        failure: why it couldn't load it.
        doomed: whether it was or is to be killed.
    """

    def __init__(self, slot: int, cores: tuple[int, ...], name: str, connection: Connection, log: Path) -> None:
        self.slot, self.cores, self.name, self.connection, self.log = slot, cores, name, connection, log
        self.pid: int | None = None
        self.used = self.doomed = False
        self.failure: Failure | None = None

    def send_launch(self, launch: Launch) -> None:
        """Has it run an execution, on the cores and GPUs where that is placed."""
        message = launch_message(launch, str(Path(launch.folder).absolute()))
        if (placement := launch.placement) is not None:
            if placement.environment:
                message["environment"] = dict(placement.environment)
            if placement.cores != self.cores:
                message["cores"] = self.cores = placement.cores
        self.connection.send(message)


class Workers:
    """Starts and kills workers, and tells what they say and how they end.

    Args:
        mark: the executor's id.
        folder: where the workers' logs go.
        portable: do without Linux's means.
    """

    def __init__(self, mark: str, folder: Path, portable: bool) -> None:
        self._mark, self._folder, self._portable = mark, folder, portable
        self._cwd, self._path = str(Path.cwd()), "\n".join(sys.path)
        self._selector = selectors.DefaultSelector()
        self._guard: _GuardProcess | None = None
        self._workers: dict[str, Worker] = {}
        self._held: set[str] = set()
        self._started = 0

    def start(self, slot: int, placement: Placement) -> Worker:
        """Starts a worker for a slot, where it is placed. Returns at once.

        Raises:
            OSError: the guard can't be started, or is gone.
        """
        if self._guard is None:
            self._guard = _GuardProcess(self._mark, self._portable)
            self._selector.register(self._guard, selectors.EVENT_READ, None)
        self._started += 1
        cores = placement.cores
        name = f"{self._mark}.{self._started}"
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"worker-{slot}.log"
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        request = {
            "spawn": name,
            "argv": [sys.executable, *flags, "-P", "-c", _START, self._path],
            "env": {**os.environ, **thread_environment(len(cores), os.environ), **placement.environment, guard.MARK: name},
            "cwd": self._cwd,
            "log": str(log),
            "cores": cores,
        }
        mine, theirs = socket.socketpair()
        with theirs:
            self._guard.request(request, theirs.fileno())
        worker = self._workers[name] = Worker(slot, cores, name, Connection(mine), log)
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)
        return worker

    def hold(self, name: str, placement: Placement) -> None:
        """Has the guard hold a placement's lease as well, so that it isn't free before all workers are gone.

        Raises:
            OSError: the guard is gone.
        """
        if self._guard is not None and placement.descriptor is not None:
            self._held.add(name)
            self._guard.request({"hold": name}, placement.descriptor)

    def drop(self, name: str) -> None:
        """Ends `hold`."""
        if name in self._held:
            self._held.discard(name)
            with suppress(OSError):  # it is gone, and holds nothing
                if self._guard is not None:
                    self._guard.request({"drop": name})

    def kill(self, worker: Worker) -> None:
        """Kills a worker with all that it started; its exit follows."""
        worker.doomed = True
        if worker.pid is not None and self._guard is not None:
            with suppress(OSError):  # the guard is gone, and the worker with it: the next wait tells
                self._guard.request({"kill": worker.pid})

    def wait(self, timeout: float) -> Iterator[tuple[Worker, Message]]:
        """What the workers said, and {"kind": "exit", "code": n} as the last word of one that is gone.

        One that couldn't be started says {"kind": "exit", "error": text}, one that went with its guard {"kind": "exit"}.
        Waits at most `timeout` seconds for the first word.
        """
        for worker in self._workers.values():
            if worker.connection.waiting:
                self._selector.modify(worker.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, worker)
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                yield from self._hear_guard()
            elif key.data.name in self._workers:
                yield from self._hear(key.data)

    def close(self, idle: Sequence[Worker]) -> None:
        """Kills all workers, except that idle ones get a moment to leave, and waits for them."""
        end = time.monotonic() + _LEAVE
        for worker in self._workers.values():
            if worker not in idle:
                self.kill(worker)
        for worker in idle:
            self._forget(worker)
        while self._workers and (left := end - time.monotonic()) > 0:
            for _ in self.wait(left):
                pass
        for worker in self._workers.values():
            self._forget(worker)
        self._workers.clear()
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        self._selector.close()

    def _hear(self, worker: Worker) -> Iterator[tuple[Worker, Message]]:
        connection = worker.connection
        connection.send_waiting()
        for message in connection.receive():
            yield worker, message
        if not connection.open:  # its exit is the guard's to tell
            self._forget(worker)
        elif not connection.waiting:
            self._selector.modify(connection, selectors.EVENT_READ, worker)

    def _hear_guard(self) -> Iterator[tuple[Worker, Message]]:
        assert self._guard is not None
        for answer in self._guard.receive():
            if "spawned" in answer:
                worker = self._workers[answer["spawned"]]
                worker.pid = answer["pid"]
                if worker.doomed:
                    self.kill(worker)
            elif "failed" in answer:
                yield from self._gone(self._workers[answer["failed"]], error=answer["error"])
            else:
                found = [worker for worker in self._workers.values() if worker.pid == answer["exited"]]
                yield from (word for worker in found for word in self._gone(worker, code=answer["code"]))
        if not self._guard.open:
            self._selector.unregister(self._guard)
            self._guard.close()
            self._guard = None
            for worker in [*self._workers.values()]:
                yield from self._gone(worker)

    def _forget(self, worker: Worker) -> None:
        """Closes the connection to a worker. Idempotent."""
        if worker.connection.fileno() >= 0:
            self._selector.unregister(worker.connection)
        worker.connection.close()

    def _gone(self, worker: Worker, **how: Any) -> Iterator[tuple[Worker, Message]]:
        del self._workers[worker.name]
        for message in worker.connection.receive():
            yield worker, message
        self._forget(worker)
        yield worker, {"kind": "exit", **how}


class _GuardProcess:
    """The guard as its controller sees it. `open` is False once it is gone."""

    def __init__(self, mark: str, portable: bool) -> None:
        self._mark = mark
        self._socket, theirs = socket.socketpair()
        flags = [] if portable else ["-S"]
        means = "portable" if portable else "linux"
        argv = [sys.executable, "-I", *flags, guard.__file__, str(theirs.fileno()), str(os.getpid()), means]
        with theirs:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, guard.MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._rest = b""
        self.open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    def request(self, message: Message, attached: int | None = None) -> None:
        """Sends a request, with a descriptor to hand over. Raises OSError when the guard is gone."""
        content = json.dumps(message).encode("ascii")
        header = len(content).to_bytes(4, "big")
        if attached is None:
            self._socket.sendall(header)
        else:
            socket.send_fds(self._socket, [header], [attached])
        self._socket.sendall(content)

    def receive(self) -> list[Message]:
        """The answers that have come; asked only when there is something to read."""
        try:
            chunk = self._socket.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            self.open = False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Ends the guard, which kills all that is left; makes sure of it when the guard was killed itself."""
        self.open = False
        self._socket.close()
        try:
            self._process.wait(_CLOSE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.returncode != 0:
            kill_marked(lambda mark: mark.partition(".")[0] == self._mark)
