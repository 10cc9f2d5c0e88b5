"""How the SQL store asks and answers: by indexes, in moderate memory, without holding anybody up."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from tunewright.errors import InvalidInput, LeaseLost, NotFound
from tunewright.queries import (
    AllSeries,
    Checkpoints,
    Commands,
    Decisions,
    Events,
    Executions,
    Jobs,
    Points,
    Query,
    Trials,
)
from tunewright.records import Command, Execution, Report, Reports, Status, Trial, TuningJob
from tunewright.store.sql import database as database_module
from tunewright.store.sql import reading
from tunewright.store.sql.statements import Statements
from tunewright.store.sql.store import SqlStore, open_sqlite

TRIALS = 60


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """Two jobs with some trials each, all with a curve of two metrics."""
    with closing(open_sqlite(tmp_path / "store.db")) as opened:
        for name in ("other", "job"):
            opened.create(TuningJob(name, {"x": 1}))
            fence = opened.claim(name, "me", 600.0)
            assert fence is not None
            opened.commit([Trial(n, {"x": n}, n) for n in range(TRIALS)], fence)
            opened.commit([Execution(n, 1, f"token-{n}") for n in range(TRIALS)], fence)
            curve = [Report(step, {"loss": 1.0 / (1 + step), "auc": 0.5}, 1.0) for step in range(10)]
            opened.commit([Reports(n, 1, 0, curve) for n in range(TRIALS)], fence)
        yield opened


def plan(store: SqlStore, sql: str) -> str:
    """What SQLite would do, a line per step."""
    path = Path(store.location or "")
    with closing(sqlite3.connect(path)) as connection:
        values = (1,) * sql.count("?")
        return "\n".join(detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))


ALL: list[Query[Any]] = [
    Jobs(),
    Jobs(names=("job",), limit=3),
    Trials("job"),
    Trials("job", numbers=(1,), order="newest", limit=3),
    Trials("job", since=100, statuses=(Status.COMPLETED,)),
    Executions("job"),
    Executions("job", trial=3, open_only=True),
    Points("job"),
    Points("job", trial=3, metric="loss"),
    AllSeries("job"),
    AllSeries("job", trial=3),
    Checkpoints("job"),
    Checkpoints("job", trial=3),
    Decisions("job"),
    Decisions("job", trial=3),
    Commands("job"),
    Commands("job", unhandled_only=False),
    Events("job"),
    Events("job", since=100, limit=3),
]


def text_of(query: Query[Any]) -> str:
    return Statements(SQLiteDialect_pysqlite()).compiled(reading.READERS[type(query)].select(query))[0]


@pytest.mark.parametrize("query", ALL, ids=str)
def test_no_query_walks_through_a_table(store: SqlStore, query: Query[Any]) -> None:
    steps = plan(store, text_of(query)).splitlines()
    assert steps
    assert [step for step in steps if step.startswith("SCAN")] == []


def test_jobs_are_read_without_their_trials() -> None:
    text = text_of(Jobs())
    assert "jobs" in text
    assert not any(table in text for table in ("runs", "executions", "events", "points", "series"))


def test_what_changed_is_found_by_its_events(store: SqlStore) -> None:
    steps = plan(store, text_of(Trials("job", since=100)))
    assert "SEARCH events USING PRIMARY KEY (job_id=? AND number>?)" in steps
    assert "SEARCH runs USING INDEX" in steps
    assert "(job_id=? AND number=?)" in steps


def test_a_curve_is_one_range_of_points(store: SqlStore) -> None:
    assert "SEARCH points USING PRIMARY KEY (series_id=?)" in plan(store, text_of(Points("job", trial=3, metric="loss")))


@pytest.mark.parametrize(("kind", "options"), [(SQLiteDialect_pysqlite, {}), (PGDialect_psycopg, {"paramstyle": "format"})])
def test_statements_take_their_parameters_in_the_order_that_is_written(kind: Any, options: dict[str, str]) -> None:
    """`Statements.text` checks the order; here each of them is made."""
    statements = Statements(kind(**options))
    names = [name for name, value in vars(Statements).items() if isinstance(value, cached_property)]
    assert len(names) > 15
    for name in names:
        made = getattr(statements, name)
        for text in made if isinstance(made, tuple) else (made,):
            assert text is None or text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")), name
    for query in ALL:
        _, order = statements.compiled(reading.READERS[type(query)].select(query))
        assert set(order) <= reading.parameters(query, 1, "local").keys()


def test_queries_of_one_shape_are_compiled_once(store: SqlStore) -> None:
    [*store.read(Trials("job", numbers=(1,)))]
    known = len(store._queries)
    assert [trial.number for trial in store.read(Trials("other", numbers=(2,)))] == [2]
    assert len(store._queries) == known
    for shape in ((), (1, 2), None):
        expected = range(TRIALS) if shape is None else shape
        assert [trial.number for trial in store.read(Trials("job", numbers=shape))] == [*expected]


# --- answers ---


@pytest.mark.parametrize(("chunk", "in_memory"), [(7, 20), (7, 10**6), (1200, 1200), (1, 1)])
def test_large_answers_wait_in_a_file(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chunk: int, in_memory: int
) -> None:
    expected = [*store.read(Points("job"))]
    monkeypatch.setattr(database_module, "CHUNK", chunk)
    monkeypatch.setattr(database_module, "IN_MEMORY", in_memory)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert len(expected) == 20 * TRIALS
    assert [*store.read(Points("job"))] == expected
    half_read = store.read(Points("job"))
    next(half_read)
    del half_read
    assert not [*tmp_path.glob("tunewright-rows-*")]


def test_a_half_read_answer_holds_nothing_up(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log can be emptied into the file, which an open snapshot would forbid."""
    monkeypatch.setattr(database_module, "CHUNK", 10)
    monkeypatch.setattr(database_module, "IN_MEMORY", 50)
    answer = store.read(Points("job"))
    next(answer)
    with closing(sqlite3.connect(str(store.location))) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert len([*answer]) == 20 * TRIALS - 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(store: SqlStore) -> None:
    fence = store.claim("job", "parent", 600.0, evict="me")
    assert fence is not None
    locked = threading.Lock()
    with locked:  # a parent that is just writing in another thread must not block its children
        child = os.fork()
        if child == 0:
            status = 1
            try:
                last = store.commit([Trial(1000, {}, 0)], fence)
                status = 0 if last and len([*store.read(Trials("job"))]) == TRIALS + 1 else 2
            finally:
                os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    store.commit([Trial(1001, {}, 0)], fence)
    assert len([*store.read(Trials("job"))]) == TRIALS + 2


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1])
def test_an_integer_that_does_not_fit_is_refused(store: SqlStore, seed: int) -> None:
    fence = store.claim("job", "you", 600.0, evict="me")
    assert fence is not None
    with pytest.raises(InvalidInput, match="must fit in 64 bits"):
        store.commit([Trial(1000, {}, seed)], fence)
    assert len([*store.read(Trials("job"))]) == TRIALS


def test_namespaces_are_apart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(open_sqlite(path)) as here, closing(open_sqlite(path, namespace="there")) as there:
        here.create(TuningJob("job", {"in": "here"}))
        there.create(TuningJob("job", {"in": "there"}, namespace="there"))
        assert [job.spec for job in here.read(Jobs())] == [{"in": "here"}]
        assert [job.spec for job in there.read(Jobs(names=("job",)))] == [{"in": "there"}]
        assert there.claim("job", "me", 600.0) is not None
        assert here.claim("job", "me", 600.0) is not None
        with pytest.raises(InvalidInput, match="namespace must be 'there', the store's; got 'local'"):
            there.create(TuningJob("another", {}))


def test_a_job_that_was_made_anew_elsewhere_is_seen(store: SqlStore) -> None:
    """A store remembers the ids of jobs; another process may delete a job and make one of the same name."""
    assert len([*store.read(Trials("job"))]) == TRIALS
    fence = store.claim("job", "you", 600.0, evict="me")
    assert fence is not None
    with closing(open_sqlite(Path(store.location or ""))) as other:
        assert other.delete("job", evict="you")
        attempts: list[Callable[[], object]] = [
            lambda: store.read(Trials("job")),
            lambda: store.wait("job", 0, 0.0),
            lambda: store.request("job", Command("stop")),
            lambda: store.claim("job", "you", 600.0),
            lambda: store.delete("job"),
        ]
        for attempt in attempts:
            store._ids["job"] = 2  # the second job that was made
            with pytest.raises(NotFound):
                attempt()
        other.create(TuningJob("job", {"x": 2}))
        new = other.claim("job", "they", 600.0)
        assert new is not None
        last = other.commit([Trial(7, {}, 0)], new)
    checks: list[Callable[[], bool]] = [
        lambda: [trial.number for trial in store.read(Trials("job"))] == [7],
        lambda: store.wait("job", 0, 0.0) == last,
        lambda: store.claim("job", "you", 600.0) is None,
        lambda: store.request("job", Command("stop")) > 0,
    ]
    for check in checks:
        store._ids["job"] = 2
        assert check()
    store._ids["job"] = 2
    with pytest.raises(LeaseLost):
        store.commit([Trial(8, {}, 0)], fence)
    store._ids["job"] = 2
    assert store.delete("job", evict="they")


def test_importing_stores_is_light() -> None:
    script = "import sys, tunewright.store; from tunewright.store.opening import open_store; open_store('memory')\n"
    script += "print(sorted({'sqlalchemy', 'alembic', 'psutil', 'sqlite3', 'scipy', 'psycopg'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
