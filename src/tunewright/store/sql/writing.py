"""What a commit writes: one transaction on a driver's cursor."""

from __future__ import annotations

import math
from typing import Any, Protocol

from tunewright.errors import LeaseLost
from tunewright.interfaces import Fence
from tunewright.records import Execution, JobState, Trial
from tunewright.store.changes import (
    Batch,
    by_metric,
    no_command,
    no_execution,
    no_trial,
    summarise,
    unseen,
)
from tunewright.store.encoding import to_json
from tunewright.store.sql.statements import Statements


class Cursor(Protocol):
    """What is used of a driver's cursor."""

    @property
    def connection(self) -> Any: ...
    def execute(self, sql: str, parameters: tuple[Any, ...] = ..., /) -> Any: ...
    def executemany(self, sql: str, rows: list[tuple[Any, ...]], /) -> Any: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


def state_row(state: JobState) -> tuple[Any, ...]:
    """The values of `statements.STATE`."""
    counts, best = state.counts, state.best_objectives
    return (
        state.status.value,
        state.reason_code,
        state.reason,
        counts.pending,
        counts.in_progress,
        counts.paused,
        counts.stopping,
        counts.completed,
        counts.failed,
        counts.stopped,
        state.best,
        None if best is None else to_json("best_objectives", best),
        state.elapsed,
        state.started,
        state.ended,
    )


def _run_row(job: int, trial: Trial) -> tuple[Any, ...]:
    objectives = trial.objectives
    return (
        job,
        trial.number,
        trial.definition,
        to_json("params", trial.params),
        trial.seed,
        trial.origin,
        trial.status.value,
        trial.reason_code,
        trial.reason,
        None if objectives is None else to_json("objectives", objectives),
        to_json("metrics", trial.metrics) if trial.metrics else "{}",
        trial.feasible,
        trial.step,
        trial.executions,
        trial.created,
        trial.started,
        trial.ended,
    )


def _execution_row(job: int, execution: Execution) -> tuple[Any, ...]:
    objectives, failure = execution.objectives, execution.failure
    return (
        job,
        execution.trial,
        execution.number,
        execution.token,
        execution.purpose.value,
        execution.fold,
        execution.repeat,
        execution.fidelity,
        execution.from_step,
        execution.until_step,
        execution.status.value,
        execution.handle,
        None if failure is None else failure.value,
        execution.reason,
        None if objectives is None else to_json("objectives", objectives),
        0,  # reports are counted as they are stored
        execution.step,
        execution.charged,
        execution.started,
        execution.ended,
    )


class Commit:
    """Changes of one job on their way into the database. Can be written again when the database asks for that.

    Args:
        job: the job's id.
        batch: what changes.
    """

    def __init__(self, statements: Statements, job: int, fence: Fence, batch: Batch) -> None:
        self._statements, self._job, self._fence, self._batch = statements, job, fence, batch

    def write(self, cursor: Cursor) -> int:
        """Writes everything in the cursor's transaction; returns the job's last event number.

        First everything is asked that has to be known, then everything is written that needs no answer: a database that is
        far away takes both in one go each.

        Raises:
            LeaseLost: the fence doesn't hold; nothing was written.
            NotFound, InvalidInput: a change doesn't fit what is stored; the transaction has to be rolled back.
        """
        batch, count, job = self._batch, len(self._batch.events), self._job
        self._renew(cursor, count)
        checks = _Checks(cursor, self._statements, job, batch)
        last, at = self._renewed(cursor)
        if not count:
            return last
        held = checks.held(self._fence.job)
        if batch.trials:
            cursor.executemany(self._statements.set_run, [_run_row(job, trial) for trial in batch.trials])
        if batch.executions:
            cursor.executemany(self._statements.set_execution, [_execution_row(job, each) for each in batch.executions])
        if batch.reports:
            self._reports(cursor, held)
        self._rest(cursor, at)
        events = [(job, number, *text, at) for number, text in enumerate(batch.events, last - count + 1)]
        if self._statements.add_events is None:
            cursor.executemany(self._statements.add_event, events)
        else:
            cursor.execute(self._statements.add_events, tuple(map(list, zip(*events, strict=True))))
        return last

    def _renew(self, cursor: Cursor, count: int) -> None:
        """Checks the fence, renews the lease, takes event numbers and sets the job's state, all in one statement."""
        fence, state = self._fence, self._batch.state
        if state is None:
            cursor.execute(self._statements.commit, (fence.ttl, count, self._job, fence.number))
        else:
            row = (fence.ttl, count, *state_row(state), self._job, fence.number)
            cursor.execute(self._statements.commit_state, row)

    def _renewed(self, cursor: Cursor) -> tuple[int, float]:
        """The job's last event number, and the time."""
        renewed = cursor.fetchall()
        if renewed:
            last, at = renewed[0]
            return last, at
        cursor.execute(self._statements.job_owner, (self._job,))
        owners = cursor.fetchall()
        owner = owners[0][0] if owners else None
        raise LeaseLost(f"job {self._fence.job!r} is controlled by {owner or 'nobody'} now; nothing was written")

    def _reports(self, cursor: Cursor, held: dict[tuple[int, int], int]) -> None:
        """Adds those reports that the store doesn't hold yet."""
        statements, job = self._statements, self._job
        counted: dict[tuple[int, int], int] = {}
        added: list[tuple[Any, ...]] = []
        for reports in self._batch.reports:
            key = reports.trial, reports.execution
            first, fresh = unseen(reports, held[key])
            if not fresh:
                continue
            held[key] = counted[key] = first + len(fresh)
            for metric, values in by_metric(first, fresh).items():
                size, last, minimum, maximum, last_step = summarise(values)
                row = (job, reports.trial, metric, size, _or_null(last), _or_null(minimum), _or_null(maximum), last_step)
                if statements.add_curve is None:
                    cursor.execute(statements.add_to_series, row)
                    series = cursor.fetchall()[0][0]
                    added += [(series, reports.execution, *value) for value in values]
                else:
                    positions, steps, numbers, times = map(list, zip(*values, strict=True))
                    added.append((*row, reports.execution, positions, steps, [*map(_or_null, numbers)], times))
        if added:
            cursor.executemany(statements.add_curve or statements.add_point, added)
        if counted:
            rows = [(number, job, *key) for key, number in counted.items()]
            cursor.executemany(statements.count_reports, rows)

    def _rest(self, cursor: Cursor, at: float) -> None:
        batch, statements, job = self._batch, self._statements, self._job
        for checkpoint in batch.checkpoints:
            row = (job, checkpoint.trial, checkpoint.execution, checkpoint.step, checkpoint.path, checkpoint.at)
            cursor.execute(statements.set_checkpoint, row)
        for decision in batch.decisions:
            made = (decision.action.value, decision.until, decision.by, decision.reason, decision.at or at)
            cursor.execute(statements.add_decision, (job, decision.trial, decision.step, *made))
        for handled in batch.handled:
            cursor.execute(statements.handle_command, (True, handled.answer, handled.id))
        if batch.spec is not None:
            cursor.execute(statements.set_spec, (to_json("spec", batch.spec.spec), job))


class _Checks:
    """Asks what has to be known before a commit's changes are written: whether that is there which they belong to, and how
    many reports executions have.

    The answers are looked at when `held` is called, so all questions can be under way at once.
    """

    def __init__(self, cursor: Cursor, statements: Statements, job: int, batch: Batch) -> None:
        connection = cursor.connection

        def ask(sql: str, *values: int) -> Cursor:
            asked: Cursor = connection.cursor()
            asked.execute(sql, values)
            return asked

        made = {trial.number for trial in batch.trials}
        named = [change.trial for kind in (batch.executions, batch.reports, batch.checkpoints) for change in kind]
        named += [decision.trial for decision in batch.decisions if decision.trial >= 0]
        self._trials = {number: ask(statements.run_id, job, number) for number in named if number not in made}
        self._made = {(execution.trial, execution.number) for execution in batch.executions}
        keys = dict.fromkeys((reports.trial, reports.execution) for reports in batch.reports)
        self._reports = {key: ask(statements.reports_held, job, *key) for key in keys}
        self._commands = {handled.id: ask(statements.command_id, job, handled.id) for handled in batch.handled}

    def held(self, job: str) -> dict[tuple[int, int], int]:
        """How many reports the store holds, by trial and execution. Raises NotFound when something isn't there."""
        for number, asked in self._trials.items():
            if not asked.fetchall():
                raise no_trial(job, number)
        for number, asked in self._commands.items():
            if not asked.fetchall():
                raise no_command(job, number)
        held = {}
        for key, asked in self._reports.items():
            found = asked.fetchall()
            if not found and key not in self._made:
                raise no_execution(job, *key)
            held[key] = found[0][0] if found else 0
        return held


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
