"""Calls in daemon threads."""

from __future__ import annotations

import threading
import time

import pytest

from tunewright.artifacts.background import Background


def test_what_comes_out_is_told() -> None:
    background = Background(2, "test")
    assert background.submit(lambda: 7).result(10) == 7
    with pytest.raises(ZeroDivisionError):
        background.submit(lambda: 1 // 0).result(10)
    background.close(10)


def test_so_many_run_at_once_and_no_more() -> None:
    background, gate, running = Background(2, "test"), threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        running.release()
        assert gate.wait(10)

    futures = [background.submit(wait) for _ in range(3)]
    assert running.acquire(timeout=10)
    assert running.acquire(timeout=10)
    assert not running.acquire(timeout=0.1)
    gate.set()
    for future in futures:
        future.result(10)
    background.close(10)


def test_closing_drops_what_has_not_begun_and_waits_for_the_rest() -> None:
    background, begun = Background(1, "test"), threading.Event()

    def work() -> str:
        begun.set()
        time.sleep(0.2)
        return "done"

    first, second = background.submit(work), background.submit(work)
    assert begun.wait(10)
    background.close(10)
    assert first.result(0) == "done"
    assert second.cancelled()
