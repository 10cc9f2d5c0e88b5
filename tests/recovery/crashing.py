"""Kills its own process at one of the points where a controller's work can be cut in two.

The points are the entry and the exit of every commit, launch and hand-over of an event: named crash points.
The store and the executor are wrapped; the engine itself knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tunewright.interfaces import Adopted, Dead, Executor, ExecutorEvent, Fence, Launch, Order, Started, Store
from tunewright.records import Change


class Points:
    """Counts how often each point was passed, and kills the process at one of them.

    Args:
        at: the name of the point and how often it is passed before, such as `before commit:2`; None: no crash.
    """

    def __init__(self, at: str | None) -> None:
        self.at = at
        self.passed: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        if self.at == f"{name}:{self.passed[name]}":
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed[name] += 1


class CrashingStore:
    """A store whose commits may be the last thing that its process does."""

    def __init__(self, store: Store, points: Points) -> None:
        self._store, self._points = store, points

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        if not changes:
            return self._store.commit(changes, fence)
        self._points("before commit")
        event = self._store.commit(changes, fence)
        self._points("after commit")
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class CrashingExecutor:
    """An executor whose launches and events may be the last thing that its process sees."""

    def __init__(self, executor: Executor, points: Points) -> None:
        self._executor, self._points = executor, points
        self.slots = executor.slots

    def launch(self, launch: Launch) -> None:
        self._points("before launch")
        self._executor.launch(launch)
        self._points("after launch")

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        def deliver_between(event: ExecutorEvent) -> None:
            kind = "handle" if isinstance(event, Started) else type(event).__name__.lower()
            self._points(f"before {kind}")
            deliver(event)
            self._points(f"after {kind}")

        self._executor.poll(timeout, deliver_between)

    def order(self, token: str, order: Order) -> None:
        self._executor.order(token, order)

    def adopt(self, launch: Launch) -> Adopted | Dead:
        return self._executor.adopt(launch)

    def close(self) -> None:
        self._executor.close()


def main(folder: Path, at: str | None, trials: int) -> None:
    """Runs or resumes the job of `searching` with a crash at a point; see `Points`."""
    from tests.recovery import searching
    from tunewright import catalog, store

    points = Points(at)
    load, open_store = catalog.load, store.open_store

    def load_crashing(kind: str, name: str) -> Any:
        made = load(kind, name)
        return (lambda *given, **named: CrashingExecutor(made(*given, **named), points)) if kind == "executors" else made

    catalog.load = load_crashing
    opened = CrashingStore(open_store(searching.store_of(folder)), points)
    searching.store_of = lambda _: opened  # type: ignore[assignment,return-value]
    searching.run(folder, trials=trials, workers=2, seconds=0.05)


if __name__ == "__main__":
    _, place, point, amount = sys.argv
    main(Path(place), None if point == "none" else point, int(amount))
