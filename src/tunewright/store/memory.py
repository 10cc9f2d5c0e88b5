"""A store in this process's memory: for ask-and-tell, tests and simulations. Gone when the process ends.

Records are kept as they were given and handed out as they are: they are frozen, and their mappings must not be changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Condition
from typing import Any, TypeVar, cast

from tunewright.errors import InvalidInput, JobExists, LeaseLost
from tunewright.interfaces import Clock, Fence
from tunewright.queries import Query
from tunewright.records import Change, Command, TuningJob, Wanted
from tunewright.store.changes import (
    WANTED_BY_COMMAND,
    Batch,
    EventText,
    Value,
    by_metric,
    no_command,
    no_execution,
    no_job,
    no_trial,
    summarise,
    unseen,
)
from tunewright.store.encoding import from_json, to_json
from tunewright.store.rows import JobRows, TrialRows, select

Row = TypeVar("Row")


class _SystemClock:
    def now(self) -> float:
        return time.time()


class MemoryStore:
    """A store in memory; `tunewright.interfaces.Store` says what its methods do.

    Args:
        clock: what leases and events go by; the system's when None.
        namespace: of all its jobs.
    """

    location: str | None = None
    folder: str | None = None

    def __init__(self, clock: Clock | None = None, *, namespace: str = "local") -> None:
        self._clock: Clock = clock if clock is not None else _SystemClock()
        self.namespace = namespace
        self._jobs: dict[str, JobRows] = {}
        self._commands = 0
        self._changed = Condition()

    def create(self, job: TuningJob) -> None:
        with self._changed:
            if job.namespace != self.namespace:
                raise InvalidInput("namespace", f"must be {self.namespace!r}, the store's", job.namespace)
            if job.name in self._jobs:
                raise JobExists("name", "must be new in this store", job.name)
            now = self._clock.now()
            self._jobs[job.name] = rows = JobRows(job, job.created or now)
            self._tell(rows, EventText("job", None, None, "created"), now)

    def claim(self, job: str, owner: str, ttl: float, *, evict: str | None = None) -> Fence | None:
        with self._changed:
            rows, now = self._rows(job), self._clock.now()
            if _is_held(rows, now, evict):
                return None
            rows.owner, rows.fence, rows.lease_until = owner, rows.fence + 1, now + ttl
            self._tell(rows, EventText("job", None, None, f"claimed by {owner}"), now)
            return Fence(job, rows.fence, ttl)

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        with self._changed:
            rows = self._rows(fence.job)
            if rows.owner is None or rows.fence != fence.number:
                raise LeaseLost(f"job {fence.job!r} is controlled by {rows.owner or 'nobody'} now; nothing was written")
            now = self._clock.now()
            if changes:
                batch = Batch(changes)
                apply = _check(rows, batch)  # everything that can fail comes first
                apply(now)
                rows.events.extend([(text, now) for text in batch.events])
                self._changed.notify_all()
            rows.lease_until = now + fence.ttl
            return len(rows.events)

    def release(self, fence: Fence) -> None:
        with self._changed:
            rows = self._rows(fence.job)
            if rows.owner is not None and rows.fence == fence.number:
                text = EventText("job", None, None, f"released by {rows.owner}")
                rows.owner = rows.lease_until = None
                self._tell(rows, text, self._clock.now())

    def request(self, job: str, command: Command) -> int:
        payload = from_json(to_json("payload", command.payload))
        with self._changed:
            rows, now = self._rows(job), self._clock.now()
            self._commands += 1
            number = self._commands
            rows.commands[number] = Command(command.kind, payload, command.by, number, now)
            if command.kind in WANTED_BY_COMMAND:
                rows.wanted = Wanted(WANTED_BY_COMMAND[command.kind])
            self._tell(rows, EventText("command", None, None, f"{number}: {command.kind}"), now)
            return number

    def delete(self, job: str, *, evict: str | None = None) -> bool:
        with self._changed:
            if _is_held(self._rows(job), self._clock.now(), evict):
                return False
            del self._jobs[job]
            self._changed.notify_all()
            return True

    def read(self, query: Query[Row]) -> Iterator[Row]:
        with self._changed:
            return cast("Iterator[Row]", iter(select(self._jobs, query)))

    def wait(self, job: str, since: int, timeout: float) -> int:
        with self._changed:
            rows = self._rows(job)
            self._changed.wait_for(lambda: len(rows.events) > since, timeout)
            return len(rows.events)

    def close(self) -> None:
        """Does nothing: the store ends with its last reference."""

    def _rows(self, job: str) -> JobRows:
        if job not in self._jobs:
            raise no_job(job)
        return self._jobs[job]

    def _tell(self, rows: JobRows, text: EventText, at: float) -> None:
        rows.events.append((text, at))
        self._changed.notify_all()


def _is_held(rows: JobRows, now: float, evict: str | None) -> bool:
    """Whether another owner's lease lasts."""
    lasts = rows.owner is not None and rows.lease_until is not None and rows.lease_until > now
    return lasts and rows.owner != evict


_Curve = tuple[int, int, int, dict[str, list[Value]]]  # trial, execution, how many reports it has then, and the new values


def _check(rows: JobRows, batch: Batch) -> Callable[[float], None]:
    """Raises what a commit must raise; returns what carries it out, given the time."""
    created = {trial.number for trial in batch.trials}

    def trial_must_exist(number: int) -> None:
        if number not in created and number not in rows.trials:
            raise no_trial(rows.name, number)

    for execution in batch.executions:
        trial_must_exist(execution.trial)
    curves = _check_reports(rows, batch, trial_must_exist) if batch.reports else ()
    for checkpoint in batch.checkpoints:
        trial_must_exist(checkpoint.trial)
    for decision in batch.decisions:
        if decision.trial >= 0:
            trial_must_exist(decision.trial)
    for handled in batch.handled:
        if handled.id not in rows.commands:
            raise no_command(rows.name, handled.id)
    spec: Any = None if batch.spec is None else from_json(to_json("spec", batch.spec.spec))

    def apply(now: float) -> None:
        for trial in batch.trials:
            if trial.number in rows.trials:
                rows.trials[trial.number].trial = trial
            else:
                rows.trials[trial.number] = TrialRows(trial)
        for execution in batch.executions:
            rows.trials[execution.trial].executions[execution.number] = execution
        for curve in curves:
            _add_values(rows, *curve)
        _apply_rest(rows, batch, now)
        if spec is not None:
            rows.spec = spec

    return apply


def _check_reports(rows: JobRows, batch: Batch, trial_must_exist: Callable[[int], None]) -> list[_Curve]:
    created = {(execution.trial, execution.number) for execution in batch.executions}
    curves: list[_Curve] = []
    held: dict[tuple[int, int], int] = {}
    for reports in batch.reports:
        trial_must_exist(reports.trial)
        key, trial = (reports.trial, reports.execution), rows.trials.get(reports.trial)
        if key not in created and (trial is None or reports.execution not in trial.executions):
            raise no_execution(rows.name, *key)
        before = held[key] if key in held else trial.held.get(reports.execution, 0) if trial is not None else 0
        first, fresh = unseen(reports, before)
        held[key] = first + len(fresh)
        curves.append((*key, held[key], by_metric(first, fresh)))
    return curves


def _add_values(rows: JobRows, number: int, execution: int, held: int, values: dict[str, list[Value]]) -> None:
    trial = rows.trials[number]
    trial.held[execution] = held
    curves = trial.values.setdefault(execution, {})
    for metric, added in values.items():
        curves.setdefault(metric, []).extend(added)
        summary, before = summarise(added), trial.series.get(metric)
        trial.series[metric] = summary if before is None else before.plus(summary)


def _apply_rest(rows: JobRows, batch: Batch, now: float) -> None:
    for checkpoint in batch.checkpoints:
        rows.trials[checkpoint.trial].checkpoints[checkpoint.execution, checkpoint.step] = checkpoint
    for decision in batch.decisions:
        rows.decisions.append(decision if decision.at else replace(decision, at=now))
    for handled in batch.handled:
        rows.commands[handled.id] = replace(rows.commands[handled.id], handled=True, answer=handled.answer)
    if batch.state is not None:
        rows.state = batch.state
