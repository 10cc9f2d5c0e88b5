"""Ask and tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tunewright as tw
from tests.unit.engine.rig import Judge, run_on
from tunewright.errors import InvalidInput, JobChanged, JobTaken, NotFound, SearchFinished
from tunewright.history import History
from tunewright.interfaces import Continue, Exhausted, Measure, New, Wait
from tunewright.lifecycle import tuner as tuner_module
from tunewright.lifecycle.tuner import AskedTrial
from tunewright.records import Action, Counts, Decision, ExecutionStatus, Status
from tunewright.testing.clock import FakeClock

SPACE = {"x": tw.Float(0.0, 1.0)}


def made(**options: Any) -> tw.Tuner:
    return tw.Tuner(options.pop("space", SPACE), **{"metric": "loss", "strategy": "random", "seed": 0, **options})


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time of tuners; stores keep their own."""
    clock = FakeClock()
    monkeypatch.setattr(tuner_module, "SystemClock", lambda: clock)
    return clock


# --- the plain loop ---


def test_the_loop_that_people_type() -> None:
    tuner = tw.Tuner(SPACE, metric="loss", goal="minimize", strategy="random", seed=0)
    for _ in range(5):
        trial = tuner.ask()
        tuner.tell(trial, abs(trial.params["x"] - 0.5))
    values = [trial.objective for trial in tuner.trials]
    assert tuner.best.objective == min(value for value in values if value is not None)
    assert [trial.number for trial in tuner.trials] == [0, 1, 2, 3, 4]
    assert {trial.status for trial in tuner.trials} == {Status.COMPLETED}
    assert tuner.job.record.state.counts == Counts(completed=5)


def test_a_metric_is_optional_for_one_objective_but_its_goal_is_not() -> None:
    tuner = tw.Tuner(SPACE, goal="maximize", strategy="random")
    for value in (1.0, 3.0, 2.0):
        tuner.tell(tuner.ask(), value)
    assert tuner.best.objective == 3.0
    with pytest.raises(InvalidInput, match="goal must be given, 'minimize' or 'maximize', when no metric is named"):
        tw.Tuner(SPACE)
    assert tw.Tuner(SPACE, metric="accuracy").ask().number == 0


def test_the_same_seed_asks_the_same() -> None:
    plain = [[(trial.params, trial.seed) for trial in made(seed=seed).ask(6)] for seed in (1, 1, 2)]
    assert plain[0] == plain[1]
    assert plain[0] != plain[2]


def test_params_are_as_training_code_takes_them() -> None:
    tuner = made(space={"f": tw.Categorical({"sine": math.sin, "cosine": math.cos}), "n": 3}, strategy="grid")
    first, second = tuner.ask(2)
    assert (first.params, second.params) == ({"f": math.sin, "n": 3}, {"f": math.cos, "n": 3})
    tuner.tell(first, 0.0)
    assert tuner.best.params["f"] == "sine"


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(3), np.array(0.25)])
def test_numbers_of_any_library_are_told(value: Any) -> None:
    tuner = made()
    tuner.tell(tuner.ask(), value)
    assert tuner.best.objective == float(value)


def test_metrics_are_told_by_name() -> None:
    tuner = made(objective=[tw.Objective("loss"), tw.Objective("size", "minimize")], metric=None)
    tuner.tell(tuner.ask(), {"loss": 1.0, "size": 2.0, "more": 3.0})
    assert tuner.best.objectives == (1.0, 2.0)
    assert tuner.best.metrics == {"loss": 1.0, "size": 2.0, "more": 3.0}
    with pytest.raises(InvalidInput, match=r"value must hold all of \['loss', 'size'\] by name; got 1\.0"):
        tuner.tell(tuner.ask(), 1.0)


# --- how many, and when it is over ---


def test_ask_for_several_gives_a_list_of_at_most_so_many() -> None:
    tuner = made(max_trials=6)
    assert [trial.number for trial in tuner.ask(4)] == [0, 1, 2, 3]
    assert [trial.number for trial in tuner.ask(4)] == [4, 5]
    assert tuner.ask(1) == []  # some are pending, so that it isn't over
    for trial in range(6):
        tuner.tell(trial, 1.0)
    with pytest.raises(SearchFinished, match="all 6 trials were made"):
        tuner.ask(1)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_how_many_must_be_a_whole_number(n: Any) -> None:
    with pytest.raises(InvalidInput, match="n must be an integer of at least 1; got"):
        made().ask(n)


def test_an_exhausted_space_says_so_and_the_job_is_completed() -> None:
    tuner = made(space={"x": [1, 2]}, strategy="grid")
    first, second = tuner.ask(3)
    with pytest.raises(SearchFinished, match="all 2 points of the grid have been tried"):
        tuner.ask()
    assert tuner.job.status is Status.IN_PROGRESS
    tuner.tell(first, 1.0)
    tuner.tell(second, 2.0)
    with pytest.raises(SearchFinished) as caught:
        tuner.ask()
    assert caught.value.reason == "all 2 points of the grid have been tried"
    assert (tuner.job.status, tuner.job.reason_code) == (Status.COMPLETED, "exhausted")


def test_pending_trials_count_as_tried() -> None:
    tuner = made(space={"x": [1, 2, 3, 4]})
    asked = [trial.params["x"] for trial in tuner.ask(9)]
    assert sorted(asked) == [1, 2, 3, 4]


def test_a_strategy_that_waits_never_makes_ask_wait() -> None:
    class OneByOne:
        def suggest(self, history: History, n: int) -> Any:
            return Wait("the result") if history.pending.any() else [New({"x": 0.5}, "next")]

    tuner = made(strategy=OneByOne())
    trial = tuner.ask()
    with pytest.raises(SearchFinished, match="nothing to propose before a pending trial is told: the result"):
        tuner.ask()
    assert tuner.ask(3) == []
    tuner.tell(trial, 1.0)
    assert tuner.ask().number == 1


def test_a_search_that_was_over_goes_on_with_an_enqueued_or_added_one() -> None:
    tuner = made(space={"x": tw.Int(1, 9)}, max_trials=1)
    tuner.tell(tuner.ask(), 1.0)
    with pytest.raises(SearchFinished):
        tuner.ask()
    assert tuner.job.status is Status.COMPLETED
    tuner.add({"x": 3}, 0.5)
    assert (tuner.job.status, tuner.best.params) == (Status.IN_PROGRESS, {"x": 3})


# --- telling ---


def test_the_same_tell_twice_is_nothing_and_another_one_an_error() -> None:
    tuner = made()
    trial = tuner.ask()
    tuner.tell(trial, 0.5)
    event = tuner.job.record.event
    tuner.tell(trial, 0.5)
    tuner.tell(trial.number, {"loss": 0.5})
    assert tuner.job.record.event == event
    for told in (0.6, {"loss": 0.5, "acc": 1.0}, math.nan):
        with pytest.raises(InvalidInput, match="trial 0 was told already and is Completed"):
            tuner.tell(trial, told)
    with pytest.raises(InvalidInput, match="trial 0 was told already and is Completed; got 'diverged'"):
        tuner.tell(trial, failed="diverged")
    assert tuner.best.objective == 0.5


def test_a_failure_is_told_with_its_reason() -> None:
    tuner = made()
    trial = tuner.ask()
    tuner.tell(trial, failed="diverged")
    tuner.tell(trial, failed="diverged")
    (record,) = tuner.trials
    assert (record.status, record.reason, record.record.reason_code) == (Status.FAILED, "diverged", "crash")
    with pytest.raises(InvalidInput, match="trial 0 was told already and is Failed"):
        tuner.tell(trial, failed="something else")
    with pytest.raises(NotFound, match="best must be of a completed trial"):
        _ = tuner.best


@pytest.mark.parametrize(("value", "code"), [(math.nan, "not_a_number"), (math.inf, "infinite")])
def test_a_value_that_is_none_is_a_failure_of_a_named_kind(value: Any, code: str) -> None:
    tuner = made()
    trial = tuner.ask()
    tuner.tell(trial, value)
    tuner.tell(trial, value)  # NaN is the same as NaN here
    assert [(t.status, t.record.reason_code) for t in tuner.trials] == [(Status.FAILED, code)]
    for _ in range(5):  # the first failures don't end what people drive themselves
        tuner.tell(tuner.ask(), value)
    assert len(tuner.trials) == 6


def test_a_misspelt_metric_leaves_the_trial_pending() -> None:
    tuner = made()
    trial = tuner.ask()
    with pytest.raises(InvalidInput, match=r"value must hold the metric 'loss'; got \{'los': 1\.0\}"):
        tuner.tell(trial, {"los": 1.0})
    tuner.tell(trial, {"loss": 1.0})
    assert tuner.best.objective == 1.0


def test_the_step_of_an_asked_trial_follows_its_reports() -> None:
    tuner = made()
    trial = tuner.ask()
    for expected in (1, 2, 3):
        assert tuner.report(trial, step=trial.step + 1, value=1.0).action == "continue"
        assert trial.step == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, x: t.tell(x), "value must be given, or failed= with the reason, and not both"),
        (lambda t, x: t.tell(x, 1.0, failed="y"), "value must be given, or failed= with the reason, and not both"),
        (lambda t, x: t.tell(x, "0.5"), "value of 'loss' must be a number; got '0.5'"),
        (lambda t, x: t.tell(x, {"loss": None}), "value of 'loss' must be a number; got None"),
        (lambda t, x: t.tell(x, {3: 1.0}), "value must be a number, or numbers by the names of metrics; got {3: 1.0}"),
        (lambda t, x: t.tell(x, failed=""), "failed must be the reason, as text; got ''"),
        (lambda t, x: t.tell(7, 1.0), "trial must be one that was asked; got 7"),
        (lambda t, x: t.report(x, step=0, value=1.0), "step must be an integer of at least 1; got 0"),
        (lambda t, x: t.report(x, step=1), "value must be given, or metrics=, and not both"),
        (lambda t, x: t.report(x, step=1, value=1.0, metrics={}), "value must be given, or metrics=, and not both"),
        (lambda t, x: t.report(x, step=1, value="a"), "value of 'loss' must be a number; got 'a'"),
        (lambda t, x: t.report(9, step=1, value=1.0), "trial must be pending.*; got 9"),
        (lambda t, x: t.release(9), "trial must be pending.*; got 9"),
        (lambda t, x: t.add({"x": 3.0}, 1.0), "x must be .*; got 3.0"),
        (lambda t, x: t.add({"x": 0.5}, "a"), "value of 'loss' must be a number; got 'a'"),
        (lambda t, x: t.enqueue({"y": 3.0}), "'y' is no parameter of the space"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(call: Callable[[tw.Tuner, AskedTrial], object], message: str) -> None:
    tuner = made()
    trial = tuner.ask()
    before = tuner.job.record
    with pytest.raises(InvalidInput, match=f"^{message}"):
        call(tuner, trial)
    assert tuner.job.record == before
    tuner.tell(trial, 0.5)
    assert tuner.best.objective == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lease": "soon"}, "lease must be a duration above 0"),
        ({"max_trials": 0}, "max_trials must be an integer of at least 1; got 0"),
        ({"strategy": "gird"}, "strategy must be a known name"),
        ({"name": "a b"}, "name must be 1 to 128"),
        ({"space": {}}, "space"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str, address: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}"):
        made(store=address, **options)
    assert not Path(address).exists() or tw.jobs(store=address) == []


def test_nothing_is_asked_of_a_strategy_that_measures_or_misbehaves() -> None:
    class Wrong:
        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def suggest(self, history: History, n: int) -> Any:
            return self.answer

    for answer in ([], [New({"x": 0.1}, "a")] * 2, [Continue(0, "go")], [Measure(0, 1, 0, "again")], "x"):
        with pytest.raises(InvalidInput, match=r"^strategy must"):
            made(strategy=Wrong(answer)).ask()
    with pytest.raises(SearchFinished, match="no more"):
        made(strategy=Wrong(Exhausted("no more"))).ask()


# --- adding, enqueueing, releasing ---


def test_a_result_that_was_never_asked_for_counts() -> None:
    tuner = made(space={"x": [1, 2, 3]}, strategy="grid")
    tuner.add({"x": 2}, 0.25)
    assert (tuner.best.params, tuner.best.objective, tuner.best.origin) == ({"x": 2}, 0.25, "added")
    assert [trial.params["x"] for trial in tuner.ask(5)] == [1, 3]


def test_enqueued_configurations_come_first_in_their_order() -> None:
    tuner = made()
    for x in (0.25, 0.75):
        tuner.enqueue({"x": x})
    assert [trial.params["x"] for trial in tuner.ask(2)] == [0.25, 0.75]
    assert tuner.trials[0].origin == "enqueued"
    assert tuner.ask().params["x"] not in (0.25, 0.75)


def test_a_released_trial_is_asked_again_with_the_same_number_and_seed() -> None:
    tuner = made()
    first = tuner.ask()
    tuner.release(first)
    again = tuner.ask()
    assert (again.number, again.params, again.seed) == (first.number, first.params, first.seed)
    assert again.token != first.token
    with pytest.raises(InvalidInput, match=r"trial must be pending.*; got 0"):
        tuner.release(first)  # it is somebody else's now
    with pytest.raises(InvalidInput, match=r"trial must be pending.*; got 0"):
        tuner.report(first, step=1, value=1.0)
    tuner.tell(again, 0.5)
    assert [e.status for e in tuner.trials[0].executions] == [ExecutionStatus.LOST, ExecutionStatus.COMPLETED]
    assert not any(e.charged for e in tuner.trials[0].executions)


def test_releasing_spends_no_budget_however_often() -> None:
    tuner = made()
    for _ in range(6):
        tuner.release(tuner.ask())
    tuner.tell(tuner.ask(), 0.5)
    assert tuner.job.record.state.counts == Counts(completed=1)


def test_a_released_trial_may_be_told_as_long_as_nobody_has_asked_it_again() -> None:
    tuner = made()
    trial = tuner.ask()
    tuner.release(trial)
    with pytest.raises(InvalidInput, match="trial must be pending"):
        tuner.report(trial, step=1, value=1.0)
    tuner.tell(trial, 0.5)
    assert tuner.best.number == 0
    assert tuner.ask().number == 1


# --- steps ---


def test_reports_lead_to_completion_at_the_last_step() -> None:
    tuner = made(max_step=3)
    trial = tuner.ask()
    assert (trial.step, trial.fidelity) == (0, 3)
    for step in (1, 2):
        assert tuner.report(trial, step=step, value=10.0 - step).action == "continue"
    last = tuner.report(trial, step=3, value=0.5)
    assert (last.action, last.reason) == ("stop", "max_step 3 was reached")
    assert (tuner.trials[0].status, tuner.best.objective, tuner.best.step) == (Status.COMPLETED, 0.5, 3)
    assert [point.value for point in tuner.trials[0].reports] == [9.0, 8.0, 0.5]
    with pytest.raises(InvalidInput, match="trial must be pending; it was told, released, stopped or never asked; got 0"):
        tuner.report(trial, step=4, value=1.0)


def test_steps_ascend() -> None:
    tuner = made(max_step=9)
    trial = tuner.ask()
    tuner.report(trial, step=2, value=1.0)
    for step in (2, 1):
        with pytest.raises(InvalidInput, match=f"step must be after step 2, the last one; got {step}"):
            tuner.report(trial, step=step, value=1.0)


def test_metrics_are_reported_by_name_and_the_trial_is_told_in_the_end() -> None:
    tuner = made()
    trial = tuner.ask()
    assert tuner.report(trial, step=1, metrics={"acc": 0.5}).action == "continue"
    tuner.tell(trial, 0.25)
    assert tuner.best.metrics == {"acc": 0.5, "loss": 0.25}


def test_a_stopper_ends_a_trial_and_says_why() -> None:
    judge = Judge(lambda number, step: run_on(2) if step < 2 else Decision(Action.STOP, "poor"))
    tuner = made(max_step=9, stopper=judge)
    trial = tuner.ask()
    assert tuner.report(trial, step=1, value=5.0).action == "continue"
    verdict = tuner.report(trial, step=2, value=4.0)
    assert (verdict.action, verdict.reason) == ("stop", "poor")
    (record,) = tuner.trials
    assert (record.status, record.reason, record.objective) == (Status.STOPPED, "poor", 4.0)
    with pytest.raises(InvalidInput, match="trial 0 was told already and is Stopped"):
        tuner.tell(trial, 1.0)


def test_at_the_last_step_a_trial_is_completed_whatever_a_stopper_would_say() -> None:
    judge = Judge(lambda number, step: run_on(3) if step < 3 else Decision(Action.STOP, "poor"))
    tuner = made(max_step=3, stopper=judge)
    trial = tuner.ask()
    assert tuner.report(trial, step=3, value=1.0).reason == "max_step 3 was reached"
    assert tuner.trials[0].status is Status.COMPLETED


class Rungs:
    """Pauses at step 2; goes on with the best one once two are paused."""

    def suggest(self, history: History, n: int) -> Any:
        paused = history.numbers[history.mask(Status.PAUSED)].tolist()
        if len(paused) == 2:
            return [Continue(min(paused, key=lambda number: history.curve(number)[1][-1]), "promoted", None)]
        if len(history) < 2:
            return [New({"x": float(len(history))}, "new", 2)]
        return Wait("the rung")

    def decide(self, history: History, number: int) -> Decision:
        steps, _ = history.curve(number)
        return Decision(Action.PAUSE, "a rung") if len(steps) == 2 else Decision(Action.RUN, "")


def test_a_paused_trial_is_asked_again_with_its_last_step() -> None:
    tuner = made(strategy=Rungs(), max_step=4, max_trials=2)
    for value in (3.0, 1.0):
        trial = tuner.ask()
        assert tuner.report(trial, step=trial.step + 1, value=value).action == "continue"
        verdict = tuner.report(trial, step=2, value=value)
        assert (verdict.action, verdict.reason) == ("pause", "a rung")
        with pytest.raises(InvalidInput, match="must be pending"):
            tuner.report(trial, step=3, value=value)
    again = tuner.ask()  # although both trials of the limit were made
    assert (again.number, again.step) == (1, 2)
    assert tuner.report(again, step=again.step + 1, value=0.5).action == "continue"
    assert tuner.report(again, step=4, value=0.25).action == "stop"
    assert (tuner.best.number, tuner.best.objective) == (1, 0.25)
    assert [point.step for point in tuner.best.reports] == [1, 2, 3, 4]


# --- in a store ---


def test_a_search_goes_on_in_another_process(address: str) -> None:
    whole = [(trial.params, trial.seed) for trial in made(seed=3).ask(6)]
    with made(store=address, name="mine", seed=3) as tuner:
        first, second, third = tuner.ask(3)
        tuner.tell(first, 1.0)
        tuner.tell(second, failed="diverged")
        tuner.enqueue({"x": 0.125})
    with made(store=address, name="mine", seed=99) as tuner:  # the stored seed counts
        assert tuner.job.seed == 3
        tuner.tell(third.number, 0.5)  # still pending
        assert tuner.ask().params["x"] == 0.125
        asked = tuner.ask(2)
        assert [(trial.params, trial.seed) for trial in asked] == whole[4:6]
        assert [trial.status for trial in tuner.trials[:3]] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
        assert tuner.best.number == 2


def test_larger_limits_are_stored(address: str) -> None:
    with made(store=address, name="mine", max_trials=1) as tuner:
        tuner.tell(tuner.ask(), 1.0)
        with pytest.raises(SearchFinished):
            tuner.ask()
    with made(store=address, name="mine", max_trials=2) as tuner:
        assert tuner.ask().number == 1
        assert tuner.job.record.spec["max_trials"] == 2


def test_a_search_without_a_name_gets_one(address: str) -> None:
    with made(store=address) as one, made(store=address) as other:
        assert one.job.name.startswith("tuner-")
        assert one.job.name != other.job.name
    assert {job.name for job in tw.jobs(store=address)} == {one.job.name, other.job.name}


def test_two_at_once_are_refused_and_other_spaces_too(address: str) -> None:
    with made(store=address, name="mine"):
        with pytest.raises(JobTaken, match="job 'mine' is controlled by process"):
            made(store=address, name="mine")
        with pytest.raises(JobChanged, match=r"must keep the space, metric and goal of job 'mine':\n    .*x"):
            made(store=address, name="mine", space={"x": tw.Float(0.0, 2.0)})
    made(store=address, name="mine").close()


def test_a_tuner_that_is_gone_gives_its_job_up(address: str) -> None:
    import gc

    tuner = made(store=address, name="mine")
    tuner.ask()
    del tuner
    gc.collect()
    made(store=address, name="mine").close()


def test_a_trial_that_is_not_told_within_its_lease_is_released(address: str, clock: FakeClock) -> None:
    with made(store=address, lease="10m") as tuner:
        trial = tuner.ask()
        clock.advance(599.0)
        assert tuner.ask().number == 1
        clock.advance(2.0)
        again = tuner.ask()
        assert (again.number, again.params) == (0, trial.params)
        assert tuner.trials[0].executions[0].reason == "released: it was not told within its lease"
        tuner.tell(trial, 0.5)  # late, but the first to come
        with pytest.raises(InvalidInput, match="trial 0 was told already and is Completed"):
            tuner.tell(again, 0.75)


def test_a_lease_runs_on_while_nobody_has_the_job(address: str, clock: FakeClock) -> None:
    with made(store=address, name="mine") as tuner:
        tuner.ask()
        clock.advance(590.0)
        tuner.ask()
    clock.advance(20.0)
    with made(store=address, name="mine") as tuner:
        assert tuner.ask().number == 0  # overdue
        assert tuner.ask().number == 2  # trial 1 is still pending
        tuner.tell(1, 0.5)


def test_in_memory_nothing_is_ever_overdue(clock: FakeClock) -> None:
    tuner = made()
    tuner.ask()
    clock.advance(1e6)
    assert tuner.ask().number == 1


def test_what_others_enqueue_is_asked_and_other_orders_are_answered(address: str) -> None:
    from tunewright.queries import Commands

    with made(store=address, name="mine") as tuner:
        handle = tw.job("mine", store=address)
        handle.enqueue({"x": 0.375}, reason="by hand")
        handle.pause()
        assert tuner.ask().params["x"] == 0.375
        assert tuner.trials[0].origin == "by hand"
        answers = [c.answer for c in tuner.job._store.read(Commands("mine", unhandled_only=False))]
        assert answers == ["trial 0", "refused: pause is up to whoever asks and tells"]


def test_a_tuner_that_lost_its_job_says_so_and_writes_nothing(address: str) -> None:
    with made(store=address, name="mine") as tuner:
        trial = tuner.ask()
        record = tuner.job.record
        store = tw.open_store(address)
        assert store.claim("mine", "another", 60.0, evict=record.owner) is not None
        before = tuner.job.record
        with pytest.raises(tw.LeaseLost):
            tuner.tell(trial, 0.5)
        assert tuner.job.record.state == before.state
        assert tuner.trials[0].status is Status.IN_PROGRESS
        store.close()
    assert tw.job("mine", store=address).record.owner == "another"
