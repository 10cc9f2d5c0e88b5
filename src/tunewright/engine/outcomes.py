"""What an executor's events mean: reports, decision steps, checkpoints, and how an execution's end ends its trial."""

from __future__ import annotations

from collections.abc import Iterable

from tunewright.engine.book import Book, Live
from tunewright.engine.failures import FailureWatch
from tunewright.engine.scoring import add_returned, feasible, score, shown
from tunewright.errors import InvalidInput
from tunewright.frozen import changed
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
    Waiting,
)
from tunewright.queries import Executions, Trials
from tunewright.records import (
    TERMINAL,
    WAITS,
    Action,
    Checkpoint,
    Decision,
    Execution,
    ExecutionStatus,
    FailureKind,
    Purpose,
    Reports,
    Status,
)


class Outcomes:
    """Turns executor events into changes of the book.

    Args:
        grace: seconds that training code gets to end by itself when it is ordered to.

    Attributes:
        fatal: why failures have to end the job (a code and a text), once they do.
        failure: the last failure that ended a trial.
    """

    def __init__(self, job: str, book: Book, executor: Executor, store: Store, stopper: Stopper | None, grace: float) -> None:
        self._job, self._book, self._executor, self._store, self._stopper = job, book, executor, store, stopper
        self._grace = grace
        self._watch = FailureWatch()
        self._told_of_stopping = False
        self.fatal: tuple[str, str] | None = None

    @property
    def failure(self) -> Failure | None:
        return self._watch.last

    def handle(self, event: ExecutorEvent) -> None:
        """Takes one event; what belongs to an execution that has ended already is dropped."""
        live = self._book.live.get(event.token)
        if live is None:
            return
        kind = type(event)
        if kind is Exited:
            self._exited(live, event)  # type: ignore[arg-type]
        elif kind is Reported:
            self._reported(live, event)  # type: ignore[arg-type]
        elif kind is Started:
            live.handle = event.handle  # type: ignore[union-attr]
            self._book.journal.put_draft(live.token, live)
            if self._book.trial(live.number).reason_code == WAITS:
                self._waits(live, None)
        elif isinstance(event, Checkpointed):
            live.checkpoint = Checkpoint(live.number, live.execution.number, event.step, event.path, event.at)
            self._book.journal.put(live.checkpoint)
        elif isinstance(event, Waiting):
            self._waits(live, event.reason)

    def _waits(self, live: Live, reason: str | None) -> None:
        """Keeps for what a trial waits that can't start yet; None: for nothing any more."""
        book, trial = self._book, self._book.trial(live.number)
        if trial.status is Status.IN_PROGRESS:
            trial = book.change(trial, reason_code=WAITS if reason else None, reason=reason)
        book.listener.trial_waits(trial, reason)

    # --- while it runs ---

    def _reported(self, live: Live, event: Reported) -> None:
        book = self._book
        reports = event.reports[max(0, live.reports - event.first) :]
        if not reports:
            return
        objectives = book.spec.objectives
        number, metric = live.number, objectives[0].metric
        measures = live.measures
        for report in reports:
            live.seen.add(report.step, report.metrics, objectives)
            value = report.metrics.get(metric)
            if value is not None and not measures:
                book.ledger.report(number, report.step, value)
                book.reported += 1
        book.journal.put_draft(live.token, live, Reports(number, live.execution.number, live.reports, reports))
        live.reports += len(reports)
        step = live.seen.step
        book.listener.trial_reported(book.trial(number), step, live.seen.metrics.get(metric))
        if live.until is not None and step >= live.until and live.halted is None:
            self._decide(live)

    def first_until(self, live: Live) -> int | None:
        """How far an execution that is about to be launched may go before the stopper is asked; None: to its end.

        A trial that goes on has a curve already, by which the stopper may end it: it is asked at the first report then.
        """
        if self._stopper is None:
            return None
        decision = self._stopper.decide(self._book.ledger.view(), live.number)
        return decision.until if decision.action is Action.RUN else live.execution.from_step + 1

    def taken_over(self, live: Live) -> None:
        """Gives an adopted execution the order that its earlier controller decided on, for it may not have gone out."""
        if live.halted is not None:
            action, _, reason = live.halted
            self._executor.order(live.token, Halt(action, reason, self._grace))
        elif live.until is not None and live.seen.step >= live.until:
            self._decide(live)

    def _decide(self, live: Live) -> None:
        assert self._stopper is not None, "only a stopper sets decision steps"
        book, step = self._book, live.seen.step
        decision = self._stopper.decide(book.ledger.view(), live.number)
        if decision.action is Action.PAUSE and live.checkpoint is None:
            decision = Decision(Action.RUN, f"not paused, for it wrote no checkpoint ({decision.reason})")
        if decision.until is not None and decision.until <= step:
            raise InvalidInput("stopper", f"must decide until a step after {step}", decision.until)
        by = decision.by or type(self._stopper).__name__
        decision = changed(decision, trial=live.number, step=step, by=by, at=book.clock.now())
        if decision.action is Action.RUN:
            live.until = decision.until
            book.journal.put_draft(live.token, live, *([decision] if decision.reason else []))
            self._executor.order(live.token, Until(decision.until))
            return
        if decision.action is Action.STOP and not self._told_of_stopping:
            self._told_of_stopping = True
            book.listener.message(f"trial {live.number} is stopped early: {decision.reason} (stopper=None switches this off)")
        self.halt(live, decision, "early_stopped" if decision.action is Action.STOP else "paused")

    def halt(self, live: Live, decision: Decision, code: str) -> None:
        """Orders the end of a running execution; the decision is committed before the order goes out."""
        book = self._book
        live.halted = (decision.action, code, decision.reason)
        book.journal.put(decision)
        if decision.action is Action.STOP and (trial := book.trial(live.number)).status is Status.IN_PROGRESS:
            book.move(trial, Status.STOPPING, reason_code=code, reason=decision.reason)
        book.commit()
        self._executor.order(live.token, Halt(decision.action.value, decision.reason, self._grace))

    # --- its end ---

    def _exited(self, live: Live, event: Exited) -> None:
        if event.outcome == "completed":
            values = score(self._book.spec.objectives, live.seen, event.returned, self._book.spec.requirements)
            if isinstance(values, Failure):
                self._failed(live, values)
            else:
                self._completed(live, values)
        elif event.outcome == "failed":
            self._failed(live, event.failure or Failure(FailureKind.CRASH, "its executor didn't say why"))
        elif event.outcome in ("lost", "released"):
            self._lost(live, event)
        elif event.outcome == "paused" and live.halted is not None and live.halted[0] == Action.PAUSE:
            self._paused(live)
        else:
            self._stopped(live, event)

    def _completed(self, live: Live, values: tuple[float, ...]) -> None:
        book, trial, metrics = self._book, self._book.trial(live.number), live.seen.metrics
        own = values
        if trial.executions > 1:
            values = self._aggregate(live.execution, own)
        book.end_execution(live, ExecutionStatus.COMPLETED, objectives=own)
        ok = feasible(book.spec.requirements, metrics) if book.spec.requirements else True
        if trial.status in TERMINAL:
            trial = book.measured_again(
                trial, lambda: self._store.read(Trials(self._job, statuses=(Status.COMPLETED,))),
                objectives=values, metrics=metrics, feasible=ok, step=live.seen.step,
            )  # fmt: skip
        else:
            trial = book.move(
                trial, Status.COMPLETED, objectives=values, metrics=metrics, feasible=ok, step=live.seen.step,
                ended=book.clock.now(), reason_code=None, reason=None,
            )  # fmt: skip
        book.ended(trial)

    def _aggregate(self, execution: Execution, values: tuple[float, ...]) -> tuple[float, ...]:
        """One value per objective from the newest completed execution of every (fold, repeat)."""
        newest = {(execution.fold, execution.repeat): (execution.number, values)}
        for other in self._earlier(execution):
            if other.status is ExecutionStatus.COMPLETED and other.objectives is not None:
                part = (other.fold, other.repeat)
                if part not in newest or newest[part][0] < other.number:
                    newest[part] = (other.number, other.objectives)
        columns = zip(*(newest[part][1] for part in sorted(newest)), strict=True)
        return tuple(o.combine(column) for o, column in zip(self._book.spec.objectives, columns, strict=True))

    def _failed(self, live: Live, failure: Failure) -> None:
        book, trial, kind = self._book, self._book.trial(live.number), failure.kind
        spent = sum(e.charged and e.failure is kind for e in self._earlier(live.execution))
        book.end_execution(live, ExecutionStatus.FAILED, failure=kind, reason=_text(failure), charged=True)
        if trial.status is Status.IN_PROGRESS and spent < book.spec.retries.allowed(kind):
            book.waiting.append((trial.number, Purpose.RETRY))
            book.listener.message(f"trial {trial.number} failed ({failure.message}) and is executed again")
        elif trial.status not in TERMINAL:
            self._fail_trial(live, failure)

    def _lost(self, live: Live, event: Exited) -> None:
        """An execution that vanished, which is tolerated a few times, or that was given up on purpose, which is always."""
        book, trial, counts = self._book, self._book.trial(live.number), event.outcome == "lost"
        lost = sum(e.failure is FailureKind.LOST for e in self._earlier(live.execution)) + counts
        reason = event.failure.message if event.failure is not None else "its worker or controller vanished"
        kind = FailureKind.LOST if counts else None
        book.end_execution(live, ExecutionStatus.LOST, failure=kind, reason=reason)
        if trial.status is Status.STOPPING:
            _, code, why = live.halted or ("stop", "stopped", "it was being stopped when it vanished")
            self._end_stopped(live, code, why)
        elif trial.status not in TERMINAL and lost <= book.spec.retries.lost:
            book.waiting.append((trial.number, Purpose.CONTINUE))
        elif trial.status not in TERMINAL:
            self._fail_trial(live, Failure(FailureKind.LOST, f"it was lost {lost} times: {reason}"))

    def _earlier(self, execution: Execution) -> Iterable[Execution]:
        """The other executions of a trial, as of now."""
        if execution.number == 1 and execution.trial not in self._book.measured:
            return ()
        self._book.commit()
        return [e for e in self._store.read(Executions(self._job, trial=execution.trial)) if e.number != execution.number]

    def _fail_trial(self, live: Live, failure: Failure) -> None:
        book = self._book
        trial = book.move(
            book.trial(live.number), Status.FAILED, reason_code=failure.kind.value, reason=failure.message,
            metrics=live.seen.metrics, step=live.seen.step, ended=book.clock.now(),
        )  # fmt: skip
        if (why := self._watch.failed(failure, completed=book.counts[Status.COMPLETED] > 0)) is not None:
            self.fatal = self.fatal or (failure.kind.value, why)
        book.ended(trial)

    def _paused(self, live: Live) -> None:
        book, trial = self._book, self._book.trial(live.number)
        assert live.halted is not None
        _, code, reason = live.halted
        book.end_execution(live, ExecutionStatus.PAUSED, reason=reason)
        if trial.status not in TERMINAL:
            step, metrics = live.seen.step, live.seen.metrics
            book.ended(book.move(trial, Status.PAUSED, reason_code=code, reason=reason, step=step, metrics=metrics))

    def _stopped(self, live: Live, event: Exited) -> None:
        """It was ordered to stop, or ended itself. What it returned on the way out is shown with what it reported."""
        _, code, reason = live.halted or ("stop", "interrupted_itself", "the training code ended itself")
        add_returned(self._book.spec.objectives, live.seen, event.returned)
        self._book.end_execution(live, ExecutionStatus.STOPPED, reason=reason)
        self._end_stopped(live, code, reason)

    def _end_stopped(self, live: Live, code: str, reason: str) -> None:
        book = self._book
        if live.number in book.trials:
            trial = book.move(
                book.trials[live.number], Status.STOPPED, reason_code=code, reason=reason,
                objectives=shown(book.spec.objectives, live.seen), metrics=live.seen.metrics, step=live.seen.step,
                ended=book.clock.now(),
            )  # fmt: skip
            book.ended(trial)


def _text(failure: Failure) -> str:
    return f"{failure.message}\n{failure.traceback}" if failure.traceback else failure.message
