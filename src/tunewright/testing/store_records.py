"""The part of the contract of `Store` that is about the records of a job."""

from __future__ import annotations

import math
from threading import Thread
from typing import Any

import pytest

from tunewright.errors import InvalidInput, NotFound
from tunewright.interfaces import Fence, Store
from tunewright.queries import (
    AllSeries,
    Checkpoints,
    Commands,
    Decisions,
    Events,
    Executions,
    Jobs,
    Point,
    Points,
    Series,
    Trials,
)
from tunewright.records import (
    Action,
    Change,
    Checkpoint,
    Command,
    CommandHandled,
    Decision,
    Execution,
    ExecutionStatus,
    FailureKind,
    JobState,
    Purpose,
    Report,
    Reports,
    Status,
    Trial,
    Wanted,
)
from tunewright.testing.store_examples import (
    FLOATS,
    LEASE,
    TEXTS,
    a_job,
    a_trial,
    an_execution,
    everything,
    numbers,
)


class RecordsContract:
    """What holds for the records of one job; part of `StoreContract`, which gives the fixtures."""

    # --- trials and executions ---

    def test_a_trial_survives(self, store: Store, fence: Fence) -> None:
        trial = Trial(
            7, {"x": 1}, 2**63 - 1, "grid", "other", Status.FAILED, "crash", "ZeroDivisionError: ü", (0.1, -math.inf),
            {"loss": math.inf, "val/auc: é": 0.1}, False, 3, 2, 1.5, 2.5, 3.5,
        )  # fmt: skip
        store.commit([trial], fence)
        assert [*store.read(Trials("job"))] == [trial]

    def test_parameters_keep_their_types(self, store: Store, fence: Fence) -> None:
        params = {"int": 1, "float": 1.0, "bool": True, "text": "1", "none": None, "large": -(2**70)}
        params |= {f"text{i}": text for i, text in enumerate(TEXTS)}
        store.commit([a_trial(0, params=params)], fence)
        (trial,) = store.read(Trials("job"))
        assert {name: (type(value), value) for name, value in trial.params.items()} == {
            name: (type(value), value) for name, value in params.items()
        }
        assert list(trial.params) == list(params)

    @pytest.mark.parametrize("value", FLOATS)
    def test_numbers_survive_to_the_last_bit(self, store: Store, fence: Fence, value: float) -> None:
        report = Report(1, {"m": value}, 12.5)
        store.commit(
            [
                a_trial(0, params={"x": value}, objectives=(value, 1.0), metrics={"m": value}),
                an_execution(0, objectives=(value,)),
                Reports(0, 1, 0, [report]),
                JobState(best=0, best_objectives=(value,)),
            ],
            fence,
        )
        (trial,), (execution,) = store.read(Trials("job")), store.read(Executions("job"))
        (point,), (series,), (job,) = store.read(Points("job")), store.read(AllSeries("job")), store.read(Jobs())
        assert trial.objectives is not None
        assert execution.objectives is not None
        assert job.state.best_objectives is not None
        kept: list[Any] = [
            trial.params["x"],
            trial.objectives[0],
            trial.metrics["m"],
            execution.objectives[0],
            point.value,
            series.last,
        ]
        kept += [series.minimum, series.maximum, job.state.best_objectives[0]]
        assert [float.hex(number) for number in kept] == [float.hex(value)] * len(kept)

    def test_a_record_replaces_the_one_with_its_key(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), a_trial(1), an_execution(0)], fence)
        ended = a_trial(0).to(Status.COMPLETED, objectives=(0.5,), ended=9.0)
        stopped = an_execution(0, status=ExecutionStatus.STOPPED)
        store.commit([a_trial(0, step=1), ended, an_execution(0, step=2), stopped], fence)
        assert [*store.read(Trials("job"))] == [ended, a_trial(1)]
        assert [*store.read(Executions("job"))] == [stopped]

    def test_trials_are_chosen(self, store: Store, fence: Fence) -> None:
        statuses = (Status.COMPLETED, Status.IN_PROGRESS, Status.FAILED, Status.IN_PROGRESS, Status.COMPLETED)
        store.commit([a_trial(n, status=status) for n, status in enumerate(statuses)][::-1], fence)
        assert numbers(store.read(Trials("job"))) == [0, 1, 2, 3, 4]
        assert numbers(store.read(Trials("job", order="newest", limit=2))) == [4, 3]
        assert numbers(store.read(Trials("job", numbers=(3, 1, 99)))) == [1, 3]
        assert numbers(store.read(Trials("job", numbers=tuple(range(1, 2000))))) == [1, 2, 3, 4]
        assert numbers(store.read(Trials("job", numbers=()))) == []
        ended = (Status.COMPLETED, Status.FAILED)
        assert numbers(store.read(Trials("job", statuses=ended))) == [0, 2, 4]
        assert numbers(store.read(Trials("job", statuses=ended, order="newest", limit=1))) == [4]
        assert numbers(store.read(Trials("job", statuses=(Status.COMPLETED,), numbers=(0, 1)))) == [0]
        assert numbers(store.read(Trials("job", limit=0))) == []

    def test_trials_that_changed_are_read_from_an_event_on(self, store: Store, fence: Fence) -> None:
        first = store.commit([a_trial(n) for n in range(5)], fence)
        assert numbers(store.read(Trials("job", since=first))) == []
        second = store.commit([a_trial(3, step=1), an_execution(4), a_trial(1, step=1)], fence)
        assert numbers(store.read(Trials("job", since=first))) == [1, 3]
        assert numbers(store.read(Trials("job", since=second - 2))) == [1]
        assert numbers(store.read(Trials("job", since=first, numbers=(3, 4)))) == [3]
        assert numbers(store.read(Trials("job", since=first, order="newest", limit=1))) == [3]
        assert numbers(store.read(Trials("job", since=second))) == []

    def test_an_execution_survives(self, store: Store, fence: Fence) -> None:
        execution = Execution(
            0, 3, "token-3", Purpose.MEASURE, 2, 1, 0.25, 4, 9, ExecutionStatus.FAILED, "pid 17", FailureKind.OUT_OF_MEMORY,
            "killed", (1.5, 2.5), 0, 8, True, 10.5, 11.5,
        )  # fmt: skip
        store.commit([a_trial(0), execution], fence)
        assert [*store.read(Executions("job"))] == [execution]

    def test_executions_are_chosen(self, store: Store, fence: Fence) -> None:
        statuses = (ExecutionStatus.LOST, ExecutionStatus.COMPLETED, ExecutionStatus.RUNNING)
        store.commit([a_trial(1), a_trial(0)], fence)
        store.commit([an_execution(1, n + 1, status=status) for n, status in enumerate(statuses)][::-1], fence)
        store.commit([an_execution(0)], fence)
        keys = [(execution.trial, execution.number) for execution in store.read(Executions("job"))]
        assert keys == [(0, 1), (1, 1), (1, 2), (1, 3)]
        assert [execution.number for execution in store.read(Executions("job", trial=1))] == [1, 2, 3]
        open_ones = [(execution.trial, execution.number) for execution in store.read(Executions("job", open_only=True))]
        assert open_ones == [(0, 1), (1, 3)]
        assert [e.number for e in store.read(Executions("job", trial=1, open_only=True))] == [3]
        assert not [*store.read(Executions("job", trial=9))]

    def test_the_order_in_a_commit_is_free(self, store: Store, fence: Fence) -> None:
        report = Report(1, {"loss": 0.5}, 1.0)
        store.commit([Reports(0, 1, 0, [report]), Checkpoint(0, 1, 1, "c", 1.0), an_execution(0), a_trial(0)], fence)
        assert [point.value for point in store.read(Points("job"))] == [0.5]

    @pytest.mark.parametrize(
        "change",
        [
            Execution(9, 1, "token"),
            Reports(9, 1, 0, [Report(1, {"loss": 1.0}, 1.0)]),
            Reports(0, 9, 0, [Report(1, {"loss": 1.0}, 1.0)]),
            Checkpoint(9, 1, 1, "path", 1.0),
            Decision(Action.STOP, "why", trial=9),
            CommandHandled(9, "done"),
        ],
    )
    def test_a_change_of_what_is_not_there_undoes_the_commit(self, store: Store, fence: Fence, change: Change) -> None:
        store.commit([a_trial(0), an_execution(0)], fence)
        before = everything(store)
        with pytest.raises(NotFound, match="9"):
            store.commit([a_trial(1), JobState(Status.IN_PROGRESS), change, a_trial(2)], fence)
        assert everything(store) == before
        store.commit([a_trial(1)], fence)

    # --- reports ---

    def test_reports_become_points_and_series(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), a_trial(1), an_execution(0), an_execution(0, 2), an_execution(1)], fence)
        store.commit([Reports(1, 1, 0, [Report(1, {"loss": 3.0}, 10.0)])], fence)
        store.commit([Reports(0, 2, 0, [Report(2, {"loss": 0.5, "auc": 0.25}, 11.0)])], fence)
        reports = [Report(1, {"loss": 2.0, "auc": 0.5}, 10.5), Report(2, {}, 10.75), Report(3, {"loss": 1.0}, 11.5)]
        store.commit([Reports(0, 1, 0, reports)], fence)
        expected = [
            Point(0, 1, "auc", 1, 0.5, 10.5),
            Point(0, 1, "loss", 1, 2.0, 10.5),
            Point(0, 1, "loss", 3, 1.0, 11.5),
            Point(0, 2, "auc", 2, 0.25, 11.0),
            Point(0, 2, "loss", 2, 0.5, 11.0),
            Point(1, 1, "loss", 1, 3.0, 10.0),
        ]
        assert [*store.read(Points("job"))] == expected
        assert [*store.read(Points("job", trial=0, metric="loss"))] == [expected[1], expected[2], expected[4]]
        assert [*store.read(Points("job", metric="auc"))] == [expected[0], expected[3]]
        assert not [*store.read(Points("job", trial=9))]
        assert [*store.read(AllSeries("job"))] == [
            Series(0, "auc", 2, 0.5, 0.25, 0.5, 1),
            Series(0, "loss", 3, 1.0, 0.5, 2.0, 3),
            Series(1, "loss", 1, 3.0, 3.0, 3.0, 1),
        ]
        assert [series.trial for series in store.read(AllSeries("job", trial=1))] == [1]
        assert [execution.reports for execution in store.read(Executions("job"))] == [3, 1, 1]

    def test_a_series_passes_over_nan(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), an_execution(0)], fence)
        values = [math.nan, 2.0, math.nan, -1.0, math.nan]
        for position, value in enumerate(values):
            store.commit([Reports(0, 1, position, [Report(position, {"m": value, "n": math.nan}, 1.0)])], fence)
        m, n = store.read(AllSeries("job"))
        assert (m.count, m.minimum, m.maximum, m.last_step) == (5, -1.0, 2.0, 4)
        assert math.isnan(m.last)
        assert n.count == 5
        assert all(math.isnan(value) for value in (n.last, n.minimum, n.maximum))
        assert [*map(str, (point.value for point in store.read(Points("job", metric="m"))))] == [*map(str, values)]

    def test_reports_that_are_read_again_add_nothing(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), an_execution(0)], fence)
        reports = [Report(step, {"loss": float(step)}, 1.0) for step in range(6)]
        store.commit([Reports(0, 1, 0, reports[:3])], fence)
        store.commit([Reports(0, 1, 0, reports[:2]), Reports(0, 1, 1, reports[1:5]), Reports(0, 1, 5, reports[5:])], fence)
        store.commit([Reports(0, 1, 0, reports), an_execution(0, reports=99, step=5)], fence)
        assert [point.step for point in store.read(Points("job"))] == [0, 1, 2, 3, 4, 5]
        assert [(series.count, series.last) for series in store.read(AllSeries("job"))] == [(6, 5.0)]
        (execution,) = store.read(Executions("job"))
        assert (execution.reports, execution.step) == (6, 5), "the store counts reports itself"

    def test_reports_that_are_missing_are_noticed(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), an_execution(0)], fence)
        before = everything(store)
        with pytest.raises(InvalidInput, match=r"reports\.first must be at most 0.* got 1"):
            store.commit([JobState(Status.IN_PROGRESS), Reports(0, 1, 1, [Report(1, {"loss": 1.0}, 1.0)])], fence)
        assert everything(store) == before

    def test_a_reported_value_must_be_a_number(self, store: Store, fence: Fence) -> None:
        store.commit([a_trial(0), an_execution(0)], fence)
        bad: Any = {"loss": "low"}
        with pytest.raises(InvalidInput, match=r"metric 'loss' must be a number; got 'low'"):
            store.commit([Reports(0, 1, 0, [Report(1, bad, 1.0)])], fence)
        assert not [*store.read(Points("job"))]

    # --- checkpoints, decisions, commands ---

    def test_checkpoints(self, store: Store, fence: Fence) -> None:
        checkpoints = [
            Checkpoint(1, 1, 5, "/five", 1.5),
            Checkpoint(1, 1, 3, "/three", 2.5),
            Checkpoint(0, 1, 9, "/other", 3.5),
        ]
        again = Checkpoint(1, 1, 5, "/elsewhere", 4.5)
        store.commit([a_trial(0), a_trial(1), *checkpoints], fence)
        store.commit([again, Checkpoint(1, 2, 5, "/second", 5.5)], fence)
        of_one = [again, checkpoints[1], Checkpoint(1, 2, 5, "/second", 5.5)]
        assert [*store.read(Checkpoints("job", trial=1))] == of_one
        assert [*store.read(Checkpoints("job"))] == [checkpoints[2], *of_one]

    def test_decisions(self, store: Store, fence: Fence) -> None:
        decisions = [
            Decision(Action.RUN, "", 9, 1, 3, "asha", 10.5),
            Decision(Action.STOP, "worse than the median: é", None, 0, 4, "median", 11.5),
            Decision(Action.PAUSE, "a person asked", trial=1, step=5, by="me", at=9.5),
            Decision(Action.STOP, "the target was reached", at=12.5),
        ]
        store.commit([a_trial(0), a_trial(1), *decisions], fence)
        store.commit([Decision(Action.STOP, "now", trial=0)], fence)
        assert [*store.read(Decisions("job"))][:4] == decisions
        assert [*store.read(Decisions("job", trial=1))] == [decisions[0], decisions[2]]
        *_, last = store.read(Decisions("job", trial=0))
        *_, event = store.read(Events("job"))
        assert last.at == event.at, "a decision without a time gets the store's"

    def test_commands(self, store: Store, fence: Fence) -> None:
        payload = {"params": {"x": 1.0, "y": "é"}, "reason": "a try"}
        first = store.request("job", Command("enqueue", payload, by="me"))
        second = store.request("job", Command("stop_trial", {"trial": 4}, by="you"))
        assert second > first
        commands = [*store.read(Commands("job"))]
        assert [(c.id, c.kind, c.payload, c.by, c.handled, c.answer) for c in commands] == [
            (first, "enqueue", payload, "me", False, None),
            (second, "stop_trial", {"trial": 4}, "you", False, None),
        ]
        assert all(command.at > 0 for command in commands)
        store.commit([CommandHandled(first, "trial 12")], fence)
        assert [command.id for command in store.read(Commands("job"))] == [second]
        every = [*store.read(Commands("job", unhandled_only=False))]
        assert [(c.id, c.handled, c.answer) for c in every] == [(first, True, "trial 12"), (second, False, None)]

    @pytest.mark.parametrize(("kind", "wanted"), [("stop", Wanted.STOP), ("pause", Wanted.PAUSE), ("resume", Wanted.RUN)])
    def test_a_command_says_what_is_wanted(self, store: Store, kind: str, wanted: Wanted) -> None:
        store.create(a_job())
        store.request("job", Command("pause" if kind == "resume" else kind))
        store.request("job", Command(kind))
        store.request("job", Command("enqueue", {"params": {}}))
        (job,) = store.read(Jobs())
        assert job.wanted is wanted

    def test_a_command_to_another_job_is_not_handled(self, store: Store, fence: Fence) -> None:
        store.create(a_job("other"))
        command = store.request("other", Command("stop"))
        with pytest.raises(NotFound, match=str(command)):
            store.commit([CommandHandled(command, "done")], fence)
        assert [c.id for c in store.read(Commands("other"))] == [command]

    # --- events ---

    def test_events_are_numbered_without_a_gap(self, store: Store, fence: Fence) -> None:
        store.request("job", Command("pause"))
        failed = a_trial(0).to(Status.FAILED, reason_code="crash")
        last = store.commit(
            [
                a_trial(0),
                an_execution(0),
                Reports(0, 1, 0, [Report(1, {"loss": 1.0}, 1.0)] * 3),
                Checkpoint(0, 1, 4, "path", 1.0),
                Decision(Action.STOP, "worse", trial=0),
                failed,
                an_execution(0, status=ExecutionStatus.FAILED, failure=FailureKind.CRASH),
                JobState(Status.IN_PROGRESS),
            ],
            fence,
        )
        events = [*store.read(Events("job"))]
        assert [event.number for event in events] == [*range(1, last + 1)]
        assert events[0].kind == events[1].kind == "job"
        assert [(event.kind, event.trial, event.execution) for event in events[2:]] == [
            ("command", None, None),
            ("trial", 0, None),
            ("execution", 0, 1),
            ("reports", 0, 1),
            ("checkpoint", 0, 1),
            ("decision", 0, None),
            ("trial", 0, None),
            ("execution", 0, 1),
            ("job", None, None),
        ]
        details = [event.detail for event in events[3:]]
        assert details == [
            "InProgress", "Launching", "3", "step 4", "stop: worse", "Failed: crash", "Failed: crash", "InProgress"
        ]  # fmt: skip
        (job,) = store.read(Jobs())
        assert job.event == last

    def test_events_are_chosen(self, store: Store, fence: Fence) -> None:
        last = store.commit([a_trial(n) for n in range(5)], fence)
        assert [event.trial for event in store.read(Events("job", since=last - 3))] == [2, 3, 4]
        assert [event.trial for event in store.read(Events("job", since=last - 3, limit=2))] == [2, 3]
        assert [event.number for event in store.read(Events("job", limit=1))] == [1]
        assert not [*store.read(Events("job", since=last))]

    def test_waiting_ends_with_the_next_event(self, store: Store, fence: Fence) -> None:
        last = store.commit([a_trial(0)], fence)
        assert store.wait("job", last - 1, LEASE) == last
        assert store.wait("job", last, 0.01) == last
        writer = Thread(target=store.request, args=("job", Command("stop")))
        writer.start()
        assert store.wait("job", last, LEASE) == last + 1
        writer.join()
