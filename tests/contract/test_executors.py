"""Every built-in executor keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tunewright.executors.inline import InlineExecutor
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import pack_function
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.executors.task import Task
from tunewright.interfaces import Executor, Failure
from tunewright.records import FailureKind, Params
from tunewright.testing.executors import Behaviour, ExecutorContract, Make


class TestInline(ExecutorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda behaviour, slots: InlineExecutor(Task(behaviour))


def curve_of(behaviour: Behaviour) -> Callable[[Params, int], Curve]:
    """What the simulated executor does for a behaviour."""
    failure = None if behaviour.error is None else Failure(FailureKind.CRASH, behaviour.error)
    count = len(behaviour.values)

    def simulate(params: Params, seed: int) -> Curve:
        x = params["x"]
        assert isinstance(x, float)
        values = [{"loss": value} for value in behaviour.values]
        returned = behaviour.result(x, seed)
        return Curve(range(1, count + 1), values, [behaviour.pause] * count, returned, failure, behaviour.checkpoints)

    return simulate


class TestSimulated(ExecutorContract):
    writes_checkpoints = False

    @pytest.fixture
    def make(self) -> Make:
        return lambda behaviour, slots: SimulatedExecutor(curve_of(behaviour), slots=slots)


@pytest.mark.slow
@pytest.mark.parametrize("portable", [False, True], ids=["linux", "portable"])
class TestProcess(ExecutorContract):
    @pytest.fixture
    def make(self, tmp_path: Path, portable: bool) -> Iterator[Make]:
        made: list[Executor] = []

        def process(behaviour: Behaviour, slots: int) -> Executor:
            pack_function(Task(behaviour), tmp_path)
            made.append(ProcessExecutor(tmp_path, slots=slots, portable=portable))
            return made[-1]

        yield process
        for executor in made:
            executor.close()
