"""Which GPUs are taken although nobody leases them: by processes that Tunewright didn't start."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from tunewright.slots.drivers import Usage
from tunewright.slots.inventory import Gpu, Inventory
from tunewright.slots.registry import Entry

_UNSEEN = 0.25  # the share of a GPU's memory that is somebody's, when no process is to be seen
_SLACK, _SLACK_SHARE = 256 * 2**20, 0.02  # bytes, and the share of a GPU's memory, that come and go by themselves
_MARKS = (b"TUNEWRIGHT_EXECUTOR=", b"TUNEWRIGHT_TOKEN=")  # in the environment of trials' processes


class Occupancy:
    """See the module. Processes that this one was started by count as its own, so a notebook doesn't wait for itself.

    Args:
        inventory: the GPUs, and who tells how they are used.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._gpus, self._driver = inventory.gpus, inventory.driver
        self._usage: Mapping[str, Usage] = {}
        self._asked = float("-inf")
        self._own = _ancestry() if self._driver is not None else frozenset()

    def usage(self, age: float = 0.0) -> Mapping[str, Usage]:
        """The usage by the GPUs' ids, `age` seconds old at the most; empty when nobody tells."""
        if self._driver is not None and time.monotonic() - self._asked >= age:
            self._usage = self._driver.usage()
            self._asked = time.monotonic()
        return self._usage

    def taken(self, leases: Collection[Entry], age: float = 0.0) -> dict[str, str]:
        """Why GPUs can't be had, by their id, of those that others than leases use.

        Args:
            leases: all living ones.
            age: how old the driver's answer may be, in seconds.
        """
        usage, found = self.usage(age), {}
        for gpu in self._gpus:
            if gpu.id in usage:
                holders = [lease for lease in leases if gpu.id in lease.gpus]
                if (reason := self._reason(gpu, usage[gpu.id], holders)) is not None:
                    found[gpu.id] = reason
        return found

    def settled(self, gpus: Iterable[str], before: Mapping[str, Usage]) -> bool:
        """Whether GPUs are as they were before a trial used them alone.

        Args:
            before: how they were used then; one that isn't in it isn't looked at.
        """
        usage = self.usage()
        return all(self._is_back(usage[gpu], before[gpu]) for gpu in gpus if gpu in before and gpu in usage)

    def _is_back(self, now: Usage, before: Usage) -> bool:
        if any(pid not in before.pids and pid not in self._own for pid in now.pids):
            return False
        if self._own.intersection(now.pids):
            return True  # training code may run in this process, and libraries keep memory for what comes next
        return now.used <= before.used + max(_SLACK, _SLACK_SHARE * now.total)

    def _reason(self, gpu: Gpu, usage: Usage, holders: Collection[Entry]) -> str | None:
        for pid in usage.pids:
            if pid not in self._own and not _belongs(pid, holders):
                return f"{gpu.label} is used by {describe_process(pid)}, which holds no slot"
        if not holders and not usage.pids and not usage.desktop and usage.used > _UNSEEN * usage.total:
            used = f"{usage.used / 2**30:.1f} of {usage.total / 2**30:.1f} GiB"
            return f"{gpu.label} is used by a process that can't be seen from here, which holds {used} of its memory"
        return None


def describe_process(pid: int) -> str:
    """A process for people: `process 4711 (python) of anna`."""
    import psutil

    try:
        process = psutil.Process(pid)
        return f"process {pid} ({process.name()}) of {process.username()}"
    except (psutil.Error, KeyError, OSError):
        return f"process {pid}"


def _ancestry() -> frozenset[int]:
    """This process, and those that it was started by."""
    import psutil

    with suppress(psutil.Error):
        return frozenset({os.getpid(), *(process.pid for process in psutil.Process().parents())})
    return frozenset({os.getpid()})


def _belongs(pid: int, holders: Collection[Entry]) -> bool:
    """Whether a process is a leaseholder's: it is one, carries the mark of one, or hides its environment and is of one's user.

    In a container the driver's numbers may be those of the host, which mean nothing here: such a process is a holder's, too.
    """
    if not holders:
        return False
    if any(pid == holder.pid for holder in holders):
        return True
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            environment = b"\0" + file.read()
    except PermissionError:
        with suppress(OSError):
            owner = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
            return any(owner == holder.uid for holder in holders)
        return True
    except OSError:
        return True
    return any(b"\0" + mark in environment for mark in _MARKS)
