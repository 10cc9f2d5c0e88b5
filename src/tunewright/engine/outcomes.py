"""What an executor's events mean: reports, decision steps, checkpoints, and how an execution's end ends its trial."""

from __future__ import annotations

from tunewright.engine.book import Book, Live
from tunewright.engine.failures import FailureWatch
from tunewright.engine.scoring import feasible, score, shown
from tunewright.errors import InvalidInput
from tunewright.interfaces import (
    Checkpointed,
    Executor,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Reported,
    Started,
    Stopper,
    Store,
    Until,
)
from tunewright.queries import Executions, Trials
from tunewright.records import (
    TERMINAL,
    Action,
    Checkpoint,
    Decision,
    Execution,
    ExecutionStatus,
    FailureKind,
    Purpose,
    Reports,
    Status,
    Trial,
    changed,
)


class Outcomes:
    """Turns executor events into changes of the book.

    Attributes:
        fatal: why failures have to end the job, once they do.
        failure: the last failure that ended a trial.
    """

    def __init__(self, job: str, book: Book, executor: Executor, store: Store, stopper: Stopper | None, grace: float) -> None:
        self._job, self._book, self._executor, self._store, self._stopper = job, book, executor, store, stopper
        self._grace = grace
        self._watch = FailureWatch()
        self.fatal: tuple[str, str] | None = None

    @property
    def failure(self) -> Failure | None:
        return self._watch.last

    def handle(self, event: ExecutorEvent) -> None:
        """Takes one event; what belongs to an execution that has ended already is dropped."""
        live = self._book.live.get(event.token)
        if live is None:
            return
        if isinstance(event, Exited):
            self._exited(live, event)
        elif isinstance(event, Reported):
            self._reported(live, event)
        elif isinstance(event, Checkpointed):
            live.checkpoint = Checkpoint(live.trial.number, live.execution.number, event.step, event.path, event.at)
            self._book.journal.put(live.checkpoint)
        elif isinstance(event, Started):
            live.execution = changed(live.execution, status=ExecutionStatus.RUNNING, handle=event.handle)
            self._book.journal.put(live.execution, urgent=False)

    # --- while it runs ---

    def _reported(self, live: Live, event: Reported) -> None:
        book = self._book
        reports = event.reports[max(0, live.reports - event.first) :]
        if not reports:
            return
        objectives = book.spec.objectives
        number, metric = live.trial.number, objectives[0].metric
        for report in reports:
            live.seen.add(report.step, report.metrics, objectives)
            value = report.metrics.get(metric)
            if value is not None and live.execution.purpose not in (Purpose.MEASURE, Purpose.FINAL):
                book.ledger.report(number, report.step, value)
        book.journal.put(Reports(number, live.execution.number, live.reports, reports), urgent=False)
        live.reports += len(reports)
        live.execution = changed(live.execution, reports=live.reports, step=live.seen.step)
        book.journal.put(live.execution, urgent=False)
        book.listener.trial_reported(live.trial, live.seen.step, live.seen.metrics.get(metric))
        until = live.execution.until_step
        if until is not None and live.seen.step >= until and live.halted is None:
            self._decide(live)

    def set_first_until(self, live: Live) -> Execution:
        """Has the stopper say how far an execution that is about to be launched may go unasked."""
        if self._stopper is not None:
            decision = self._stopper.decide(self._book.ledger.view(), live.trial.number)
            # Nothing has been reported by this execution yet, so an end that is decided now is decided at its first step.
            until = decision.until if decision.action is Action.RUN else live.execution.from_step + 1
            live.execution = changed(live.execution, until_step=until)
            self._book.journal.put(live.execution)
        return live.execution

    def _decide(self, live: Live) -> None:
        assert self._stopper is not None, "only a stopper sets decision steps"
        book, step = self._book, live.seen.step
        decision = self._stopper.decide(book.ledger.view(), live.trial.number)
        if decision.action is Action.PAUSE and live.checkpoint is None:
            decision = Decision(Action.RUN, f"not paused, for it wrote no checkpoint ({decision.reason})")
        if decision.until is not None and decision.until <= step:
            raise InvalidInput("stopper", f"must decide until a step after {step}", decision.until)
        decision = changed(decision, trial=live.trial.number, step=step, by=type(self._stopper).__name__, at=book.clock.now())
        if decision.action is Action.RUN:
            if decision.reason:
                book.journal.put(decision, urgent=False)
            live.execution = changed(live.execution, until_step=decision.until)
            self._executor.order(live.execution.token, Until(decision.until))
        else:
            self.halt(live, decision, "early_stopped" if decision.action is Action.STOP else "paused")

    def halt(self, live: Live, decision: Decision, code: str, grace: float | None = None) -> None:
        """Orders the end of a running execution; the decision is committed before the order goes out."""
        book = self._book
        live.halted = (decision.action, code, decision.reason)
        book.journal.put(decision)
        if decision.action is Action.STOP and live.trial.status is Status.IN_PROGRESS:
            live.trial = book.move(live.trial, Status.STOPPING)
        book.commit()
        self._executor.order(
            live.execution.token, Halt(decision.action.value, decision.reason, self._grace if grace is None else grace)
        )

    # --- its end ---

    def _exited(self, live: Live, event: Exited) -> None:
        if event.outcome == "completed":
            values = score(self._book.spec.objectives, live.seen, event.returned)
            if isinstance(values, Failure):
                self._failed(live, values)
            else:
                self._completed(live, values)
        elif event.outcome == "failed":
            assert event.failure is not None, "a failed execution says why"
            self._failed(live, event.failure)
        elif event.outcome == "lost":
            self._lost(live, event.failure)
        else:
            self._halted(live, event.outcome)

    def _completed(self, live: Live, values: tuple[float, ...]) -> None:
        book = self._book
        book.end_execution(live, ExecutionStatus.COMPLETED, objectives=values)
        self._watch.completed()
        trial, metrics = live.trial, dict(live.seen.metrics)
        if trial.status in TERMINAL or trial.executions > 1:
            values = self._aggregate(live.execution, values)
        changes = {"objectives": values, "metrics": metrics, "step": live.seen.step}
        ok = feasible(book.spec.requirements, metrics) if book.spec.requirements else True
        if trial.status in TERMINAL:  # measured again: its record changes, its status doesn't
            trial = book.change(trial, **changes)
            book.commit()
            book.choose_best(self._store.read(Trials(self._job, statuses=(Status.COMPLETED,))))
        else:
            trial = book.move(trial, Status.COMPLETED, feasible=ok, ended=book.clock.now(), **changes)
        book.listener.trial_ended(trial)

    def _aggregate(self, execution: Execution, values: tuple[float, ...]) -> tuple[float, ...]:
        """One value per objective from the newest completed execution of every (fold, repeat)."""
        newest = {(execution.fold, execution.repeat): values}
        stored = self._store.read(Executions(self._job, trial=execution.trial))
        for other in sorted(stored, key=lambda e: -e.number):
            if other.status is ExecutionStatus.COMPLETED and other.objectives is not None and other.number != execution.number:
                newest.setdefault((other.fold, other.repeat), other.objectives)
        columns = zip(*(newest[key] for key in sorted(newest)), strict=True)
        return tuple(o.combine(column) for o, column in zip(self._book.spec.objectives, columns, strict=True))

    def _failed(self, live: Live, failure: Failure) -> None:
        book, trial = self._book, live.trial
        spent = sum(e.charged and e.failure is failure.kind for e in self._earlier(live))
        again = trial.status is Status.IN_PROGRESS and spent < book.spec.retries.allowed(failure.kind)
        book.end_execution(live, ExecutionStatus.FAILED, failure=failure.kind, reason=_text(failure), charged=True)
        if again:
            book.waiting.append((trial.number, Purpose.RETRY))
            book.listener.message(f"trial {trial.number} failed ({failure.message}) and is executed again")
        elif trial.status not in TERMINAL:
            self._fail_trial(live, failure)

    def _lost(self, live: Live, known: Failure | None) -> None:
        """An execution that vanished. One that a person interrupted, whose executor says so, doesn't count as vanished."""
        book, trial = self._book, live.trial
        lost = sum(e.failure is FailureKind.LOST for e in self._earlier(live)) + (known is None)
        reason = "its worker or controller vanished" if known is None else known.message
        kind = FailureKind.LOST if known is None else None
        book.end_execution(live, ExecutionStatus.LOST, failure=kind, reason=reason)
        if trial.status is Status.STOPPING:
            self._end_stopped(live, "stopped", "it was being stopped when it vanished")
        elif trial.status not in TERMINAL and lost <= book.spec.retries.lost:
            book.waiting.append((trial.number, Purpose.CONTINUE))
        elif trial.status not in TERMINAL:
            self._fail_trial(live, Failure(FailureKind.LOST, f"it was lost {lost} times"))

    def _earlier(self, live: Live) -> list[Execution]:
        if live.execution.number == 1:
            return []
        return [e for e in self._store.read(Executions(self._job, trial=live.trial.number)) if e.number < live.execution.number]

    def _fail_trial(self, live: Live, failure: Failure) -> None:
        book = self._book
        trial = book.move(
            live.trial, Status.FAILED, reason_code=failure.kind.value, reason=failure.message,
            metrics=dict(live.seen.metrics), step=live.seen.step, ended=book.clock.now(),
        )  # fmt: skip
        if self.fatal is None and (why := self._watch.failed(failure)) is not None:
            self.fatal = (failure.kind.value, why)
        book.listener.trial_ended(trial)

    def _halted(self, live: Live, outcome: str) -> None:
        book = self._book
        _, code, reason = live.halted or (outcome, "interrupted_itself", "the training code ended itself")
        if outcome == "paused":
            book.end_execution(live, ExecutionStatus.PAUSED, reason=reason)
            trial = book.move(live.trial, Status.PAUSED, reason_code=code, reason=reason, step=live.seen.step)
            book.listener.trial_ended(trial)
        else:
            book.end_execution(live, ExecutionStatus.STOPPED, reason=reason)
            self._end_stopped(live, code, reason)

    def _end_stopped(self, live: Live, code: str, reason: str) -> Trial | None:
        book = self._book
        if live.trial.status in TERMINAL:
            return None
        trial = book.move(
            live.trial, Status.STOPPED, reason_code=code, reason=reason, objectives=shown(book.spec.objectives, live.seen),
            metrics=dict(live.seen.metrics), step=live.seen.step, ended=book.clock.now(),
        )  # fmt: skip
        book.listener.trial_ended(trial)
        return trial


def _text(failure: Failure) -> str:
    return f"{failure.message}\n{failure.traceback}" if failure.traceback else failure.message
