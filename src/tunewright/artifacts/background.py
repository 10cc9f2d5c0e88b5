"""Work in threads that don't keep a process from ending."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """Runs calls in a few daemon threads, which start when they are first needed.

    Args:
        threads: how many calls run at once.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._most, self._name = threads, name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way: set[Future[Any]] = set()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Has a call made; the future tells what came out."""
        future: Future[T] = Future()
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        self._calls.put((future, call))
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self, patience: float) -> None:
        """Drops what hasn't begun and waits for the rest, at most so many seconds."""
        end = time.monotonic() + patience
        for future in [*self._under_way]:
            future.cancel()
        wait([*self._under_way], max(0.0, end - time.monotonic()))
        for _ in self._threads:
            self._calls.put(None)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, call, item  # what they hold shouldn't wait for the next call
