"""Finds and kills processes that an executor left behind, by the mark in their environment."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.executors.guard import MARK

if TYPE_CHECKING:
    import psutil

_GRACE = 5.0  # seconds that guards get to kill their workers and leave
_PATIENCE = 30.0  # seconds for killed processes to vanish


def new_mark(folder: Path) -> str:
    """An id for an executor: which folder it works for, and which one it is among those that did."""
    return f"{_family(folder)}-{secrets.token_hex(4)}"


def kill_earlier(folder: Path, mark: str) -> None:
    """Kills what executors other than `mark` left of their work for a folder, and returns once it is gone.

    Raises:
        TimeoutError: something of it can't be killed.
    """
    family = _family(folder) + "-"
    kill_marked(lambda found: found.startswith(family) and found.partition(".")[0] != mark)


def kill_marked(matches: Callable[[str], bool]) -> None:
    """Kills the processes whose mark matches, and returns once they are gone. Guards get a moment to do it their way.

    Raises:
        TimeoutError: something can't be killed.
    """
    guards = [process for mark, process in marked(matches) if "." not in mark]
    for process in guards:
        _signal(process, term=True)
    # A dead guard stays a zombie for as long as its controller is stopped, so this doesn't wait for it to vanish.
    end = time.monotonic() + _GRACE
    while any(_lives(process) for process in guards) and time.monotonic() < end:
        time.sleep(0.01)
    _kill_all(lambda: marked(matches))


def kill_execution(token: str) -> None:
    """Kills the processes that carry the token of a script execution, and returns once they are gone.

    Raises:
        TimeoutError: something can't be killed.
    """
    _kill_all(lambda: marked(lambda found: found == token, "TUNEWRIGHT_TOKEN"))


def _kill_all(find: Callable[[], list[tuple[str, psutil.Process]]]) -> None:
    end = time.monotonic() + _PATIENCE
    while found := find():
        if time.monotonic() > end:
            raise TimeoutError(f"processes can't be killed: {', '.join(str(process.pid) for _, process in found)}")
        for _, process in found:
            _signal(process, term=False)
        time.sleep(0.02)


def marked(matches: Callable[[str], bool], variable: str = MARK) -> list[tuple[str, psutil.Process]]:
    """Living processes whose mark, a variable of their environment, matches; each with its mark."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(variable)
            if mark and process.pid != os.getpid() and matches(mark) and _lives(process):
                found.append((mark, process))
        except (psutil.Error, OSError):  # it is gone, or not ours to look at
            continue
    return found


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, *, term: bool) -> None:
    import psutil

    try:
        if term:
            process.terminate()
        else:
            process.kill()
    except psutil.Error:
        return


def _family(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
