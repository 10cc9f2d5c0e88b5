"""An executor whose executions hold leases keeps the contract of the one that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gpus import GpuHost
from tunewright.executors.inline import InlineExecutor
from tunewright.executors.leased import LeasedExecutor, host_for
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import pack_function
from tunewright.executors.task import Task
from tunewright.interfaces import Executor
from tunewright.resources import Resources
from tunewright.testing.executors import Behaviour, ExecutorContract, Make


@pytest.fixture
def leased(gpu_host: GpuHost) -> Iterator[Callable[[Executor], Executor]]:
    """Puts leases of a GPU each around an executor."""
    gpu_host.declares("4")
    made: list[Executor] = []

    def around(executor: Executor) -> Executor:
        host = host_for(Resources(gpus=1), "job")
        assert host is not None
        made.append(LeasedExecutor(executor, host, print))
        return made[-1]

    yield around
    for executor in made:
        executor.close()


class TestLeasedInline(ExecutorContract):
    @pytest.fixture
    def make(self, leased: Callable[[Executor], Executor]) -> Make:
        return lambda behaviour, slots: leased(InlineExecutor(Task(behaviour)))


@pytest.mark.slow
class TestLeasedProcess(ExecutorContract):
    @pytest.fixture
    def make(self, leased: Callable[[Executor], Executor], tmp_path: Path) -> Make:
        def process(behaviour: Behaviour, slots: int) -> Executor:
            pack_function(Task(behaviour), tmp_path)
            return leased(ProcessExecutor(tmp_path, slots=slots))

        return process
