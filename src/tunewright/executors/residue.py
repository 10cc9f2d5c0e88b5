"""What an execution leaves in its worker process that the next one shouldn't meet: other processes, and a used GPU."""

# After each execution: pathlib would take half of the time.
# ruff: noqa: PTH115, PTH208

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tunewright.executors.guard import children_of, is_tracker

DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/renderD")  # prefixes of the device files of GPUs
_SETTLE = 0.3  # seconds that processes get to vanish which were told to
_LOKY = ("joblib.externals.loky.reusable_executor", "loky.reusable_executor")


def reason_to_retire(devices: Sequence[str]) -> str | None:
    """Why this process shouldn't run another execution, or None.

    Args:
        devices: prefixes of device files; a process that holds one open has a context, and memory, on a GPU.
    """
    if used_gpu(devices):
        return "it used a GPU"
    if left_processes():
        return "its training code left processes behind"
    return None


def used_gpu(devices: Sequence[str]) -> bool:
    """Whether this process holds a GPU's device file open, or torch has initialised CUDA."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return True
    prefixes = tuple(devices)
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(FileNotFoundError):
            return any(_target(f"{folder}/{name}").startswith(prefixes) for name in os.listdir(folder))
    return False


def _target(entry: str) -> str:
    try:
        return os.readlink(entry)
    except OSError:
        return ""


def left_processes() -> bool:
    """Whether this process has living children. Ends loky's idle pool first, and gives those a moment that are leaving."""
    if not _has_children():
        return False
    end = time.monotonic() + _SETTLE
    for name in _LOKY:
        pool = getattr(sys.modules.get(name), "_executor", None)
        if pool is not None:
            pool.shutdown(wait=True, kill_workers=True)
    collected = False
    while _living_children():
        if not collected:
            gc.collect()  # data loaders end their processes when they are collected
            collected = True
        elif time.monotonic() > end:
            return True
        time.sleep(0.01)
    return False


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _living_children() -> list[int]:
    """Children that are neither zombies nor multiprocessing's trackers, which belong to the process and not to the trial."""
    if not Path("/proc/self/stat").exists():
        import psutil

        return [child.pid for child in psutil.Process().children() if not any("resource_tracker" in a for a in child.cmdline())]
    return [child for child in children_of(os.getpid()) if not is_tracker(child) and not _has_exited(child)]


def _has_exited(pid: int) -> bool:
    """Whether a child has exited; if so it is waited for: orphans come to this process, and nobody else waits for them."""
    try:
        exited = os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        exited = True
    return exited
