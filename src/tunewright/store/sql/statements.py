"""The statements that write: Core expressions, compiled once per store to text.

A controller's commit is the hot path of the whole product, so it doesn't go through SQLAlchemy's execution: the text goes
to the driver's cursor with tuples of values, in the order that stands beside each statement.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ARRAY,
    Dialect,
    Integer,
    Table,
    bindparam,
    case,
    column,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy.sql import ClauseElement

from tunewright.store.sql.clock import now
from tunewright.store.sql.schema import (
    checkpoints,
    commands,
    decisions,
    events,
    executions,
    jobs,
    points,
    runs,
    series,
    specs,
)

STATE = (
    "status", "reason_code", "reason", "pending", "in_progress", "paused", "stopping", "completed", "failed", "stopped",
    "best", "best_objectives", "elapsed", "started", "ended",
)  # fmt: skip
JOB = ("namespace", "name", "kind", "wanted", "folder", "created", "fence", "event", *STATE)
RUN = (
    "job_id", "number", "definition", "params", "seed", "origin", "status", "reason_code", "reason", "objectives", "metrics",
    "feasible", "step", "executions", "created", "started", "ended",
)  # fmt: skip
OF_RUN = ("job", "trial")  # a job's id and a trial's number, which stand for the run's id
EXECUTION = (
    "number", "token", "purpose", "fold", "repeat", "fidelity", "from_step", "until_step", "status", "handle",
    "failure", "reason", "objectives", "reports", "step", "charged", "started", "ended",
)  # fmt: skip
SERIES = ("metric", "count", "last", "minimum", "maximum", "last_step")
POINT = ("series_id", "execution", "position", "step", "value", "at")
CHECKPOINT = ("execution", "step", "path", "at")
DECISION = ("job_id", "trial", "step", "action", "until", "by", "reason", "at")
COMMAND = ("job_id", "kind", "payload", "by", "at", "handled")
EVENT = ("job_id", "number", "kind", "trial", "execution", "detail", "at")
_ONE = literal_column("1", Integer())


class Statements:
    """The text of each statement in one dialect; compiled when first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.takes_lists = dialect.name == "postgresql"  # so that many rows are one statement

    def text(self, clause: ClauseElement, *parameters: str) -> str:
        """The text of a statement that takes its parameters in this order."""
        sql, order = self.compiled(clause)
        assert order == parameters, f"{sql}: takes {order}"
        return sql

    def compiled(self, clause: ClauseElement) -> tuple[str, tuple[str, ...]]:
        """The text of a statement, and the order in which it takes its parameters."""
        result = clause.compile(dialect=self._dialect)
        return str(result), tuple(getattr(result, "positiontup", None) or ())

    def _insert(self, table: Table, columns: tuple[str, ...], *returning: str) -> str:
        clause = insert(table).values({column: bindparam(column) for column in columns})
        return self.text(clause.returning(*(table.c[name] for name in returning)) if returning else clause, *columns)

    def _add(self, table: Table, columns: tuple[str, ...], **special: Any) -> Any:
        """Adds a row; what happens when there is one with its key can be said of it."""
        from sqlalchemy.dialects import postgresql, sqlite

        make: Callable[[Table], Any] = postgresql.insert if self._dialect.name == "postgresql" else sqlite.insert
        return make(table).values({name: bindparam(name) for name in columns} | special)

    def _set_part(self, table: Table, columns: tuple[str, ...], key: tuple[str, ...], *, keep: str = "") -> str:
        """Adds or replaces what belongs to a run: OF_RUN, columns."""
        return self.text(self._upsert(table, ("run_id", *columns), key, keep=keep, run_id=_run()), *OF_RUN, *columns)

    def _upsert(self, table: Table, columns: tuple[str, ...], key: tuple[str, ...], *, keep: str = "", **special: Any) -> Any:
        """Adds a row, or replaces all of the row with this key but the column `keep`.

        Args:
            special: by column, the expression of its value, or a function that makes the new value of what comes.
        """
        clause = self._add(table, columns, **{name: value for name, value in special.items() if not callable(value)})
        changed = {name: clause.excluded[name] for name in columns if name not in (*key, keep)}
        changed |= {name: value(clause.excluded[name]) for name, value in special.items() if callable(value)}
        return clause.on_conflict_do_update(index_elements=list(key), set_=changed)

    # --- jobs: (event number, time of the database) come back ---

    @cached_property
    def add_job(self) -> str:
        """JOB; gives the job's id, or nothing when its name is taken."""
        clause = self._add(jobs, JOB).on_conflict_do_nothing(index_elements=["namespace", "name"])
        return self.text(clause.returning(jobs.c.id), *JOB)

    @cached_property
    def add_spec(self) -> str:
        return self._insert(specs, ("job_id", "spec"))

    @cached_property
    def set_spec(self) -> str:
        clause = update(specs).where(specs.c.job_id == bindparam("job")).values(spec=bindparam("text"))
        return self.text(clause, "text", "job")

    @cached_property
    def job_id(self) -> str:
        clause = select(jobs.c.id).where(jobs.c.namespace == bindparam("namespace"), jobs.c.name == bindparam("name"))
        return self.text(clause, "namespace", "name")

    @cached_property
    def job_event(self) -> str:
        return self.text(select(jobs.c.event).where(jobs.c.id == bindparam("job")), "job")

    @cached_property
    def job_owner(self) -> str:
        return self.text(select(jobs.c.owner).where(jobs.c.id == bindparam("job")), "job")

    @cached_property
    def time(self) -> str:
        return self.text(select(now()))

    @cached_property
    def claim(self) -> str:
        """owner, ttl, job, evicted owner; gives the fence as well, first."""
        values = {"owner": bindparam("owner"), "fence": jobs.c.fence + _ONE}
        values |= {"lease_until": now() + bindparam("ttl"), "event": jobs.c.event + _ONE}
        clause = update(jobs).where(jobs.c.id == bindparam("job"), _free()).values(values)
        return self.text(clause.returning(jobs.c.fence, jobs.c.event, now()), "owner", "ttl", "job", "evicted")

    @cached_property
    def release(self) -> str:
        clause = update(jobs).where(*_owned()).values(owner=null(), lease_until=null(), event=jobs.c.event + _ONE)
        return self.text(clause.returning(jobs.c.event, now()), "job", "held")

    @cached_property
    def delete_job(self) -> str:
        """job, evicted owner; gives the job's id when it was deleted."""
        clause = delete(jobs).where(jobs.c.id == bindparam("job"), _free()).returning(jobs.c.id)
        return self.text(clause, "job", "evicted")

    @cached_property
    def delete_of_job(self) -> tuple[str, ...]:
        """Deletes what belongs to a job, which SQLite doesn't do by itself: job, each."""
        own_runs = select(runs.c.id).where(runs.c.job_id == bindparam("job"))
        own_series = select(series.c.id).where(series.c.run_id.in_(own_runs))
        clauses = [
            delete(points).where(points.c.series_id.in_(own_series)),
            *(delete(table).where(table.c.run_id.in_(own_runs)) for table in (series, executions, checkpoints)),
            *(delete(table).where(table.c.job_id == bindparam("job")) for table in (runs, decisions, commands, events, specs)),
        ]
        return tuple(self.text(clause, "job") for clause in clauses)

    @cached_property
    def commit(self) -> str:
        """Checks the fence, renews the lease and takes event numbers, all in one: ttl, count of events, job, fence."""
        return self._commit()

    @cached_property
    def commit_state(self) -> str:
        """The same, and sets the job's state: ttl, count of events, STATE, job, fence."""
        return self._commit(*STATE)

    def _commit(self, *state: str) -> str:
        values: dict[str, Any] = {"lease_until": now() + bindparam("ttl"), "event": jobs.c.event + bindparam("more")}
        values |= {column: bindparam(column) for column in state}
        clause = update(jobs).where(*_owned()).values(values).returning(jobs.c.event, now())
        return self.text(clause, "ttl", "more", *state, "job", "held")

    @cached_property
    def request(self) -> str:
        clause = update(jobs).where(jobs.c.id == bindparam("job")).values(event=jobs.c.event + _ONE)
        return self.text(clause.returning(jobs.c.event, now()), "job")

    @cached_property
    def request_wanted(self) -> str:
        values = {"wanted": bindparam("wish"), "event": jobs.c.event + _ONE}
        clause = update(jobs).where(jobs.c.id == bindparam("job")).values(values)
        return self.text(clause.returning(jobs.c.event, now()), "wish", "job")

    # --- what belongs to jobs and runs ---

    @cached_property
    def run_id(self) -> str:
        of = runs.c.job_id == bindparam("job"), runs.c.number == bindparam("number")
        return self.text(select(runs.c.id).where(*of), "job", "number")

    @cached_property
    def set_run(self) -> str:
        """RUN."""
        return self.text(self._upsert(runs, RUN, ("job_id", "number")), *RUN)

    @cached_property
    def set_execution(self) -> str:
        """OF_RUN, EXECUTION; how many reports it has is left alone: `count_reports` keeps that."""
        return self._set_part(executions, EXECUTION, ("run_id", "number"), keep="reports")

    @cached_property
    def reports_held(self) -> str:
        """OF_RUN, execution."""
        of = executions.c.run_id == _run(), executions.c.number == bindparam("execution")
        return self.text(select(executions.c.reports).where(*of), *OF_RUN, "execution")

    @cached_property
    def count_reports(self) -> str:
        """reports, OF_RUN, execution."""
        of = executions.c.run_id == _run(), executions.c.number == bindparam("execution")
        clause = update(executions).where(*of).values(reports=bindparam("held"))
        return self.text(clause, "held", *OF_RUN, "execution")

    @cached_property
    def add_to_series(self) -> str:
        """OF_RUN, SERIES; gives the series' id. A NULL as minimum or maximum of what comes is a NaN and changes nothing."""
        return self.text(self._add_to_series(), *OF_RUN, *SERIES)

    def _add_to_series(self) -> Any:
        clause = self._upsert(
            series,
            ("run_id", *SERIES),
            ("run_id", "metric"),
            run_id=_run(),
            count=lambda new: series.c.count + new,
            minimum=lambda new: case((series.c.minimum.is_(None) | (new < series.c.minimum), new), else_=series.c.minimum),
            maximum=lambda new: case((series.c.maximum.is_(None) | (new > series.c.maximum), new), else_=series.c.maximum),
        )
        return clause.returning(series.c.id)

    @cached_property
    def add_curve(self) -> str | None:
        """OF_RUN, SERIES, execution, and lists: POINT's columns from the position on. Adds to a series and its points in one.

        None where a database takes no lists.
        """
        if not self.takes_lists:
            return None
        rows, lists = _rows_of_lists(points, POINT[2:])
        added = self._add_to_series().cte("added")
        execution = bindparam("execution", type_=points.c.execution.type)
        chosen = select(added.c.id, execution, *rows.c).select_from(added.join(rows, true()))
        return self.text(insert(points).from_select(POINT, chosen), *OF_RUN, *SERIES, "execution", *lists)

    @cached_property
    def add_point(self) -> str:
        return self._insert(points, POINT)

    @cached_property
    def set_checkpoint(self) -> str:
        """OF_RUN, CHECKPOINT."""
        return self._set_part(checkpoints, CHECKPOINT, ("run_id", "execution", "step"))

    @cached_property
    def add_decision(self) -> str:
        return self._insert(decisions, DECISION)

    @cached_property
    def add_command(self) -> str:
        """COMMAND; gives the command's id."""
        return self._insert(commands, COMMAND, "id")

    @cached_property
    def command_id(self) -> str:
        """job, command; gives the command's id when there is one."""
        of = commands.c.job_id == bindparam("job"), commands.c.id == bindparam("command")
        return self.text(select(commands.c.id).where(*of), "job", "command")

    @cached_property
    def handle_command(self) -> str:
        """handled, answer, command."""
        clause = update(commands).where(commands.c.id == bindparam("command"))
        return self.text(clause.values(handled=bindparam("done"), answer=bindparam("text")), "done", "text", "command")

    @cached_property
    def add_event(self) -> str:
        return self._insert(events, EVENT)

    @cached_property
    def add_events(self) -> str | None:
        """A list for each column of EVENT. None where a database takes no lists."""
        if not self.takes_lists:
            return None
        rows, lists = _rows_of_lists(events, EVENT)
        return self.text(insert(events).from_select(EVENT, select(*rows.c)), *lists)


def _rows_of_lists(table: Table, columns: tuple[str, ...]) -> tuple[Any, list[str]]:
    """Rows that are made of one list per column, and the names of these parameters."""
    kinds = {name: table.c[name].type for name in columns}
    lists = [bindparam(f"{name}s", type_=ARRAY(kind)) for name, kind in kinds.items()]
    rows = func.unnest(*lists).table_valued(*(column(name, kind) for name, kind in kinds.items()))
    return rows.render_derived(), [f"{name}s" for name in columns]


def _run() -> Any:
    """The id of the run of OF_RUN; a lookup by a key, so that a commit needs no answer between its statements."""
    of = runs.c.job_id == bindparam("job"), runs.c.number == bindparam("trial")
    return select(runs.c.id).where(*of).scalar_subquery()


def _free() -> Any:
    """No owner's lease lasts, but for that of one that is evicted."""
    return jobs.c.owner.is_(None) | (jobs.c.lease_until <= now()) | (jobs.c.owner == bindparam("evicted"))


def _owned() -> tuple[Any, ...]:
    return jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("held"), jobs.c.owner.is_not(None)
