"""Jobs that were interrupted or killed, taken up again by another controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.failing_store import FailingStore, Killed
from tests.unit.engine.records_check import check_events
from tests.unit.engine.rig import (
    Judge,
    Make,
    Rig,
    Scripted,
    checkpointed,
    completed,
    counting,
    failed,
    reported,
    run_on,
)
from tunewright.history import History
from tunewright.interfaces import Adopted, Dead, Exhausted, Exited, Halt, Launch, Reported, Until
from tunewright.records import (
    Action,
    Counts,
    Decision,
    ExecutionStatus,
    FailureKind,
    Purpose,
    Report,
    Status,
)
from tunewright.spec import Retries, trial_seed


def epochs(launch: Launch, count: int = 4) -> Sequence[Make]:
    """Steps with a checkpoint at each even one, from where it goes on."""
    made: list[Make] = []
    for position, step in enumerate(range(launch.execution.from_step + 1, count + 1)):
        if step % 2 == 0:
            made.append(checkpointed(step))
        made.append(reported(step, first=position, loss=10.0 * launch.trial.number + step))
    return [*made, completed(10.0 * launch.trial.number + count)]


def interrupted(rig: Rig, polls: int) -> Rig:
    """Runs it and interrupts it after so many polls."""
    fence = rig.claim()
    controller = rig.controller(fence)

    def on_poll(executor: Scripted) -> None:
        if executor.polls == polls:
            controller.interrupt()

    rig.executor.on_poll = on_poll
    controller.run()
    rig.store.release(fence)
    return rig


def killed(rig: Rig, polls: int) -> Rig:
    """Runs it and kills it at a poll."""

    def on_poll(executor: Scripted) -> None:
        if executor.polls == polls:
            failing.number = failing.commits + 1
            raise Killed

    failing = FailingStore(rig.store, 10**9)
    inner, rig.store = rig.store, failing
    fence = rig.claim()
    rig.executor.on_poll = on_poll
    with pytest.raises(Killed):
        rig.controller(fence).run()
    rig.store = inner
    inner.release(fence)
    return rig


def statuses(rig: Rig) -> list[ExecutionStatus]:
    return [execution.status for execution in rig.executions]


# --- interrupted ---


def test_an_interrupted_job_is_left_in_order() -> None:
    rig = interrupted(Rig(counting(), epochs, slots=2, max_trials=6), polls=9)
    state = rig.state
    assert (state.status, state.reason_code) == (Status.STOPPED, "interrupted")
    assert rig.executor.closed
    assert {trial.status for trial in rig.trials} == {Status.PAUSED}
    assert {trial.reason_code for trial in rig.trials} == {"interrupted"}
    assert statuses(rig) == [ExecutionStatus.LOST] * 2
    assert [execution.failure for execution in rig.executions] == [None, None]
    rig.check()


def test_it_goes_on_from_the_checkpoints_and_nothing_is_done_twice_that_was_done() -> None:
    rig = interrupted(Rig(counting(), epochs, slots=2, max_trials=4), polls=9)
    again = rig.again(epochs, slots=2)
    assert again.run().counts == Counts(completed=4)
    launched = [(launch.trial.number, launch.execution.from_step) for launch in again.executor.launched]
    assert launched == [(0, 2), (1, 2), (2, 0), (3, 0)]
    assert [launch.checkpoint for launch in again.executor.launched] == ["step-2", "step-2", None, None]
    assert {launch.trial.seed for launch in again.executor.launched} == {trial_seed(7, n) for n in range(4)}
    assert [trial.objective for trial in again.trials] == [4.0, 14.0, 24.0, 34.0]
    assert [e.purpose for e in again.executions if e.trial == 0] == [Purpose.SEARCH, Purpose.CONTINUE]
    again.check()


def test_it_can_be_interrupted_any_number_of_times_without_charge() -> None:
    rig = interrupted(Rig(counting(), epochs, max_trials=1), polls=2)
    for _ in range(6):
        rig = interrupted(rig.again(epochs), polls=2)
        rig.check()
    again = rig.again(epochs)
    assert again.run().counts == Counts(completed=1)
    assert len(again.executions) == 8
    assert not any(execution.charged for execution in again.executions)


def test_keyboard_interrupt_in_training_code_interrupts_the_job() -> None:
    def press(executor: Scripted) -> None:
        if executor.polls == 5:
            raise KeyboardInterrupt

    rig = Rig(counting(), epochs, slots=2, max_trials=4)
    rig.executor.on_poll = press
    assert rig.run().reason_code == "interrupted"
    assert rig.executor.closed
    rig.check()
    assert rig.again(epochs).run().counts == Counts(completed=4)


def test_an_exception_that_is_no_error_leaves_the_job_interrupted_too_and_comes_out() -> None:
    class Quit(BaseException):  # as the debugger's
        pass

    def leave(executor: Scripted) -> None:
        if executor.polls == 5:
            raise Quit

    rig = Rig(counting(), epochs, max_trials=4)
    rig.executor.on_poll = leave
    with pytest.raises(Quit):
        rig.run()
    assert (rig.state.status, rig.state.reason) == (Status.STOPPED, "interrupted by Quit")
    assert {trial.status for trial in rig.trials} == {Status.PAUSED}


def test_an_interruption_before_anything_began_leaves_nothing_behind() -> None:
    rig = Rig(counting(), epochs, max_trials=4)
    fence = rig.claim()
    controller = rig.controller(fence)
    controller.interrupt()
    assert controller.run().reason_code == "interrupted"
    assert rig.trials == []


def test_a_trial_that_was_being_stopped_is_stopped() -> None:
    judge = Judge(lambda number, step: run_on(2) if step < 2 else Decision(Action.STOP, "poor"))
    executor = Scripted(epochs, deaf=[0])
    rig = interrupted(Rig(counting(), executor, stopper=judge, max_trials=3), polls=6)
    (trial,) = rig.trials
    assert (trial.status, trial.reason_code, trial.reason, trial.objective) == (Status.STOPPED, "early_stopped", "poor", 3.0)
    rig.check()


# --- killed ---


def test_what_a_killed_controller_left_is_lost_and_goes_on() -> None:
    rig = killed(Rig(counting(), epochs, slots=2, max_trials=3), polls=9)
    assert {execution.status for execution in rig.executions} == {ExecutionStatus.RUNNING}
    assert rig.state.status is Status.IN_PROGRESS
    again = rig.again(epochs, slots=2)
    assert again.run().counts == Counts(completed=3)
    assert [launch.execution.token for launch in again.executor.adopted] == [e.token for e in rig.executions[:4:2]]
    assert [(e.status, e.failure) for e in again.executions if e.trial == 0] == [
        (ExecutionStatus.LOST, FailureKind.LOST), (ExecutionStatus.COMPLETED, None)
    ]  # fmt: skip
    assert [launch.execution.from_step for launch in again.executor.launched][:2] == [2, 2]
    again.check()


def test_a_finished_result_in_the_spool_is_the_result() -> None:
    rig = killed(Rig(counting(), epochs, slots=2, max_trials=2), polls=5)
    executor = Scripted(epochs, slots=2)
    token = rig.executions[0].token
    executor.answers[0] = Dead(
        [
            Reported(token, 0, [Report(step, {"loss": float(step)}, 1.0) for step in (1, 2, 3, 4)]),
            Exited(token, "completed", 1.0, 0.125),
        ]
    )
    again = rig.again(executor)
    assert again.run().counts == Counts(completed=2)
    assert [launch.trial.number for launch in executor.launched] == [1]
    assert again.trials[0].objective == 0.125
    assert [(step, value) for trial, _, step, value in again.points() if trial == 0] == [
        (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)
    ]  # fmt: skip


def test_a_failure_in_the_spool_is_the_failure_and_is_charged() -> None:
    rig = killed(Rig(counting(), epochs, max_trials=1, retries=Retries(crash=1)), polls=4)
    executor = Scripted(epochs)
    executor.answers[0] = Dead([failed()(rig.executions[0].token, 1.0)])
    again = rig.again(executor)
    assert again.run().counts == Counts(completed=1)
    assert [(e.purpose, e.charged) for e in again.executions] == [(Purpose.SEARCH, True), (Purpose.RETRY, False)]


def test_an_execution_that_still_runs_is_adopted_and_its_reports_count_once() -> None:
    rig = killed(Rig(counting(), epochs, max_trials=1), polls=4)
    stored = len(rig.points())
    executor = Scripted(lambda launch: [*[reported(step, loss=float(step)) for step in range(1, 5)], completed()])
    executor.answers[0] = Adopted()
    again = rig.again(executor)
    assert again.run().counts == Counts(completed=1)
    assert stored > 0
    assert executor.launched == []
    assert [step for _, _, step, _ in again.points()] == [1, 2, 3, 4]
    assert statuses(again) == [ExecutionStatus.COMPLETED]
    assert again.trials[0].executions == 1


def test_an_adopted_execution_that_waits_at_its_decision_step_gets_its_order() -> None:
    """Its earlier controller may have died between the decision and the order."""
    judge = Judge(lambda number, step: run_on(2 if step == 0 else 4 if step < 4 else None))
    rig = killed(Rig(counting(), Scripted(epochs, deaf=[0]), stopper=judge, max_trials=1), polls=6)
    execution = rig.executions[0]
    assert (execution.step, execution.until_step) == (3, 4)
    # as if the controller had died when it had stored the report of step 2, and before it decided
    fence = rig.claim()
    rig.store.commit([replace(execution, step=2, until_step=2)], fence)
    rig.store.release(fence)
    executor = Scripted(lambda launch: [reported(3, loss=1.0), reported(4, loss=1.0), completed()])
    executor.answers[0] = Adopted()
    again = rig.again(executor)
    again.run()
    assert again.executor.orders[0] == (0, Until(4))


def test_an_adopted_execution_that_is_being_stopped_hears_it_again() -> None:
    judge = Judge(lambda number, step: run_on(2) if step < 2 else Decision(Action.STOP, "poor"))
    rig = killed(Rig(counting(), Scripted(epochs, deaf=[0]), stopper=judge, max_trials=1), polls=6)
    assert rig.trials[0].status is Status.STOPPING
    executor = Scripted(epochs)
    executor.answers[0] = Adopted()
    again = rig.again(executor)
    again.run()
    (order,) = [order for _, order in executor.orders]
    assert isinstance(order, Halt)
    assert (order.action, order.reason) == ("stop", "poor")
    assert (again.trials[0].status, again.trials[0].reason_code) == (Status.STOPPED, "early_stopped")


@pytest.mark.parametrize("outcome", ["paused", "lost"])
def test_an_execution_that_was_ordered_to_pause_is_paused_for_the_next_controller(outcome: str) -> None:
    judge = Judge(lambda number, step: run_on(2) if step < 2 else Decision(Action.PAUSE, "rung"))
    rig = killed(Rig(counting(), Scripted(epochs, deaf=[0]), stopper=judge, max_trials=1), polls=6)
    assert rig.trials[0].status is Status.IN_PROGRESS
    executor = Scripted(epochs)
    token = rig.executions[0].token
    executor.answers[0] = Dead([Exited(token, outcome, 1.0)])
    again = rig.again(executor)
    again.run()
    if outcome == "paused":
        assert executor.launched == []
        assert "trial 0 Paused: paused" in again.events
    else:
        assert [launch.execution.from_step for launch in executor.launched] == [2]


def test_a_stopping_trial_without_an_execution_is_stopped_for_its_reason() -> None:
    """A store may hold this after a crash between two commits of another version; it must not run for ever."""
    rig = killed(Rig(counting(), epochs, max_trials=1), polls=3)
    fence = rig.claim()
    trial, execution = rig.trials[0], rig.executions[0]
    rig.store.commit(
        [
            replace(trial, status=Status.STOPPING, reason_code="early_stopped", reason="poor"),
            replace(execution, status=ExecutionStatus.STOPPED),
        ],
        fence,
    )
    rig.store.release(fence)
    again = rig.again(epochs)
    again.run()
    assert (again.trials[0].status, again.trials[0].reason_code) == (Status.STOPPED, "early_stopped")
    again.check()


def test_the_history_is_the_same_for_the_next_controller() -> None:
    seen: list[Any] = []

    class Snapshot:
        def __init__(self, wanted: int) -> None:
            self.wanted, self.inner = wanted, counting()

        def suggest(self, history: History, n: int) -> Any:
            if len(history) == self.wanted:
                curves = [history.curve(int(number)) for number in history.numbers]
                seen.append(
                    (
                        history.numbers.tolist(), history.codes.tolist(), history.values.tolist(), history.points.tolist(),
                        [(steps.tolist(), values.tolist()) for steps, values in curves], history.next_number,
                    )
                )  # fmt: skip
                return Exhausted("seen")
            return self.inner.suggest(history, n)

    attempts: dict[int, int] = {}

    def play(launch: Launch) -> Sequence[Make]:  # trial 1 is lost after step 3 and goes on from step 2
        attempts[launch.trial.number] = attempts.get(launch.trial.number, 0) + 1
        whole = epochs(launch)
        return [*whole[:4], lambda token, at: Exited(token, "lost", at)] if attempts == {0: 1, 1: 1} else whole

    rig = Rig(Snapshot(3), play)
    rig.run()
    rig.again(epochs).run()
    assert seen[0] == seen[1]
    assert seen[0][4][1] == ([1, 2, 3, 4], [11.0, 12.0, 13.0, 14.0])


# --- killed at each commit ---


def hard(launch: Launch) -> Sequence[Make]:
    """Trial 1 fails in its first execution, trial 2 is lost in its first, trial 3 is never good; all write checkpoints."""
    number, first = launch.trial.number, launch.execution.number == 1
    whole = list(epochs(launch))
    if number == 1 and first:
        return [*whole[:4], failed()]
    if number == 2 and first:
        return [*whole[:3], lambda token, at: Exited(token, "lost", at)]
    if number == 3:
        return [failed(message="always")]
    return whole


def judge() -> Judge:
    """Trial 0 is paused at step 2 for good, trial 4 is stopped at step 3."""

    def rule(number: int, step: int) -> Decision:
        if (number, step) == (0, 2):
            return Decision(Action.PAUSE, "a rung")
        if number == 4 and step >= 3:
            return Decision(Action.STOP, "poor")
        return run_on(2 if step < 2 else 3 if step < 3 else None)

    return Judge(rule)


def hard_rig(slots: int) -> Rig:
    return Rig(counting(), hard, slots=slots, stopper=judge(), max_trials=6, retries=Retries(crash=1))


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
def test_a_job_killed_at_any_commit_is_finished_by_the_next_controller(slots: int, after: bool) -> None:
    reference = hard_rig(slots)
    whole = FailingStore(reference.store, 10**9)
    reference.store = whole
    reference.run()
    assert reference.state.counts == Counts(completed=3, failed=1, stopped=2)
    for number in range(1, whole.commits + 1):
        rig = hard_rig(slots)
        inner = rig.store
        rig.store = FailingStore(inner, number, after=after)
        with pytest.raises(Killed):
            rig.run()
        rig.store = inner
        again = rig.again(hard, slots=slots)
        state = again.run()
        again.check()
        check_events(again)
        assert (state.status, state.reason_code, state.counts.total) == (Status.COMPLETED, "max_trials", 6), number
        assert state.counts.ended == 6
        assert again.trials[3].status is Status.FAILED
        assert {again.trials[n].status for n in (1, 2, 5)} == {Status.COMPLETED}, number
        assert [trial.objective for trial in again.trials][1:3] == [14.0, 24.0]
        assert [trial.seed for trial in again.trials] == [trial_seed(7, n) for n in range(6)]
        assert again.trials[4].status is Status.STOPPED, number
        assert max(e.number for e in again.executions) <= 4


def test_killed_again_and_again_it_still_ends_with_each_trial_recorded_once() -> None:
    rig = hard_rig(2)
    kills = 0
    while True:
        inner = rig.store
        rig.store = FailingStore(inner, 7)
        try:
            rig.run()
            break
        except Killed:
            kills += 1
            rig.store = inner
            rig = rig.again(epochs, slots=2, stopper=None)
            assert kills < 40
    assert kills > 5
    rig.check()
    check_events(rig)
    assert rig.state.counts.total == 6
