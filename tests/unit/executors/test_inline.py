from __future__ import annotations

import bdb
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright import report as reporting
from tunewright.errors import InvalidInput
from tunewright.executors.inline import InlineExecutor
from tunewright.executors.task import Task
from tunewright.interfaces import ExecutorEvent, Exited, Failure, Halt, Reported, Started, Until
from tunewright.records import FailureKind
from tunewright.report import Trial, TrialInterrupted
from tunewright.resources import Resources
from tunewright.testing.executors import Answer, Watched, follow, launch


def run(function: Callable[[Trial], Any], folder: Path, answer: Answer | None = None, **fields: Any) -> Watched:
    item = launch(folder, **fields)
    return follow(InlineExecutor(Task(function)), [item], answer)[item.execution.token]


def failure_of(seen: Watched) -> Failure:
    assert seen.exited.failure is not None
    return seen.exited.failure


def stop_at_first_report(event: ExecutorEvent) -> Halt | None:
    return Halt("stop", "enough") if isinstance(event, Reported) else None


def test_a_plain_trial_leaves_no_files(tmp_path: Path) -> None:
    assert run(lambda trial: trial.params["x"], tmp_path / "trials").exited.returned == 0.0
    assert [*tmp_path.iterdir()] == []


def test_the_exception_comes_with_its_traceback(tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        raise ValueError("first line\nsecond line")

    failure = failure_of(run(train, tmp_path))
    assert isinstance(failure.exception, ValueError)
    assert failure.exception.__traceback__ is not None
    assert failure.message == "ValueError: first line"
    assert failure.where.endswith("in test_the_exception_comes_with_its_traceback.<locals>.train")
    assert failure.where.startswith(__file__)
    assert failure.traceback.count("File ") == 1, "our own frames are of no use to anybody"


def test_equal_failures_have_equal_places_and_others_not(tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        if trial.number == 2:
            raise ValueError("two")
        raise ValueError("others")

    executor = InlineExecutor(Task(train))
    items = [launch(tmp_path, number) for number in range(3)]
    seen = follow(executor, items)
    places = [failure_of(seen[item.execution.token]).where for item in items]
    assert places[0] == places[1] != places[2]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError("no room"), FailureKind.OUT_OF_MEMORY, "MemoryError: no room"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), FailureKind.OUT_OF_MEMORY, "OutOfMemoryError: CUDA"),
        (KeyError(), FailureKind.CRASH, "KeyError"),
        (RuntimeError("x" * 1000), FailureKind.CRASH, "RuntimeError: " + "x" * 283 + "..."),
        (SystemExit(3), FailureKind.CRASH, "the training code called sys.exit(3)"),
        (TrialInterrupted("stop"), FailureKind.CRASH, "the training code raised TrialInterrupted by itself"),
    ],
)
def test_kinds_and_messages_of_failures(tmp_path: Path, error: BaseException, kind: FailureKind, message: str) -> None:
    def train(trial: Trial) -> None:
        raise error

    failure = failure_of(run(train, tmp_path))
    assert (failure.kind, failure.message) == (kind, message)


@pytest.mark.parametrize("returned", ["0.5", [0.5], {"loss": "low"}, {3: 0.5}, {"": 0.5}, object()])
def test_what_is_returned_must_be_numbers(tmp_path: Path, returned: Any) -> None:
    seen = run(lambda trial: returned, tmp_path)
    assert seen.exited.outcome == "failed"
    assert "must be a n" in failure_of(seen).message


@pytest.mark.parametrize("error", [KeyboardInterrupt, bdb.BdbQuit])
def test_a_person_who_wants_out_gets_out_after_the_bookkeeping(tmp_path: Path, error: type[BaseException]) -> None:
    def train(trial: Trial) -> None:
        trial.report(loss=1.0)
        raise error

    executor, events = InlineExecutor(Task(train)), list[ExecutorEvent]()
    executor.launch(launch(tmp_path))
    with pytest.raises(error):
        executor.poll(1.0, events.append)
    assert [type(event) for event in events] == [Started, Reported, Exited]
    last = events[-1]
    assert isinstance(last, Exited)
    assert last.outcome == "released"


def test_an_exception_for_others_than_training_code_comes_through(tmp_path: Path) -> None:
    class Outcome(BaseException):
        pass

    def train(trial: Trial) -> None:
        raise Outcome

    executor, events = InlineExecutor(Task(train)), list[ExecutorEvent]()
    executor.launch(launch(tmp_path))
    with pytest.raises(Outcome):
        executor.poll(1.0, events.append)
    assert isinstance(events[-1], Exited)
    assert events[-1].outcome == "failed"


def test_reports_are_handed_over_at_most_every_so_often(tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        for _ in range(100):
            trial.report(loss=1.0)
        time.sleep(2 * reporting.INTERVAL)
        trial.report(loss=2.0)
        trial.report(loss=3.0)

    seen = run(train, tmp_path)
    sizes = [len(event.reports) for event in seen.events if isinstance(event, Reported)]
    assert sum(sizes) == 102
    assert len(sizes) < 10
    assert sizes[-1] == 1, "what came after the pause was handed over with the report that came with it"


def test_a_swallowed_interruption_comes_again_and_the_result_does_not_count(tmp_path: Path) -> None:
    raised = []

    def train(trial: Trial) -> float:
        for _ in range(3):
            try:
                trial.report(loss=1.0)
            except TrialInterrupted as interruption:
                raised.append(str(interruption))
        return 0.0

    seen = run(train, tmp_path, stop_at_first_report, until_step=1)
    assert raised == ["stop: enough"] * 3
    assert (seen.exited.outcome, seen.exited.returned) == ("stopped", None)


def test_an_error_on_the_way_out_is_still_an_obeyed_order(tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        try:
            trial.report(loss=1.0)
        finally:
            raise OSError("the loader was closed")

    assert run(train, tmp_path, stop_at_first_report, until_step=1).exited.outcome == "stopped"


def test_an_order_that_training_code_never_heard_of_does_not_change_its_result(tmp_path: Path) -> None:
    executor = InlineExecutor(Task(lambda trial: trial.report(loss=1.0) and 0.5))
    item = launch(tmp_path)

    def answer(event: ExecutorEvent) -> Halt | None:
        return Halt("stop", "late") if isinstance(event, Reported) else None

    seen = follow(executor, [item], answer)[item.execution.token]
    assert (seen.exited.outcome, seen.exited.returned) == ("completed", 0.5)


def test_an_error_of_the_controller_is_not_for_training_code_to_swallow(tmp_path: Path) -> None:
    swallowed = []

    def train(trial: Trial) -> float:
        for _ in range(3):
            try:
                trial.report(loss=1.0)
            except Exception as error:
                swallowed.append(error)
        return 0.0

    def deliver(event: ExecutorEvent) -> None:
        assert not isinstance(event, Exited)
        if isinstance(event, Reported):
            raise LookupError("the lease is lost")

    executor = InlineExecutor(Task(train))
    executor.launch(launch(tmp_path, until_step=1))
    with pytest.raises(LookupError, match="the lease is lost"):
        executor.poll(1.0, deliver)
    assert swallowed == []


def test_the_trial_is_the_current_one_of_its_thread(tmp_path: Path) -> None:
    seen = []

    def inner(trial: Trial) -> None:
        seen.append(reporting.current_trial() is trial)

    def outer(trial: Trial) -> None:
        seen.append(reporting.current_trial() is trial)
        run(inner, tmp_path / "inner")
        seen.append(reporting.current_trial() is trial)

    before = reporting.current_trial()
    run(outer, tmp_path)
    assert seen == [True, True, True]
    assert reporting.current_trial() is before


def test_labels_become_objects_and_parameters_are_a_copy(tmp_path: Path) -> None:
    given: list[Any] = []

    def train(trial: Trial) -> None:
        given.append(trial.params)
        trial.params["y"] = 2

    item = launch(tmp_path)
    follow(InlineExecutor(Task(train)), [item])
    follow(InlineExecutor(Task(train, lambda params: {"x": str, **{k: 9 for k in params if k != "x"}})), [item])
    assert given == [{"x": 0.0, "y": 2}, {"x": str, "y": 2}]
    assert item.trial.params == {"x": 0.0}


def test_a_space_that_cannot_realize_its_parameters_fails_the_trial(tmp_path: Path) -> None:
    def realize(params: Any) -> dict[str, Any]:
        raise LookupError("no such label")

    item = launch(tmp_path)
    seen = follow(InlineExecutor(Task(lambda trial: 0.0, realize)), [item])[item.execution.token]
    assert failure_of(seen).message == "LookupError: no such label"


@pytest.mark.parametrize(("name", "value"), [("time", "1h"), ("memory", "2GB")])
def test_limits_that_cannot_be_kept_are_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=rf"resources\.{name} can't be enforced by the inline executor"):
        InlineExecutor(Task(lambda trial: 0.0), Resources(**{name: value}))  # type: ignore[arg-type]
    InlineExecutor(Task(lambda trial: 0.0), Resources(cpus=4))


def test_without_an_execution_poll_waits(tmp_path: Path) -> None:
    executor = InlineExecutor(Task(lambda trial: 0.0))
    began = time.monotonic()
    executor.poll(0.1, lambda event: None)
    assert time.monotonic() - began >= 0.09


def test_checkpoints_and_orders_meet_in_order(tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        for step in range(trial.step + 1, 5):
            with trial.checkpoint(step=step) as folder:
                (folder / "step").write_text(str(step))
            trial.report(loss=1.0, step=step)
        return 0.0

    def answer(event: ExecutorEvent) -> Until | None:
        return Until(event.reports[-1].step + 1) if isinstance(event, Reported) else None

    seen = run(train, tmp_path, answer, until_step=1)
    kinds = [type(event).__name__ for event in seen.events]
    assert kinds == ["Started", *["Checkpointed", "Reported"] * 4, "Exited"]


def test_breakpoints_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: stopped.append(sys._getframe(1).f_code.co_name))

    def train(trial: Trial) -> None:
        breakpoint()

    run(train, tmp_path)
    assert stopped == ["train"]
