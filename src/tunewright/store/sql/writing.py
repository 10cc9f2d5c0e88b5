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


def _execution_row(run: int, execution: Execution) -> tuple[Any, ...]:
    objectives, failure = execution.objectives, execution.failure
    return (
        run,
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

        Raises:
            LeaseLost: the fence doesn't hold; nothing was written.
            NotFound, InvalidInput: a change doesn't fit what is stored; the transaction has to be rolled back.
        """
        batch, count = self._batch, len(self._batch.events)
        last, at = self._renew(cursor, count)
        if not count:
            return last
        first = last - count + 1
        runs: dict[int, int] = {}
        for trial in batch.trials:
            cursor.execute(self._statements.set_run, _run_row(self._job, trial))
            runs[trial.number] = cursor.fetchall()[0][0]
        if batch.executions:
            rows = [_execution_row(self._run(cursor, runs, execution.trial), execution) for execution in batch.executions]
            cursor.executemany(self._statements.set_execution, rows)
        if batch.reports:
            self._reports(cursor, runs)
        self._rest(cursor, runs, at)
        events = [(self._job, number, *text, at) for number, text in enumerate(batch.events, first)]
        cursor.executemany(self._statements.add_event, events)
        return last

    def _renew(self, cursor: Cursor, count: int) -> tuple[int, float]:
        """Checks the fence, renews the lease, takes event numbers and sets the job's state, all in one statement."""
        fence, state = self._fence, self._batch.state
        if state is None:
            cursor.execute(self._statements.commit, (fence.ttl, count, self._job, fence.number))
        else:
            row = (fence.ttl, count, *state_row(state), self._job, fence.number)
            cursor.execute(self._statements.commit_state, row)
        renewed = cursor.fetchall()
        if renewed:
            last, at = renewed[0]
            return last, at
        cursor.execute(self._statements.job_owner, (self._job,))
        owners = cursor.fetchall()
        owner = owners[0][0] if owners else None
        raise LeaseLost(f"job {fence.job!r} is controlled by {owner or 'nobody'} now; nothing was written")

    def _run(self, cursor: Cursor, known: dict[int, int], number: int) -> int:
        """The id of a trial's run, kept in `known`."""
        run = known.get(number)
        if run is None:
            cursor.execute(self._statements.run_id, (self._job, number))
            found = cursor.fetchall()
            if not found:
                raise no_trial(self._fence.job, number)
            run = known[number] = found[0][0]
        return run

    def _reports(self, cursor: Cursor, runs: dict[int, int]) -> None:
        statements, points = self._statements, []
        for reports in self._batch.reports:
            run, execution = self._run(cursor, runs, reports.trial), reports.execution
            cursor.execute(statements.reports_held, (run, execution))
            found = cursor.fetchall()
            if not found:
                raise no_execution(self._fence.job, reports.trial, execution)
            first, fresh = unseen(reports, found[0][0])
            if not fresh:
                continue
            cursor.execute(statements.count_reports, (first + len(fresh), run, execution))
            for metric, values in by_metric(first, fresh).items():
                size, last, minimum, maximum, last_step = summarise(values)
                row = (run, metric, size, _or_null(last), _or_null(minimum), _or_null(maximum), last_step)
                cursor.execute(statements.add_to_series, row)
                series = cursor.fetchall()[0][0]
                points += [(series, execution, *value) for value in values]
        if points:
            cursor.executemany(statements.add_point, points)

    def _rest(self, cursor: Cursor, runs: dict[int, int], at: float) -> None:
        batch, statements, job = self._batch, self._statements, self._job
        for checkpoint in batch.checkpoints:
            run = self._run(cursor, runs, checkpoint.trial)
            row = (run, checkpoint.execution, checkpoint.step, checkpoint.path, checkpoint.at)
            cursor.execute(statements.set_checkpoint, row)
        for decision in batch.decisions:
            if decision.trial >= 0:
                self._run(cursor, runs, decision.trial)
            made = (decision.action.value, decision.until, decision.by, decision.reason, decision.at or at)
            cursor.execute(statements.add_decision, (job, decision.trial, decision.step, *made))
        for handled in batch.handled:
            cursor.execute(statements.handle_command, (True, handled.answer, job, handled.id))
            if not cursor.fetchall():
                raise no_command(self._fence.job, handled.id)
        if batch.spec is not None:
            cursor.execute(statements.set_spec, (to_json("spec", batch.spec.spec), job))


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
