"""What of this host a job's trials get: looked at before a job starts, leased while it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tunewright.interfaces import Executor
from tunewright.resources import Resources
from tunewright.spec import JobSpec

_PLACED = ("process", "script", "inline")  # those that run trials on this host, and none of their own GPUs


def trials_by_gpus(executor: object, resources: Resources) -> int | None:
    """How many trials the GPUs of this host hold at once; None: GPUs aren't needed, or are the executor's own affair.

    Raises:
        InvalidInput: not even one.
    """
    if not resources.gpus or executor not in _PLACED:
        return None
    from tunewright.slots.inventory import find_gpus

    inventory = find_gpus()
    try:
        return inventory.trials(resources.gpus)
    finally:
        inventory.close()


def leasing(
    make: Callable[[Path], Executor], spec: JobSpec, folder: Path, *, job: str, tell: Callable[[str], None]
) -> Executor:
    """An executor whose trials lease what they use of this host, where that is to be shared with other jobs.

    Args:
        make: makes it, given the job's folder.
        job: its name, for others who wait.
        tell: is called with a line for people.

    Raises:
        InvalidInput: the host has fewer GPUs than one trial needs.
    """
    if spec.executor not in _PLACED or (spec.executor == "inline" and not spec.resources.gpus):
        return make(folder)
    from tunewright.executors.leased import LeasedExecutor, host_for

    host = host_for(spec.resources, job)
    if host is None:
        return make(folder)
    try:
        return LeasedExecutor(make(folder), host, tell)
    except BaseException:
        host.close()
        raise
