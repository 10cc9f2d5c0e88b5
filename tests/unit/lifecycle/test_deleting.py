from __future__ import annotations

from pathlib import Path

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import tuned
from tunewright.errors import InvalidInput, JobTaken, NotFound
from tunewright.interfaces import Store
from tunewright.lifecycle import ownership
from tunewright.lifecycle.deleting import delete_job, size_of
from tunewright.lifecycle.pruning import plan_pruning, prune
from tunewright.queries import Jobs
from tunewright.records import TuningJob

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return tw.open_store(str(tmp_path / "s.db"))


def names(store: Store) -> list[str]:
    return [job.name for job in store.read(Jobs())]


def test_a_job_is_gone_with_its_files(store: Store, tmp_path: Path) -> None:
    tuned("first", tmp_path / "s.db")
    other = tuned("second", tmp_path / "s.db")
    folder = tw.job("first", store=store).folder
    assert size_of(folder) > 0
    assert delete_job(store, "first") == folder
    assert not folder.exists()
    assert names(store) == ["second"]
    assert len(other.trials) == 8
    with pytest.raises(NotFound):
        delete_job(store, "first")


def test_the_name_is_free_again(store: Store, tmp_path: Path) -> None:
    tuned("first", tmp_path / "s.db")
    delete_job(store, "first")
    assert len(tuned("first", tmp_path / "s.db", max_trials=2).trials) == 2


def test_a_job_that_somebody_controls_stays(store: Store, tmp_path: Path) -> None:
    tuned("first", tmp_path / "s.db")
    folder = tw.job("first", store=store).folder
    fence = store.claim("first", ownership.this_owner(), 60.0)
    assert fence is not None
    with pytest.raises(JobTaken, match=r"controlled by process \d+ on .*stop it first: tunewright stop first"):
        delete_job(store, "first")
    assert folder.exists()
    store.release(fence)
    assert store.claim("first", "elsewhere|1|0|x", 60.0) is not None
    with pytest.raises(JobTaken):  # it may live on its host
        delete_job(store, "first")


def test_a_job_of_a_dead_process_goes(store: Store, tmp_path: Path) -> None:
    tuned("first", tmp_path / "s.db")
    host, _, rest = ownership.this_owner().partition("|")
    pid = rest.partition("|")[0]
    assert store.claim("first", f"{host}|{pid}|1.00|dead", 60.0) is not None
    delete_job(store, "first")
    assert names(store) == []


# --- pruning ---


def test_old_jobs_go_and_new_ones_stay(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        tuned(name, tmp_path / "s.db", max_trials=1)
    store.create(TuningJob("running", {"objectives": []}))
    ends = [job.state.ended or 0.0 for job in store.read(Jobs())]
    later = max(ends) + 10 * DAY

    def planned(**options: float | int | None) -> list[str]:
        plan = plan_pruning(store, now=lambda: later, **options)  # type: ignore[arg-type]
        return [name for name, _ in plan.jobs]

    assert planned(older_than=9 * DAY) == ["c", "b", "a"]
    assert planned(older_than=11 * DAY) == []
    assert planned(older_than=9 * DAY, keep=2) == ["b", "a"]  # the newest two are the running one and c
    assert planned(keep=3) == ["a"]
    assert planned(keep=0) == ["c", "b", "a"]
    plan = plan_pruning(store, keep=2)
    assert plan.size == sum(size_of(tw.job(name, store=store).folder) for name in ("a", "b"))
    prune(store, plan)
    assert names(store) == ["running", "c"]


def test_nothing_is_pruned_unasked(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"prune must be told what: --older-than 30d, --keep 10, or --checkpoints"):
        plan_pruning(store)


def test_only_checkpoints_that_nobody_needs_go(store: Store, tmp_path: Path) -> None:
    job = tuned("first", tmp_path / "s.db")
    for number in range(8):
        kept = job.folder / "trials" / f"{number:05d}" / "checkpoints" / "step-1"
        kept.mkdir(parents=True)
        (kept / "weights").write_text("w" * 100)
    plan = plan_pruning(store, checkpoints=True)
    assert plan.jobs == ()
    assert plan.size == 700
    prune(store, plan)
    left = [path.parent.name for path in job.folder.glob("trials/*/checkpoints")]
    assert left == [f"{job.best.number:05d}"]
    assert len(job.trials) == 8
    assert plan_pruning(store, checkpoints=True).checkpoints == ()


def test_a_running_jobs_checkpoints_stay(store: Store, tmp_path: Path) -> None:
    job = tuned("first", tmp_path / "s.db")
    (job.folder / "trials" / "00000" / "checkpoints").mkdir(parents=True)
    fence = store.claim("first", ownership.this_owner(), 60.0)
    assert fence is not None
    assert plan_pruning(store, checkpoints=True).checkpoints == ()
