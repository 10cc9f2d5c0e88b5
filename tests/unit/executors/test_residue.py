from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tunewright.executors.residue import reason_to_retire, used_gpu


def test_an_open_device_file_tells_of_a_used_gpu(tmp_path: Path) -> None:
    devices = [str(tmp_path / "nvidia")]
    device = tmp_path / "nvidia0"
    device.touch()
    assert not used_gpu(devices)
    with device.open():
        assert used_gpu(devices)
        assert reason_to_retire(devices) == "it used a GPU"
    assert not used_gpu(devices)


@pytest.mark.parametrize("initialised", [True, False])
def test_torch_tells_of_a_used_gpu(monkeypatch: pytest.MonkeyPatch, initialised: bool) -> None:
    torch = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: initialised))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert used_gpu([]) is initialised


@pytest.mark.slow
def test_living_children_are_residue_and_dead_ones_are_not() -> None:
    script = """
import subprocess, sys
from tunewright.executors.residue import left_processes
print(left_processes())
child = subprocess.Popen(["sleep", "1000"])
print(left_processes())
child.kill()
print(left_processes())
leaving = subprocess.Popen(["sleep", "0.1"])
print(left_processes())
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False", "False"]


@pytest.mark.slow
def test_the_resource_tracker_may_stay() -> None:
    script = """
from multiprocessing import shared_memory
from tunewright.executors.residue import left_processes
memory = shared_memory.SharedMemory(create=True, size=100)
print(left_processes())
memory.close()
memory.unlink()
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["False"]
