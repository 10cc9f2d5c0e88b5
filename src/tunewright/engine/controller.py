"""The loop: proposals become executions, executions become finished trials, until the job ends."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tunewright.engine.book import Book
from tunewright.engine.commands import Commands
from tunewright.engine.journal import Journal
from tunewright.engine.launching import Launcher
from tunewright.engine.lease import LeaseKeeper
from tunewright.engine.listener import Listener
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.recovery import recover
from tunewright.errors import StoreError
from tunewright.history import Ledger
from tunewright.interfaces import Clock, Executor, ExecutorEvent, Exited, Failure, Fence, Launch, Stopper, Store, Strategy
from tunewright.records import (
    TERMINAL,
    Action,
    CommandHandled,
    Decision,
    FailureKind,
    JobState,
    SpecChange,
    Status,
    TuningJob,
    Wanted,
)
from tunewright.spec import JobSpec

TICK = 0.2  # seconds between looks at limits and commands
GRACE = 10.0  # seconds that training code gets to end by itself
HEARTBEAT = 60.0  # seconds after which the time that the job has run is stored, though nothing else happened


@dataclass(frozen=True, slots=True)
class Parts:
    """What a controller is made of; each part is exchangeable. `holds` tells whether a checkpoint of a path is still there."""

    strategy: Strategy
    stopper: Stopper | None
    executor: Executor
    store: Store
    clock: Clock
    listener: Listener
    holds: Callable[[str], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Ending:
    """How the job ends, once nothing runs any more."""

    status: Status
    code: str
    reason: str


class Controller:
    """Runs one job under a fence.

    Args:
        job: the stored job, as read after its claim.
        spec: what was asked for; its limits are totals over the job's life.
        folder: where the trials' files go.

    Attributes:
        failure: the last failure that ended a trial, None when there was none.
    """

    def __init__(self, job: TuningJob, spec: JobSpec, parts: Parts, fence: Fence, folder: str) -> None:
        self._job, self._spec, self._parts, self._fence = job, spec, parts, fence
        journal = Journal(parts.store, fence, parts.clock, job.event)
        ledger = Ledger(spec.space, spec.objectives)
        self._book = book = Book(spec, job.state, journal, ledger, parts.clock, parts.listener, folder, parts.holds)
        self._outcomes = Outcomes(job.name, book, parts.executor, parts.store, parts.stopper, GRACE)
        self._commands = Commands(job.name, spec.space, parts.store)
        self._launcher = Launcher(job.name, book, self._outcomes, self._commands, parts.store, parts.strategy, parts.stopper)
        self._ending: Ending | None = None
        self._wanted = Wanted.PAUSE if job.wanted is Wanted.PAUSE else Wanted.RUN
        self._interrupted = self._finished = False
        clock: object = parts.clock
        self._interval = HEARTBEAT if clock is parts.executor else TICK  # nobody waits for an answer in virtual time
        self._next_look = self._next_heartbeat = 0.0
        self._deadline = math.inf

    @property
    def failure(self) -> Failure | None:
        return self._outcomes.failure

    def interrupt(self) -> None:
        """Ends the run soon, leaving the job to be resumed. May be called from a signal handler or another thread."""
        self._interrupted = True

    def run(self) -> JobState:
        """Runs the job to its end, or until it is interrupted.

        Whatever else is raised, by a strategy, a stopper or a listener, comes out of here as it is; the job is left in
        order then, and can be resumed.

        Raises:
            LeaseLost: another controller owns the job now; this one's executions were killed and nothing was written.
            StoreFull, StoreBusy, StoreUnreachable: the store took no more; the executions were killed, the job can be resumed.
            InvalidInput: the strategy or stopper broke its contract, or the space has no feasible point.
        """
        with LeaseKeeper(self._parts.store, self._fence) as lease:
            try:
                self._begin()
                while self._step():
                    lease.check()
            except KeyboardInterrupt:
                self._interrupted = True
            except StoreError:
                raise
            except BaseException as error:
                self._parts.executor.close()
                self._leave_after(error)
                raise
            finally:
                self._parts.executor.close()
            if self._interrupted and not self._finished:
                self._leave(Status.STOPPED, "interrupted", "interrupted")
            return self._book.state

    # --- one turn of the loop ---

    def _begin(self) -> None:
        book, parts = self._book, self._parts
        recover(self._job.name, book, parts.store, parts.executor, self._outcomes)
        started = book.state.started or parts.clock.now()
        book.set_state(Status.IN_PROGRESS, reason_code=None, reason=None, ended=None, started=started)
        if (stored := self._spec.to_json()) != self._job.spec:
            book.journal.put(SpecChange(stored))
        book.commit()
        now = parts.clock.now()
        self._next_heartbeat = now + HEARTBEAT
        if (limit := self._spec.limits.max_time) is not None:
            self._deadline = now + limit - book.elapsed

    def _step(self) -> bool:
        """One turn; False when the job has ended, or is to be left."""
        self._tick()
        book, executor = self._book, self._parts.executor
        launches = self._next_launches()
        if book.journal.due_in(self._parts.clock.now()) == 0.0:
            book.commit()
        if not book.live and (ending := self._over()) is not None:
            self._finish(ending)
            return False
        if self._interrupted:
            return False
        for launch in launches:
            executor.launch(launch)
            self._parts.listener.trial_started(launch.trial, launch.execution)
        now = self._parts.clock.now()
        due = book.journal.due_in(now)
        patience = min(self._interval, max(0.0, self._deadline - now))
        executor.poll(patience if due is None else min(patience, due), self._deliver)
        return True

    def _deliver(self, event: ExecutorEvent) -> None:
        self._outcomes.handle(event)
        self._tick()

    def _tick(self) -> None:
        """What is looked at now and then, also while training code runs in this thread."""
        now, book = self._parts.clock.now(), self._book
        if book.live and book.journal.due_in(now) == 0.0:
            book.commit()
        if self._outcomes.fatal is not None:
            self._end(Status.FAILED, *self._outcomes.fatal, stop="the job failed")
        if now >= self._deadline:
            reason = f"the time limit of {self._spec.limits.max_time:g} s was reached"
            self._end(Status.COMPLETED, "max_time", reason, stop="the job's time is over")
        if now < self._next_look:
            return
        self._next_look = now + self._interval
        self._take_commands()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT
            book.touch()
            book.commit()

    def _next_launches(self) -> list[Launch]:
        book = self._book
        self._check_target()
        free = self._parts.executor.slots - len(book.live)
        if free <= 0 or self._ending is not None or self._interrupted or self._wanted is not Wanted.RUN:
            return []
        return [book.launch_of(live) for live in self._launcher.next(free)]

    # --- how it ends ---

    def _over(self) -> Ending | None:
        """How the job ends when nothing runs."""
        if self._ending is not None:
            return self._ending
        over = self._launcher.over()
        if over is None:
            return None
        code, reason = over
        if code == "waits":
            code, reason = "exhausted", f"the strategy waits, but nothing runs: {reason}"
        return Ending(Status.COMPLETED, code, reason)

    def _check_target(self) -> None:
        best, objective = self._book.state.best_objectives, self._spec.objectives[0]
        if objective.target is not None and best is not None and objective.reached(best[0]):
            reason = f"{objective.metric} reached its target {objective.target:g}: {best[0]:g}"
            self._end(Status.COMPLETED, "target_reached", reason, stop="the job's target was reached")

    def _end(self, status: Status, code: str, reason: str, *, stop: str) -> None:
        """Starts nothing more and stops what runs, for the reason `stop`. The first ending counts."""
        if self._ending is not None:
            return
        self._ending, self._deadline = Ending(status, code, reason), math.inf
        now = self._parts.clock.now()
        for live in [*self._book.live.values()]:
            if live.halted is None or live.halted[0] != Action.STOP:
                decision = Decision(Action.STOP, stop, None, live.number, live.seen.step, code, now)
                self._outcomes.halt(live, decision, code)

    def _finish(self, ending: Ending) -> None:
        book = self._book
        status, code, reason = ending.status, ending.code, ending.reason
        for trial in [*book.trials.values()]:
            ended = self._parts.clock.now()
            book.ended(book.move(trial, Status.STOPPED, reason_code=code, reason="the job ended", ended=ended))
        if status is Status.COMPLETED and not book.counts[Status.COMPLETED]:
            last = f"; the last failure: {self.failure.message}" if self.failure is not None else ""
            status, code, reason = Status.FAILED, "nothing_completed", f"no trial completed ({reason}{last})"
        book.set_state(status, reason_code=code, reason=reason, ended=self._parts.clock.now())
        book.commit()
        self._finished = True

    def _leave(self, status: Status, code: str, reason: str) -> None:
        """Writes down that the run ended before its job did; its executions are dead by now."""
        book, now = self._book, self._parts.clock.now()
        for live in [*book.live.values()]:
            self._outcomes.handle(Exited(live.token, "released", now, failure=Failure(FailureKind.LOST, reason)))
        for trial in [*book.trials.values()]:
            if trial.status is Status.IN_PROGRESS:
                book.move(trial, Status.PAUSED, reason_code="interrupted", reason="the job was interrupted")
        if book.state.status not in TERMINAL:  # else it was being taken up
            book.set_state(status, reason_code=code, reason=reason, ended=now)
        book.commit()

    def _leave_after(self, error: BaseException) -> None:
        """Leaves the job as failed by an error, or as interrupted by an exception that is none, such as the debugger's."""
        if isinstance(error, Exception):
            self._leave(Status.FAILED, "error", f"{type(error).__name__}: {error}")
        else:
            self._leave(Status.STOPPED, "interrupted", f"interrupted by {type(error).__name__}")

    # --- people's orders ---

    def _take_commands(self) -> None:
        commands = [*self._commands.new()]
        resumed = max((command.id for command, _ in commands if command.kind == "resume"), default=0)
        for command, wrong in commands:
            if command.id < resumed and command.kind in ("stop", "pause"):
                answer = "overruled by a later resume"
            elif wrong is not None:
                answer = f"refused: {wrong}"
            else:
                answer = self._obey(command.kind, command.payload, command.by)
            self._book.journal.put(CommandHandled(command.id, answer))

    def _obey(self, kind: str, payload: Mapping[str, Any], by: str) -> str:
        who = f" by {by}" if by else ""
        if kind == "stop":
            if self._ending is None:
                self._book.set_state(Status.STOPPING)
                self._end(Status.STOPPED, "stopped", f"stopped{who}", stop=f"the job was stopped{who}")
            return "stopping"
        if kind == "pause":
            self._wanted = Wanted.PAUSE
            return "what runs goes on, nothing new is started"
        if kind == "resume":
            self._wanted = Wanted.RUN
            return "going on"
        if kind == "stop_trial":
            return self._stop_trial(payload.get("trial"), f"stopped{who}", by or "person")
        return f"refused: unknown command {kind!r}"

    def _stop_trial(self, number: object, reason: str, by: str) -> str:
        book, now = self._book, self._parts.clock.now()
        for live in [*book.live.values()]:
            if live.number == number and (live.halted is None or live.halted[0] != Action.STOP):
                self._outcomes.halt(live, Decision(Action.STOP, reason, None, live.number, live.seen.step, by, now), "stopped")
                return "stopping"
        trial = book.trials.get(number) if isinstance(number, int) else None
        if trial is None or any(live.number == number for live in book.live.values()):
            return f"refused: trial {number!r} neither runs nor waits"
        book.waiting = deque(waiting for waiting in book.waiting if waiting[0] != number)
        book.journal.put(Decision(Action.STOP, reason, None, trial.number, trial.step, by, now))
        book.ended(book.move(trial, Status.STOPPED, reason_code="stopped", reason=reason, ended=now))
        return "stopped"
