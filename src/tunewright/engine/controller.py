"""The loop: proposals become executions, executions become finished trials, until the job ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.engine.book import Book
from tunewright.engine.commands import Commands
from tunewright.engine.journal import Journal
from tunewright.engine.lease import LeaseKeeper
from tunewright.engine.listener import Listener
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.recovery import last_checkpoint, recover, seen_before
from tunewright.history import Ledger
from tunewright.interfaces import (
    Clock,
    Continue,
    Executor,
    ExecutorEvent,
    Exhausted,
    Failure,
    Fence,
    Launch,
    Measure,
    New,
    Proposal,
    Stopper,
    Store,
    Strategy,
    Wait,
)
from tunewright.records import (
    Action,
    CommandHandled,
    Decision,
    ExecutionStatus,
    JobState,
    Purpose,
    SpecChange,
    Status,
    TuningJob,
    Wanted,
    changed,
)
from tunewright.spec import JobSpec

TICK = 0.2  # seconds between looks at limits and commands
GRACE = 10.0  # seconds that training code gets to end by itself


@dataclass(frozen=True, slots=True)
class Parts:
    """What a controller is made of; each part is exchangeable."""

    strategy: Strategy
    stopper: Stopper | None
    executor: Executor
    store: Store
    clock: Clock
    listener: Listener


@dataclass(frozen=True, slots=True)
class Ending:
    """How the job is going to end, once nothing runs any more."""

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
        self._book = Book(spec, job.state, journal, Ledger(spec.space, spec.objectives), parts.clock, parts.listener, folder)
        self._outcomes = Outcomes(job.name, self._book, parts.executor, parts.store, parts.stopper, GRACE)
        self._commands = Commands(job.name, spec.space, parts.store)
        self._limits = spec.limits
        self._ending: Ending | None = None
        self._halting = False
        self._wanted = Wanted.PAUSE if job.wanted is Wanted.PAUSE else Wanted.RUN
        self._interrupted = False
        self._next_tick = 0.0

    @property
    def failure(self) -> Failure | None:
        return self._outcomes.failure

    def interrupt(self) -> None:
        """Ends the run soon, leaving the job to be resumed. May be called from a signal handler or another thread."""
        self._interrupted = True

    def run(self) -> JobState:
        """Runs the job to its end, or until it is interrupted.

        Raises:
            LeaseLost: another controller owns the job now; this one's executions were killed and nothing was written.
            StoreFull, StoreBusy: the store took no more; the executions were killed, the job can be resumed.
            InvalidInput: the strategy or stopper broke its contract, or the space has no feasible point.
        """
        with LeaseKeeper(self._parts.store, self._fence) as lease:
            try:
                self._begin()
                while self._step():
                    lease.check()
            except KeyboardInterrupt:
                self._interrupted = True
            finally:
                self._parts.executor.close()
            if self._interrupted:
                self._leave()
            return self._book.state

    # --- one turn of the loop ---

    def _begin(self) -> None:
        book = self._book
        recover(self._job.name, book, self._parts.store, self._parts.executor, self._outcomes.handle)
        now = self._parts.clock.now()
        book.set_state(Status.IN_PROGRESS, reason_code=None, reason=None, ended=None, started=book.state.started or now)
        if (stored := self._spec.to_json()) != self._job.spec:
            book.journal.put(SpecChange(stored))
        book.commit()

    def _step(self) -> bool:
        """One turn; False when the job has ended."""
        self._tick()
        if self._interrupted:
            return False
        launches = self._next_launches()
        self._book.commit()
        for launch in launches:
            self._parts.executor.launch(launch)
            self._parts.listener.trial_started(launch.trial, launch.execution)
        if not self._book.live and self._ending is not None:
            self._finish(self._ending)
            return False
        self._parts.executor.poll(self._patience(), self._deliver)
        if self._book.journal.due_in() == 0.0 and not self._may_launch():
            self._book.commit()
        return True

    def _deliver(self, event: ExecutorEvent) -> None:
        self._outcomes.handle(event)
        self._tick()

    def _tick(self) -> None:
        """What is looked at now and then, also while training code runs in this thread."""
        now = self._parts.clock.now()
        due = self._book.journal.due_in()
        if due is not None and due == 0.0 and self._book.live:
            self._book.commit()
        if self._outcomes.fatal is not None:
            self._end(Status.FAILED, *self._outcomes.fatal, stop="the job failed")
        if now < self._next_tick:
            return
        self._next_tick = now + TICK
        self._take_commands()
        limit = self._limits.max_time
        if limit is not None and self._book.elapsed >= limit:
            self._end(Status.COMPLETED, "max_time", f"the time limit of {limit:g} s was reached", stop="the job's time is over")

    def _patience(self) -> float:
        due = self._book.journal.due_in()
        return TICK if due is None else min(TICK, due)

    # --- what to launch next ---

    def _may_launch(self) -> bool:
        return self._ending is None and self._wanted is Wanted.RUN

    def _next_launches(self) -> list[Launch]:
        launches: list[Launch] = []
        book = self._book
        self._check_target()
        while self._may_launch() and (free := self._parts.executor.slots - len(book.live)) > 0:
            if book.waiting:
                launches.append(self._again(*book.waiting.popleft()))
                continue
            proposals = self._proposals(free)
            if not proposals:
                break
            launches += [self._launch(proposal) for proposal in proposals]
        return launches

    def _proposals(self, free: int) -> Sequence[Proposal]:
        """At most `free` proposals; none when the strategy waits, or when the job is to end."""
        book = self._book
        if self._limits.max_trials is not None:
            free = min(free, self._limits.max_trials - book.total)
            if free <= 0:
                self._end(Status.COMPLETED, "max_trials", f"all {self._limits.max_trials} trials were made")
                return ()
        if (queued := self._commands.next_enqueued()) is not None:
            command, proposal = queued
            book.journal.put(CommandHandled(command, f"trial {book.ledger.view().next_number}"))
            return (proposal,)
        answer = self._parts.strategy.suggest(book.ledger.view(), free)
        if isinstance(answer, Exhausted):
            self._end(Status.COMPLETED, "exhausted", answer.reason)
            return ()
        if isinstance(answer, Wait):
            if not book.live:
                self._end(Status.COMPLETED, "exhausted", f"the strategy waits, but nothing runs: {answer.reason}")
            return ()
        assert 0 < len(answer) <= free, f"a strategy must give 1 to {free} proposals, got {len(answer)}"
        return answer

    def _launch(self, proposal: Proposal) -> Launch:
        book = self._book
        if isinstance(proposal, New):
            launch = book.open_trial(proposal)
            return self._with_until(launch) if proposal.until is None else launch
        if isinstance(proposal, Continue):
            return self._again(proposal.number, Purpose.CONTINUE, proposal.until)
        assert isinstance(proposal, Measure)
        trial = book.trials.get(proposal.number) or self._commands.stored_trial(proposal.number)
        return book.open_again(trial, Purpose.MEASURE, fold=proposal.fold, repeat=proposal.repeat)

    def _again(self, number: int, purpose: Purpose, until: int | None = None) -> Launch:
        book, job, store = self._book, self._job.name, self._parts.store
        trial = book.trials[number]
        book.commit()
        checkpoint = last_checkpoint(job, store, trial)
        seen = seen_before(job, book, store, trial, checkpoint.step if checkpoint else 0)
        launch = book.open_again(trial, purpose, until=until, seen=seen, checkpoint=checkpoint)
        return self._with_until(launch) if until is None else launch

    def _with_until(self, launch: Launch) -> Launch:
        if self._parts.stopper is None:
            return launch
        execution = self._outcomes.set_first_until(self._book.live[launch.execution.token])
        return changed(launch, execution=execution)

    # --- how it ends ---

    def _check_target(self) -> None:
        best, objective = self._book.state.best_objectives, self._spec.objectives[0]
        if best is not None and objective.target is not None and objective.reached(best[0]):
            reason = f"{objective.metric} reached its target {objective.target:g}: {best[0]:g}"
            self._end(Status.COMPLETED, "target_reached", reason, stop="the job's target was reached")

    def _end(self, status: Status, code: str, reason: str, *, stop: str | None = None) -> None:
        """Starts nothing new; with `stop`, the reason for the trials, ends what runs too. The first to stop them counts."""
        if self._ending is None or (stop is not None and not self._halting):
            self._ending = Ending(status, code, reason)
        if stop is not None and not self._halting:
            self._halting = True
            self._halt_all(code, stop)

    def _halt_all(self, code: str, reason: str) -> None:
        now = self._parts.clock.now()
        for live in [*self._book.live.values()]:
            if live.halted is None:
                decision = Decision(Action.STOP, reason, None, live.trial.number, live.seen.step, code, now)
                self._outcomes.halt(live, decision, code)

    def _finish(self, ending: Ending) -> None:
        book = self._book
        status, code, reason = ending.status, ending.code, ending.reason
        for trial in [*book.trials.values()]:
            book.move(trial, Status.STOPPED, reason_code=code, reason="the job ended", ended=self._parts.clock.now())
        if status is Status.COMPLETED and not book.counts[Status.COMPLETED]:
            status, code, reason = Status.FAILED, "nothing_completed", f"no trial completed ({reason})"
        book.set_state(status, reason_code=code, reason=reason, ended=self._parts.clock.now())
        book.commit()

    def _leave(self) -> None:
        """Writes down that the run was interrupted; its executions are dead by now."""
        book, now = self._book, self._parts.clock.now()
        for live in [*book.live.values()]:
            book.end_execution(live, ExecutionStatus.LOST, reason="interrupted")
        for trial in [*book.trials.values()]:
            if trial.status is Status.STOPPING:
                book.move(trial, Status.STOPPED, reason_code="stopped", reason="it was being stopped", ended=now)
            elif trial.status is Status.IN_PROGRESS:
                book.move(trial, Status.PAUSED, reason_code="interrupted", reason="the job was interrupted")
        book.set_state(Status.STOPPED, reason_code="interrupted", reason="interrupted", ended=now)
        book.commit()

    # --- people's orders ---

    def _take_commands(self) -> None:
        commands = [*self._commands.new()]
        resumed = max((command.id for command in commands if command.kind == "resume"), default=0)
        for command in commands:
            if command.id < resumed and command.kind in ("stop", "pause"):
                answer = "overruled by a later resume"
            else:
                answer = self._obey(command.kind, command.payload, command.by)
            self._book.journal.put(CommandHandled(command.id, answer))

    def _obey(self, kind: str, payload: Mapping[str, Any], by: str) -> str:
        who = f" by {by}" if by else ""
        if kind == "stop":
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
            return self._stop_trial(payload.get("trial", -1), f"stopped{who}", by or "person")
        if kind == "enqueue":
            return f"refused: not a configuration of this space: {payload.get('params')!r}"
        return f"refused: unknown command {kind!r}"

    def _stop_trial(self, number: int, reason: str, by: str) -> str:
        for live in [*self._book.live.values()]:
            if live.trial.number == number and live.halted is None:
                now = self._parts.clock.now()
                self._outcomes.halt(live, Decision(Action.STOP, reason, None, number, live.seen.step, by, now), "stopped")
                return "stopping"
        return f"refused: trial {number} doesn't run"
