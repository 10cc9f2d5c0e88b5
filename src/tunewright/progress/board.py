"""What a running job looks like: the counts, the best trial, what runs, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tunewright.engine.listener import Silent
from tunewright.progress.brief import Brief
from tunewright.records import Counts, Execution, JobState, Params, Status, Trial


@dataclass(slots=True)
class Running:
    """A trial that runs: since when (seconds of the board's clock), and the last step and value that it reported.

    `waits` tells for what, as long as it can't start.
    """

    since: float
    step: int = 0
    value: float | None = None
    waits: str | None = None


class Board(Silent):
    """Follows a job as a listener. Displays read its attributes, also from another thread.

    Args:
        brief: the job.
        earlier: trials that the job holds from before, when it is resumed.
        clock: seconds, from any origin.
    """

    def __init__(self, brief: Brief, earlier: Iterable[Trial] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.brief = brief
        self.counts = Counts()
        self.state = JobState()
        self.best: Trial | None = None
        self.first: Trial | None = None
        self.running: dict[int, Running] = {}
        self.started = clock()
        self._clock = clock
        self._spent = 0.0
        self._ended = 0
        for trial in earlier:
            self._consider(trial)

    def trial_started(self, trial: Trial, _execution: Execution) -> None:
        self.running[trial.number] = Running(self._clock())

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        running = self.running.get(trial.number)
        if running is not None:
            running.waits, running.since = reason, self._clock()

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        running = self.running.get(trial.number)
        if running is not None:
            running.step = step
            if value is not None:
                running.value = value

    def trial_ended(self, trial: Trial) -> None:
        running = self.running.pop(trial.number, None)
        if running is not None:
            self._spent += self._clock() - running.since
            self._ended += 1
        self._consider(trial)

    def state_changed(self, state: JobState) -> None:
        self.state, self.counts = state, state.counts

    @property
    def elapsed(self) -> float:
        """Seconds that the job has run over its life."""
        return self.brief.elapsed + self._clock() - self.started

    @property
    def reference(self) -> tuple[str, Trial] | None:
        """What the best trial is compared with, and its name: the default configuration, else the first trial."""
        if self.first is None:
            return None
        return reference_name(self.first, self.brief.default), self.first

    def time_left(self) -> float | None:
        """Seconds until the nearest limit, judged by the trials that have ended; None when there is nothing to judge by."""
        now, left = self._clock(), []
        if self.brief.max_time is not None:
            left.append(max(0.0, self.brief.max_time - self.elapsed))
        if self.brief.max_trials is not None and self._ended:
            mean = self._spent / self._ended
            ages = [now - running.since for running in list(self.running.values())]
            waiting = max(0, self.brief.max_trials - self.counts.ended - len(ages))
            work = waiting * mean + sum(max(0.0, mean - age) for age in ages)
            left.append(work / max(1, min(self.brief.max_parallel, waiting + len(ages))))
        return min(left) if left else None

    def _consider(self, trial: Trial) -> None:
        if trial.status is not Status.COMPLETED or trial.objectives is None:
            return
        if self.first is None or trial.number < self.first.number:
            self.first = trial
        if trial.feasible and (self.best is None or self._better(trial, self.best)):
            self.best = trial

    def _better(self, new: Trial, old: Trial) -> bool:
        assert new.objective is not None
        assert old.objective is not None
        return self.brief.objectives[0].better(new.objective, old.objective)


def reference_name(trial: Trial, default: Params | None) -> str:
    """What the trial that others are compared with is called: the default configuration, or just the first trial."""
    return "the default" if default is not None and dict(trial.params) == dict(default) else "the first trial"
