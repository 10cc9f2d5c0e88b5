"""The guard: a small process that is the parent of a controller's workers, so that nothing of them outlives it or them.

A controller that is killed can't clean up, and a process that called setsid, or whose parent has died, escapes process
groups and trees. So workers aren't the controller's children but the guard's, and on Linux the guard and each worker are
child subreapers (prctl(2)): whatever a worker starts stays below that worker, and when the worker has died it becomes a
child of the guard, which kills it. Elsewhere the guard looks for processes that carry a worker's mark in their environment.

The guard ends when its controller does, which it sees by their socket and by its own parent. Workers ask the kernel to be
killed when the guard dies.

This file is run by its path, without site-packages, to start in a few milliseconds; it imports the standard library only.
Requests are a length (4 bytes, big-endian) and a JSON object, answers are JSON lines:

    {"spawn": name, "argv": [...], "env": {...}, "cwd": path, "log": path, "cores": [...]}, with the worker's end of a
        socket attached to the length; its descriptor is appended to argv  -> {"spawned": name, "pid": n}
        or {"failed": name, "error": text}
    {"kill": pid}                                                          -> the worker's exit
    {"hold": name}, with a descriptor attached to the length, which is kept open to the guard's end, or {"drop": name}
    a worker has exited, and nothing of it is left                         -> {"exited": pid, "code": n, -signal when killed}
"""

# pathlib would make the start longer.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

MARK = "TUNEWRIGHT_EXECUTOR"  # in the environment: the executor's id here, with the worker's number in workers and below
_TRACKER_GRACE = 2.0  # seconds: multiprocessing's resource trackers clean up and leave by themselves
_LOOK = 5.0  # seconds between looks at whether the controller still lives, beside being told
_PATIENCE = 60.0  # seconds that a guard waits for the last process; one that hangs in the kernel can't be waited for
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def children_of(parent: int) -> list[int]:
    """The children of a process, zombies too, by a pass over /proc. A process that lives throughout is not missed."""
    return [pid for pid, its_parent in _parents().items() if its_parent == parent]


def descendants_of(ancestor: int) -> list[int]:
    """The children of a process, their children, and so on, by a pass over /proc."""
    parents = _parents()
    found, new = list[int](), {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new}
        found += new
    return found


def _parents() -> dict[int, int]:
    """All processes, each with its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            found[int(name)] = int(fields[1])
    return found


def is_tracker(pid: int) -> bool:
    """Whether a process is multiprocessing's (or loky's) resource tracker, which removes shared memory after a crash."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read()
    except OSError:
        return False


class Guard:
    """The guard of one controller.

    Args:
        connection: to the controller.
        parent: the controller's process id.
        portable: do without Linux's means.
    """

    def __init__(self, connection: socket.socket, parent: int, portable: bool) -> None:
        self._connection, self._parent, self._portable = connection, parent, portable
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._names: dict[int, str] = {}
        self._gone: list[tuple[int, int]] = []  # workers that have exited, with their codes, not announced yet
        self._held: dict[str, int] = {}  # descriptors that stand for leases
        self._spared: dict[int, float] = {}  # when a tracker was first seen without its worker
        self._ending = False
        self._prctl = None if portable else prctl()
        self._pid = os.getpid()

    def run(self) -> None:
        """Serves until the controller is gone, then kills all that is left."""
        wakeup, wake = socket.socketpair()
        for end in (wakeup, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._prctl is not None:
            self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
            # Sent when the thread that started us ends, too: a reason to look, no more.
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
        while not self._ending and os.getppid() == self._parent:
            ready, _, _ = select.select([self._connection, wakeup], [], [], 0.02 if self._gone else _LOOK)
            if wakeup in ready:
                wakeup.recv(4096)
            if self._connection in ready and not self._serve():
                break
            self._reap()
        self._kill_all()

    def _end(self, *_: object) -> None:
        self._ending = True

    # --- requests ---

    def _serve(self) -> bool:
        """Takes one request; False when the controller is gone."""
        try:
            header, descriptors, _, _ = socket.recv_fds(self._connection, 4, 1)
            while 0 < len(header) < 4:
                header += self._receive(4 - len(header))
            if not header:
                return False
            request = json.loads(self._receive(int.from_bytes(header, "big")))
            if "spawn" in request:
                self._spawn(request, descriptors[0])
            elif "hold" in request:
                self._held[request["hold"]] = descriptors[0]
            elif "drop" in request:
                if (held := self._held.pop(request["drop"], None)) is not None:
                    os.close(held)
            elif request["kill"] in self._workers:
                os.kill(request["kill"], signal.SIGKILL)
        except (EOFError, ConnectionError):
            return False
        return True

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self._connection.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def _answer(self, message: dict[str, Any]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._ending = True

    def _spawn(self, request: dict[str, Any], descriptor: int) -> None:
        name = request["spawn"]
        try:
            with open(request["log"], "wb", 0) as log:
                worker = subprocess.Popen(
                    [*request["argv"], str(descriptor)],
                    env=request["env"],
                    cwd=request["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(descriptor,),
                    start_new_session=True,
                    preexec_fn=self._preparation(request["cores"]),
                )
        except (OSError, subprocess.SubprocessError) as error:
            self._answer({"failed": name, "error": str(error)})
        else:
            self._workers[worker.pid], self._names[worker.pid] = worker, name
            self._answer({"spawned": name, "pid": worker.pid})
        finally:
            os.close(descriptor)

    def _preparation(self, cores: list[int]) -> Callable[[], None]:
        """What a worker does between fork and exec."""

        def prepare() -> None:
            if cores and hasattr(os, "sched_setaffinity"):
                with contextlib.suppress(OSError):  # cores may have been taken from us; better any core than no worker
                    os.sched_setaffinity(0, cores)
            if self._prctl is not None:
                self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
                self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != self._pid:  # the guard died before the kernel was asked
                    os._exit(1)

        return prepare

    # --- exits ---

    def _reap(self) -> None:
        """Collects what has exited; announces a worker's exit once nothing of it is left."""
        self._collect()
        if self._gone and not self._kill_strays():
            for pid, code in self._gone:
                self._answer({"exited": pid, "code": code})
            self._gone.clear()
            self._spared.clear()

    def _collect(self) -> bool:
        """Waits for all that has exited; False when there are no children at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            worker = self._workers.pop(pid, None)
            if worker is not None:
                worker.returncode = os.waitstatus_to_exitcode(status)
                self._gone.append((pid, worker.returncode))
                self._names.pop(pid)

    def _kill_strays(self) -> bool:
        """Kills what dead workers left; whether anything of it may still be there."""
        strays = self._marked() if self._portable else [pid for pid in children_of(self._pid) if pid not in self._workers]
        now = time.monotonic()
        for pid in strays:
            if is_tracker(pid) and now - self._spared.setdefault(pid, now) < _TRACKER_GRACE:
                continue
            _kill(pid)
        return bool(strays)

    def _marked(self) -> list[int]:
        """Processes that carry the mark of this guard's workers, except those of workers that live."""
        import psutil

        names = set(self._names.values())
        family = os.environ[MARK] + "."
        found = []
        for process in psutil.process_iter():
            try:
                name = process.environ().get(MARK, "")
                if name.startswith(family) and name not in names and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except (psutil.Error, OSError):
                continue
        return found

    def _kill_all(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            for pid in self._workers:
                _kill(pid)
            more = self._collect()
            if not self._kill_strays() and not more:
                return
            time.sleep(0.002)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def prctl() -> Callable[[int, int], object]:
    """prctl(2) of an option and a value; Linux only."""
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).prctl

    def call(option: int, value: int) -> object:
        return function(option, ctypes.c_ulong(value), 0, 0, 0)

    return call


def main(arguments: list[str]) -> None:
    """Runs a guard: the socket's descriptor, the controller's process id, "linux" or "portable"."""
    descriptor, parent, means = arguments
    Guard(socket.socket(fileno=int(descriptor)), int(parent), means != "linux").run()


if __name__ == "__main__":
    main(sys.argv[1:])
