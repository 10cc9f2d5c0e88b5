"""Runs a job in this process: claims it, makes its executor, drives the controller, and turns its end into what callers see."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from tunewright.artifacts.keeping import KeepingExecutor
from tunewright.engine.controller import Controller, Parts
from tunewright.engine.listener import Listener
from tunewright.errors import (
    InvalidInput,
    JobTaken,
    NotFound,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    TrialsFailed,
    nearest,
)
from tunewright.interfaces import Clock, Executor, Failure, Fence, Store
from tunewright.lifecycle import ownership
from tunewright.lifecycle.folders import job_folder
from tunewright.lifecycle.request import Request
from tunewright.queries import Jobs
from tunewright.records import JobState, Status, TuningJob


class TrialError(Exception):
    """A trial's own exception, raised in a worker process; its text is the traceback from there."""


class SystemClock:
    """The time of day."""

    now = staticmethod(time.time)


def stored_job(store: Store, name: str) -> TuningJob:
    """A job's record. Raises NotFound with the nearest names."""
    for job in store.read(Jobs(names=(name,))):
        return job
    known = [job.name for job in store.read(Jobs())]
    hint = nearest(name, known) if known else "the store holds no job"
    raise NotFound("job", f"must be in the store ({hint})", name)


def claim(store: Store, name: str, lease: float) -> Fence:
    """Takes control of a job; at once when its owner is a dead process of this host.

    Raises:
        JobTaken: a living controller owns it, or one that can't be seen from here and whose lease lasts.
    """
    job = stored_job(store, name)
    evict = job.owner if job.owner is not None and ownership.is_dead(job.owner) else None
    fence = store.claim(name, ownership.this_owner(), lease, evict=evict)
    if fence is not None:
        return fence
    owner = stored_job(store, name).owner
    who = ownership.describe(owner) if owner else "another process"
    raise JobTaken(
        f"job {name!r} is controlled by {who}. Wait for it, stop it (tunewright stop {name}), or, if that process is gone "
        f"for good, try again when its lease of {lease:g} s is over"
    )


class Run:
    """One controller's run of a job.

    Args:
        prepare: called once the job is claimed, before anything of it is read.
        make_executor: makes the executor, given the job's folder.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        request: Request,
        listener: Listener,
        prepare: Callable[[], None],
        make_executor: Callable[[Path], Executor],
    ) -> None:
        self._store, self._name, self._request = store, name, request
        spec = request.spec
        self._fence = claim(store, name, spec.lease)
        try:
            prepare()
            job = stored_job(store, name)
            folder = job_folder(store, job)
            self._executor = executor = make_executor(folder)
            clock: Clock = executor if callable(getattr(executor, "now", None)) else SystemClock()  # type: ignore[assignment]
            holds = _holds(executor, spec.executor)
            parts = Parts(request.strategy, request.stopper, executor, store, clock, listener, holds)
            self._controller = Controller(job, spec, parts, self._fence, str(folder))
        except BaseException:
            store.release(self._fence)
            raise

    def interrupt(self) -> None:
        """Ends the run soon; the job can be resumed."""
        self._controller.interrupt()

    def in_training(self) -> bool:
        """Whether training code is what this thread is busy with."""
        return bool(getattr(self._executor, "in_training", False))

    def __call__(self) -> JobState:
        """Runs to the end. Raises as `Controller.run`; StoreFull, StoreBusy and StoreUnreachable say what to do."""
        try:
            state = self._controller.run()
        except StoreFull as error:
            hint = f"free some space, then: tunewright resume {self._name}"
            raise StoreFull(f"{error}. What was committed is safe; {hint}") from error
        except (StoreBusy, StoreUnreachable) as error:
            hint = f"what was committed is safe; when the store is back: tunewright resume {self._name}"
            raise type(error)(f"job {self._name!r} ended: {error}; {hint}") from error
        finally:
            with suppress(StoreError):  # a store that takes nothing any more says so by what is being raised already
                self._store.release(self._fence)
        return state

    def raise_failure(self, state: JobState) -> None:
        """Raises what a failed job means for its caller, chained to the trial's own exception."""
        if state.status is not Status.FAILED:
            return
        failure = self._controller.failure
        reason = state.reason or "the job failed"
        if state.reason_code == "missing_metric":
            raise InvalidInput("metric", reason.removeprefix("metric "))
        text = f"job {self._name!r} failed: {reason}"
        raise TrialsFailed(text) from (_cause(failure) if failure is not None else None)


def _holds(executor: Executor, name: str) -> Callable[[str], bool]:
    """Whether a checkpoint of a path is there; what another executor's paths mean is its own affair."""
    if isinstance(executor, KeepingExecutor):
        return executor.holds
    if name in ("process", "script", "inline"):
        return lambda path: not path or Path(path).is_dir()
    return lambda path: True


def _cause(failure: Failure) -> BaseException:
    return failure.exception or TrialError(f"\n{failure.traceback}" if failure.traceback else failure.message)


@contextmanager
def signals(interrupt: Callable[[], None], in_training: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end a run in an orderly way. After a second Ctrl-C, KeyboardInterrupt leaves this context too.

    A SIGTERM that would have killed the process does so after the orderly end.

    Args:
        in_training: whether training code runs in this thread, so that the first Ctrl-C has to break it off by
            KeyboardInterrupt. Nothing else is broken off by the first one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = 0
    terminated = False

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        interrupt()
        if pressed > 1 or in_training():
            raise KeyboardInterrupt

    def on_terminate(signum: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        on_interrupt(signum, frame)

    handlers: dict[int, Any] = {signal.SIGINT: on_interrupt}
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        handlers[signal.SIGTERM] = on_terminate
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        if terminated:
            os.kill(os.getpid(), signal.SIGTERM)
    if pressed > 1:
        raise KeyboardInterrupt
