"""Named jobs: made, refused, run, resumed, in one process."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.errors import InvalidInput, JobChanged, JobExists, JobTaken, NotFound, StoreError, TrialsFailed
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.lifecycle.running import TrialError
from tunewright.queries import Jobs
from tunewright.records import Command, Counts, Status

SPACE = {"x": tw.Float(0.0, 1.0)}
QUICK: dict[str, Any] = {"metric": "loss", "executor": "inline", "progress": "none", "strategy": "random"}


def train(trial: tw.Trial) -> float:
    return float(trial.params["x"])


def other(trial: tw.Trial) -> float:
    return float(trial.params["x"]) ** 2


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tw.Store]:
    opened = tw.open_store(tmp_path / "store.db")
    yield opened
    opened.close()


# --- names ---


def test_a_job_without_a_name_gets_one_of_its_function_the_date_and_a_number(store: tw.Store) -> None:
    names = [tw.tune(train, SPACE, store=store, max_trials=1, **QUICK).name for _ in range(2)]
    assert re.fullmatch(r"train-20\d{6}-1", names[0])
    assert names[1] == names[0][:-1] + "2"
    assert tw.tune(lambda trial: 1.0, SPACE, store=store, max_trials=1, **QUICK).name.startswith("lambda-")


def test_a_taken_name_shows_the_two_ways_on(store: tw.Store) -> None:
    tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    before = [*store.read(Jobs())]
    with pytest.raises(JobExists) as caught:
        tw.tune(other, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    text = str(caught.value)
    assert text.startswith("name is taken; choose another name, or go on with that job by resume=True")
    assert "tunewright resume mine" in text
    assert text.endswith("got 'mine'")
    assert [*store.read(Jobs())] == before


def test_resume_makes_a_job_that_is_not_there(store: tw.Store) -> None:
    job = tw.tune(train, SPACE, store=store, max_trials=2, name="new", resume=True, **QUICK)
    assert (job.name, job.record.state.counts) == ("new", Counts(completed=2))


def test_a_name_that_another_process_took_meanwhile(store: tw.Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check and the making of a job are two steps; whoever comes second must leave the first one's files alone."""
    create = type(store).create
    raced: list[str] = []

    def race(self: Any, job: Any) -> None:
        if not raced:
            raced.append(job.name)
            tw.tune(train, SPACE, store=store, max_trials=1, name=job.name, seed=111, **QUICK)
        create(self, job)

    monkeypatch.setattr(type(store), "create", race)
    with pytest.raises(JobExists, match="resume=True"):
        tw.tune(other, SPACE, store=store, max_trials=1, name="mine", seed=222, **QUICK)
    assert tw.job("mine", store=store).seed == 111
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [tw.job("mine", store=store).folder.name]
    raced.clear()
    job = tw.tune(other, SPACE, store=store, max_trials=1, seed=222, **QUICK)
    assert raced[0] != job.name  # it took the next free name
    assert job.seed == 222
    assert len({found.folder for found in store.read(Jobs())}) == 3


def test_a_folder_that_an_earlier_store_left_is_not_mixed_with_a_new_job(store: tw.Store, tmp_path: Path) -> None:
    left = tmp_path / "jobs" / "mine" / "trials" / "00000" / "artifacts"
    left.mkdir(parents=True)
    (left / "old.txt").write_text("old", encoding="utf-8")
    job = tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    assert job.folder == tmp_path / "jobs" / "mine.2"
    assert job.best.artifacts == {}


def test_a_folder_that_can_not_be_made_is_told(store: tw.Store, tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match=r"the folder .*jobs/mine for the job's files can't be made: Not a directory"):
        tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    assert [*store.read(Jobs())] == []


def test_the_files_of_a_job_in_memory_go_with_its_store() -> None:
    def keeps(trial: tw.Trial) -> float:
        (trial.artifact_dir / "model.txt").write_text("m", encoding="utf-8")
        return 1.0

    job = tw.tune(keeps, SPACE, store="memory", max_trials=1, **QUICK)
    path = job.best.artifacts["model.txt"]
    assert path.read_text(encoding="utf-8") == "m"
    del job
    import gc

    gc.collect()
    assert not path.exists()


# --- resuming ---


def test_larger_limits_go_on_with_the_stored_seed(store: tw.Store) -> None:
    whole = tw.tune(train, SPACE, store=store, max_trials=8, name="whole", seed=5, **QUICK)
    tw.tune(train, SPACE, store=store, max_trials=3, name="parts", seed=5, **QUICK)
    parts = tw.tune(train, SPACE, store=store, max_trials=8, name="parts", resume=True, **QUICK)
    assert [trial.params for trial in parts.trials] == [trial.params for trial in whole.trials]
    assert [trial.seed for trial in parts.trials] == [trial.seed for trial in whole.trials]
    assert parts.seed == 5
    assert parts.record.spec["max_trials"] == 8


def test_a_resumed_job_says_the_seed_and_strategy_that_it_has(store: tw.Store, capsys: pytest.CaptureFixture[str]) -> None:
    tw.tune(train, SPACE, store=store, max_trials=1, name="mine", seed=5, **QUICK)
    tw.tune(train, SPACE, store=store, max_trials=2, name="mine", resume=True, **{**QUICK, "progress": "plain"})
    assert "strategy random search with seed 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"space": {"x": tw.Float(0.0, 2.0)}}, ["x", "1.0", "2.0"]),
        ({"space": {"x": tw.Float(0.0, 1.0), "y": tw.Int(1, 2)}}, ["y"]),
        ({"metric": "mse"}, ["metric was 'loss', is now 'mse'"]),
        ({"goal": "maximize"}, ["goal was 'minimize', is now 'maximize'"]),
    ],
)
def test_another_space_metric_or_goal_is_refused_with_the_difference(
    changes: dict[str, Any], shown: list[str], store: tw.Store
) -> None:
    job = tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    before = job.record, [path.stat().st_mtime_ns for path in sorted(job.folder.glob("*.pkl"))]
    options = {**QUICK, "space": SPACE, "max_trials": 5, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the goal against the name
        with pytest.raises(JobChanged) as caught:
            tw.tune(train, store=store, name="mine", resume=True, **options)
    assert "must keep the space, metric and goal of job 'mine':\n    " in str(caught.value)
    for word in shown:
        assert word in str(caught.value)
    assert before == (job.record, [path.stat().st_mtime_ns for path in sorted(job.folder.glob("*.pkl"))])


def test_a_changed_function_warns_and_is_the_one_that_runs(store: tw.Store) -> None:
    tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    with pytest.warns(UserWarning, match="the function of job 'mine' has changed since its earlier trials"):
        job = tw.tune(other, SPACE, store=store, max_trials=2, name="mine", resume=True, **QUICK)
    last = job.trials[1]
    assert last.objective == last.params["x"] ** 2  # type: ignore[operator]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tw.tune(other, SPACE, store=store, max_trials=3, name="mine", resume=True, **QUICK)


def test_a_job_goes_on_by_its_name_alone_as_it_was_saved(store: tw.Store) -> None:
    tw.tune(train, SPACE, store=store, max_trials=2, name="mine", seed=5, **QUICK)
    job = tw.resume("mine", max_trials=4, store=store, progress="none")
    whole = tw.tune(train, SPACE, store=store, max_trials=4, seed=5, **QUICK)
    assert [trial.params for trial in job.trials] == [trial.params for trial in whole.trials]
    again = tw.resume("mine", store=store, progress="none")  # the limit is kept, so that there is nothing to do
    assert again.record.state.counts == Counts(completed=4)
    assert again.reason_code == "max_trials"


def test_resuming_what_is_not_there_names_the_nearest(store: tw.Store) -> None:
    with pytest.raises(NotFound, match="job must be in the store \\(the store holds no job\\); got 'mine'"):
        tw.resume("mine", store=store)
    tw.tune(train, SPACE, store=store, max_trials=1, name="mines", **QUICK)
    with pytest.raises(NotFound, match="did you mean 'mines'\\?\\); got 'mine'"):
        tw.resume("mine", store=store)


def test_a_job_of_an_executor_object_can_only_be_resumed_from_python(store: tw.Store) -> None:
    def simulated() -> SimulatedExecutor:
        return SimulatedExecutor(lambda params, seed: Curve((), (), (5.0,), returned=float(params["x"] or 0.0)), slots=2)

    options: dict[str, Any] = {**QUICK, "store": store, "name": "mine"}
    tw.tune(train, SPACE, max_trials=2, **{**options, "executor": simulated()})
    with pytest.raises(InvalidInput, match=r"request of job 'mine' must have been saved with its job.*resume=True"):
        tw.resume("mine", store=store)
    job = tw.tune(train, SPACE, max_trials=4, **{**options, "executor": simulated()}, resume=True)
    assert job.record.state.counts == Counts(completed=4)


def test_a_stop_left_at_an_ended_job_is_overruled_by_its_resume(store: tw.Store) -> None:
    tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    store.request("mine", Command("stop"))
    assert tw.resume("mine", max_trials=3, store=store, progress="none").record.state.counts == Counts(completed=3)


def test_a_job_that_another_process_controls_is_neither_run_nor_changed(store: tw.Store) -> None:
    job = tw.tune(train, SPACE, store=store, max_trials=1, name="mine", **QUICK)
    fence = store.claim("mine", "elsewhere/1/2|4711|123.45|abc", 60.0)
    assert fence is not None
    before = job.record, [path.stat().st_mtime_ns for path in sorted(job.folder.glob("*.pkl"))]
    ways: list[Callable[[], tw.Job]] = [
        lambda: tw.resume("mine", max_trials=5, store=store, progress="none"),
        lambda: tw.tune(train, SPACE, store=store, max_trials=5, name="mine", resume=True, **QUICK),
    ]
    for again in ways:
        with pytest.raises(JobTaken) as caught:
            again()
        text = str(caught.value)
        assert text.startswith("job 'mine' is controlled by process 4711 on elsewhere. Wait for it, stop it")
        assert "tunewright stop mine" in text
        assert "lease of 30 s" in text
    assert before == (job.record, [path.stat().st_mtime_ns for path in sorted(job.folder.glob("*.pkl"))])


# --- the end ---


def test_failing_trials_raise_with_the_trials_own_exception_as_cause(store: tw.Store) -> None:
    def broken(trial: tw.Trial) -> float:
        raise KeyError("learning rate")

    with pytest.raises(TrialsFailed, match="the first 3 trials failed with the same error: KeyError") as caught:
        tw.tune(broken, SPACE, store=store, max_trials=9, name="mine", **QUICK)
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__cause__.__traceback__ is not None
    assert tw.job("mine", store=store).record.state.counts == Counts(failed=3)


def test_the_cause_from_a_worker_is_its_traceback() -> None:
    from tunewright.interfaces import Failure
    from tunewright.lifecycle.running import _cause
    from tunewright.records import FailureKind

    cause = _cause(Failure(FailureKind.CRASH, "ValueError: x", "f:1", "Traceback (most recent call last): ..."))
    assert isinstance(cause, TrialError)
    assert "Traceback (most recent call last)" in str(cause)
    assert str(_cause(Failure(FailureKind.TIMEOUT, "over its time"))) == "over its time"


def test_a_metric_that_was_never_reported_is_bad_input_that_names_it_and_the_others(store: tw.Store) -> None:
    def elsewhere(trial: tw.Trial) -> dict[str, float]:
        return {"accuracy": 1.0, "f1": 0.5}

    with pytest.raises(InvalidInput, match=r"^metric 'loss' must be reported or returned.*; got 'accuracy', 'f1'$"):
        tw.tune(elsewhere, SPACE, store=store, max_trials=9, name="mine", **QUICK)
    assert tw.job("mine", store=store).record.state.counts == Counts(failed=1)


def test_on_trial_hears_of_every_end_and_its_error_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[int, Status, float | None]] = []

    def on_trial(trial: Any) -> None:
        heard.append((trial.number, trial.status, trial.objective))
        assert trial.executions[0].status == "Completed"  # what it reads is committed
        if trial.number in (1, 2):
            raise ValueError(f"at {trial.number}")

    job = tw.tune(
        train, {"x": [3, 1, 2]}, metric="loss", max_trials=3, executor="inline", store="memory", on_trial=on_trial,
        progress="plain", strategy="grid",
    )  # fmt: skip
    assert heard == [(number, Status.COMPLETED, trial.objective) for number, trial in enumerate(job.trials)]
    assert capsys.readouterr().out.count("on_trial raised ValueError: at 1; the job goes on") == 1


# --- in the background ---


def test_a_job_runs_in_the_background_and_is_waited_for(store: tw.Store) -> None:
    begin = threading.Event()

    def waits(trial: tw.Trial) -> float:
        assert begin.wait(20)
        return 1.0

    job = tw.start(waits, SPACE, store=store, max_trials=2, metric="loss", executor="inline", name="mine")
    assert not job.wait(timeout=0.01).record.state.ended
    begin.set()
    assert job.wait(timeout=20) is job
    assert job.status is Status.COMPLETED


def test_waiting_raises_what_ended_the_job() -> None:
    def broken(trial: tw.Trial) -> float:
        raise ValueError("no")

    job = tw.start(broken, SPACE, store="memory", max_trials=5, metric="loss", executor="inline")
    with pytest.raises(TrialsFailed):
        job.wait(timeout=20)


def test_a_running_job_takes_orders_by_its_handle(store: tw.Store) -> None:
    seen = threading.Event()

    def slow(trial: tw.Trial) -> float:
        for step in range(1, 2000):
            trial.report(loss=float(step), step=step)
            seen.set()
            time.sleep(0.01)
        return 0.0

    job = tw.start(slow, SPACE, store=store, max_trials=50, metric="loss", executor="inline", name="mine")
    assert seen.wait(20)
    handle = tw.job("mine", store=store)
    handle.enqueue({"x": 0.125}, reason="by hand")
    with pytest.raises(InvalidInput, match="x must be"):
        handle.enqueue({"x": 7.0})
    handle.stop_trial(0)
    wait_until(lambda: len(handle.trials) > 1)
    assert handle.trial(0).status is Status.STOPPED
    assert (handle.trial(1).params["x"], handle.trial(1).origin) == (0.125, "by hand")
    with pytest.raises(InvalidInput, match="trial must be running; got 0"):
        handle.stop_trial(0)
    with pytest.raises(NotFound, match="trial must be one of the 2 trials of job 'mine'; got 99"):
        handle.stop_trial(99)
    assert handle.stop(wait=True) == "job mine has stopped"
    job.wait(timeout=20)
    assert (job.status, job.reason_code) == (Status.STOPPED, "stopped")
    assert handle.stop() == "job mine has ended already: Stopped (stopped)"
    with pytest.raises(InvalidInput, match=r"must be controlled by a process; take it up by tw\.resume"):
        handle.resume()


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it doesn't happen"
        time.sleep(0.01)
