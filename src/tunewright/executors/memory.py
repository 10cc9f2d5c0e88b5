"""How much memory a process and its descendants hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def tree_memory(pid: int, limit: int, *, root: bool = True) -> int:
    """Bytes held by a process tree, with or without its root; 0 when it is gone.

    Resident sizes are summed first. They count shared pages once per process, so only when the sum is above `limit` the
    proportional sizes are read, which cost milliseconds: those count a page that n processes share as 1/n in each.
    """
    import psutil

    try:
        first = psutil.Process(pid)
        tree = [*([first] if root else []), *first.children(recursive=True)]
    except psutil.Error:
        return 0
    total = _sum(tree, lambda process: process.memory_info().rss)
    return total if total <= limit else _sum(tree, _proportional)


def _sum(tree: list[psutil.Process], size: Callable[[psutil.Process], int]) -> int:
    import psutil

    total = 0
    for process in tree:
        try:
            total += size(process)
        except psutil.Error:  # it ended, or the system doesn't tell
            continue
    return total


def _proportional(process: psutil.Process) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))
