"""Executors keep executions to where their launches place them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright.executors.inline import InlineExecutor
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.script import ScriptExecutor
from tunewright.executors.script_task import Script
from tunewright.executors.shipping import pack_function
from tunewright.executors.task import Task
from tunewright.frozen import changed
from tunewright.interfaces import Executor, Launch, Placement
from tunewright.report import Trial
from tunewright.resources import Resources
from tunewright.testing.executors import Watched, follow, launch

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
needs_cores = pytest.mark.skipif(len(CORES) < 2, reason="missing: two cores")
slow = pytest.mark.slow


def place(folder: Path, number: int, *cores: int, gpus: str | None = None) -> Launch:
    environment = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
    return changed(launch(folder / "trials", number), placement=Placement(cores, environment))


def run(executor: Executor, *launches: Launch) -> list[Watched]:
    seen = follow(executor, launches)
    return [seen[each.execution.token] for each in launches]


def said(folder: Path, number: int) -> list[str]:
    return (folder / "trials" / f"{number:05d}" / "log.txt").read_text().splitlines()


def train(trial: Trial) -> float:
    """Prints the cores of its threads, its GPUs, and its process."""
    if not any(thread.name == "pool" for thread in threading.enumerate()):  # as libraries do: one that stays
        threading.Thread(target=threading.Event().wait, name="pool", daemon=True).start()
    tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    print(sorted({core for task in tasks for core in os.sched_getaffinity(task)}), len(tasks) > 1)
    print(os.environ.get("CUDA_VISIBLE_DEVICES"))
    print(os.getpid())
    return 0.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ProcessExecutor]:
    pack_function(Task(train), tmp_path)
    executor = ProcessExecutor(tmp_path, slots=2, resources=Resources())
    yield executor
    executor.close()


@slow
@needs_cores
def test_a_worker_moves_with_all_its_threads_to_other_cores(process: ProcessExecutor, tmp_path: Path) -> None:
    first, second = CORES[:2]
    for number, core in enumerate((first, second, second, first)):
        run(process, place(tmp_path, number, core))
        assert said(tmp_path, number)[0] == f"[{core}] True"
    assert len({said(tmp_path, number)[2] for number in range(4)}) == 1, "in one and the same worker"


@slow
@needs_cores
def test_of_idle_workers_the_one_on_the_right_cores_is_used(process: ProcessExecutor, tmp_path: Path) -> None:
    first, second = CORES[:2]
    run(process, place(tmp_path, 0, first), place(tmp_path, 1, second))
    for number, (core, other) in enumerate(((second, 1), (first, 0), (first, 0), (second, 1)), start=2):
        run(process, place(tmp_path, number, core))
        assert said(tmp_path, number) == said(tmp_path, other)


@slow
def test_a_worker_is_shown_the_gpus_of_each_execution(process: ProcessExecutor, tmp_path: Path) -> None:
    for number, gpus in enumerate(("0", "GPU-1,GPU-2", "0")):
        run(process, place(tmp_path, number, *CORES[:1], gpus=gpus))
        assert said(tmp_path, number)[1] == gpus


@slow
def test_a_script_keeps_to_its_cores_and_gpus(tmp_path: Path) -> None:
    code = "import os; print(sorted(os.sched_getaffinity(0))); print(*(os.environ[name] for name in NAMES))"
    code = code.replace("NAMES", "('CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS')")
    executor = ScriptExecutor(Script([sys.executable, "-c", code], arguments=None), tmp_path, slots=1)
    for number, (core, gpus) in enumerate(((CORES[-1], "0"), (CORES[0], "1"))):
        run(executor, place(tmp_path, number, core, gpus=gpus))
        assert said(tmp_path, number)[1:] == [f"[{core}]", f"{gpus} 1"]
    executor.close()


@slow
def test_a_script_s_own_word_on_gpus_goes_before(tmp_path: Path) -> None:
    script = Script(["bash", "-c", "echo $CUDA_VISIBLE_DEVICES"], arguments=None, env={"CUDA_VISIBLE_DEVICES": "7"})
    executor = ScriptExecutor(script, tmp_path, slots=1)
    run(executor, place(tmp_path, 0, *CORES[:1], gpus="0"))
    assert said(tmp_path, 0)[1:] == ["7"]
    executor.close()


@slow
def test_a_script_doesn_t_inherit_the_lease_only_its_supervisor_does(tmp_path: Path) -> None:
    lease = (tmp_path / "lease").open("w")
    script = Script(["bash", "-c", f"ls -l /proc/self/fd /proc/$PPID/fd | grep -c {tmp_path}/lease"], arguments=None)
    executor = ScriptExecutor(script, tmp_path, slots=1)
    item = changed(launch(tmp_path / "trials"), placement=Placement((*CORES[:1],), {}, lease.fileno()))
    run(executor, item)
    assert said(tmp_path, 0)[1:] == ["1"]
    executor.close()
    lease.close()


@pytest.mark.parametrize("before", [None, "3"])
def test_in_one_s_own_process_gpus_are_shown_for_the_time_of_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    shown: list[str | None] = []
    executor = InlineExecutor(Task(lambda trial: shown.append(os.environ.get("CUDA_VISIBLE_DEVICES"))))
    run(executor, place(tmp_path, 0, gpus="1"))
    run(executor, place(tmp_path, 1))
    assert shown == ["1", before]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before
