"""Distributed training inside a trial: torchrun with two ranks, two trials side by side."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import pytest

from tests.unit.executors.scripts import executor_of, launch, left_of, log_of
from tunewright.executors.script_task import Script
from tunewright.frozen import changed
from tunewright.interfaces import ExecutorEvent, Halt, Order, Reported, Until
from tunewright.testing.executors import follow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="missing torch: pip install torch"),
]
TRAINING = Path(__file__).with_name("gloo_training.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


def witnessed(folder: Path, trial: int) -> list[list[str]]:
    return [(folder / f"{trial}-{rank}").read_text().splitlines() for rank in (0, 1)]


def test_all_ranks_of_a_trial_end_at_the_same_step_and_another_trial_goes_on(tmp_path: Path) -> None:
    """Two trials of two ranks side by side; one is stopped at its decision step 3."""
    script = Script([*TORCHRUN, str(TRAINING), "--witness", str(tmp_path), "{args}"])
    launches = [launch(tmp_path, number, x=float(number + 1)) for number in (0, 1)]
    launches = [changed(only, execution=changed(only.execution, until_step=3)) for only in launches]
    stopped, going = (only.execution.token for only in launches)

    def answer(event: ExecutorEvent) -> Order | None:
        if not isinstance(event, Reported) or event.reports[-1].step < 3:
            return None
        return Halt("stop", "worse than the median") if event.token == stopped else Until(None)

    with executor_of(script, tmp_path, slots=2) as executor:
        seen = follow(executor, launches, answer)
        ended = time.monotonic()
        while left_of(tmp_path, 0) or left_of(tmp_path, 1):
            assert time.monotonic() < ended + 10
            time.sleep(0.1)
    assert seen[going].exited.outcome == "completed", log_of(tmp_path, 1)
    assert seen[stopped].exited.outcome == "stopped", log_of(tmp_path, 0)
    assert [report.step for report in seen[stopped].reports] == [1, 2, 3]
    assert [report.metrics["loss"] for report in seen[going].reports] == pytest.approx([1 + 4 / step for step in range(1, 7)])
    ports = set()
    for trial, passed in ((0, [1, 2]), (1, [*range(1, 7)])):
        for port, *steps in witnessed(tmp_path, trial):
            assert steps == [f"passed {step}" for step in passed]
            ports.add((trial, port))
    assert len(ports) == len({port for _, port in ports}) == 2, "ranks of a trial share a port, and trials don't"


def test_a_stop_between_decision_steps_ends_all_ranks_at_one_step(tmp_path: Path) -> None:
    script = Script([*TORCHRUN, str(TRAINING), "--witness", str(tmp_path), "{args}"])
    only = launch(tmp_path, x=1.0)

    def answer(event: ExecutorEvent) -> Order | None:
        return Halt("stop", "a person", grace=60.0) if isinstance(event, Reported) else None

    with executor_of(script, tmp_path) as executor:
        seen = follow(executor, [only], answer)[only.execution.token]
    assert seen.exited.outcome == "stopped", log_of(tmp_path)
    first, second = witnessed(tmp_path, 0)
    assert first[1:] == second[1:]
    assert len(first) < 7
    assert left_of(tmp_path) == []
