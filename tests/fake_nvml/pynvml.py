"""NVML as a test tells it, under the name of NVIDIA's package.

$FAKE_NVML is a JSON file: {"gpus": [{"uuid", "name", "used", "total", "compute", "graphics", "parts"}]}, with memory in bytes
and process numbers in lists; `parts` are the instances of a divided GPU, which look the same. Or it is {"error": text}.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    pass


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801
    pass


def _told() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(os.environ["FAKE_NVML"]).read_text())
    if "error" in told:
        raise (NVMLError_LibraryNotFound if "Library" in told["error"] else NVMLError)(told["error"])
    return told


def _device(handle: tuple[int, ...]) -> dict[str, Any]:
    device: dict[str, Any] = _told()["gpus"][handle[0]]
    return device["parts"][handle[1]] if len(handle) > 1 else device


def _processes(handle: tuple[int, ...], kind: str) -> list[SimpleNamespace]:
    pids = _device(handle).get(kind, [])
    if pids == "unknown":
        raise NVMLError("Not Supported")
    return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in pids]


def nvmlInit() -> None:  # noqa: N802
    _told()


def nvmlShutdown() -> None:  # noqa: N802
    pass


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_told()["gpus"])


def nvmlDeviceGetHandleByIndex(index: int) -> tuple[int, ...]:  # noqa: N802
    return (index,)


def nvmlDeviceGetUUID(handle: tuple[int, ...]) -> str:  # noqa: N802
    return str(_device(handle)["uuid"])


def nvmlDeviceGetName(handle: tuple[int, ...]) -> bytes:  # noqa: N802
    return str(_device(handle).get("name", "Fake 9000")).encode()  # older packages give bytes


def nvmlDeviceGetMemoryInfo(handle: tuple[int, ...]) -> SimpleNamespace:  # noqa: N802
    device = _device(handle)
    if "used" not in device:
        raise NVMLError("GPU is lost")
    return SimpleNamespace(used=device["used"], total=device["total"], free=device["total"] - device["used"])


def nvmlDeviceGetComputeRunningProcesses(handle: tuple[int, ...]) -> list[SimpleNamespace]:  # noqa: N802
    return _processes(handle, "compute")


def nvmlDeviceGetGraphicsRunningProcesses(handle: tuple[int, ...]) -> list[SimpleNamespace]:  # noqa: N802
    return _processes(handle, "graphics")


def nvmlDeviceGetMigMode(handle: tuple[int, ...]) -> list[int]:  # noqa: N802
    if "parts" not in _device(handle):
        raise NVMLError("Not Supported")
    return [1, 1]


def nvmlDeviceGetMaxMigDeviceCount(handle: tuple[int, ...]) -> int:  # noqa: N802
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(handle: tuple[int, ...], index: int) -> tuple[int, ...]:  # noqa: N802
    if index >= len(_device(handle)["parts"]):
        raise NVMLError("Not Found")
    return (*handle, index)
