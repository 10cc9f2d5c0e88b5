"""Follows a job that another process runs: what its store is told becomes what a display hears."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tunewright.engine.listener import Listener
from tunewright.interfaces import Store
from tunewright.lifecycle import ownership
from tunewright.lifecycle.briefs import brief_of, stored_default
from tunewright.lifecycle.running import stored_job
from tunewright.progress.board import Board
from tunewright.progress.opening import open_progress
from tunewright.queries import AllSeries, Events, Executions, Trials
from tunewright.records import TERMINAL, WAITS, JobState, Status, Trial, TuningJob

PAUSE = 1.0  # seconds between looks at a job in which nothing happens
_PATIENCE = 5  # looks at a job that has ended and still has an owner
_RECENT = 200  # events that are looked at for the last word of the controller
_ENDED = TERMINAL | {Status.PAUSED}


def attach(store: Store, name: str, progress: str | bool | None = "auto", clock: Callable[[], float] = time.time) -> JobState:
    """Shows a job's progress until it has ended, or no process runs it any more. The job isn't touched.

    Args:
        progress: the display, as for `tune`.
        clock: seconds since the epoch.

    Raises:
        NotFound: there is no such job, or it was deleted meanwhile.
    """
    job = stored_job(store, name)
    trials = [*store.read(Trials(name))]
    brief = replace(brief_of(store, job, job.spec, stored_default(job.spec)), elapsed=_elapsed(store, job, clock()))
    display = open_progress(progress, brief, [trial for trial in trials if trial.status in _ENDED])
    follower = _Follower(store, name, display, clock)
    with display:
        follower.begin(job, trials)
        while not follower.over(job):
            store.wait(name, job.event, PAUSE)
            job = follower.look()
        if job.status in TERMINAL:
            display.finish()
        else:
            who = f"{ownership.describe(job.owner)} has died" if job.owner else "no process runs it"
            display.message(f"job {name} is {job.status.value}, but {who}. To go on: tunewright resume {name}")
    return job.state


class _Follower:
    """Tells a listener what has changed in a job since the last look."""

    def __init__(self, store: Store, name: str, listener: Listener, clock: Callable[[], float]) -> None:
        self._store, self._name, self._listener, self._clock = store, name, listener, clock
        self._board: Board | None = getattr(listener, "board", None)
        self._statuses: dict[int, Status] = {}
        self._waiting: dict[int, str] = {}
        self._event, self._patience = 0, _PATIENCE
        self._metric = ""

    def begin(self, job: TuningJob, trials: list[Trial]) -> None:
        """Tells of what runs already."""
        self._event, self._metric = job.event, job.spec["objectives"][0]["metric"]
        self._statuses = {trial.number: trial.status for trial in trials}
        for trial in trials:
            if trial.status in (Status.IN_PROGRESS, Status.STOPPING):
                self._started(trial)
                self._waits(trial)
                self._reported(trial)
        self._listener.state_changed(job.state)

    def look(self) -> TuningJob:
        """Tells of all that has happened since, and gives the job as it was when it began to look."""
        job, since = stored_job(self._store, self._name), self._event
        if job.event == since:
            return job
        reporting = {event.trial for event in self._store.read(Events(self._name, since=since)) if event.kind == "reports"}
        for trial in self._store.read(Trials(self._name, since=since)):
            before = self._statuses.get(trial.number)
            self._statuses[trial.number] = trial.status
            if trial.status is Status.IN_PROGRESS:
                if before is not Status.IN_PROGRESS:
                    self._started(trial)
                self._waits(trial)
            elif trial.status in _ENDED and before != trial.status:
                self._listener.trial_ended(trial)
        running = {number for number, status in self._statuses.items() if status in (Status.IN_PROGRESS, Status.STOPPING)}
        if numbers := tuple(sorted(running.intersection(number for number in reporting if number is not None))):
            for trial in self._store.read(Trials(self._name, numbers=numbers)):
                self._reported(trial)
        self._listener.state_changed(job.state)
        self._event = job.event
        return job

    def over(self, job: TuningJob) -> bool:
        """Whether nothing more will happen by itself."""
        if job.status in TERMINAL:
            # One that has an owner is being left, or being taken up again.
            self._patience -= 1
            return job.owner is None or ownership.is_dead(job.owner) or self._patience < 0
        return job.status is not Status.PENDING and (job.owner is None or ownership.is_dead(job.owner))

    def _started(self, trial: Trial) -> None:
        executions = [*self._store.read(Executions(self._name, trial=trial.number))]
        if not executions:
            return
        execution = executions[-1]
        self._listener.trial_started(trial, execution)
        running = None if self._board is None else self._board.running.get(trial.number)
        if running is not None and execution.started is not None:
            running.since -= max(0.0, self._clock() - execution.started)

    def _waits(self, trial: Trial) -> None:
        """Tells for what a trial waits that can't start yet, and that it waits no more."""
        reason = trial.reason if trial.reason_code == WAITS else None
        if reason != self._waiting.get(trial.number):
            self._listener.trial_waits(trial, reason)
            self._waiting.pop(trial.number, None)
            if reason is not None:
                self._waiting[trial.number] = reason

    def _reported(self, trial: Trial) -> None:
        for series in self._store.read(AllSeries(self._name, trial=trial.number)):
            if series.metric == self._metric:
                self._listener.trial_reported(trial, series.last_step, series.last)


def _elapsed(store: Store, job: TuningJob, now: float) -> float:
    """How long the job has run by now: its controller said it last some time ago."""
    if job.status in TERMINAL or job.owner is None or ownership.is_dead(job.owner):
        return job.state.elapsed
    said = [event.at for event in store.read(Events(job.name, since=max(0, job.event - _RECENT))) if event.kind == "job"]
    return job.state.elapsed + (max(0.0, now - said[-1]) if said else 0.0)
