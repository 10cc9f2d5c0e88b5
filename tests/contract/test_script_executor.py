"""The script executor keeps the contract, with scripts that report by `tunewright.report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tunewright.executors.script import ScriptExecutor
from tunewright.executors.script_task import Script
from tunewright.interfaces import Executor
from tunewright.testing.executors import Behaviour, ExecutorContract, Make

BEHAVING = Path(__file__).with_name("behaving.py")


@pytest.mark.slow
@pytest.mark.parametrize("portable", [False, True], ids=["linux", "portable"])
class TestScript(ExecutorContract):
    returns_values = False

    @pytest.fixture
    def make(self, tmp_path: Path, portable: bool) -> Iterator[Make]:
        made: list[Executor] = []

        def script(behaviour: Behaviour, slots: int) -> Executor:
            fields = json.dumps({**asdict(behaviour), "values": [str(value) for value in behaviour.values]})
            command = Script([sys.executable, str(BEHAVING), fields], arguments=None)
            made.append(ScriptExecutor(command, tmp_path, slots=slots, portable=portable))
            return made[-1]

        yield script
        for executor in made:
            executor.close()
