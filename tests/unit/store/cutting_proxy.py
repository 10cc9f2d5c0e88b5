"""A proxy in front of a database server, which breaks connections off at the COMMIT of a transaction."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

Cut = Literal["before", "after", "frozen"]


class CuttingProxy:
    """Forwards connections. After `cut` was set, the next one that commits breaks off; those after it go through.

    - "before": the COMMIT never reaches the server, which sees its client leave.
    - "after": the server has committed, and its answer never reaches the client.
    - "frozen": the COMMIT never reaches the server, which doesn't notice that its client is gone.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self.cut: Cut | None = None
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends it, and all connections."""
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            self._open += [client, server]
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._return, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self.cut is not None:
                    how, self.cut = self.cut, None
                    self.cuts += 1
                    if how != "after":
                        _hang_up(client)
                        if how == "before":
                            _hang_up(server)
                        return
                    self._silenced = client
                server.sendall(data)
            _hang_up(server)

    _silenced: socket.socket | None = None

    def _return(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self._silenced is client:
                    _hang_up(client)
                    _hang_up(server)
                    return
                client.sendall(data)
            _hang_up(client)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
