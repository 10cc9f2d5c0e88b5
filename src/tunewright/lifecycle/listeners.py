"""Those who hear of a job besides its display: each passes on what it hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tunewright.engine.listener import Listener
from tunewright.records import Execution, JobState, Trial

if TYPE_CHECKING:
    from tunewright.lifecycle.job import Job, StoredTrial

OnTrial = Callable[["StoredTrial"], object]


class Passing:
    """The abstract base: a listener that passes everything on to the next one."""

    def __init__(self, following: Listener) -> None:
        self._following = following

    def trial_started(self, trial: Trial, execution: Execution) -> None:
        self._following.trial_started(trial, execution)

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        self._following.trial_waits(trial, reason)

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        self._following.trial_reported(trial, step, value)

    def trial_ended(self, trial: Trial) -> None:
        self._following.trial_ended(trial)

    def state_changed(self, state: JobState) -> None:
        self._following.state_changed(state)

    def message(self, text: str) -> None:
        self._following.message(text)


class CallsOnTrial(Passing):
    """Calls `on_trial` with every trial that has ended. Its errors are told once and end nothing."""

    def __init__(self, following: Listener, on_trial: OnTrial, job: Job) -> None:
        super().__init__(following)
        self._on_trial, self._job = on_trial, job
        self._complained = False

    def trial_ended(self, trial: Trial) -> None:
        from tunewright.lifecycle.job import StoredTrial

        super().trial_ended(trial)
        try:
            self._on_trial(StoredTrial(trial, self._job))
        except Exception as error:
            if not self._complained:
                self._complained = True
                self.message(f"on_trial raised {type(error).__name__}: {error}; the job goes on")
