"""JSON objects, one a line, over a socket; the connection between a controller and its guard and workers."""

from __future__ import annotations

import json
import select
import socket
from threading import Lock
from typing import Any

Message = dict[str, Any]


class Connection:
    """One end of a connection. Never blocks in `send`: what the other side doesn't take yet waits here.

    Any thread may send; one thread at a time may receive.

    Attributes:
        open: False once the other side is gone.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._incoming, self._outgoing = b"", bytearray()
        self._sending = Lock()
        self.open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waiting(self) -> bool:
        """Whether something waits to be sent; `send_waiting` goes on with it."""
        return self.open and bool(self._outgoing)

    def send(self, message: Message) -> None:
        """Sends a message; one to a side that is gone is dropped."""
        line = json.dumps(message).encode("ascii") + b"\n"
        with self._sending:
            self._outgoing += line
            self._send()

    def send_waiting(self) -> None:
        """Sends what the other side takes."""
        with self._sending:
            self._send()

    def _send(self) -> None:
        try:
            while self._outgoing and self.open:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            return
        except OSError:
            self.open = False
        if not self.open:
            self._outgoing.clear()

    def receive(self) -> list[Message]:
        """The messages that have come, without waiting."""
        messages: list[Message] = []
        while self.open:
            try:
                chunk = self._socket.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                self.open = False
                break
            *lines, self._incoming = (self._incoming + chunk).split(b"\n")
            messages += map(json.loads, lines)
        return messages

    def wait(self, timeout: float | None) -> list[Message]:
        """The messages that have come, waiting for the first one at most `timeout` seconds, or for ever."""
        messages = self.receive()
        if messages or not self.open:
            return messages
        # poll, not select: training code may have opened more than 1024 files
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        poller.poll(None if timeout is None else timeout * 1000)
        self.send_waiting()
        return self.receive()

    def close(self) -> None:
        """Closes this end. Idempotent."""
        self.open = False
        self._socket.close()
