"""A host with GPUs that a test makes up: what NVML tells, what is declared, and a folder of leases of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GIBIBYTE = 2**30
FAKE = Path(__file__).parent / "fake_nvml"


class GpuHost:
    """See the module. Without a word of the test there is no driver and nothing is declared.

    Attributes:
        slots: the folder of leases.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._told = monkeypatch, folder / "nvml.json"
        self.slots, self._commands = folder / "slots", folder / "commands"
        self._commands.mkdir()
        self.breaks("Driver Not Loaded")
        self.command("echo 'it has failed'; exit 9")
        monkeypatch.setenv("FAKE_NVML", str(self._told))
        monkeypatch.setenv("TUNEWRIGHT_SLOTS", str(self.slots))
        monkeypatch.setenv("PATH", f"{self._commands}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("PYTHONPATH", str(FAKE))  # for processes that the test starts
        for name in ("TUNEWRIGHT_GPUS", "CUDA_VISIBLE_DEVICES", "TUNEWRIGHT_HELD"):
            monkeypatch.delenv(name, raising=False)

    def declares(self, text: str) -> None:
        """Sets TUNEWRIGHT_GPUS."""
        self._monkeypatch.setenv("TUNEWRIGHT_GPUS", text)

    def shows(self, text: str) -> None:
        """Sets CUDA_VISIBLE_DEVICES."""
        self._monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)

    def tells(self, *gpus: dict[str, Any]) -> None:
        """Has NVML tell of GPUs from now on; see `fake_nvml`. What isn't said is an idle GPU of 80 GiB."""
        idle = {"used": GIBIBYTE // 2, "total": 80 * GIBIBYTE}
        self._write({"gpus": [{"uuid": f"GPU-{number}", **idle, **gpu} for number, gpu in enumerate(gpus)]})

    def breaks(self, error: str) -> None:
        """Has NVML fail."""
        self._write({"error": error})

    def command(self, script: str) -> None:
        """Makes a command `nvidia-smi`."""
        path = self._commands / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def _write(self, told: dict[str, Any]) -> None:
        temporary = self._told.with_suffix(".partial")
        temporary.write_text(json.dumps(told))
        temporary.replace(self._told)


@pytest.fixture
def gpu_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GpuHost]:
    """A host whose GPUs the test makes up."""
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    folder = tmp_path / "host"
    folder.mkdir()
    yield GpuHost(folder, monkeypatch)
    sys.modules.pop("pynvml", None)
