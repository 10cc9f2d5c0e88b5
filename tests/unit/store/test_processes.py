"""Several processes on one SQLite file: nobody is turned away, and a killed one loses nothing that was committed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tunewright.queries import Events, Executions, Jobs, Points, Trials
from tunewright.records import TuningJob
from tunewright.store.sql.store import open_sqlite

pytestmark = pytest.mark.slow
COMMITS = 150

WRITER = """
import sys
from pathlib import Path
from tunewright.records import Counts, Execution, JobState, Report, Reports, Status, Trial, TuningJob
from tunewright.store.sql.store import open_sqlite

path, name, commits = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = open_sqlite(path)
if len(sys.argv) == 4:
    store.create(TuningJob(name, {"commits": commits}))
fence = store.claim(name, f"writer of {name}", 600.0, evict=f"writer of {name}")
first = store.wait(name, 0, 0.0) * 1000
for number in range(first, first + commits):
    changes = [
        Trial(number, {"x": number}, 0, status=Status.IN_PROGRESS),
        Execution(number, 1, f"token-{name}-{number}"),
        Reports(number, 1, 0, [Report(step, {"loss": float(step)}, 1.0) for step in range(3)]),
        JobState(Status.IN_PROGRESS, counts=Counts(in_progress=number + 1)),
    ]
    store.commit(changes, fence)
    print(number, flush=True)
store.close()
"""

READER = """
import sys
from pathlib import Path
from tunewright.queries import Jobs, Points, Trials
from tunewright.store.sql.store import open_sqlite

store = open_sqlite(Path(sys.argv[1]))
seen, rounds = {}, 0
while sum(seen.values()) < int(sys.argv[2]):
    for job in store.read(Jobs()):
        trials, points = [*store.read(Trials(job.name))], [*store.read(Points(job.name))]
        assert len(trials) >= seen.get(job.name, 0), "what was there is gone"
        assert len(points) >= 3 * len(trials), "half of a commit was seen"
        seen[job.name] = len(trials)
    rounds += 1
print(rounds > 1)
store.close()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A file in which nothing is broken at the end."""
    path = tmp_path / "store.db"
    yield path
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_writers_of_several_jobs_and_readers_at_once(path: Path) -> None:
    """They even make the file at the same moment."""
    names = ["a", "b", "c", "d"]
    writers = [start(WRITER, path, name, COMMITS) for name in names]
    readers = [start(READER, path, COMMITS * len(names)) for _ in range(2)]
    for process in writers:
        out, err = process.communicate(timeout=240)
        assert (err, process.returncode) == ("", 0)
        assert len(out.splitlines()) == COMMITS
    for process in readers:
        out, err = process.communicate(timeout=240)
        assert (out, err, process.returncode) == ("True\n", "", 0)
    with closing(open_sqlite(path)) as store:
        assert {job.name for job in store.read(Jobs())} == set(names)
        for job in store.read(Jobs()):
            assert job.event == 2 + 4 * COMMITS
            assert [event.number for event in store.read(Events(job.name))] == [*range(1, job.event + 1)]
            assert len([*store.read(Trials(job.name))]) == len([*store.read(Executions(job.name))]) == COMMITS
            assert len([*store.read(Points(job.name))]) == 3 * COMMITS


def test_a_killed_writer_loses_nothing_that_was_committed(path: Path) -> None:
    with closing(open_sqlite(path)) as store:  # somebody else has the file open all the time
        store.create(TuningJob("job", {}))
        committed: set[int] = set()
        for attempt in range(6):
            process = start(WRITER, path, "job", 10**6, "taking over")
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(10)]
            time.sleep(0.02 * attempt)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()  # not by communicate(), which passes over what readline() has buffered
            process.communicate(timeout=60)
            whole = [*lines, *rest.splitlines(keepends=True)]
            committed.update(int(line) for line in whole if line.endswith("\n"))
            trials = {trial.number for trial in store.read(Trials("job"))}
            assert committed <= trials
            assert len(trials - committed) <= attempt + 1, "at most the commit that was under way each time"
            assert {execution.trial for execution in store.read(Executions("job"))} == trials
            assert len([*store.read(Points("job"))]) == 3 * len(trials)
            (job,) = store.read(Jobs())
            assert job.event == 1 + (attempt + 1) + 4 * len(trials)
            assert job.state.counts.in_progress == max(trials) + 1
    with closing(open_sqlite(path)) as store:
        assert committed <= {trial.number for trial in store.read(Trials("job"))}
