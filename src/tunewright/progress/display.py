"""What every display does: it keeps a board, and hears of a job in its place."""

from __future__ import annotations

from tunewright.progress.board import Board
from tunewright.progress.formatting import format_number
from tunewright.records import Execution, JobState, Trial


class Display:
    """The abstract base of displays: a listener that passes on to its board, opens with the job and closes with it."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def __exit__(self, *exception: object) -> None:
        pass

    def trial_started(self, trial: Trial, execution: Execution) -> None:
        self.board.trial_started(trial, execution)

    def trial_waits(self, trial: Trial, reason: str | None) -> None:
        self.board.trial_waits(trial, reason)

    def trial_reported(self, trial: Trial, step: int, value: float | None) -> None:
        self.board.trial_reported(trial, step, value)

    def trial_ended(self, trial: Trial) -> None:
        self.board.trial_ended(trial)

    def state_changed(self, state: JobState) -> None:
        self.board.state_changed(state)

    def best_text(self) -> str:
        """The best trial's first objective: `accuracy 0.98`; empty when there is none."""
        best = self.board.best
        if best is None or best.objective is None:
            return ""
        return f"{self.board.brief.objectives[0].metric} {format_number(best.objective)}"
