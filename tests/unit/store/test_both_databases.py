"""SQLite and PostgreSQL hold the same: dates, JSON, NaN and the infinities, in answers and in the rows themselves."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.interfaces import Store
from tunewright.queries import Points, Trials
from tunewright.records import (
    Action,
    Change,
    Checkpoint,
    Command,
    CommandHandled,
    Counts,
    Decision,
    ExecutionStatus,
    FailureKind,
    JobState,
    Report,
    Reports,
    SpecChange,
    Status,
)
from tunewright.store.opening import open_store
from tunewright.store.sql.schema import metadata
from tunewright.testing.store_examples import FLOATS, TEXTS, a_job, a_trial, an_execution, claimed, everything

pytestmark = pytest.mark.slow

DATES = (0.25, 1.5, 1.75e9 + 1e-6, 4102444800.0, -86400.25)  # seconds since the epoch: 1970, now, 2100, and before
CLOCK = {"at", "created", "lease_until"}  # where these were left to the database's clock
SCALARS = (True, False, 1, 1.0, "1", None, 2**62, -(2**80), 1e300, *FLOATS, *TEXTS, "zero\0byte")


def write(store: Store) -> None:
    """Something of every kind, with every value that is hard to keep."""
    store.create(a_job(spec={f"key {i}": value for i, value in enumerate(SCALARS)} | {"nested": [{"a": [*SCALARS]}]}))
    fence = claimed(store)
    for number, value in enumerate(FLOATS):
        date = DATES[number % len(DATES)]
        params = {f"p{i}": scalar for i, scalar in enumerate(SCALARS)}
        reports = [Report(step, {"loss": value, "é": value + 0.0, "constant": 1.0}, date) for step in range(3)]
        changes: list[Change] = [
            a_trial(
                number, params=params, reason=TEXTS[number % len(TEXTS)], objectives=(value, 0.0), metrics={"m": value},
                status=Status.FAILED, feasible=bool(number % 2), created=date, started=date, ended=None,
            ),
            an_execution(
                number, fidelity=value if math.isfinite(value) else None, objectives=(value,), failure=FailureKind.CRASH,
                status=ExecutionStatus.FAILED, charged=True, started=date, ended=date,
            ),
            Reports(number, 1, 0, reports),
            Checkpoint(number, 1, 3, f"/a b/{TEXTS[-1]}", date),
            Decision(Action.STOP, "worse", None, number, 3, "median", date),
        ]  # fmt: skip
        store.commit(changes, fence)
    command = store.request("job", Command("enqueue", {"params": dict(zip("abcdefghijklmnopqrstu", SCALARS, strict=False))}))
    state = JobState(Status.FAILED, "code", "text", Counts(1, 2), 3, (math.nan, math.inf), 1e-9, DATES[2], None)
    store.commit([CommandHandled(command, "é"), state, SpecChange({"nan": math.nan, "inf": [math.inf, -math.inf]})], fence)


def rows(store: Any) -> dict[str, list[tuple[str, ...]]]:
    """All rows of all tables as they stand, but for the times that the database set; booleans as numbers."""
    found = {}
    for table in metadata.sorted_tables:
        clocked = table.name in ("jobs", "events", "commands")
        names = [column.name for column in table.columns if not (clocked and column.name in CLOCK)]
        answer = store._database.read(f"SELECT {', '.join(names)} FROM {table.name}", ())
        found[table.name] = sorted(tuple(repr(+v) if isinstance(v, bool) else repr(v) for v in row) for row in answer)
    return found


def without_times(said: list[list[Any]]) -> str:
    """What a store says, as text, in which NaN is equal to itself; events and commands without their times."""
    *rest, commands, events = said
    kept = [[(c.kind, c.payload, c.by, c.id, c.handled, c.answer) for c in commands]]
    return repr([*rest, *kept, [(e.number, e.kind, e.trial, e.execution, e.detail) for e in events]])


def test_what_is_written_to_both_is_the_same(tmp_path: Path, postgresql: str) -> None:
    with closing(open_store(tmp_path / "store.db")) as file, closing(open_store(postgresql)) as server:
        for store in (file, server):
            write(store)
        assert without_times(everything(file)) == without_times(everything(server))
        in_file, on_server = rows(file), rows(server)
        assert {name: len(found) > 0 for name, found in in_file.items()} == dict.fromkeys(metadata.tables, True)
        for name in metadata.tables:
            assert in_file[name] == on_server[name], name


def test_a_job_is_the_same_on_both(tmp_path: Path, postgresql: str) -> None:
    space = tw.SearchSpace(
        {"x": tw.Float(1e-3, 1.0, scale="log"), "n": tw.Int(1, 9), "c": tw.Categorical([1, True, "1", None])}
    )

    def train(trial: tw.Trial) -> dict[str, float]:
        for step in range(3):
            trial.report({"loss": trial.params["x"] / (step + 1), "odd": math.nan if step else math.inf}, step=step)
        return {"loss": math.nan if trial.number == 5 else trial.params["x"]}

    said = []
    for address in (str(tmp_path / "store.db"), postgresql):
        with closing(open_store(address)) as store:
            job = tw.tune(
                train, space, metric="loss", max_trials=12, strategy="random", seed=3, name="job", store=store,
                executor="inline", progress="none",
            )  # fmt: skip
            trials = [(t.number, t.params, t.status, t.objectives, t.metrics, t.reason) for t in store.read(Trials("job"))]
            points = [(p.trial, p.metric, p.step, p.value) for p in store.read(Points("job"))]
            said.append(repr((trials, points, job.record.state.counts, job.best.number)))
    assert said[0] == said[1]
