"""Backups of stores: what was in a store is in the one that is made of its backup, whichever database each of them is."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import SPACE, tuned
from tunewright.errors import InvalidInput, StoreDamaged
from tunewright.interfaces import Store
from tunewright.lifecycle.backup import back_up, restore
from tunewright.lifecycle.ownership import this_owner
from tunewright.queries import AllSeries, Checkpoints, Commands, Decisions, Events, Executions, Jobs, Points, Trials

QUERIES: tuple[Callable[[str], Any], ...] = (Trials, Executions, Points, AllSeries, Checkpoints, Decisions, Commands)


def contents(store: Store) -> dict[str, Any]:
    """All that a store says of its jobs, but for their folders and owners."""
    found: dict[str, Any] = {}
    for job in store.read(Jobs()):
        rows = [[*store.read(query(job.name))] for query in QUERIES]
        found[job.name] = (job.spec, job.state, job.created, rows, [event.number for event in store.read(Events(job.name))])
    return found


def checkpointing(trial: Any) -> float:
    with trial.checkpoint(step=1) as folder:
        (folder / "weights").write_text(str(trial.number))
    return float(trial.params["lr"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "s.db"
    tuned("first", path)
    tuned("second", path, checkpointing, max_trials=2)
    return path


def test_a_store_comes_back_whole_at_another_place(source: Path, tmp_path: Path) -> None:
    before = tw.open_store(str(source))
    saved = back_up(str(source), tmp_path / "b.tar.gz")
    assert (saved.jobs, saved.path) == (2, tmp_path / "b.tar.gz")
    assert saved.files > 0
    restored = restore(tmp_path / "b.tar.gz", str(tmp_path / "new" / "n.db"))
    assert (restored.jobs, restored.files) == (2, saved.files)
    after = tw.open_store(str(tmp_path / "new" / "n.db"))

    old, new = contents(before), contents(after)
    old_folder, new_folder = str(tmp_path / "source" / "jobs"), str(tmp_path / "new" / "jobs")
    checkpoints = [row.path for row in old["second"][3][4]]
    assert [row.path for row in new["second"][3][4]] == [path.replace(old_folder, new_folder) for path in checkpoints]
    assert all(Path(row.path, "weights").is_file() for row in new["second"][3][4])
    for held in (old, new):
        del held["second"][3][4]
    assert new == old
    job = tw.job("second", store=after)
    assert str(job.folder) == str(Path(new_folder, "second"))
    assert job.trial(1).params == tw.job("second", store=before).trial(1).params


def test_a_restored_job_goes_on(source: Path, tmp_path: Path) -> None:
    back_up(str(source), tmp_path / "b.tar")
    restore(tmp_path / "b.tar", str(tmp_path / "n.db"))
    job = tw.resume("first", max_trials=10, store=str(tmp_path / "n.db"), progress="none")
    assert len(job.trials) == 10
    assert len(tw.job("first", store=str(source)).trials) == 8


def test_a_job_that_ran_is_nobodys_after_it_was_restored(source: Path, tmp_path: Path) -> None:
    store = tw.open_store(str(source))
    assert store.claim("first", this_owner(), 60.0) is not None
    back_up(str(source), tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", str(tmp_path / "n.db"))
    restored = tw.open_store(str(tmp_path / "n.db"))
    assert [job.owner for job in restored.read(Jobs())] == [None, None]
    assert restored.claim("first", this_owner(), 60.0) is not None


def test_the_database_alone(source: Path, tmp_path: Path) -> None:
    saved = back_up(str(source), tmp_path / "b.db")
    assert (saved.jobs, saved.files) == (2, 0)
    restore(tmp_path / "b.db", str(tmp_path / "n.db"))
    assert contents(tw.open_store(str(tmp_path / "n.db"))) == contents(tw.open_store(str(source)))
    assert (tmp_path / "b.db").is_file()


def test_a_store_with_jobs_is_left_alone(source: Path, tmp_path: Path) -> None:
    back_up(str(source), tmp_path / "b.tar.gz")
    before = contents(tw.open_store(str(source)))
    with pytest.raises(InvalidInput, match="store must be new or hold no job; name another one"):
        restore(tmp_path / "b.tar.gz", str(source))
    assert contents(tw.open_store(str(source))) == before
    tw.open_store(str(tmp_path / "empty.db")).close()
    restore(tmp_path / "b.tar.gz", str(tmp_path / "empty.db"))
    assert len([*tw.open_store(str(tmp_path / "empty.db")).read(Jobs())]) == 2


def test_folders_that_are_there_are_left_alone(source: Path, tmp_path: Path) -> None:
    mine = tmp_path / "jobs" / "first"
    mine.mkdir(parents=True)
    (mine / "mine").write_text("mine")
    back_up(str(source), tmp_path / "b.tar.gz")
    restore(tmp_path / "b.tar.gz", str(tmp_path / "n.db"))
    assert [path.name for path in mine.iterdir()] == ["mine"]
    assert tw.job("first", store=str(tmp_path / "n.db")).folder == tmp_path / "jobs" / "first.2"


@pytest.mark.parametrize("name", ["b.tar.gz", "b.db"])
def test_what_is_no_backup_is_refused_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no backup at all")
    with pytest.raises(StoreDamaged, match=name):
        restore(tmp_path / name, str(tmp_path / "new" / "n.db"))
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidInput, match="backup must be a file that exists"):
        restore(tmp_path / "nothing.db", str(tmp_path / "n.db"))


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w"):
        pass
    with pytest.raises(StoreDamaged, match=r"b.tar is no backup of a store: it holds no store.db"):
        restore(tmp_path / "b.tar", str(tmp_path / "n.db"))


def test_an_archive_cannot_write_outside(source: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("evil")
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        archive.add(tmp_path / "evil", "../escaped")
    with pytest.raises(StoreDamaged, match=r"b.tar is damaged"):
        restore(tmp_path / "b.tar", str(tmp_path / "n.db"))
    assert not (tmp_path.parent / "escaped").exists()


def test_a_backup_replaces_nothing(source: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("mine")
    with pytest.raises(InvalidInput, match="output must be a new file"):
        back_up(str(source), tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "mine"
    with pytest.raises(InvalidInput, match="output must be a file that can be written"):
        back_up(str(source), tmp_path / "nowhere" / "b.tar.gz")


def test_there_is_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="store must exist"):
        back_up(str(tmp_path / "n.db"), tmp_path / "b.db")
    with pytest.raises(InvalidInput, match="store must be a file or a database, not in memory"):
        back_up("memory", tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE others (x)")
    with pytest.raises(StoreDamaged):
        back_up(str(tmp_path / "other.db"), tmp_path / "b.db")


def test_from_one_database_to_the_other_and_back(
    source: Path, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    back_up(str(source), tmp_path / "b.db")
    restore(tmp_path / "b.db", postgresql)
    on_server = tw.open_store(postgresql)
    expected = contents(tw.open_store(str(source)))
    assert contents(on_server) == expected
    back_up(postgresql, tmp_path / "again.db")
    restore(tmp_path / "again.db", str(tmp_path / "n.db"))
    assert contents(tw.open_store(str(tmp_path / "n.db"))) == expected
    # Numbers that the server gives go on after those that were copied.
    new = tuned("third", postgresql, max_trials=2, space=SPACE)
    assert len(new.trials) == 2
    assert {job.name for job in on_server.read(Jobs())} == {"first", "second", "third"}
    with pytest.raises(InvalidInput, match="store must be new or hold no job"):
        restore(tmp_path / "again.db", postgresql)
    on_server.close()
