"""When a job starts something, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.engine.rig import (
    SPACE,
    Answer,
    Make,
    Planned,
    Rig,
    Scripted,
    at_once,
    completed,
    counting,
    failed,
    loss_of,
    reported,
)
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.history import History
from tunewright.interfaces import Exhausted, Halt, Launch, New, Wait
from tunewright.objective import Objective
from tunewright.records import Counts, Params, Purpose, Status
from tunewright.spec import Retries


def test_every_trial_of_the_limit_is_made_and_no_more() -> None:
    rig = Rig(counting(), at_once, max_trials=5)
    state = rig.run()
    assert (state.status, state.reason_code, state.reason) == (Status.COMPLETED, "max_trials", "all 5 trials were made")
    assert state.counts == Counts(completed=5)
    assert (state.best, state.best_objectives) == (0, (0.0,))
    assert [trial.objective for trial in rig.trials] == [0.0, 1.0, 2.0, 3.0, 4.0]
    rig.check()


def test_proposals_are_asked_for_free_slots_and_never_over_the_limit() -> None:
    rig = Rig(counting(), at_once, slots=4, max_trials=6)
    rig.run()
    assert rig.strategy.asked[0] == (0, 4)  # type: ignore[attr-defined]
    assert all(made + n <= 6 for made, n in rig.strategy.asked if made < 6)  # type: ignore[attr-defined]
    assert len(rig.trials) == 6


def test_a_free_slot_gets_the_next_execution_at_once() -> None:
    def simulate(params: Params, seed: int) -> Curve:
        hours = {0.0: 10.0, 1.0: 1.0, 2.0: 2.0, 3.0: 3.0, 4.0: 3.0}
        x = loss_of(params)
        return Curve((), (), (hours[x] * 3600.0,), returned=x)

    executor = SimulatedExecutor(simulate, slots=2, start=1000.0)
    rig = Rig(counting(), executor, max_trials=5)
    rig.run()
    began = {trial.number: ((trial.started or 0.0) - 1000.0) / 3600.0 for trial in rig.trials}
    # Trial 0 keeps one slot for ten hours; the others follow one another in the second slot without a gap.
    assert began == pytest.approx({0: 0.0, 1: 0.0, 2: 1.0, 3: 3.0, 4: 6.0}, abs=1e-6)
    assert executor.now() == pytest.approx(1000.0 + 36_000.0)


def test_an_exhausted_strategy_ends_the_job_when_what_runs_has_ended() -> None:
    rig = Rig(counting(3), at_once, slots=2)
    state = rig.run()
    assert (state.status, state.reason_code, state.reason) == (Status.COMPLETED, "exhausted", "all 3 were tried")
    assert state.counts == Counts(completed=3)


def test_an_exhausted_strategy_is_not_asked_again() -> None:
    answers: list[Answer] = []

    def plan(history: History, n: int) -> Answer:
        answers.append(Exhausted("done") if len(history) == 2 else [New({"x": float(len(history))}, "next")])
        return answers[-1]

    Rig(Planned(plan), lambda launch: [reported(1, loss=1.0), completed()], slots=2).run()
    assert sum(isinstance(answer, Exhausted) for answer in answers) == 1


def test_a_waiting_strategy_is_asked_again_when_something_happened_and_only_then() -> None:
    def plan(history: History, n: int) -> Answer:
        if len(history) == 2:
            return Exhausted("enough")
        return Wait("the first result") if history.pending.any() else [New({"x": float(len(history))}, "next")]

    def play(launch: Launch) -> Sequence[Make]:
        return [reported(1, loss=1.0), completed()]

    strategy = Planned(plan)
    executor = Scripted(play, slots=2)
    executor.idle = 50
    rig = Rig(strategy, executor, max_trials=9)
    state = rig.run()
    assert (state.reason_code, state.counts) == ("exhausted", Counts(completed=2))
    waits = [size for size, _ in strategy.asked if size == 1]
    assert 2 <= len(waits) <= 4  # after its launch, after its report, after its end; not at each of 50 idle polls


def test_a_strategy_that_waits_for_nothing_ends_the_job() -> None:
    rig = Rig(Planned(lambda history, n: Wait("for the moon") if len(history) else [New({"x": 1.0}, "one")]), at_once)
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.COMPLETED, "exhausted")
    assert state.reason == "the strategy waits, but nothing runs: for the moon"


def test_the_time_limit_stops_what_runs_and_says_so() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        return [completed(3.0)] if launch.trial.number == 0 else [reported(step, loss=9.0) for step in range(1, 500)]

    rig = Rig(counting(), play, slots=2, max_time=20.0)
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.COMPLETED, "max_time")
    assert state.reason == "the time limit of 20 s was reached"
    assert 20.0 <= state.elapsed < 26.0
    stopped = [trial for trial in rig.trials if trial.status is Status.STOPPED]
    assert {(trial.reason_code, trial.reason) for trial in stopped} == {("max_time", "the job's time is over")}
    assert stopped
    assert stopped[0].objective == 9.0  # what it had reported is shown, and is never the best
    assert state.best == 0
    assert all(isinstance(order, Halt) and order.action == "stop" for _, order in rig.executor.orders)
    rig.check()


def test_time_is_counted_over_the_life_of_the_job() -> None:
    rig = Rig(counting(), lambda launch: [reported(1, loss=1.0)] * 5 + [completed()], max_time=1000.0, max_trials=2)
    first = rig.run()
    assert first.elapsed > 10.0
    second = rig.again(lambda launch: [reported(s, loss=1.0) for s in range(1, 999)], max_trials=9, max_time=first.elapsed + 30)
    state = second.run()
    assert state.reason_code == "max_time"
    assert state.elapsed == pytest.approx(first.elapsed + 30, abs=5.0)
    assert second.clock.now() - rig.clock.now() == pytest.approx(30.0, abs=5.0)


def test_the_time_that_passed_is_stored_though_nothing_else_happens() -> None:
    executor = Scripted(at_once)
    executor.idle = 1500  # 300 seconds
    seen: list[float] = []
    executor.on_poll = lambda executor: seen.append(rig.state.elapsed)
    rig = Rig(counting(), executor, max_trials=1)
    rig.run()
    assert max(seen) >= 240.0
    assert len(set(seen)) <= 7  # once a minute, not at every look


def test_reaching_the_target_ends_the_job_and_stops_the_others() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        if launch.trial.number == 1:
            return [reported(1, loss=0.5), completed(0.1)]
        return [reported(step, loss=9.0) for step in range(1, 500)]

    rig = Rig(counting(), play, slots=3, max_trials=50, objectives=(Objective("loss", target=0.2),))
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.COMPLETED, "target_reached")
    assert state.reason == "loss reached its target 0.2: 0.1"
    assert state.counts == Counts(completed=1, stopped=2)
    assert {trial.reason_code for trial in rig.trials if trial.status is Status.STOPPED} == {"target_reached"}


def test_a_target_alone_limits_a_job_and_only_a_feasible_trial_reaches_it() -> None:
    from tunewright.objective import requirements

    def play(launch: Launch) -> Sequence[Make]:
        x = loss_of(launch.trial.params)
        return [completed({"loss": 10.0 - x, "latency": 40.0 if x < 8 else 5.0})]

    rig = Rig(
        counting(), play, objectives=(Objective("loss", target=4.0),), requirements=requirements({"latency": "<= 20"})
    )  # fmt: skip
    state = rig.run()
    assert state.reason_code == "target_reached"
    assert state.best == 8
    assert [trial.feasible for trial in rig.trials] == [False] * 8 + [True]
    rig.check()


def test_a_job_resumed_at_its_target_ends_without_a_trial() -> None:
    rig = Rig(counting(), at_once, max_trials=3, objectives=(Objective("loss", target=0.5),))
    assert rig.run().reason_code == "target_reached"
    again = rig.again(at_once)
    assert again.run().reason_code == "target_reached"
    assert len(again.trials) == 1
    assert again.executor.launched == []


def test_the_last_trial_is_retried_although_the_limit_is_reached() -> None:
    tries: dict[int, int] = {}

    def play(launch: Launch) -> Sequence[Make]:
        number = launch.trial.number
        tries[number] = tries.get(number, 0) + 1
        if number == 2 and tries[number] == 1:
            return [reported(1, loss=1.0), reported(2, loss=1.0), failed()]
        return [completed(float(number))]

    rig = Rig(counting(), play, slots=2, max_trials=3, retries=Retries(crash=1))
    state = rig.run()
    assert state.counts == Counts(completed=3)
    assert tries == {0: 1, 1: 1, 2: 2}
    assert [e.purpose for e in rig.executions if e.trial == 2] == [Purpose.SEARCH, Purpose.RETRY]


def test_a_job_in_which_nothing_completed_has_failed() -> None:
    def play(launch: Launch) -> Sequence[Make]:
        return [failed(message=f"ValueError: {launch.trial.number}", where=f"line {launch.trial.number}")]

    rig = Rig(counting(), play, max_trials=4)
    state = rig.run()
    assert (state.status, state.reason_code) == (Status.FAILED, "nothing_completed")
    assert state.reason is not None
    assert state.reason.startswith("no trial completed (all 4 trials were made; the last failure: ")
    assert (state.best, state.counts) == (None, Counts(failed=4))
    rig.check()


def test_larger_limits_go_on_where_the_job_ended() -> None:
    rig = Rig(counting(), at_once, max_trials=3)
    rig.run()
    again = rig.again(at_once, max_trials=5)
    state = again.run()
    assert (state.status, state.reason_code) == (Status.COMPLETED, "max_trials")
    assert [trial.params["x"] for trial in again.trials] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [launch.trial.number for launch in again.executor.launched] == [3, 4]
    assert again.job.spec["max_trials"] == 5
    assert state.started == rig.trials[0].started


def test_the_same_seed_gives_the_same_trials() -> None:
    from tunewright.interfaces import Problem
    from tunewright.strategies.random import RandomStrategy

    def run(seed: int) -> list[tuple[Params, int]]:
        rig = Rig(RandomStrategy(Problem(SPACE, (Objective("loss"),), seed)), at_once, max_trials=6, seed=seed)
        rig.run()
        return [(trial.params, trial.seed) for trial in rig.trials]

    assert run(3) == run(3)
    assert run(3) != run(4)
    assert len({seed for _, seed in run(3)}) == 6
