"""The controller's picture of its job: trials that have not ended, live executions, counts, the best trial.

Every change goes to the journal and the ledger in the same call, so that what strategies see, what is committed and what
the controller believes are one.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from tunewright.engine.journal import Journal
from tunewright.engine.listener import Listener
from tunewright.engine.scoring import Seen
from tunewright.frozen import changed
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
)
from tunewright.spec import JobSpec, trial_seed


class Live:
    """A running execution: what of it changes, beside its record as of the last commit.

    Attributes:
        measures: whether it measures a completed trial again, and so adds nothing to its curve.
        number: its trial's number.
        token: its own.
        until: the step of its next decision; None when there is none.
        reports: how many came.
        halted: the ordered end (action, reason code, reason) once there is one.
    """

    __slots__ = ("checkpoint", "execution", "halted", "handle", "measures", "number", "reports", "seen", "token", "until")

    def __init__(self, execution: Execution, seen: Seen, checkpoint: Checkpoint | None) -> None:
        self.execution, self.seen, self.checkpoint = execution, seen, checkpoint
        self.number, self.token = execution.trial, execution.token
        self.until, self.reports, self.handle = execution.until_step, execution.reports, execution.handle
        self.measures = execution.purpose is Purpose.MEASURE
        self.halted: tuple[str, str, str] | None = None

    def record(self) -> Execution:
        """It as it stands."""
        status = self.execution.status if self.handle is None else ExecutionStatus.RUNNING
        self.execution = changed(
            self.execution, status=status, handle=self.handle, until_step=self.until, reports=self.reports, step=self.seen.step
        )
        return self.execution


class Book:
    """See the module. Owned by one controller and its thread.

    Attributes:
        trials: those that have not ended, by number.
        measured: those that have ended and are being measured again, by number.
        live: running executions, by token.
        waiting: trials to execute again before anything new is proposed, with the purpose.
        state: the job's state as of the last commit, or as changed since.
        moves, reported: count up with every change of a trial, and with every value added to a curve.
        holds: whether a checkpoint of a path is still there, and in reach.
    """

    def __init__(
        self,
        spec: JobSpec,
        state: JobState,
        journal: Journal,
        ledger: Ledger,
        clock: Clock,
        listener: Listener,
        folder: str,
        holds: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.spec, self.state, self.journal, self.ledger = spec, state, journal, ledger
        self.clock, self.listener, self.folder, self.holds = clock, listener, folder, holds
        self.trials: dict[int, Trial] = {}
        self.measured: dict[int, Trial] = {}
        self.live: dict[str, Live] = {}
        self.waiting: deque[tuple[int, Purpose]] = deque()
        self.counts: dict[Status, int] = dict.fromkeys(Status, 0)
        self.total = self.moves = self.reported = 0
        self._began = clock.now()
        self._elapsed_before = state.elapsed
        self._dirty = False
        self._ended: list[Trial] = []
        self._tokens = itertools.count(1)
        self._mark = secrets.token_hex(8)

    @property
    def elapsed(self) -> float:
        """Seconds that the job has run, over its life."""
        return self._elapsed_before + max(0.0, self.clock.now() - self._began)

    def trial(self, number: int) -> Trial:
        """A trial that has not ended or is being measured."""
        found = self.trials.get(number)
        return self.measured[number] if found is None else found

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

    # --- executions ---

    def open_trial(self, proposal: New) -> Live:
        """A new trial and its first execution, to be committed before it is launched."""
        number, now = self.ledger.view().next_number, self.clock.now()
        trial = Trial(
            number, proposal.params, trial_seed(self.spec.seed, number), proposal.reason, proposal.definition,
            Status.IN_PROGRESS, executions=1, created=now, started=now,
        )  # fmt: skip
        self.counts[Status.IN_PROGRESS] += 1
        self.total += 1
        self._put(trial)
        return self._open(Execution(number, 1, self._token(), fidelity=self.spec.max_step, started=now), Seen(), None)

    def open_again(self, trial: Trial, purpose: Purpose, seen: Seen, checkpoint: Checkpoint | None) -> Live:
        """Another execution of a trial that has not ended, from a checkpoint on."""
        number = trial.executions + 1
        if trial.status is Status.IN_PROGRESS:
            self.change(trial, executions=number)
        else:
            self.move(trial, Status.IN_PROGRESS, executions=number, reason_code=None, reason=None)
        start = checkpoint.step if checkpoint else 0
        execution = Execution(
            trial.number, number, self._token(), purpose, fidelity=self.spec.max_step, from_step=start, step=start,
            started=self.clock.now(),
        )  # fmt: skip
        return self._open(execution, seen, checkpoint)

    def open_measure(self, trial: Trial, fold: int, repeat: int) -> Live:
        """Another execution of a completed trial, whose status stays."""
        number = trial.executions + 1
        self.measured[trial.number] = trial
        self.change(trial, executions=number)
        execution = Execution(
            trial.number, number, self._token(), Purpose.MEASURE, fold, repeat, self.spec.max_step, started=self.clock.now()
        )
        return self._open(execution, Seen(), None)

    def _open(self, execution: Execution, seen: Seen, checkpoint: Checkpoint | None) -> Live:
        live = self.live[execution.token] = Live(execution, seen, checkpoint)
        self.journal.put(execution)
        return live

    def set_until(self, live: Live, until: int | None) -> None:
        """The step of the next decision about an execution."""
        live.until = until
        self.journal.put_draft(live.token, live)

    def launch_of(self, live: Live) -> Launch:
        """What an executor needs to start, or take over, an execution."""
        trial, execution = self.trial(live.number), live.execution
        if execution.until_step != live.until:
            execution = live.record()
        if execution.repeat:
            trial = changed(trial, seed=trial_seed(self.spec.seed, trial.number, execution.repeat))
        path = live.checkpoint.path if live.checkpoint else None
        return Launch(trial, execution, f"{self.folder}/trials/{trial.number:05d}", path)

    def end_execution(self, live: Live, status: ExecutionStatus, **changes: Any) -> None:
        """An execution that runs no more."""
        self.journal.put(
            changed(
                live.execution, status=status, handle=live.handle, until_step=live.until, reports=live.reports,
                step=live.seen.step, ended=self.clock.now(), **changes,
            )
        )  # fmt: skip
        del self.live[live.token]
        if live.measures and all(other.number != live.number for other in self.live.values()):
            del self.measured[live.number]

    # --- changes ---

    def change(self, trial: Trial, **changes: Any) -> Trial:
        """A trial with other fields in the same status."""
        trial = changed(trial, **changes)
        self._put(trial)
        return trial

    def move(self, trial: Trial, status: Status, **changes: Any) -> Trial:
        """A trial in another status; its counts follow, and the best trial when it is completed."""
        moved = trial.to(status, **changes)
        self.counts[trial.status] -= 1
        self.counts[status] += 1
        if status is Status.COMPLETED:
            self._consider(moved)
        self._put(moved)
        return moved

    def measured_again(self, trial: Trial, completed: Callable[[], Iterable[Trial]], **changes: Any) -> Trial:
        """A completed trial with other values. The best trial is chosen afresh if it was this one.

        Args:
            completed: reads all completed trials, of which this one may be out of date.
        """
        trial = self.change(trial, **changes)
        if self.state.best != trial.number:
            self._consider(trial)
        else:
            self.state = changed(self.state, best=None, best_objectives=None)
            for other in completed():
                self._consider(trial if other.number == trial.number else other)
        return trial

    def _consider(self, trial: Trial) -> None:
        """Makes a completed trial the best one if it is."""
        old = self.state.best_objectives
        if not trial.feasible or trial.objectives is None:
            return
        if old is None or self.spec.objectives[0].better(trial.objectives[0], old[0]):
            self.state = changed(self.state, best=trial.number, best_objectives=trial.objectives)

    def set_state(self, status: Status, **changes: Any) -> None:
        """The job's status."""
        moved = self.state if self.state.status is status else self.state.to(status)
        self.state = changed(moved, **changes)
        self._dirty = True

    def touch(self) -> None:
        """Has the next commit store how long the job has run."""
        self._dirty = True

    def ended(self, trial: Trial) -> None:
        """The listener hears of a trial's end, or its pause, after the commit."""
        self._ended.append(trial)

    def commit(self) -> None:
        """Commits what waits, with the job's counts, and tells the listener."""
        dirty = self._dirty
        if dirty:
            self.state = changed(self.state, counts=Counts(*self.counts.values()), elapsed=self.elapsed)
            self.journal.put(self.state)
        self.ledger.event = self.journal.commit()
        self._dirty = False
        if self._ended:
            ended, self._ended = self._ended, []
            for trial in ended:
                self.listener.trial_ended(trial)
        if dirty:
            self.listener.state_changed(self.state)

    def _token(self) -> str:
        """A text that no execution had before, anywhere, and of which none is a part of another."""
        return f"{self._mark}{next(self._tokens):08x}"

    def _put(self, trial: Trial) -> None:
        self._dirty = True
        self.moves += 1
        number = trial.number
        if trial.status not in TERMINAL:
            self.trials[number] = trial
        else:
            self.trials.pop(number, None)
            if number in self.measured:
                self.measured[number] = trial
        self.journal.put(trial)
        self.ledger.record(trial, self.journal.next_event)
