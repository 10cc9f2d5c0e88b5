"""A trial's log with a bound: its beginning and its end are kept. Standard library only: supervisors use it."""

from __future__ import annotations

import contextlib
import os

_LATEST = 64_000  # bytes of the end that are kept when the log is full


class BoundedLog:
    """Appends to a log file until the file is as large as it may be; then keeps only the latest, and writes it at the end.

    What the file system refuses, as when the disk is full, is left out in the same way: a script never fails for its log.

    Args:
        path: the log.
        limit: the most that the file may hold, in bytes.
    """

    def __init__(self, path: str, limit: int) -> None:
        self._path, self._limit = path, limit
        self._keep = min(_LATEST, limit // 4)
        self._room = limit - self._keep
        self._file = -1
        self._open()
        self._latest = bytearray()
        self._left_out = 0
        self._full = False

    def write(self, data: bytes) -> None:
        """Appends output."""
        waiting, self._latest = (self._latest + data if self._latest else bytearray(data)), bytearray()
        if not self._full:
            self._tell_what_is_missing()
            written = self._append(waiting[: max(0, self._room)])
            self._room -= written
            if written < len(waiting) and self._room <= 0:
                self._full = True
                end = "" if waiting[:written].endswith(b"\n") else "\n"
                self._append(
                    f"{end}tunewright: the log has reached its limit of {self._limit:,} bytes; of what follows, the last "
                    f"{self._keep:,} bytes are written when the script has ended\n".encode()
                )
            del waiting[:written]
        if (excess := len(waiting) - self._keep) > 0:
            self._left_out += excess
            del waiting[:excess]
        self._latest = waiting

    def note(self, text: str) -> None:
        """Appends a line of our own."""
        self.write(f"tunewright: {text}\n".encode())

    def close(self) -> None:
        """Writes the latest output that found no room."""
        self._tell_what_is_missing()
        self._append(self._latest)
        if self._file >= 0:
            os.close(self._file)

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            self._room -= os.fstat(self._file).st_size

    def _tell_what_is_missing(self) -> None:
        if self._left_out and self._append(f"tunewright: {self._left_out:,} bytes of output were left out here\n".encode()):
            self._left_out = 0

    def _append(self, data: bytes | bytearray) -> int:
        if self._file < 0:
            self._open()
        try:
            return os.write(self._file, data) if data else 0
        except OSError:
            return 0
