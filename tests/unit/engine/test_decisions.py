"""Decision steps: stop, pause, go on; by a stopper and by a strategy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.engine.rig import (
    Answer,
    Judge,
    Make,
    Planned,
    Rig,
    Scripted,
    at_once,
    checkpointed,
    completed,
    counting,
    lost,
    reported,
    run_on,
)
from tunewright.errors import InvalidInput
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.history import History
from tunewright.interfaces import Continue, Exhausted, Halt, Launch, New, Order, Until, Wait
from tunewright.records import Action, Counts, Decision, ExecutionStatus, Params, Purpose, Status


def stop(reason: str = "poor") -> Decision:
    return Decision(Action.STOP, reason)


def pause(reason: str = "a rung") -> Decision:
    return Decision(Action.PAUSE, reason)


def epochs(count: int, checkpoints: bool = False) -> object:
    """A play that reports `count` steps, from where it goes on."""

    def play(launch: Launch) -> Sequence[Make]:
        first = launch.execution.from_step
        made: list[Make] = []
        for position, step in enumerate(range(first + 1, count + 1)):
            if checkpoints:
                made.append(checkpointed(step))
            made.append(reported(step, first=position, loss=float(100 - step)))
        return [*made, completed()]

    return play


def test_a_stopper_is_asked_before_the_launch_and_at_exactly_the_steps_that_it_named() -> None:
    judge = Judge(lambda number, step: run_on({0: 3, 3: 7, 7: None}.get(step)))
    rig = Rig(counting(), epochs(9), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=1)
    assert [(number, step) for number, step, _ in judge.made] == [(0, 0), (0, 3), (0, 7)]
    assert rig.executor.launched[0].execution.until_step == 3
    assert rig.executor.orders == [(0, Until(7)), (0, Until(None))]


def test_a_thousand_reports_before_a_decision_step_ask_nobody_anything() -> None:
    judge = Judge(lambda number, step: run_on(1000 if step == 0 else None))
    rig = Rig(counting(), epochs(1200), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    rig.run()
    assert [step for _, step, _ in judge.made] == [0, 1000]
    assert len(rig.executor.orders) == 1
    assert len(rig.points()) == 1200


def test_decision_steps_are_hit_exactly_in_virtual_time() -> None:
    seen: list[tuple[int, float]] = []

    def rule(number: int, step: int) -> Decision:
        seen.append((step, executor.now()))
        return run_on(step + 2)

    def simulate(params: Params, seed: int) -> Curve:
        return Curve(range(1, 7), [{"loss": 1.0}] * 6, [10.0] * 6)

    executor = SimulatedExecutor(simulate)
    Rig(counting(), executor, stopper=Judge(rule), max_trials=1).run()
    assert seen == [(0, 0.0), (2, 20.0), (4, 40.0), (6, 60.0)]


def test_a_stop_is_committed_before_its_order_goes_out() -> None:
    stored: list[tuple[list[Decision], Status]] = []

    class Watched(Scripted):
        def order(self, token: str, order: Order) -> None:
            stored.append((rig.decisions, rig.trials[0].status))
            super().order(token, order)

    judge = Judge(lambda number, step: run_on(2) if step < 2 else stop())
    rig = Rig(counting(), Watched(epochs(9)), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    rig.run()
    ((decisions, status),) = stored
    assert [(d.trial, d.step, d.action, d.reason, d.by) for d in decisions] == [(0, 2, Action.STOP, "poor", "Judge")]
    assert status is Status.STOPPING


def test_a_stopped_trial_keeps_what_it_reported_and_the_reason() -> None:
    judge = Judge(lambda number, step: run_on(2) if number == 0 and step < 2 else run_on() if number else stop())
    rig = Rig(counting(), epochs(5), stopper=judge, max_trials=2)  # type: ignore[arg-type]
    state = rig.run()
    assert state.counts == Counts(completed=1, stopped=1)
    trial = rig.trials[0]
    assert (trial.reason_code, trial.reason, trial.step, trial.objective) == ("early_stopped", "poor", 2, 98.0)
    assert (state.best, state.best_objectives) == (1, (95.0,))
    assert rig.executions[0].status is ExecutionStatus.STOPPED
    (order,) = [order for number, order in rig.executor.orders if number == 0]
    assert isinstance(order, Halt)
    assert (order.action, order.reason) == ("stop", "poor")
    assert order.grace > 0
    rig.check()


def test_the_first_early_stop_says_why_and_how_to_switch_it_off() -> None:
    judge = Judge(lambda number, step: run_on(1) if step < 1 else stop(f"poor {number}") if number else run_on())
    rig = Rig(counting(), epochs(3), stopper=judge, max_trials=4)  # type: ignore[arg-type]
    rig.run()
    assert rig.heard.messages == ["trial 1 is stopped early: poor 1 (stopper=None switches this off)"]


def test_a_trial_that_completes_although_it_was_to_stop_is_completed() -> None:
    judge = Judge(lambda number, step: run_on(3) if step < 3 else stop())
    executor = Scripted(epochs(3), deaf=[0])  # type: ignore[arg-type]
    rig = Rig(counting(), executor, stopper=judge, max_trials=1)
    assert rig.run().counts == Counts(completed=1)
    assert (rig.trials[0].reason_code, rig.trials[0].reason, rig.trials[0].objective) == (None, None, 97.0)


def test_what_a_stopping_trial_returned_on_its_way_out_is_shown() -> None:
    from tests.unit.engine.rig import ended

    judge = Judge(lambda number, step: run_on(1) if step < 1 else stop())
    executor = Scripted(lambda launch: [reported(1, loss=9.0), ended("stopped", 4.0)], deaf=[0])
    rig = Rig(counting(), executor, stopper=judge, max_trials=1)
    rig.run()
    assert (rig.trials[0].status, rig.trials[0].objective, rig.trials[0].metrics) == (Status.STOPPED, 4.0, {"loss": 4.0})


def test_decisions_to_go_on_are_stored_with_their_reason() -> None:
    judge = Judge(lambda number, step: run_on(2, "") if step == 0 else run_on(None, "good enough"))
    rig = Rig(counting(), epochs(4), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    rig.run()
    assert [(d.action, d.step, d.reason) for d in rig.decisions] == [(Action.RUN, 2, "good enough")]


@pytest.mark.parametrize("until", [2, 1, 0])
def test_a_decision_step_must_lie_ahead(until: int) -> None:
    judge = Judge(lambda number, step: run_on(2) if step == 0 else run_on(until))
    rig = Rig(counting(), epochs(4), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=f"stopper must decide until a step after 2; got {until}"):
        rig.run()
    assert rig.executor.closed
    assert (rig.state.status, rig.state.reason_code) == (Status.FAILED, "error")
    rig.check()


def test_reports_that_come_together_are_judged_once_at_the_last() -> None:
    from tunewright.interfaces import Reported
    from tunewright.records import Report

    def several(token: str, at: float) -> Reported:
        return Reported(token, 0, [Report(step, {"loss": float(step)}, at) for step in range(1, 5)])

    judge = Judge(lambda number, step: run_on(2) if step == 0 else run_on())
    rig = Rig(counting(), lambda launch: [several, completed()], stopper=judge, max_trials=1)
    rig.run()
    assert [step for _, step, _ in judge.made] == [0, 4]


# --- pauses ---


def rungs(history: History, n: int) -> Answer:
    """Two trials, both paused at step 2; the better one, trial 1, goes on, when both are paused."""
    paused = [int(number) for number in history.numbers[history.mask(Status.PAUSED)]]
    if len(history) < 2:
        return [New({"x": float(len(history))}, "new", until=2)]
    if paused == [0, 1]:
        return [Continue(1, "promoted", until=None)]
    return Exhausted("the rungs are through") if paused == [0] and not history.pending[1] else Wait("the rung")


def test_a_paused_trial_goes_on_from_its_checkpoint_when_the_strategy_says_so() -> None:
    judge = Judge(lambda number, step: pause() if step == 2 else run_on())
    rig = Rig(Planned(rungs), epochs(4, checkpoints=True), stopper=judge, slots=2, max_trials=2)  # type: ignore[arg-type]
    state = rig.run()
    assert state.counts == Counts(completed=1, stopped=1)  # the one that was left paused ends with the job
    (first, second) = [execution for execution in rig.executions if execution.trial == 1]
    assert (first.status, first.step, first.reason) == (ExecutionStatus.PAUSED, 2, "a rung")
    assert (second.purpose, second.from_step, second.until_step) == (Purpose.CONTINUE, 2, None)
    assert rig.executor.launched[-1].checkpoint == "step-2"
    assert rig.executor.launched[-1].trial.seed == rig.executor.launched[1].trial.seed
    assert [step for _, _, step, _ in rig.points() if _ is not None][-2:] == [3, 4]
    assert [(d.action, d.reason) for d in rig.decisions if d.trial == 1] == [
        (Action.PAUSE, "a rung"), (Action.RUN, "promoted")
    ]  # fmt: skip
    assert (1, Status.PAUSED) in rig.heard.ended
    assert (rig.trials[0].status, rig.trials[0].reason) == (Status.STOPPED, "the job ended")
    rig.check()


def test_a_paused_trial_goes_on_although_all_trials_of_the_limit_were_made() -> None:
    judge = Judge(lambda number, step: pause() if step == 2 else run_on())
    rig = Rig(Planned(rungs), epochs(4, checkpoints=True), stopper=judge, slots=1, max_trials=2)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=1, stopped=1)
    assert rig.trials[1].status is Status.COMPLETED


def test_a_function_that_wrote_no_checkpoint_is_never_paused() -> None:
    judge = Judge(lambda number, step: run_on(2) if step == 0 else pause())
    rig = Rig(counting(), epochs(5), stopper=judge, max_trials=1)  # type: ignore[arg-type]
    assert rig.run().counts == Counts(completed=1)
    assert [(d.action, d.reason) for d in rig.decisions] == [
        (Action.RUN, "not paused, for it wrote no checkpoint (a rung)"),
    ]


def test_a_pause_is_stored_and_can_be_taken_back_only_by_continue() -> None:
    judge = Judge(lambda number, step: run_on(2) if step == 0 else pause())

    def plan(history: History, n: int) -> Answer:
        return [New({"x": 1.0}, "one")] if not len(history) else Wait("for ever")

    rig = Rig(Planned(plan), epochs(5, checkpoints=True), stopper=judge, max_trials=5)  # type: ignore[arg-type]
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.FAILED, "nothing_completed")
    assert "for ever" in (state.reason or "")
    assert rig.trials[0].status is Status.STOPPED
    events = [event for event in rig.events if event.startswith("trial 0")]
    assert events[-2:] == ["trial 0 Paused: paused", "trial 0 Stopped: exhausted"]


def test_a_continued_trial_is_judged_again_at_its_first_report_when_the_stopper_would_end_it() -> None:
    """A stopper may say stop when it is asked before a relaunch; that must not mean: to its end, unasked."""

    def rule(number: int, step: int) -> Decision:
        return run_on(3) if step == 0 else stop()

    rig = Rig(
        counting(), lambda launch: [reported(1, loss=1.0), lost()] if launch.execution.number == 1 else [
            reported(1, loss=1.0), reported(2, loss=1.0), completed()
        ], stopper=Judge(rule), max_trials=1,
    )  # fmt: skip
    assert rig.run().counts == Counts(stopped=1)
    assert rig.executor.launched[1].execution.until_step == 1
    assert rig.trials[0].step == 1


# --- what a strategy must not do ---


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "must give 1 to 2 proposals, Wait or Exhausted; got \\[\\]"),
        ([New({"x": 1.0}, "a")] * 3, "must give 1 to 2 proposals"),
        (None, "must give 1 to 2 proposals, Wait or Exhausted; got None"),
        (["x"], "must give New, Continue or Measure; got 'x'"),
        ([New({"x": 1.0}, "a", until=3)], "to set decision steps; got 3"),
        ([Continue(0, "go")], "must continue a paused trial; got Continue"),
    ],
)
def test_a_strategy_that_breaks_its_contract_is_named(answer: Answer, message: str) -> None:
    rig = Rig(Planned(lambda history, n: answer), at_once, slots=2, max_trials=9)
    with pytest.raises(InvalidInput, match=f"strategy .*{message}"):
        rig.run()
    assert rig.executor.closed
    assert (rig.state.status, rig.state.reason_code) == (Status.FAILED, "error")
    assert "must" in (rig.state.reason or "")
    assert [e.status for e in rig.executions if e.open] == []
    rig.check()


def test_an_error_of_a_strategy_leaves_the_job_in_order_and_it_can_be_resumed() -> None:
    def plan(history: History, n: int) -> Answer:
        if len(history) == 2:
            raise ZeroDivisionError("in the strategy")
        return [New({"x": float(len(history))}, "next")]

    def play(launch: Launch) -> Sequence[Make]:
        return [reported(1, loss=1.0)] * 3 + [completed()] if launch.trial.number else at_once(launch)

    rig = Rig(Planned(plan), play, slots=2, max_trials=4)
    with pytest.raises(ZeroDivisionError):
        rig.run()
    assert (rig.state.status, rig.state.reason) == (Status.FAILED, "ZeroDivisionError: in the strategy")
    assert {trial.status for trial in rig.trials} <= {Status.PAUSED, Status.COMPLETED}
    rig.check()
    again = rig.again(play, strategy=counting())
    assert again.run().counts == Counts(completed=4)
    again.check()
