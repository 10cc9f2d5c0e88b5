"""Failed and lost executions: what is executed again, what fails a trial, what fails the job."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from tests.unit.engine.rig import Make, Rig, at_once, checkpointed, completed, counting, ended, failed, lost, reported
from tunewright.engine.failures import FailureWatch
from tunewright.interfaces import Failure, Launch
from tunewright.objective import Objective
from tunewright.records import Counts, Execution, ExecutionStatus, FailureKind, Purpose, Status
from tunewright.spec import Retries

KINDS = [
    (FailureKind.CRASH, Retries(crash=2)),
    (FailureKind.OUT_OF_MEMORY, Retries(out_of_memory=2)),
    (FailureKind.TIMEOUT, Retries(timeout=2)),
    (FailureKind.NOT_A_NUMBER, Retries(not_finite=2)),
    (FailureKind.INFINITE, Retries(not_finite=2)),
]


def failing(times: int, *ends: Make) -> tuple[list[int], object]:
    """A play whose trial 1 ends so in its first executions, and the executions' numbers as they were launched."""
    launched: list[int] = []

    def play(launch: Launch) -> Sequence[Make]:
        if launch.trial.number != 1:
            return at_once(launch)
        launched.append(launch.execution.number)
        return [ends[(launch.execution.number - 1) % len(ends)]] if launch.execution.number <= times else [completed(0.5)]

    return launched, play


def of_trial(rig: Rig, number: int) -> list[Execution]:
    return [execution for execution in rig.executions if execution.trial == number]


@pytest.mark.parametrize(("kind", "retries"), KINDS)
def test_each_class_of_failure_has_its_own_budget(kind: FailureKind, retries: Retries) -> None:
    launched, play = failing(2, failed(kind))
    rig = Rig(counting(), play, max_trials=3, retries=retries)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=3)
    assert launched == [1, 2, 3]
    assert [e.purpose for e in of_trial(rig, 1)] == [Purpose.SEARCH, Purpose.RETRY, Purpose.RETRY]
    assert [e.failure for e in of_trial(rig, 1)] == [kind, kind, None]
    assert [e.charged for e in of_trial(rig, 1)] == [True, True, False]
    assert rig.trials[1].executions == 3
    rig.check()


@pytest.mark.parametrize(("kind", "retries"), KINDS)
def test_when_a_budget_is_spent_the_trial_has_failed(kind: FailureKind, retries: Retries) -> None:
    launched, play = failing(9, failed(kind, "it broke"))
    rig = Rig(counting(), play, max_trials=3, retries=retries)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=2, failed=1)
    assert launched == [1, 2, 3]
    assert (rig.trials[1].status, rig.trials[1].reason_code, rig.trials[1].reason) == (Status.FAILED, kind.value, "it broke")


def test_another_class_of_failure_does_not_spend_the_budget() -> None:
    launched, play = failing(2, failed(FailureKind.CRASH), failed(FailureKind.TIMEOUT))
    rig = Rig(counting(), play, max_trials=2, retries=Retries(crash=1, timeout=1))  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=2)
    assert launched == [1, 2, 3]


def test_without_a_budget_nothing_is_executed_again() -> None:
    launched, play = failing(9, failed())
    rig = Rig(counting(), play, max_trials=3)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=2, failed=1)
    assert launched == [1]
    (execution,) = of_trial(rig, 1)
    assert (execution.status, execution.charged) == (ExecutionStatus.FAILED, True)
    assert execution.reason == "ValueError: bad\nTraceback ..."


def test_a_retry_is_executed_before_anything_new_and_with_the_same_seed() -> None:
    _, play = failing(1, failed())
    rig = Rig(counting(), play, max_trials=5, retries=Retries(crash=1))  # type: ignore[arg-type]
    rig.run()
    launched = rig.executor.launched
    assert [launch.trial.number for launch in launched] == [0, 1, 1, 2, 3, 4]
    assert len({launch.trial.seed for launch in launched if launch.trial.number == 1}) == 1
    assert len({launch.execution.token for launch in launched}) == 6
    assert len({launch.trial.seed for launch in launched}) == 5


def test_a_lost_execution_goes_on_from_its_checkpoint_three_times_without_charge() -> None:
    starts: list[tuple[int, str | None]] = []

    def play(launch: Launch) -> Sequence[Make]:
        first = launch.execution.from_step
        starts.append((first, launch.checkpoint))
        if launch.execution.number == 4:
            return [reported(first + 1, first=0, loss=0.25), completed()]
        # one step beyond the last checkpoint gets lost
        return [
            reported(first + 1, first=0, loss=1.0), checkpointed(first + 1), reported(first + 2, first=1, loss=1.0), lost()
        ]  # fmt: skip

    rig = Rig(counting(), play, max_trials=1)
    assert rig.run().counts == Counts(completed=1)
    assert starts == [(0, None), (1, "step-1"), (2, "step-2"), (3, "step-3")]
    assert [e.purpose for e in rig.executions] == [Purpose.SEARCH, *[Purpose.CONTINUE] * 3]
    assert [e.charged for e in rig.executions] == [False] * 4
    assert [e.failure for e in rig.executions] == [FailureKind.LOST] * 3 + [None]
    assert (rig.trials[0].step, rig.trials[0].objective) == (4, 0.25)


def test_a_trial_that_is_lost_a_fourth_time_has_failed() -> None:
    launched, play = failing(9, lost())
    rig = Rig(counting(), play, max_trials=3)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=2, failed=1)
    assert launched == [1, 2, 3, 4]
    assert rig.trials[1].reason_code == "lost"
    assert rig.trials[1].reason == "it was lost 4 times: its worker or controller vanished"
    assert [e.status for e in of_trial(rig, 1)] == [ExecutionStatus.LOST] * 4


def test_losses_do_not_spend_the_retry_budget_nor_failures_the_losses() -> None:
    launched, play = failing(6, lost(), lost(), failed(), lost(), failed(), failed())
    rig = Rig(counting(), play, max_trials=2, retries=Retries(crash=3))  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=2)
    assert launched == [1, 2, 3, 4, 5, 6, 7]


def test_the_first_three_trials_with_the_same_error_end_the_job() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        return [failed(message=f"ValueError: no {launch.trial.number}")]

    rig = Rig(counting(), play, max_trials=50)
    fence = rig.claim()
    controller = rig.controller(fence)
    state = controller.run()
    assert (state.status, state.reason_code) == (Status.FAILED, "crash")
    assert state.reason == "the first 3 trials failed with the same error: ValueError: no 2"
    assert state.counts == Counts(failed=3)
    assert controller.failure is not None
    assert controller.failure.traceback == "Traceback ..."


def test_what_still_runs_is_stopped_then() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        if launch.trial.number == 0:
            return [reported(step, loss=1.0) for step in range(1, 100)]
        return [failed()]

    rig = Rig(counting(), play, slots=2, max_trials=50)
    assert rig.run().counts == Counts(stopped=1, failed=3)
    assert rig.trials[0].reason == "the job failed"


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([failed(where="a:1"), failed(where="b:2"), failed(where="c:3"), completed(1.0)], id="other places"),
        pytest.param(
            [failed(message="A: x"), failed(message="B: x"), failed(message="A: y"), completed(1.0)], id="other errors"
        ),
        pytest.param([failed(), failed(FailureKind.TIMEOUT), failed(), completed(1.0)], id="other kinds"),
        pytest.param([completed(1.0), failed(), failed(), failed(), failed()], id="after one completed"),
    ],
)
def test_other_failures_do_not_end_the_job(ends: list[Make]) -> None:
    rig = Rig(counting(), lambda launch: [ends[launch.trial.number]], max_trials=len(ends))
    state = rig.run()
    assert (state.status, state.reason_code, len(rig.trials)) == (Status.COMPLETED, "max_trials", len(ends))


def test_after_a_resume_failures_do_not_end_a_job_that_had_completed_trials() -> None:
    rig = Rig(counting(), at_once, max_trials=1)
    rig.run()
    again = rig.again(lambda launch: [failed()], max_trials=6)
    state = again.run()
    assert (state.status, state.reason_code, state.counts) == (Status.COMPLETED, "max_trials", Counts(completed=1, failed=5))


def test_a_metric_that_is_never_reported_ends_the_job_and_is_named_with_those_that_were() -> None:
    rig = Rig(counting(), lambda launch: [reported(1, acc=0.5, auc=0.7), completed()], max_trials=50)
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.FAILED, "missing_metric")
    assert state.reason == "metric 'loss' must be reported or returned by the function; got 'acc', 'auc'"
    assert state.counts == Counts(failed=1)


def test_a_metric_that_is_missing_once_fails_only_its_trial() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        return [completed({"acc": 1.0} if launch.trial.number == 2 else {"loss": 1.0})]

    rig = Rig(counting(), play, max_trials=4, retries=Retries(crash=3, not_finite=3))
    assert rig.run().counts == Counts(completed=3, failed=1)
    assert rig.trials[2].reason_code == "missing_metric"
    assert rig.trials[2].executions == 1  # nothing that is reported comes of executing it again


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (math.nan, "not_a_number", "loss is not a number"),
        (math.inf, "infinite", "loss is infinite (+inf)"),
        (-math.inf, "infinite", "loss is infinite (-inf)"),
    ],
)
@pytest.mark.parametrize("returned", [True, False])
def test_what_is_not_finite_is_a_failure_of_a_named_kind(value: float, kind: str, reason: str, returned: bool) -> None:
    def play(launch: Launch) -> Sequence[Make]:
        if launch.trial.number != 1:
            return at_once(launch)
        return [completed(value)] if returned else [reported(1, loss=value), completed()]

    rig = Rig(counting(), play, max_trials=3)
    state = rig.run()
    assert state.counts == Counts(completed=2, failed=1)
    assert (rig.trials[1].reason_code, rig.trials[1].reason, rig.trials[1].objectives) == (kind, reason, None)
    assert state.best == 0
    rig.check()


def test_a_value_that_is_finite_at_last_counts_whatever_came_before() -> None:
    rig = Rig(counting(), lambda launch: [reported(1, loss=math.nan), reported(2, loss=2.0), completed()], max_trials=1)
    assert rig.run().best_objectives == (2.0,)
    best = Objective("loss", which="best")
    rig = Rig(
        counting(), lambda launch: [reported(1, loss=math.nan), reported(2, loss=2.0), reported(3, loss=5.0), completed()],
        max_trials=1, objectives=(best,),
    )  # fmt: skip
    assert rig.run().best_objectives == (2.0,)


def test_every_objective_needs_its_value() -> None:
    pair = (Objective("loss"), Objective("size", "minimize"))

    def play(launch: Launch) -> Sequence[Make]:
        return [[completed({"loss": 1.0, "size": 2.0})], [completed({"loss": 1.0})]][launch.trial.number]

    rig = Rig(counting(), play, max_trials=2, objectives=pair)
    assert rig.run().counts == Counts(completed=1, failed=1)
    assert rig.trials[0].objectives == (1.0, 2.0)
    assert rig.trials[1].reason == "metric 'size' must be reported or returned by the function; got 'loss'"


def test_training_code_that_ends_itself_leaves_a_stopped_trial() -> None:
    for outcome in ("stopped", "paused"):
        end = ended(outcome)
        rig = Rig(counting(), lambda launch, end=end: [reported(1, loss=4.0), end], max_trials=1)  # type: ignore[misc]
        assert rig.run().counts == Counts(stopped=1)
        assert (rig.trials[0].reason_code, rig.trials[0].objective) == ("interrupted_itself", 4.0)


def test_the_watch_counts_failures_of_one_kind_place_and_class() -> None:
    watch = FailureWatch()
    crash = Failure(FailureKind.CRASH, "ValueError: 1", "f:1")
    assert watch.failed(crash, completed=False) is None
    assert watch.failed(Failure(FailureKind.CRASH, "KeyError: 1", "f:1"), completed=False) is None
    assert watch.failed(Failure(FailureKind.CRASH, "ValueError: 2", "f:1"), completed=False) is None
    assert watch.failed(crash, completed=True) is None
    assert watch.last is crash
    assert watch.failed(crash, completed=False) == "the first 3 trials failed with the same error: ValueError: 1"
