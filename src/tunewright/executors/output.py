"""Where a worker's prints go: to the log of the trial that it runs, whoever prints them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

_LINE_BUFFERED = 1  # _IOLBF of <stdio.h>, the same in glibc, musl and macOS's libc


class Output:
    """Standard output and error of this process, and of what it starts, at the level of file descriptors.

    Made once; what is printed outside of any trial goes where it went before.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._own = os.dup(1), os.dup(2)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        # What libraries print through C's stdio would otherwise appear when its buffer is full.
        for name in ("stdout", "__stdoutp"):
            with suppress(ValueError):
                stdout = ctypes.c_void_p.in_dll(self._library, name)
                self._library.setvbuf(stdout, None, _LINE_BUFFERED, ctypes.c_size_t(0))
                break

    @contextmanager
    def to(self, log: Path) -> Iterator[None]:
        """Appends what is printed inside to a file."""
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        self._switch(file, file)
        os.close(file)
        try:
            yield
        finally:
            self._switch(*self._own)

    def _switch(self, out: int, error: int) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # a full disk, or a stream that training code closed
                stream.flush()
        self._library.fflush(None)
        os.dup2(out, 1)
        os.dup2(error, 2)
