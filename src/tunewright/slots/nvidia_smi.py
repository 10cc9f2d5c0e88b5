"""GPUs as the command `nvidia-smi` tells of them, where nvidia-ml-py isn't installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping

from tunewright.slots.drivers import Device, NoDriver, Usage

_LIMIT = 30.0  # seconds for an answer; without its daemon the driver is loaded for each question
_VALID = 2.0  # seconds that an answer is used for, as each costs a process
_MEBIBYTE = 2**20
_GPU = r"GPU (\d+): (.*) \(UUID: ([^)]+)\)"
_INSTANCE = r"\s+MIG (.*?)\s+Device\s+(\d+): \(UUID: ([^)]+)\)"


class NvidiaSmi:
    """See `drivers.Driver`. It doesn't tell how instances of divided GPUs are used.

    Raises:
        NoDriver: there is no such command, or it fails.
    """

    name = "nvidia-smi"

    def __init__(self) -> None:
        command = shutil.which("nvidia-smi")
        if command is None:
            raise NoDriver("")
        self._command = command
        self.devices = _devices(self._ask("-L"))
        self._usage: Mapping[str, Usage] = {}
        self._valid = 0.0

    def usage(self) -> Mapping[str, Usage]:
        """The usage of each GPU as of at most two seconds ago; none when the command fails."""
        if time.monotonic() >= self._valid:
            try:
                self._usage = self._ask_usage()
            except NoDriver:
                self._usage = {}
            self._valid = time.monotonic() + _VALID
        return self._usage

    def close(self) -> None:
        """There is nothing to free."""

    def _ask_usage(self) -> Mapping[str, Usage]:
        pids = defaultdict[str, list[int]](list)
        for line in self._ask("--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader,nounits").splitlines():
            uuid, _, pid = line.partition(",")
            if pid.strip().isdecimal():
                pids[uuid.strip()].append(int(pid))
        found = {}
        fields = "--query-gpu=uuid,memory.used,memory.total,display_active"
        for line in self._ask(fields, "--format=csv,noheader,nounits").splitlines():
            uuid, *numbers, desktop = (part.strip() for part in line.split(","))
            if len(numbers) == 2 and all(number.isdecimal() for number in numbers):
                used, total = (int(number) * _MEBIBYTE for number in numbers)
                found[uuid] = Usage(used, total, tuple(pids[uuid]), desktop == "Enabled")
        return found

    def _ask(self, *arguments: str) -> str:
        try:
            done = subprocess.run([self._command, *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoDriver(f"nvidia-smi gives no answer: {error}") from None
        if done.returncode:
            raise NoDriver(f"nvidia-smi fails: {(done.stdout or done.stderr).strip()[:200]}")
        return done.stdout


def _devices(listing: str) -> tuple[Device, ...]:
    """The devices of a listing by `nvidia-smi -L`: a divided GPU is its instances."""
    found: list[Device] = []
    gpu: Device | None = None
    for line in listing.splitlines():
        if (match := re.fullmatch(_GPU, line.rstrip())) is not None:
            gpu = Device(match[1], match[3], match[2])
            found.append(gpu)
        elif gpu is not None and (match := re.fullmatch(_INSTANCE, line.rstrip())) is not None:
            if found[-1] is gpu:
                found.pop()
            found.append(Device(f"{gpu.index}.{match[2]}", match[3], f"part {match[2]} of {gpu.name}"))
    return tuple(found)
