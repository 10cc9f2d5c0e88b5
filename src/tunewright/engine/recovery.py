"""Takes a stored job up again: reads its trials, adopts what still runs, and lines up what has to be executed again."""

from __future__ import annotations

from collections.abc import Callable

from tunewright.engine.book import Book, Live
from tunewright.engine.scoring import Seen
from tunewright.interfaces import Dead, Executor, ExecutorEvent, Exited, Store
from tunewright.queries import Checkpoints, Executions, Points, Trials
from tunewright.records import Checkpoint, Execution, ExecutionStatus, Purpose, Status, Trial


def recover(job: str, book: Book, store: Store, executor: Executor, handle: Callable[[ExecutorEvent], None]) -> None:
    """Brings a book up to what the store holds, and the executions that an earlier controller left behind to an end or
    under this controller.

    Args:
        handle: takes the events of executions that ended unseen.
    """
    book.restore(store.read(Trials(job)))
    if not book.total:
        return
    _restore_curves(job, book, store)
    for trial in [*book.trials.values()]:
        executions = [*store.read(Executions(job, trial=trial.number))]
        open_ones = [execution for execution in executions if execution.open]
        for execution in open_ones:
            _take_over(job, book, store, executor, handle, trial, execution)
        if not open_ones:
            _line_up(book, trial, executions[-1] if executions else None)


def seen_before(job: str, book: Book, store: Store, trial: Trial, step: int) -> Seen:
    """What a trial had reported up to and including a step, for an execution that goes on from there."""
    seen = Seen()
    if step:
        for point in store.read(Points(job, trial=trial.number)):
            if point.step <= step:
                seen.add(point.step, {point.metric: point.value}, book.spec.objectives)
        seen.step = step
    return seen


def last_checkpoint(job: str, store: Store, trial: Trial) -> Checkpoint | None:
    """A trial's last whole checkpoint."""
    found = [*store.read(Checkpoints(job, trial=trial.number))]
    return found[-1] if found else None


def _restore_curves(job: str, book: Book, store: Store) -> None:
    metric = book.spec.objectives[0].metric
    for point in store.read(Points(job, metric=metric)):
        book.ledger.report(point.trial, point.step, point.value)


def _take_over(
    job: str,
    book: Book,
    store: Store,
    executor: Executor,
    handle: Callable[[ExecutorEvent], None],
    trial: Trial,
    execution: Execution,
) -> None:
    checkpoint = last_checkpoint(job, store, trial)
    seen = Seen()
    for point in store.read(Points(job, trial=trial.number)):
        if point.execution == execution.number or point.step <= execution.from_step:
            seen.add(point.step, {point.metric: point.value}, book.spec.objectives)
    live = Live(trial, execution, seen, checkpoint)
    if trial.status is Status.STOPPING:
        live.halted = ("stop", "stopped", "it was being stopped when its controller vanished")
    book.live[execution.token] = live
    answer = executor.adopt(book.launch_of(trial, execution, checkpoint))
    if isinstance(answer, Dead):
        for event in answer.harvest:
            handle(event)
        if execution.token in book.live:
            handle(Exited(execution.token, "lost", book.clock.now()))


def _line_up(book: Book, trial: Trial, last: Execution | None) -> None:
    if trial.status is Status.STOPPING:
        book.move(trial, Status.STOPPED, reason_code="stopped", reason="it was being stopped", ended=book.clock.now())
    elif trial.status is Status.IN_PROGRESS or trial.reason_code == "interrupted":
        retry = last is not None and last.status is ExecutionStatus.FAILED
        book.waiting.append((trial.number, Purpose.RETRY if retry else Purpose.CONTINUE))
