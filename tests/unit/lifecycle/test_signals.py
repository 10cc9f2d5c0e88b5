"""Ctrl-C and SIGTERM while a job runs in the main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tunewright as tw
from tunewright.executors.inline import InlineExecutor
from tunewright.executors.task import Task
from tunewright.lifecycle.running import signals
from tunewright.records import Counts, Status


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


def test_the_first_interrupt_is_told_and_breaks_nothing_off() -> None:
    told: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with signals(lambda: told.append(1), lambda: False):
        press()
        assert told == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_it_breaks_training_code_off_in_this_thread() -> None:
    told: list[int] = []
    with signals(lambda: told.append(1), lambda: True):
        with pytest.raises(KeyboardInterrupt):
            press()
        assert told == [1]


def test_the_second_interrupt_breaks_off_anything_and_leaves_the_context() -> None:
    told: list[int] = []

    def run() -> None:
        with signals(lambda: told.append(1), lambda: False):
            press()
            with pytest.raises(KeyboardInterrupt):
                press()
            told.append(2)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert told == [1, 1, 2]


def test_an_error_of_the_run_comes_out_as_it_is() -> None:
    def run() -> None:
        with signals(lambda: None, lambda: False):
            press()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()


def test_a_termination_ends_in_order_and_then_the_process() -> None:
    code = """
import os, signal
from tunewright.lifecycle.running import signals
with signals(lambda: print("told", flush=True), lambda: False):
    os.kill(os.getpid(), signal.SIGTERM)
    print("in order", flush=True)
print("never")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["told", "in order"]
    assert done.returncode == -signal.SIGTERM


def test_a_handler_that_somebody_set_for_sigterm_stays() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with signals(lambda: heard.append(0), lambda: False):
            press(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_other_threads_leave_signals_alone() -> None:
    before, inside = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with signals(lambda: None, lambda: False):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


# --- a whole job ---


def constant(trial: tw.Trial) -> float:
    return 1.0


def interrupted_in(number: int, step: int, swallow: bool = False) -> object:
    """A training function during whose trial `number` somebody presses Ctrl-C, once."""
    pressed: list[int] = []

    def train(trial: tw.Trial) -> float:
        for epoch in range(1, 6):
            if (trial.number, epoch) == (number, step) and not pressed:
                pressed.append(1)
                try:
                    press()
                except KeyboardInterrupt:
                    if not swallow:
                        raise
            trial.report(loss=float(epoch), step=epoch)
        return 1.0

    return train


def test_an_interrupt_in_training_code_returns_the_job_and_it_can_be_resumed(tmp_path: Path) -> None:
    options = {"metric": "loss", "max_trials": 4, "executor": "inline", "progress": "none", "store": str(tmp_path / "s.db")}
    job = tw.tune(interrupted_in(2, 3), {"x": [1, 2, 3, 4]}, name="mine", **options)  # type: ignore[arg-type]
    assert (job.status, job.reason_code) == (Status.STOPPED, "interrupted")
    assert job.record.state.counts == Counts(completed=2, paused=1)
    assert job.record.owner is None
    again = tw.tune(constant, {"x": [1, 2, 3, 4]}, name="other", **options)  # type: ignore[arg-type]
    assert again.status is Status.COMPLETED  # the interrupt left nothing behind


def test_training_code_that_swallows_the_interrupt_ends_the_job_after_its_trial() -> None:
    job = tw.tune(
        interrupted_in(1, 3, swallow=True), {"x": [1, 2, 3, 4]}, metric="loss", max_trials=4, executor="inline", store="memory",  # type: ignore[arg-type]
        progress="none",
    )  # fmt: skip
    assert (job.reason_code, job.record.state.counts) == ("interrupted", Counts(completed=2))


def test_an_interrupt_between_trials_does_not_tear_the_books(tmp_path: Path) -> None:
    """It comes while the engine commits: nothing may be broken off there."""

    def on_trial(trial: object) -> None:
        if len(job.trials) == 3:
            press()

    job: tw.Job
    store = tw.open_store(str(tmp_path / "s.db"))
    options = {"metric": "loss", "max_trials": 9, "executor": "inline", "progress": "none", "store": store, "name": "mine"}
    space = {"x": list(range(9))}
    job = tw.tune(constant, space, **{**options, "max_trials": 1})  # type: ignore[arg-type]
    job = tw.tune(constant, space, resume=True, on_trial=on_trial, **options)  # type: ignore[arg-type]
    assert job.reason_code == "interrupted"
    counts, trials = job.record.state.counts, job.trials
    assert counts.total == len(trials)
    assert counts.completed == sum(trial.status is Status.COMPLETED for trial in trials) >= 2
    store.close()


def test_inline_tells_when_training_code_runs() -> None:
    from tunewright.interfaces import Launch, Reported
    from tunewright.records import Execution, Trial

    seen: list[tuple[str, bool]] = []

    def train(trial: tw.Trial) -> float:
        seen.append(("training", executor.in_training))
        trial.report(loss=1.0)
        trial.report(loss=1.0, step=5)
        seen.append(("training", executor.in_training))
        return 1.0

    executor = InlineExecutor(Task(train))
    executor.launch(Launch(Trial(0, {}, 1), Execution(0, 1, "t", until_step=2), "/nowhere"))
    assert not executor.in_training

    def deliver(event: object) -> None:
        seen.append((type(event).__name__, executor.in_training))
        if isinstance(event, Reported):
            from tunewright.interfaces import Until

            executor.order("t", Until(None))

    executor.poll(0.0, deliver)
    assert not executor.in_training
    assert seen == [("Started", False), ("training", True), ("Reported", False), ("training", True), ("Exited", False)]
