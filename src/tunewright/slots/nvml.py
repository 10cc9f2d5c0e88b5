"""GPUs as NVIDIA's management library (NVML) tells of them, through the optional package nvidia-ml-py."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from tunewright.slots.drivers import Device, NoDriver, Usage


class Nvml:
    """See `drivers.Driver`. Opens the library; `close` gives it back.

    Raises:
        NoDriver: the package isn't installed, or the driver gives no answer.
    """

    name = "NVML"

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an older package of the same name says so on import
                self._library: Any = import_module("pynvml")
        except ImportError:
            raise NoDriver("") from None
        self._open = False
        try:
            self._library.nvmlInit()
            self._open = True
            found = [each for index in range(self._library.nvmlDeviceGetCount()) for each in self._devices(index)]
        except self._library.NVMLError as error:
            self.close()
            missing = type(error).__name__ == "NVMLError_LibraryNotFound"  # the package without a driver: no fault of anybody
            raise NoDriver("" if missing else f"NVML says: {error}") from None
        self._handles = {device.uuid: handle for device, handle in found}
        self.devices = tuple(device for device, _ in found)

    def usage(self) -> Mapping[str, Usage]:
        """The usage of each GPU, without those that don't tell."""
        found = {}
        for uuid, handle in self._handles.items():
            with suppress(self._library.NVMLError):
                memory = self._library.nvmlDeviceGetMemoryInfo(handle)
                pids = self._pids("nvmlDeviceGetComputeRunningProcesses", handle)
                desktop = bool(self._pids("nvmlDeviceGetGraphicsRunningProcesses", handle))
                found[uuid] = Usage(int(memory.used), int(memory.total), pids, desktop)
        return found

    def close(self) -> None:
        """Gives the library back."""
        if self._open:
            self._open = False
            with suppress(self._library.NVMLError):
                self._library.nvmlShutdown()

    def _devices(self, index: int) -> list[tuple[Device, Any]]:
        """A GPU, or its instances when it is divided, each with its handle."""
        library = self._library
        handle = library.nvmlDeviceGetHandleByIndex(index)
        name = _text(library.nvmlDeviceGetName(handle))
        instances = []
        with suppress(library.NVMLError):  # most GPUs can't be divided, and say so
            divided = library.nvmlDeviceGetMigMode(handle)[0]
            for number in range(library.nvmlDeviceGetMaxMigDeviceCount(handle) if divided else 0):
                with suppress(library.NVMLError):  # fewer than the most
                    instance = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
                    uuid = _text(library.nvmlDeviceGetUUID(instance))
                    instances.append((Device(f"{index}.{number}", uuid, f"part {number} of {name}"), instance))
        return instances or [(Device(str(index), _text(library.nvmlDeviceGetUUID(handle)), name), handle)]

    def _pids(self, function: str, handle: Any) -> tuple[int, ...]:
        """Processes of a GPU; none where the driver can't tell."""
        try:
            return tuple(int(process.pid) for process in getattr(self._library, function)(handle))
        except self._library.NVMLError:
            return ()


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
