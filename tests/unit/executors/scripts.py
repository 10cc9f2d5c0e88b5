"""What the tests of the script executor share: launches of any configuration, and how to run them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from tunewright.executors.leftovers import marked
from tunewright.executors.script import ScriptExecutor
from tunewright.executors.script_task import Script
from tunewright.interfaces import Executor, ExecutorEvent, Exited, Launch, Order
from tunewright.records import Execution, Trial
from tunewright.testing.executors import Watched, follow

LOSS = {"loss": r"loss=(\S+)"}


def launch(folder: Path, number: int = 0, execution: int = 1, checkpoint: str | None = None, **params: Any) -> Launch:
    token = f"{sha256(str(folder).encode()).hexdigest()[:12]}-{number}-{execution}"  # no other test's
    return Launch(
        Trial(number, params, seed=7), Execution(number, execution, token), str(folder / "trials" / f"{number:05d}"), checkpoint
    )


def python(code: str, *arguments: str, **options: Any) -> Script:
    """A script of Python code that gets no arguments but these."""
    return Script([sys.executable, "-c", code, *arguments], **{"arguments": None, **options})


def bash(code: str, **options: Any) -> Script:
    return Script(["bash", "-c", code], **{"arguments": None, **options})


def run(
    script: Script,
    folder: Path,
    *,
    answer: Callable[[ExecutorEvent], Order | None] | None = None,
    params: dict[str, Any] | None = None,
    **options: Any,
) -> Watched:
    """Runs a script once, to its end."""
    with executor_of(script, folder, **options) as executor:
        only = launch(folder, **(params or {}))
        return follow(executor, [only], answer)[only.execution.token]


@contextmanager
def executor_of(script: Script, folder: Path, **options: Any) -> Iterator[ScriptExecutor]:
    executor = ScriptExecutor(script, folder, **{"slots": 1, **options})
    try:
        yield executor
    finally:
        executor.close()


def poll_until(executor: Executor, done: Callable[[Sequence[ExecutorEvent]], bool], patience: float = 30.0) -> Watched:
    """Polls until the events satisfy a condition."""
    watched, end = Watched(), time.monotonic() + patience
    while not done(watched.events):
        executor.poll(0.1, watched.events.append)
        assert time.monotonic() < end, watched.events
    return watched


def ended(events: Sequence[ExecutorEvent]) -> bool:
    return bool(events) and isinstance(events[-1], Exited)


def log_of(folder: Path, number: int = 0) -> str:
    return (folder / "trials" / f"{number:05d}" / "log.txt").read_text()


def left_of(folder: Path, number: int = 0, execution: int = 1) -> list[int]:
    """Living processes of an execution."""
    token = launch(folder, number, execution).execution.token
    return [process.pid for _, process in marked(lambda found: found == token, "TUNEWRIGHT_TOKEN")]


def wait_for(path: Path, patience: float = 30.0) -> str:
    """The text of a file, once there is one."""
    end = time.monotonic() + patience
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} doesn't appear"
        time.sleep(0.01)
    return path.read_text()
