"""Which progress display a job gets."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Protocol, TextIO

from tunewright.engine.listener import Listener, Silent
from tunewright.errors import InvalidInput, nearest
from tunewright.progress.board import Board
from tunewright.progress.brief import Brief
from tunewright.records import Trial

KINDS = ("auto", "live", "plain", "none")


class Progress(Listener, Protocol):
    """A listener that opens with the job's announcement and closes with its result."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *exception: object) -> None: ...

    def finish(self) -> None:
        """Says how the job ended. After the last change of state; not called when an error ends the job."""
        ...


class NoProgress(Silent):
    """Shows nothing."""

    def __enter__(self) -> NoProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def finish(self) -> None:
        pass


def open_progress(
    kind: str | bool | None, brief: Brief, earlier: Iterable[Trial] = (), stream: TextIO | None = None
) -> Progress:
    """The display for a job; use it as a context manager around the run.

    Args:
        kind: `"auto"` is live when `stream` is a terminal, else plain lines; `"live"`, `"plain"`, and `"none"` (or False or
            None) ask for one.
        brief: the job.
        earlier: the trials that it holds from before, when it is resumed.
        stream: where it is written; standard output when None.

    Raises:
        InvalidInput: an unknown kind.
    """
    kind = check_kind(kind)
    if kind == "none":
        return NoProgress()
    stream = sys.stdout if stream is None else stream
    board = Board(brief, earlier)
    if kind == "live" or (kind == "auto" and stream.isatty()):
        from tunewright.progress.live import LiveProgress

        return LiveProgress(board, stream)
    from tunewright.progress.plain import PlainProgress

    return PlainProgress(board, stream)


def check_kind(kind: str | bool | None) -> str:
    """The kind of display that is asked for, see `open_progress`. Raises InvalidInput."""
    if kind is None or isinstance(kind, bool):
        return "auto" if kind else "none"
    if kind not in KINDS:
        hint = nearest(kind, KINDS) if isinstance(kind, str) else f"known: {', '.join(KINDS)}"
        raise InvalidInput("progress", f"must be one of {', '.join(KINDS)} ({hint})", kind)
    return kind
