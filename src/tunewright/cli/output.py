"""What commands print: JSON for programs, aligned text for people, and errors as one clean line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tunewright.errors import InvalidInput, TunewrightError


def print_json(document: Any) -> None:
    """One JSON document on standard output. Numbers that JSON lacks become the texts "NaN", "Infinity", "-Infinity"."""
    from tunewright.lifecycle.documents import plain

    print(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; trailing spaces are cut."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def local_time(seconds: float | None) -> str:
    """Seconds since the epoch as people here write it; empty for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def print_error(error: TunewrightError, *, as_json: bool) -> None:
    """The error's own words on standard error, after the traceback of what it was caused by, where that is not ours.

    With `as_json`, standard output gets it too, as {"error": {"type", "message", "field"}}.
    """
    if as_json:
        field = error.field if isinstance(error, InvalidInput) else None
        print_json({"error": {"type": type(error).__name__, "message": str(error), "field": field}})
    cause = error.__cause__
    if cause is not None and not isinstance(cause, TunewrightError):
        import traceback

        traceback.print_exception(cause, file=sys.stderr)
    mark = "\033[1;31merror:\033[0m" if sys.stderr.isatty() else "error:"
    print(f"{mark} {error}", file=sys.stderr)
