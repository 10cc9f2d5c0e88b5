"""Tells a process from another one that has its number later. Standard library only, but for systems without /proc."""

from __future__ import annotations

import contextlib
import os
import socket

_host: list[str] = []


def this_host() -> str:
    """This host, this boot of it, and this namespace of process numbers."""
    if not _host:
        parts = [socket.gethostname()]
        with contextlib.suppress(OSError):
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
                parts.append(file.read()[:8])
            parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115
        _host.append("/".join(parts))
    return _host[0]


def start_time(pid: int) -> str:
    """When a process was started, in the system's own unit; empty when it doesn't run any more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return "" if os.path.exists("/proc/self/stat") else _portable_start_time(pid)  # noqa: PTH110
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")


def _portable_start_time(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
