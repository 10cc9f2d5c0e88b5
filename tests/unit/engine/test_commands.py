"""What people ask of a job while it runs, and what they left while nobody ran it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.unit.engine.rig import (
    JOB,
    Judge,
    Make,
    Rig,
    Scripted,
    at_once,
    checkpointed,
    completed,
    counting,
    failed,
    reported,
    run_on,
)
from tunewright.engine.controller import Controller
from tunewright.interfaces import Halt, Launch
from tunewright.records import Action, Command, Counts, Decision, Purpose, Status, Wanted
from tunewright.spec import Retries


def at_poll(executor: Scripted, polls: dict[int, Callable[[], object]]) -> None:
    """Does things when the executor is polled for the n-th time."""

    def on_poll(executor: Scripted) -> None:
        if executor.polls in polls:
            polls[executor.polls]()

    executor.on_poll = on_poll


def epochs(launch: Launch) -> Sequence[Make]:
    return [*[reported(step, loss=float(step)) for step in range(1, 6)], completed()]


def answers(rig: Rig) -> list[tuple[str, bool, str | None]]:
    return [(command.kind, command.handled, command.answer) for command in rig.commands]


def test_stop_ends_the_job_and_what_runs() -> None:
    executor = Scripted(epochs, slots=2)
    rig = Rig(counting(), executor, max_trials=50)
    at_poll(executor, {9: lambda: rig.request("stop", "ann")})
    state = rig.run()
    assert (state.status, state.reason_code, state.reason) == (Status.STOPPED, "stopped", "stopped by ann")
    assert state.counts == Counts(stopped=2)
    assert {trial.reason for trial in rig.trials} == {"the job was stopped by ann"}
    assert all(isinstance(order, Halt) for _, order in executor.orders)
    assert answers(rig) == [("stop", True, "stopping")]
    assert [(d.action, d.by) for d in rig.decisions] == [(Action.STOP, "stopped")] * 2
    assert "job None Stopping" in rig.events
    rig.check()


def test_a_pause_lets_what_runs_go_on_and_starts_nothing_until_resume() -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=3)
    launched: list[int] = []
    at_poll(
        executor,
        {
            3: lambda: rig.request("pause"),
            40: lambda: launched.append(len(executor.launched)),
            41: lambda: rig.request("resume"),
        },
    )
    state = rig.run()
    assert launched == [1]  # the first trial ended, and no second one began
    assert rig.trials[0].status is Status.COMPLETED
    assert state.counts == Counts(completed=3)
    assert answers(rig) == [("pause", True, "what runs goes on, nothing new is started"), ("resume", True, "going on")]


def test_a_paused_job_can_be_stopped() -> None:
    executor = Scripted(at_once)
    rig = Rig(counting(), executor, max_trials=9)
    at_poll(executor, {1: lambda: rig.request("pause"), 30: lambda: rig.request("stop")})
    assert rig.run().status is Status.STOPPED
    assert len(rig.trials) < 9


def test_one_trial_can_be_stopped() -> None:
    executor = Scripted(epochs, slots=2)
    rig = Rig(counting(), executor, max_trials=2)
    at_poll(executor, {5: lambda: rig.request("stop_trial", "bob", trial=1)})
    assert rig.run().counts == Counts(completed=1, stopped=1)
    trial = rig.trials[1]
    assert (trial.reason_code, trial.reason) == ("stopped", "stopped by bob")
    assert trial.objective is not None
    assert [(d.trial, d.by, d.reason) for d in rig.decisions] == [(1, "bob", "stopped by bob")]
    assert answers(rig) == [("stop_trial", True, "stopping")]


@pytest.mark.parametrize("number", [7, -1, None, "1"])
def test_stopping_a_trial_that_does_not_run_is_answered(number: object) -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=1)
    at_poll(executor, {2: lambda: rig.request("stop_trial", trial=number)})
    assert rig.run().counts == Counts(completed=1)
    assert answers(rig) == [("stop_trial", True, f"refused: trial {number!r} neither runs nor waits")]


def test_an_enqueued_configuration_comes_before_what_the_strategy_proposes() -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=4)
    first = rig.request("enqueue", params={"x": 500.0}, reason="the default")
    at_poll(executor, {2: lambda: rig.request("enqueue", params={"x": 600.0})})
    assert rig.run().counts == Counts(completed=4)
    assert [(trial.params["x"], trial.origin) for trial in rig.trials] == [
        (500.0, "the default"), (600.0, "enqueued"), (2.0, "next"), (3.0, "next")
    ]  # fmt: skip
    assert first == 1
    assert answers(rig) == [("enqueue", True, "trial 0"), ("enqueue", True, "trial 1")]


def test_several_enqueued_ones_start_in_their_order_side_by_side() -> None:
    rig = Rig(counting(), epochs, slots=3, max_trials=5)
    for x in (11.0, 12.0, 13.0):
        rig.request("enqueue", params={"x": x})
    rig.run()
    assert [trial.params["x"] for trial in rig.trials][:3] == [11.0, 12.0, 13.0]
    began = [trial.started for trial in rig.trials][:3]
    assert began[0] == began[1] == began[2]


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ({"params": {"x": -5.0}}, "refused: x must be"),
        ({"params": {"y": 1.0}}, "refused: "),
        ({"params": {}}, "refused: "),
        ({"params": 3}, "refused: params must be a configuration; got 3"),
        ({}, "refused: params must be a configuration; got None"),
    ],
)
def test_an_invalid_configuration_is_answered_with_what_is_wrong(payload: dict[str, object], answer: str) -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(), executor, max_trials=2)
    at_poll(executor, {2: lambda: rig.store.request(JOB, Command("enqueue", payload))})
    assert rig.run().counts == Counts(completed=2)
    ((kind, handled, said),) = answers(rig)
    assert (kind, handled) == ("enqueue", True)
    assert (said or "").startswith(answer)


def test_an_unknown_command_is_answered() -> None:
    rig = Rig(counting(), at_once, max_trials=1)
    rig.request("dance")
    rig.run()
    assert answers(rig) == [("dance", True, "refused: unknown command 'dance'")]


def test_an_enqueued_configuration_counts_against_the_limit_and_waits_for_a_larger_one() -> None:
    rig = Rig(counting(), at_once, max_trials=1)
    rig.request("enqueue", params={"x": 11.0})
    rig.request("enqueue", params={"x": 12.0})
    assert rig.run().counts == Counts(completed=1)
    assert answers(rig) == [("enqueue", True, "trial 0"), ("enqueue", False, None)]
    again = rig.again(at_once, max_trials=2)
    again.run()
    assert [trial.params["x"] for trial in again.trials] == [11.0, 12.0]
    assert answers(again)[1] == ("enqueue", True, "trial 1")


def test_an_enqueued_configuration_is_executed_although_the_strategy_is_exhausted() -> None:
    executor = Scripted(epochs)
    rig = Rig(counting(1), executor)
    at_poll(executor, {3: lambda: rig.request("enqueue", params={"x": 12.0})})
    state = rig.run()
    assert (state.reason_code, state.counts) == ("exhausted", Counts(completed=2))
    assert rig.trials[1].params["x"] == 12.0


# --- what was left while nobody ran the job ---


def test_a_stop_that_nobody_heard_is_obeyed_by_the_next_controller() -> None:
    rig = Rig(counting(), at_once, max_trials=9)
    rig.request("stop", "ann")
    assert rig.run().status is Status.STOPPED
    assert rig.trials == []
    assert rig.job.wanted is Wanted.STOP


def test_a_later_resume_overrules_a_stop_that_nobody_heard() -> None:
    rig = Rig(counting(), at_once, max_trials=3)
    for kind in ("stop", "pause", "resume"):
        rig.request(kind)
    assert rig.run().counts == Counts(completed=3)
    assert answers(rig) == [
        ("stop", True, "overruled by a later resume"), ("pause", True, "overruled by a later resume"),
        ("resume", True, "going on"),
    ]  # fmt: skip


def test_a_stop_after_a_resume_counts() -> None:
    rig = Rig(counting(), at_once, max_trials=3)
    for kind in ("pause", "resume", "stop"):
        rig.request(kind)
    assert rig.run().status is Status.STOPPED


def test_a_job_that_was_paused_stays_so_for_the_next_controller() -> None:
    rig = Rig(counting(), at_once, max_trials=3)
    rig.request("pause")
    executor = Scripted(at_once)
    controllers: list[Controller] = []

    def leave(executor: Scripted) -> None:
        if executor.polls == 20:
            controllers[-1].interrupt()

    executor.on_poll = leave
    first = rig.again(executor)
    fence = first.claim()
    controllers.append(first.controller(fence))
    assert controllers[0].run().reason_code == "interrupted"
    first.store.release(fence)
    assert first.trials == []

    executor = Scripted(at_once)  # the pause is handled now, and still what people want
    second = rig.again(executor)
    at_poll(executor, {20: lambda: second.request("resume")})
    assert second.run().counts == Counts(completed=3)
    assert executor.polls > 20


def test_a_stop_takes_a_paused_and_waiting_trial_along() -> None:
    """Also one that a failure left waiting for its next execution."""
    executor = Scripted(lambda launch: [reported(1, loss=1.0), failed()])
    rig = Rig(counting(), executor, max_trials=9, retries=Retries(crash=9))
    at_poll(executor, {4: lambda: rig.request("stop")})
    state = rig.run()
    assert (state.status, state.counts) == (Status.STOPPED, Counts(stopped=1))
    assert {execution.purpose for execution in rig.executions} == {Purpose.SEARCH, Purpose.RETRY}
    rig.check()


def test_a_paused_trial_can_be_stopped() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        if launch.trial.number == 0:
            return [checkpointed(1), reported(1, loss=1.0), reported(2, loss=2.0)]
        return [*[reported(step, loss=float(step)) for step in range(1, 20)], completed()]

    judge = Judge(lambda number, step: run_on(1) if (number, step) == (0, 0) else pause if number == 0 else run_on())
    pause = Decision(Action.PAUSE, "a rung")
    executor = Scripted(play)
    rig = Rig(counting(), executor, stopper=judge, max_trials=2)
    at_poll(executor, {10: lambda: rig.request("stop_trial", "ann", trial=0)})
    assert rig.run().counts == Counts(completed=1, stopped=1)
    assert (rig.trials[0].reason_code, rig.trials[0].reason) == ("stopped", "stopped by ann")
    assert answers(rig) == [("stop_trial", True, "stopped")]
    rig.check()


def test_a_trial_that_waits_for_its_retry_can_be_stopped() -> None:
    executor = Scripted(lambda launch: [reported(1, loss=1.0), failed()])
    rig = Rig(counting(), executor, max_trials=1, retries=Retries(crash=9))
    at_poll(
        executor,
        {1: lambda: rig.request("pause"), 9: lambda: rig.request("stop_trial", trial=0), 20: lambda: rig.request("resume")},
    )
    assert rig.run().counts == Counts(stopped=1)
    assert len(executor.launched) == 1
    rig.check()


def test_the_time_limit_ends_a_paused_job_too() -> None:
    rig = Rig(counting(), at_once, max_time=30.0)
    rig.request("pause")
    state = rig.run()
    assert (state.reason_code, state.counts.total) == ("nothing_completed", 0)
    assert state.reason == "no trial completed (the time limit of 30 s was reached)"
