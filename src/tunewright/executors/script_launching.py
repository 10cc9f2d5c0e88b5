"""The launcher as its controller sees it (see `script_launcher`)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_START = "import sys; sys.path[:] = sys.argv[2:]; from tunewright.executors.script_launcher import main; main(int(sys.argv[1]))"
_CLOSE = 10.0  # seconds that it gets to leave


class Launcher:
    """A launcher process, which is started when it is first needed, and again when it is gone.

    Args:
        log: where it writes what goes wrong in it and in supervisors.

    Attributes:
        open: False before it is started, and when it is gone.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._rest = b""

    @property
    def open(self) -> bool:
        return self._socket is not None

    def request(self, message: dict[str, Any], attached: int | None = None) -> None:
        """Asks for a supervisor, which keeps a descriptor open to its end. Raises OSError when none can be had."""
        content = json.dumps(message).encode("ascii")
        if self._socket is None:
            self._start()
        assert self._socket is not None
        try:
            _send(self._socket, content, attached)
        except OSError:
            self.close()
            self._start()
            _send(self._socket, content, attached)

    def answers(self) -> list[dict[str, Any]]:
        """What it has answered since the last call."""
        chunks = bytearray()
        while self._socket is not None:
            try:
                chunk = self._socket.recv(65_536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                self.close()
            chunks += chunk
        *lines, self._rest = (self._rest + bytes(chunks)).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Ends it; supervisors go on. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(_CLOSE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        mine, theirs = socket.socketpair()
        # Without site-packages it starts quickly and stays small; what it imports is found by this process's own path.
        path = [str(Path(__file__).parents[2]), *(str(Path(entry).absolute()) for entry in sys.path)]
        argv = [sys.executable, "-I", "-S", "-c", _START, str(theirs.fileno()), *path]
        with theirs, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(theirs.fileno(),), start_new_session=True
            )
        self._socket, self._rest = mine, b""


def _send(connection: socket.socket, content: bytes, attached: int | None) -> None:
    header = len(content).to_bytes(4, "big")
    if attached is None:
        connection.sendall(header + content)
    else:
        socket.send_fds(connection, [header], [attached])
        connection.sendall(content)


def signal_process(pid: int, number: int) -> None:
    """Sends a signal to a process that may be gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
