"""How queries become SQL, and rows become records."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, bindparam, false, literal_column, select

from tunewright import queries
from tunewright.queries import Point, Series
from tunewright.records import (
    EXECUTION_OPEN,
    Action,
    Checkpoint,
    Command,
    Counts,
    Decision,
    Event,
    Execution,
    ExecutionStatus,
    FailureKind,
    JobState,
    Purpose,
    Status,
    Trial,
    TuningJob,
    Wanted,
)
from tunewright.store.encoding import floats_from_json, from_json
from tunewright.store.sql import schema
from tunewright.store.sql.statements import STATE

MOST_PARAMETERS = 500  # a longer list of numbers or names goes into the text of its statement


class Reader(NamedTuple):
    """How one kind of query is answered: its statement, whose parameters are named like the query's fields, and its rows."""

    select: Callable[[Any], Select[Any]]
    record: Callable[[tuple[Any, ...]], Any]


def shape(query: queries.Query[Any]) -> tuple[Any, ...]:
    """What of a query decides the text of its statement; equal shapes have the same text."""
    described: list[Any] = [type(query)]
    for field in fields(query):  # type: ignore[arg-type]  # every query is a dataclass
        value = getattr(query, field.name)
        if isinstance(value, tuple):
            described.append((len(value),))  # never equal to a bool, as a number may be
        elif isinstance(value, bool) or field.name == "order":
            described.append(value)
        else:
            described.append(bool(value) if field.name == "since" else value is not None)
    return tuple(described)


def parameters(query: queries.Query[Any], job: int | None, namespace: str) -> dict[str, Any]:
    """The values of a statement's parameters by name; `job` is the id of the query's job."""
    values: dict[str, Any] = {"job": job, "namespace": namespace}
    for field in fields(query):  # type: ignore[arg-type]
        value = getattr(query, field.name)
        if isinstance(value, tuple):
            values |= {f"{field.name}_{i}": getattr(member, "value", member) for i, member in enumerate(value)}
        elif field.name != "job":
            values[field.name] = value
    return values


def is_cacheable(query: queries.Query[Any]) -> bool:
    """Whether the statement's text depends on the query's shape alone."""
    return not any(
        isinstance(value := getattr(query, field.name), tuple) and len(value) > 1
        for field in fields(query)  # type: ignore[arg-type]
    )


def _one_of(column: ColumnElement[Any], name: str, members: tuple[Any, ...]) -> ColumnElement[bool]:
    if not members:
        return false()
    if len(members) > MOST_PARAMETERS and all(isinstance(member, int) for member in members):
        return column.in_([literal_column(str(int(member)), Integer()) for member in members])
    return column.in_([bindparam(f"{name}_{i}", type_=column.type) for i in range(len(members))])


def _limited(statement: Select[Any], limit: int | None) -> Select[Any]:
    if limit is None:
        return statement
    # Without an offset of its own, SQLite's dialect adds one as a parameter that nobody fills.
    return statement.limit(bindparam("limit", type_=Integer())).offset(literal_column("0", Integer()))


# --- jobs ---

_JOB = ("name", "kind", "namespace", "wanted", "folder", "created", "owner", "fence", "lease_until", "event")


def _jobs(query: queries.Jobs) -> Select[Any]:
    jobs, specs = schema.jobs.c, schema.specs.c
    columns = (*(jobs[name] for name in _JOB), specs.spec, *(jobs[name] for name in STATE))
    statement = select(*columns).join(schema.specs, specs.job_id == jobs.id).where(jobs.namespace == bindparam("namespace"))
    if query.names is not None:
        statement = statement.where(_one_of(jobs.name, "names", query.names))
    return _limited(statement.order_by(jobs.id.desc()), query.limit)


def _job(row: tuple[Any, ...]) -> TuningJob:
    name, kind, namespace, wanted, folder, created, owner, fence, lease_until, event, spec = row[:11]
    status, reason_code, reason, *counts, best, best_objectives, elapsed, started, ended = row[11:]
    objectives = floats_from_json(best_objectives)
    state = JobState(
        Status(status), reason_code, reason, Counts(*counts), best, objectives, elapsed, started, ended
    )  # fmt: skip
    return TuningJob(
        name, from_json(spec), state, kind, namespace, Wanted(wanted), folder, created, owner, fence, lease_until, event
    )


# --- trials and executions ---

_TRIAL = (
    "number", "params", "seed", "origin", "definition", "status", "reason_code", "reason", "objectives", "metrics", "feasible",
    "step", "executions", "created", "started", "ended",
)  # fmt: skip
_EXECUTION = (
    "number", "token", "purpose", "fold", "repeat", "fidelity", "from_step", "until_step", "status", "handle", "failure",
    "reason", "objectives", "reports", "step", "charged", "started", "ended",
)  # fmt: skip


def _trials(query: queries.Trials) -> Select[Any]:
    runs = schema.runs.c
    statement = select(*(runs[name] for name in _TRIAL)).where(runs.job_id == bindparam("job"))
    if query.numbers is not None:
        statement = statement.where(_one_of(runs.number, "numbers", query.numbers))
    if query.statuses is not None:
        statement = statement.where(_one_of(runs.status, "statuses", query.statuses))
    if query.since:
        statement = statement.where(runs.number.in_(_changed_trials()))
    by = runs.number.desc() if query.order == "newest" else runs.number
    return _limited(statement.order_by(by), query.limit)


def _changed_trials() -> Select[Any]:
    events = schema.events.c
    of_job = select(events.trial).where(events.job_id == bindparam("job"), events.number > bindparam("since"))
    return of_job.where(events.kind == literal_column("'trial'"))


def _trial(row: tuple[Any, ...]) -> Trial:
    (
        number, params, seed, origin, definition, status, reason_code, reason, objectives, metrics, feasible, *rest
    ) = row  # fmt: skip
    return Trial(
        number,
        from_json(params),
        seed,
        origin,
        definition,
        Status(status),
        reason_code,
        reason,
        floats_from_json(objectives),
        from_json(metrics),
        bool(feasible),
        *rest,
    )


def _executions(query: queries.Executions) -> Select[Any]:
    runs, executions = schema.runs.c, schema.executions.c
    statement = select(runs.number, *(executions[name] for name in _EXECUTION)).join(
        schema.executions, executions.run_id == runs.id
    )
    statement = statement.where(runs.job_id == bindparam("job"))
    if query.trial is not None:
        statement = statement.where(runs.number == bindparam("trial"))
    if query.open_only:
        statement = statement.where(executions.status.in_([literal_column(f"'{status}'") for status in sorted(EXECUTION_OPEN)]))
    return statement.order_by(runs.number, executions.number)


def _execution(row: tuple[Any, ...]) -> Execution:
    trial, number, token, purpose, fold, repeat, fidelity, from_step, until_step, status, handle, failure, *rest = row
    reason, objectives, reports, step, charged, started, ended = rest
    return Execution(
        trial,
        number,
        token,
        Purpose(purpose),
        fold,
        repeat,
        fidelity,
        from_step,
        until_step,
        ExecutionStatus(status),
        handle,
        None if failure is None else FailureKind(failure),
        reason,
        floats_from_json(objectives),
        reports,
        step,
        bool(charged),
        started,
        ended,
    )


# --- what trials reported ---


def _points(query: queries.Points) -> Select[Any]:
    runs, series, points = schema.runs.c, schema.series.c, schema.points.c
    columns = (runs.number, points.execution, series.metric, points.step, points.value, points.at)
    statement = (
        select(*columns)
        .select_from(schema.runs)
        .join(schema.series, series.run_id == runs.id)
        .join(schema.points, points.series_id == series.id)
        .where(runs.job_id == bindparam("job"))
    )
    if query.trial is not None:
        statement = statement.where(runs.number == bindparam("trial"))
    if query.metric is not None:
        statement = statement.where(series.metric == bindparam("metric"))
    return statement.order_by(runs.number, points.execution, series.metric, points.position)


def _point(row: tuple[Any, ...]) -> Point:
    trial, execution, metric, step, value, at = row
    return Point(trial, execution, metric, step, _or_nan(value), at)


def _all_series(query: queries.AllSeries) -> Select[Any]:
    runs, series = schema.runs.c, schema.series.c
    names = ("metric", "count", "last", "minimum", "maximum", "last_step")
    statement = select(runs.number, *(series[name] for name in names)).join(schema.series, series.run_id == runs.id)
    statement = statement.where(runs.job_id == bindparam("job"))
    if query.trial is not None:
        statement = statement.where(runs.number == bindparam("trial"))
    return statement.order_by(runs.number, series.metric)


def _series(row: tuple[Any, ...]) -> Series:
    trial, metric, count, last, minimum, maximum, last_step = row
    return Series(trial, metric, count, _or_nan(last), _or_nan(minimum), _or_nan(maximum), last_step)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


# --- the rest ---


def _checkpoints(query: queries.Checkpoints) -> Select[Any]:
    runs, checkpoints = schema.runs.c, schema.checkpoints.c
    names = ("execution", "step", "path", "at")
    statement = select(runs.number, *(checkpoints[name] for name in names)).join(
        schema.checkpoints, checkpoints.run_id == runs.id
    )
    statement = statement.where(runs.job_id == bindparam("job"))
    if query.trial is not None:
        statement = statement.where(runs.number == bindparam("trial"))
    return statement.order_by(runs.number, checkpoints.id)


def _decisions(query: queries.Decisions) -> Select[Any]:
    decisions = schema.decisions.c
    names = ("action", "reason", "until", "trial", "step", "by", "at")
    statement = select(*(decisions[name] for name in names)).where(decisions.job_id == bindparam("job"))
    if query.trial is not None:
        statement = statement.where(decisions.trial == bindparam("trial"))
    return statement.order_by(decisions.id)


def _commands(query: queries.Commands) -> Select[Any]:
    commands = schema.commands.c
    names = ("kind", "payload", "by", "id", "at", "handled", "answer")
    statement = select(*(commands[name] for name in names)).where(commands.job_id == bindparam("job"))
    if query.unhandled_only:
        statement = statement.where(commands.handled.is_(False))
    return statement.order_by(commands.id)


def _command(row: tuple[Any, ...]) -> Command:
    kind, payload, by, number, at, handled, answer = row
    return Command(kind, from_json(payload), by, number, at, bool(handled), answer)


def _events(query: queries.Events) -> Select[Any]:
    events = schema.events.c
    names = ("number", "kind", "trial", "execution", "detail", "at")
    statement = select(*(events[name] for name in names)).where(events.job_id == bindparam("job"))
    if query.since:
        statement = statement.where(events.number > bindparam("since"))
    return _limited(statement.order_by(events.number), query.limit)


READERS: Mapping[type, Reader] = {
    queries.Jobs: Reader(_jobs, _job),
    queries.Trials: Reader(_trials, _trial),
    queries.Executions: Reader(_executions, _execution),
    queries.Points: Reader(_points, _point),
    queries.AllSeries: Reader(_all_series, _series),
    queries.Checkpoints: Reader(_checkpoints, lambda row: Checkpoint(*row)),
    queries.Decisions: Reader(_decisions, lambda row: Decision(Action(row[0]), *row[1:])),
    queries.Commands: Reader(_commands, _command),
    queries.Events: Reader(_events, lambda row: Event(*row)),
}
