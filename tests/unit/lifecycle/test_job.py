"""The handle on a job: what it shows, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.errors import NotFound
from tunewright.lifecycle.ownership import this_owner
from tunewright.queries import Commands
from tunewright.records import JobState, Status, TuningJob
from tunewright.spec import JobSpec, Limits

SPACE = {"x": tw.Categorical([3, 1, 2]), "f": tw.Categorical({"sine": abs, "cosine": round})}


def train(trial: tw.Trial) -> dict[str, float]:
    trial.report(acc=0.5, step=1)
    (trial.artifact_dir / "deep").mkdir()
    (trial.artifact_dir / "deep" / "model.txt").write_text(str(trial.number), encoding="utf-8")
    return {"loss": float(trial.params["x"]), "acc": 1.0}


@pytest.fixture
def job(tmp_path: Path) -> tw.Job:
    options: dict[str, Any] = {"metric": "loss", "max_trials": 6, "executor": "inline", "progress": "none", "strategy": "grid"}
    return tw.tune(train, SPACE, store=str(tmp_path / "s.db"), name="mine", seed=4, **options)


def test_what_a_finished_job_shows(job: tw.Job, tmp_path: Path) -> None:
    assert (job.status, job.reason_code, job.reason, job.seed) == (Status.COMPLETED, "max_trials", "all 6 trials were made", 4)
    assert job.location == str(tmp_path / "s.db")
    assert job.folder == tmp_path / "jobs" / "mine"
    assert list(job.space.names) == ["x", "f"]
    assert repr(job) == "Job('mine', Completed, 6 of 6 trials ended, best loss=1 (trial 2))"
    assert "mine" in job._repr_html_()


def test_what_a_trial_shows(job: tw.Job) -> None:
    best = job.best
    assert (best.number, best.objective, best.objectives, best.status) == (2, 1.0, (1.0,), Status.COMPLETED)
    assert best.params == {"x": 1, "f": "sine"}
    assert best.metrics == {"acc": 1.0, "loss": 1.0}
    assert best.origin == "grid point 3 of 6"
    assert best.reason is None
    assert best.duration is not None
    assert best.duration >= 0
    assert best.artifacts["deep/model.txt"].read_text(encoding="utf-8") == "2"
    assert [(point.metric, point.step, point.value) for point in best.reports] == [("acc", 1, 0.5)]
    assert [execution.number for execution in best.executions] == [1]
    assert best.log() == ""
    assert repr(best) == "Trial(number=2, status=Completed, objective=1.0, params={'x': 1, 'f': 'sine'})"


def test_trials_by_number(job: tw.Job) -> None:
    assert [trial.number for trial in job.trials] == [0, 1, 2, 3, 4, 5]
    assert job.trial(3).number == 3
    with pytest.raises(NotFound, match="trial must be one of the 6 trials of job 'mine'; got 6"):
        job.trial(6)


def test_a_table_of_trials(job: tw.Job) -> None:
    pytest.importorskip("pandas", reason="missing pandas")
    table = job.to_pandas()
    assert table["loss"].tolist() == [3.0, 3.0, 1.0, 1.0, 2.0, 2.0]
    assert table["params.x"].tolist() == [3, 3, 1, 1, 2, 2]
    assert table["metrics.acc"].tolist() == [1.0] * 6
    assert table["status"].tolist() == ["Completed"] * 6


def test_jobs_of_a_store(job: tw.Job, tmp_path: Path) -> None:
    store = str(tmp_path / "s.db")
    tw.tune(train, SPACE, metric="loss", max_trials=1, executor="inline", progress="none", store=store, name="second")
    assert [found.name for found in tw.jobs(store=store)] == ["second", "mine"]
    assert tw.job("mine", store=store).best.objective == 1.0
    with pytest.raises(NotFound, match="did you mean 'mine'"):
        tw.job("mien", store=store)


def test_the_best_takes_required_limits_into_account(tmp_path: Path) -> None:
    job = tw.tune(
        train, SPACE, metric="loss", max_trials=6, executor="inline", progress="none", store="memory", strategy="grid",
        require={"acc": "<= 0.9"},
    )  # fmt: skip
    assert job.status is Status.COMPLETED
    with pytest.raises(NotFound, match=r"^best must be of a completed trial"):
        _ = job.best


# --- jobs that nobody runs ---


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tw.Store]:
    opened = tw.open_store(str(tmp_path / "t.db"))
    yield opened
    opened.close()


def pending(store: tw.Store, state: JobState | None = None, owner: str | None = None) -> tw.Job:
    spec = JobSpec(tw.SearchSpace({"x": tw.Float(0.0, 1.0)}), (tw.Objective("loss"),), Limits(3), 1)
    store.create(TuningJob("mine", spec.to_json()))
    fence = store.claim("mine", owner or "a|1|1|1", 60.0)
    assert fence is not None
    if state is not None:
        store.commit([state], fence)
    if owner is None:
        store.release(fence)
    return tw.job("mine", store=store)


def dead_owner() -> str:
    host, pid, start, rest = this_owner().split("|")
    return f"{host}|{pid}|{float(start) - 100:.2f}|{rest}"


def test_waiting_for_a_job_that_nobody_runs_any_more_returns(store: tw.Store) -> None:
    job = pending(store, JobState(Status.IN_PROGRESS), dead_owner())
    assert job.wait() is job
    assert job.status is Status.IN_PROGRESS


def test_waiting_for_a_job_of_another_living_process_ends_with_the_timeout(store: tw.Store) -> None:
    job = pending(store, JobState(Status.IN_PROGRESS), this_owner())
    assert job.wait(timeout=0.05).status is Status.IN_PROGRESS


def test_waiting_ends_when_the_job_does(store: tw.Store) -> None:
    import threading

    job = pending(store, JobState(Status.IN_PROGRESS), "elsewhere|1|1.00|abc")
    fence = store.claim("mine", "next|1|1.00|abc", 60.0, evict="elsewhere|1|1.00|abc")
    assert fence is not None
    ending = threading.Timer(0.1, lambda: store.commit([JobState(Status.COMPLETED, "max_trials", "done")], fence))
    ending.start()
    assert job.wait(timeout=20).status is Status.COMPLETED
    ending.join()


def test_a_stop_of_a_job_that_nobody_runs_is_left_for_the_next_one_and_says_so(store: tw.Store) -> None:
    job = pending(store, JobState(Status.IN_PROGRESS))
    assert job.stop() == "no process runs job mine; it stays as it is until it is resumed"
    assert [command.kind for command in store.read(Commands("mine"))] == ["stop"]


def test_a_dead_owners_job_can_be_claimed_at_once(store: tw.Store) -> None:
    from tunewright.lifecycle.running import claim

    pending(store, JobState(Status.IN_PROGRESS), dead_owner())
    assert claim(store, "mine", 30.0).job == "mine"
