"""What every store makes of a commit: events and curves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.records import (
    Action,
    Change,
    Checkpoint,
    CommandHandled,
    Decision,
    Execution,
    ExecutionStatus,
    FailureKind,
    JobState,
    Report,
    Reports,
    SpecChange,
    Status,
    Trial,
)
from tunewright.store.changes import Batch, Value, by_metric, summarise, unseen


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (Trial(3, {}, 0), ("trial", 3, None, "Pending")),
        (Trial(3, {}, 0, status=Status.STOPPED, reason_code="median", reason="long"), ("trial", 3, None, "Stopped: median")),
        (Execution(3, 2, "t"), ("execution", 3, 2, "Launching")),
        (
            Execution(3, 2, "t", status=ExecutionStatus.FAILED, failure=FailureKind.TIMEOUT),
            ("execution", 3, 2, "Failed: timeout"),
        ),
        (Reports(3, 2, 5, [Report(1, {}, 1.0)] * 4), ("reports", 3, 2, "4")),
        (Checkpoint(3, 2, 7, "path", 1.0), ("checkpoint", 3, 2, "step 7")),
        (Decision(Action.STOP, "worse", trial=3), ("decision", 3, None, "stop: worse")),
        (Decision(Action.RUN, ""), ("decision", None, None, "run")),
        (CommandHandled(8, "done"), ("command", None, None, "8: done")),
        (JobState(Status.FAILED, "trials_failed"), ("job", None, None, "Failed: trials_failed")),
        (SpecChange({}), ("job", None, None, "specification changed")),
    ],
)
def test_events_say_what_changed(change: Change, event: tuple[object, ...]) -> None:
    (found,) = Batch([change]).events
    assert tuple(found) == event


def test_a_batch_keeps_the_order_of_each_kind_and_of_events() -> None:
    trials = [Trial(2, {}, 0), Trial(1, {}, 0), Trial(2, {}, 1)]
    states = [JobState(Status.PAUSED), JobState(Status.STOPPED)]
    batch = Batch([trials[0], states[0], trials[1], states[1], trials[2]])
    assert batch.trials == trials
    assert batch.state is states[1]
    assert batch.spec is None
    assert batch.executions == ()
    assert [event.kind for event in batch.events] == ["trial", "job", "trial", "job", "trial"]


@pytest.mark.parametrize(
    ("first", "count", "held", "expected"),
    [(0, 3, 0, [0, 1, 2]), (0, 3, 2, [2]), (1, 3, 2, [2, 3]), (0, 3, 3, []), (0, 3, 9, []), (4, 2, 4, [4, 5])],
)
def test_unseen_reports(first: int, count: int, held: int, expected: list[int]) -> None:
    reports = Reports(0, 1, first, [Report(step, {}, 1.0) for step in range(first, first + count)])
    start, fresh = unseen(reports, held)
    assert [report.step for report in fresh] == expected
    assert start == held


def test_missing_reports_are_noticed() -> None:
    with pytest.raises(InvalidInput, match=r"reports\.first must be at most 3, as many as the store holds; got 4"):
        unseen(Reports(0, 1, 4, [Report(4, {}, 1.0)]), 3)


def test_values_by_metric() -> None:
    reports = [Report(1, {"a": 1, "b": 2.5}, 10), Report(5, {"a": math.inf}, 11.5)]
    assert by_metric(7, reports) == {"a": [(7, 1, 1.0, 10.0), (8, 5, math.inf, 11.5)], "b": [(7, 1, 2.5, 10.0)]}
    assert type(by_metric(0, reports)["a"][0][2]) is float


FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.lists(st.lists(FLOATS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_summary_of_parts_is_that_of_the_whole(parts: list[list[float]]) -> None:
    def rows(numbers: list[float]) -> list[Value]:
        return [(position, position, number, 1.0) for position, number in enumerate(numbers)]

    summary = summarise(rows(parts[0]))
    for part in parts[1:]:
        summary = summary.plus(summarise(rows(part)))
    every = [number for part in parts for number in part]
    whole = summarise(rows(every))
    assert repr(summary[:2]) == repr(whole[:2])
    assert summary.last_step == len(parts[-1]) - 1
    for found, direct, extreme in ((summary.minimum, whole.minimum, min), (summary.maximum, whole.maximum, max)):
        known = [number for number in every if not math.isnan(number)]
        expected = extreme(known) if known else math.nan
        assert found == direct == expected or (math.isnan(found) and math.isnan(direct) and math.isnan(expected))
