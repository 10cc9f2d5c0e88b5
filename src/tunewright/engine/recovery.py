"""Takes a stored job up again: reads its trials, adopts what still runs, and lines up what has to be executed again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tunewright.engine.book import Book, Live
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.scoring import Seen
from tunewright.interfaces import Dead, Executor, Exited, Store
from tunewright.queries import Checkpoints, Decisions, Executions, Points, Trials
from tunewright.records import Action, Checkpoint, Execution, ExecutionStatus, Purpose, Status, Trial


def recover(job: str, book: Book, store: Store, executor: Executor, outcomes: Outcomes) -> None:
    """Brings a book up to what the store holds, and the executions that an earlier controller left behind to an end or
    under this controller.
    """
    again: dict[int, Trial] = {}  # those with several executions

    def each() -> Iterator[Trial]:
        for trial in store.read(Trials(job)):
            if trial.executions > 1:
                again[trial.number] = trial
            yield trial

    book.restore(each())
    if not book.total:
        return
    _restore_curves(job, book, store, measured=bool(again))
    left_open: dict[int, list[Execution]] = defaultdict(list)
    for execution in store.read(Executions(job, open_only=True)):
        left_open[execution.trial].append(execution)
    for number in sorted({*book.trials, *left_open}):
        if number not in left_open:
            _line_up(job, book, store, book.trials[number])
        elif number not in book.trials:
            book.measured[number] = again[number]
        lives = [_live(job, book, store, execution) for execution in left_open.get(number, ())]
        for live in lives:
            _take_over(book, executor, outcomes, live)


def seen_before(job: str, book: Book, store: Store, trial: Trial, step: int) -> Seen:
    """What a trial had reported up to and including a step, for an execution that goes on from there."""
    seen = Seen()
    if step:
        for point in store.read(Points(job, trial=trial.number)):
            if point.step <= step:
                seen.add(point.step, {point.metric: point.value}, book.spec.objectives)
        seen.step = step
    return seen


def last_checkpoint(job: str, book: Book, store: Store, trial: Trial) -> Checkpoint | None:
    """A trial's last whole checkpoint that is still there, and in reach of this host."""
    found = [*store.read(Checkpoints(job, trial=trial.number))]
    return next((checkpoint for checkpoint in reversed(found) if book.holds(checkpoint.path)), None)


def _restore_curves(job: str, book: Book, store: Store, *, measured: bool) -> None:
    """Adds the reports of the first objective to the ledger, but for those of trials that were measured again."""
    apart: set[tuple[int, int]] = set()
    if measured:
        every = store.read(Executions(job))
        apart = {(execution.trial, execution.number) for execution in every if execution.purpose is Purpose.MEASURE}
    for point in store.read(Points(job, metric=book.spec.objectives[0].metric)):
        if (point.trial, point.execution) not in apart:
            book.ledger.report(point.trial, point.step, point.value)


def _live(job: str, book: Book, store: Store, execution: Execution) -> Live:
    """An execution that was left open, as one of this book's."""
    trial = book.trial(execution.trial)
    measures = execution.purpose is Purpose.MEASURE
    seen = Seen()
    for point in store.read(Points(job, trial=trial.number)):
        if point.execution == execution.number or (point.step <= execution.from_step and not measures):
            seen.add(point.step, {point.metric: point.value}, book.spec.objectives)
    seen.step = max(execution.step, execution.from_step)
    live = Live(execution, seen, None if measures else last_checkpoint(job, book, store, trial))
    live.halted = _ordered_end(job, store, trial, execution)
    book.live[live.token] = live
    return live


def _take_over(book: Book, executor: Executor, outcomes: Outcomes, live: Live) -> None:
    answer = executor.adopt(book.launch_of(live))
    if isinstance(answer, Dead):
        for event in answer.harvest:
            outcomes.handle(event)
        if live.token in book.live:
            outcomes.handle(Exited(live.token, "lost", book.clock.now()))
    else:
        outcomes.taken_over(live)


def _ordered_end(job: str, store: Store, trial: Trial, execution: Execution) -> tuple[str, str, str] | None:
    """The stop or pause that an earlier controller had decided on, which the execution may or may not know of."""
    if trial.status is Status.STOPPING:
        return Action.STOP, trial.reason_code or "stopped", trial.reason or "it was being stopped"
    last = None
    for decision in store.read(Decisions(job, trial=trial.number)):
        last = decision
    if last is None or last.action is not Action.PAUSE or last.at < (execution.started or 0.0):
        return None
    return Action.PAUSE, "paused", last.reason


def _line_up(job: str, book: Book, store: Store, trial: Trial) -> None:
    if trial.status is Status.STOPPING:
        code, reason = trial.reason_code or "stopped", trial.reason or "it was being stopped"
        book.move(trial, Status.STOPPED, reason_code=code, reason=reason, ended=book.clock.now())
    elif trial.status is Status.IN_PROGRESS or trial.reason_code == "interrupted":
        executions = [*store.read(Executions(job, trial=trial.number))]
        retry = bool(executions) and executions[-1].status is ExecutionStatus.FAILED
        book.waiting.append((trial.number, Purpose.RETRY if retry else Purpose.CONTINUE))
