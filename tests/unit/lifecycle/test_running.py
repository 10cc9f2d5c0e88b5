"""One controller's run: what is said when its store fails, and that its job is given up in any case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.engine.failing_store import FailingStore
from tunewright.errors import StoreBusy, StoreError, StoreFull
from tunewright.interfaces import Executor, Fence
from tunewright.lifecycle import starting
from tunewright.lifecycle.request import make_request
from tunewright.lifecycle.starting import prepare
from tunewright.records import Counts

SPACE = {"x": tw.Float(0.0, 1.0)}
QUICK: dict[str, Any] = {"metric": "loss", "executor": "inline", "progress": "none", "strategy": "random", "name": "mine"}


def train(trial: tw.Trial) -> float:
    return float(trial.params["x"])


class Full(FailingStore):
    """A store on a full disk: it can't even give a job up."""

    def release(self, fence: Fence) -> None:
        raise StoreFull("no space left on the device")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tw.Store]:
    opened = tw.open_store(tmp_path / "store.db")
    yield opened
    opened.close()


def test_a_full_disk_ends_the_job_and_says_what_to_do(store: tw.Store) -> None:
    full = Full(store, 4, error=lambda: StoreFull("no space left on the device"))
    with pytest.raises(StoreFull) as caught:
        tw.tune(train, SPACE, store=full, max_trials=9, **QUICK)
    assert str(caught.value) == (
        "no space left on the device. What was committed is safe; free some space, then: tunewright resume mine"
    )
    job = tw.job("mine", store=store)
    assert job.record.state.counts.completed == len([t for t in job.trials if t.objective is not None]) > 0
    owner = job.record.owner
    assert owner is not None  # as it couldn't be given up; it is this process, which lives
    fence = store.claim("mine", "me", 30.0, evict=owner)
    assert fence is not None
    store.release(fence)
    assert tw.tune(train, SPACE, store=store, max_trials=9, resume=True, **QUICK).record.state.counts == Counts(completed=9)


def test_a_busy_store_comes_out_as_it_is_and_the_job_is_given_up(store: tw.Store) -> None:
    busy = FailingStore(store, 4, error=lambda: StoreBusy("another process kept it locked"))
    with pytest.raises(StoreBusy, match="another process kept it locked"):
        tw.tune(train, SPACE, store=busy, max_trials=9, **QUICK)
    assert tw.job("mine", store=store).record.owner is None
    assert tw.resume("mine", store=store, progress="none").record.state.counts == Counts(completed=9)


def test_a_job_whose_executor_can_not_be_made_is_given_up(store: tw.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(store, make_request(train, SPACE, metric="loss", max_trials=3), name="mine", resume=False)

    def fail(*_: object) -> Executor:
        raise StoreError("no folder for workers")

    monkeypatch.setattr(starting, "executor_of", fail)
    with pytest.raises(StoreError, match="no folder for workers"):
        prepared.run("none", None)
    assert tw.job("mine", store=store).record.owner is None
    assert tw.job("mine", store=store).trials == []


def test_files_are_brought_up_to_date_only_by_the_one_who_has_the_job(store: tw.Store) -> None:
    job = tw.tune(train, SPACE, store=store, max_trials=1, **QUICK)
    request = make_request(train, SPACE, metric="loss", max_trials=5, executor="inline", strategy="random")
    prepared = prepare(store, request, name="mine", resume=True)
    saved = (job.folder / "request.pkl").stat().st_mtime_ns
    assert job.record.spec["max_trials"] == 1
    prepared.run("none", None)
    assert (job.folder / "request.pkl").stat().st_mtime_ns > saved
    assert job.record.spec["max_trials"] == 5
