"""The launcher: a small process that forks a supervisor for each script, so that none waits for an interpreter to start.

It ends with its controller; supervisors and scripts don't. Requests are a length (4 bytes, big-endian), to which a descriptor
may be attached that the supervisor keeps open, and a JSON object (see `script_supervisor`); the answers are JSON lines:
{"token": text, "pid": n} or {"token": text, "error": text}. It loads what supervisors need once, and nothing else: standard
library only.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import sys
import traceback
from typing import Any

from tunewright.executors.guard import prctl
from tunewright.executors.script_supervisor import supervise


def serve(connection: socket.socket) -> None:
    """Takes requests until the controller is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for supervisors
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    if sys.platform == "linux":
        prctl()  # loads what supervisors would otherwise load, each of them
    gc.freeze()  # a collection in a supervisor would copy the pages that all of them share
    while (received := _receive_request(connection)) is not None:
        request, held = received
        for pattern in (*request["metrics"].values(), request["step"]):
            re.compile(pattern or "")  # kept by `re`, so that supervisors don't compile them
        answer: dict[str, Any] = {"token": request["token"]}
        try:
            pid = os.fork()
        except OSError as error:
            answer["error"] = str(error)
        else:
            if pid == 0:
                connection.close()
                _become_supervisor(request)
            answer["pid"] = pid
        for descriptor in held:
            os.close(descriptor)
        try:
            connection.sendall(json.dumps(answer).encode("ascii") + b"\n")
        except OSError:
            return


def _become_supervisor(request: dict[str, Any]) -> None:
    code = 1
    try:
        os.setsid()
        supervise(request)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _receive_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """A request, and the descriptors that its supervisor is to keep open; None when the controller is gone."""
    try:
        header, held, _, _ = socket.recv_fds(connection, 4, 1)
    except ConnectionError:
        return None
    for descriptor in held:
        os.set_inheritable(descriptor, False)  # the supervisor's, not the script's
    if header and len(header) < 4:
        header += _receive(connection, 4 - len(header))
    content = _receive(connection, int.from_bytes(header, "big")) if len(header) == 4 else b""
    return (json.loads(content), held) if content else None


def _receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes; none when the other end is gone."""
    data = bytearray()
    while len(data) < size:
        try:
            chunk = connection.recv(size - len(data))
        except ConnectionError:
            chunk = b""
        if not chunk:
            return b""
        data += chunk
    return bytes(data)


def main(descriptor: int) -> None:
    """Runs a launcher that talks over a socket's descriptor."""
    serve(socket.socket(fileno=descriptor))
