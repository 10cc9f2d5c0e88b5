"""How a supervisor writes to an execution's spool, beside what the script itself reports. Standard library only."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

_PATIENCE = 600.0  # seconds that the end waits for room on a full disk
_PAUSE = 0.5


class SpoolWriter:
    """Appends whole lines. What the file system refuses waits for the next call.

    Args:
        path: the spool.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1
        self._backlog = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether anything is not written yet."""
        return bool(self._backlog)

    def reports(self, found: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Adds reports, as steps with their metrics; `write` writes them."""
        for step, metrics in found:
            self.add({"kind": "report", "step": step, "at": time.time(), "metrics": metrics})

    def add(self, record: Mapping[str, Any]) -> None:
        """Adds a line; `write` writes it."""
        try:
            line = json.dumps(record, allow_nan=False, separators=(",", ":"))
        except ValueError:
            line = json.dumps({**record, "metrics": {name: _named(value) for name, value in record["metrics"].items()}})
        self._backlog += line.encode("ascii") + b"\n"

    def write(self) -> bool:
        """Writes what was added; whether all of it could be."""
        if not self._backlog:
            return True
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            while self._backlog:
                del self._backlog[: os.write(self._file, self._backlog)]
        except OSError:
            return False
        return True

    def end(self, record: Mapping[str, Any]) -> None:
        """Writes the last line. While the disk is full it waits for room, for minutes if need be."""
        self._backlog += b"\n"  # the script may have been killed within a line
        self.add({"kind": "end", "at": time.time(), **record})
        end = time.monotonic() + _PATIENCE
        while not self.write() and time.monotonic() < end:
            time.sleep(_PAUSE)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _named(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
