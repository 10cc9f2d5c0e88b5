"""The controller's picture of its job: trials that have not ended, live executions, counts, the best trial.

Every change goes to the journal and the ledger in the same call, so that what strategies see, what is committed and what
the controller believes are one.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from typing import Any

from tunewright.engine.journal import Journal
from tunewright.engine.listener import Listener
from tunewright.engine.scoring import Seen
from tunewright.history import Ledger
from tunewright.interfaces import Clock, Launch, New
from tunewright.records import (
    TERMINAL,
    Checkpoint,
    Counts,
    Execution,
    ExecutionStatus,
    JobState,
    Purpose,
    Status,
    Trial,
    changed,
)
from tunewright.spec import JobSpec, trial_seed

_COUNT_FIELDS = dict(zip(Status, Counts.__dataclass_fields__, strict=True))


class Live:
    """A running execution. `halted` holds the ordered end (action, reason code, reason) once there is one."""

    __slots__ = ("checkpoint", "execution", "halted", "reports", "seen", "trial")

    def __init__(self, trial: Trial, execution: Execution, seen: Seen, checkpoint: Checkpoint | None) -> None:
        self.trial, self.execution, self.seen, self.checkpoint = trial, execution, seen, checkpoint
        self.reports = execution.reports
        self.halted: tuple[str, str, str] | None = None


class Book:
    """See the module. Owned by one controller and its thread.

    Attributes:
        trials: those that have not ended, by number.
        live: running executions, by token.
        waiting: trials to execute again before anything new is proposed, with the purpose.
        state: the job's state as of the last commit, or as changed since.
    """

    def __init__(
        self, spec: JobSpec, state: JobState, journal: Journal, ledger: Ledger, clock: Clock, listener: Listener, folder: str
    ) -> None:
        self.spec, self.state, self.journal, self.ledger = spec, state, journal, ledger
        self.clock, self.listener, self.folder = clock, listener, folder
        self.trials: dict[int, Trial] = {}
        self.live: dict[str, Live] = {}
        self.waiting: deque[tuple[int, Purpose]] = deque()
        self.counts: dict[Status, int] = dict.fromkeys(Status, 0)
        self.total = 0
        self._began = clock.now()
        self._elapsed_before = state.elapsed
        self._dirty = False

    @property
    def elapsed(self) -> float:
        """Seconds that the job has run, over its life."""
        return self._elapsed_before + self.clock.now() - self._began

    # --- reading a stored job back ---

    def restore(self, trials: Iterable[Trial]) -> None:
        """Fills counts, ledger and open trials from a store's rows."""
        for trial in trials:
            self.counts[trial.status] += 1
            self.total += 1
            if trial.status not in TERMINAL:
                self.trials[trial.number] = trial
            self.ledger.record(trial, self.journal.event)
        self._dirty = True

    # --- launching ---

    def open_trial(self, proposal: New) -> Launch:
        """A new trial and its first execution, committed before it is launched."""
        number = self.ledger.view().next_number
        now = self.clock.now()
        trial = Trial(
            number, proposal.params, trial_seed(self.spec.seed, number), proposal.reason, proposal.definition,
            Status.IN_PROGRESS, executions=1, created=now, started=now,
        )  # fmt: skip
        self.counts[Status.IN_PROGRESS] += 1
        self.total += 1
        self._put(trial)
        return self._launch(trial, Purpose.SEARCH, proposal.until, Seen(), None)

    def open_again(
        self,
        trial: Trial,
        purpose: Purpose,
        *,
        until: int | None = None,
        seen: Seen | None = None,
        checkpoint: Checkpoint | None = None,
        fold: int = 0,
        repeat: int = 0,
    ) -> Launch:
        """Another execution of a trial, committed before it is launched."""
        changes: dict[str, Any] = {"executions": trial.executions + 1}
        if trial.status in TERMINAL:
            trial = changed(trial, **changes)
        elif trial.status is Status.IN_PROGRESS:
            trial = self.change(trial, **changes)
        else:
            trial = self.move(trial, Status.IN_PROGRESS, reason_code=None, reason=None, **changes)
        if trial.done:
            self.journal.put(trial)
        return self._launch(trial, purpose, until, seen or Seen(), checkpoint, fold, repeat)

    def _launch(
        self,
        trial: Trial,
        purpose: Purpose,
        until: int | None,
        seen: Seen,
        checkpoint: Checkpoint | None,
        fold: int = 0,
        repeat: int = 0,
    ) -> Launch:
        execution = Execution(
            trial.number, trial.executions, secrets.token_hex(8), purpose, fold, repeat, self.spec.max_step,
            checkpoint.step if checkpoint else 0, until, started=self.clock.now(),
        )  # fmt: skip
        self.live[execution.token] = Live(trial, execution, seen, checkpoint)
        self.journal.put(execution)
        return self.launch_of(trial, execution, checkpoint)

    def launch_of(self, trial: Trial, execution: Execution, checkpoint: Checkpoint | None) -> Launch:
        """What an executor needs to start, or take over, an execution."""
        return Launch(trial, execution, f"{self.folder}/trials/{trial.number:05d}", checkpoint.path if checkpoint else None)

    # --- changes ---

    def change(self, trial: Trial, **changes: Any) -> Trial:
        """A trial with other fields in the same status."""
        trial = changed(trial, **changes)
        self._put(trial)
        return trial

    def move(self, trial: Trial, status: Status, **changes: Any) -> Trial:
        """A trial in another status; its counts follow, and the best trial when it is completed."""
        self.counts[trial.status] -= 1
        self.counts[status] += 1
        trial = trial.to(status, **changes)
        if status is Status.COMPLETED:
            self.consider(trial)
        self._put(trial)
        return trial

    def consider(self, trial: Trial) -> None:
        """Makes a completed trial the best one if it is."""
        objective = self.spec.objectives[0]
        old = self.state.best_objectives
        if not trial.feasible or trial.objectives is None:
            return
        if old is None or objective.better(trial.objectives[0], old[0]):
            self.state = changed(self.state, best=trial.number, best_objectives=trial.objectives)

    def choose_best(self, completed: Iterable[Trial]) -> None:
        """Finds the best trial afresh, after one was measured again."""
        self.state = changed(self.state, best=None, best_objectives=None)
        for trial in completed:
            self.consider(trial)
        self._dirty = True

    def end_execution(self, live: Live, status: ExecutionStatus, **changes: Any) -> None:
        """An execution that runs no more."""
        live.execution = changed(
            live.execution, status=status, reports=live.reports, step=live.seen.step, ended=self.clock.now(), **changes
        )
        self.journal.put(live.execution)
        del self.live[live.execution.token]

    def set_state(self, status: Status, **changes: Any) -> None:
        """The job's status."""
        moved = self.state if self.state.status is status else self.state.to(status)
        self.state = changed(moved, **changes)
        self._dirty = True

    def commit(self) -> None:
        """Commits what waits, with the job's counts."""
        if self._dirty:
            counts = Counts(**{_COUNT_FIELDS[status]: count for status, count in self.counts.items()})
            self.state = changed(self.state, counts=counts, elapsed=self.elapsed)
            self.journal.put(self.state)
            self.ledger.event = self.journal.commit()
            self._dirty = False
            self.listener.state_changed(self.state)
        else:
            self.journal.commit()

    def _put(self, trial: Trial) -> None:
        self._dirty = True
        if trial.status in TERMINAL:
            self.trials.pop(trial.number, None)
        else:
            self.trials[trial.number] = trial
        self.journal.put(trial)
        self.ledger.record(trial, self.journal.next_event)
