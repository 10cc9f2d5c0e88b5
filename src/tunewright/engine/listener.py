"""What the engine tells whoever watches it: progress displays, `on_trial=`."""

from __future__ import annotations

from typing import Protocol

from tunewright.records import Execution, JobState, Trial


class Listener(Protocol):
    """Hears of what happened, after it was committed. It must return quickly; its errors end the job."""

    def trial_started(self, trial: Trial, execution: Execution) -> None:
        """An execution of a trial is being launched."""
        ...

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        """A trial that was launched can't start yet: the reason begins with `waits for`; None: it starts now."""
        ...

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        """A trial reported; `value` is its first objective's, None when that was not among the metrics."""
        ...

    def trial_ended(self, trial: Trial) -> None:
        """A trial is completed, failed, stopped or paused."""
        ...

    def state_changed(self, state: JobState) -> None:
        """The job's counts, best trial or status changed."""
        ...

    def message(self, text: str) -> None:
        """One line that a person should read."""
        ...


class Silent:
    """A listener that does nothing; a base for those that hear only some."""

    def trial_started(self, trial: Trial, execution: Execution) -> None:
        pass

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        pass

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        pass

    def trial_ended(self, trial: Trial) -> None:
        pass

    def state_changed(self, state: JobState) -> None:
        pass

    def message(self, text: str) -> None:
        pass
