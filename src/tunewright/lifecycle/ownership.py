"""Who controls a job: a process on a host, told apart from every other, and whether it is known to be dead."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path


def this_owner() -> str:
    """A text that names this process, and this call, among all hosts' processes: host, process, start time, a random part."""
    pid = os.getpid()
    return f"{_host()}|{pid}|{_start_time(pid)}|{secrets.token_hex(3)}"


def is_dead(owner: str) -> bool:
    """Whether an owner is a process of this host that doesn't run any more. False when that can't be known from here."""
    host, _, rest = owner.partition("|")
    pid, _, rest = rest.partition("|")
    if host != _host() or not pid.isdecimal():
        return False
    return _start_time(int(pid)) != rest.partition("|")[0]


def describe(owner: str) -> str:
    """An owner for people: `process 4711 on host`."""
    host, _, rest = owner.partition("|")
    return f"process {rest.partition('|')[0]} on {host.partition('/')[0]}"


def _host() -> str:
    """This host, this boot of it, and this namespace of process numbers."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _start_time(pid: int) -> str:
    """When a process was started; empty when it doesn't run."""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
