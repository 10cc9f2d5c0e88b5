"""What is executed next: trials that wait to be executed again, enqueued configurations, what the strategy proposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.engine.book import Book, Live
from tunewright.engine.commands import Commands
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.recovery import last_checkpoint, seen_before
from tunewright.errors import InvalidInput
from tunewright.interfaces import Continue, Exhausted, Measure, New, Proposal, Stopper, Store, Strategy, Wait
from tunewright.queries import Trials
from tunewright.records import Action, CommandHandled, Decision, Purpose, Status, Trial

SLOW = 0.05  # seconds: after a suggestion that took longer, what waits is committed before the next one


class Launcher:
    """Opens executions, in the order in which they are due. It launches nothing itself.

    Attributes:
        exhausted: why the strategy will never propose anything more, once it said so.
    """

    def __init__(
        self,
        job: str,
        book: Book,
        outcomes: Outcomes,
        commands: Commands,
        store: Store,
        strategy: Strategy,
        stopper: Stopper | None,
    ) -> None:
        self._job, self._book, self._outcomes, self._commands, self._store = job, book, outcomes, commands, store
        self._strategy, self._stopper = strategy, stopper
        self._max_trials = book.spec.limits.max_trials
        self.exhausted: str | None = None
        self._refused: tuple[tuple[int, int], tuple[str, str]] | None = None  # a state without proposals, and why
        self._slow = False

    def next(self, free: int) -> list[Live]:
        """At most `free` >= 1 executions, committed by the caller before it launches them; see `over` when there are none.

        Raises:
            InvalidInput: the strategy broke its contract, or the space has no feasible point.
        """
        opened: list[Live] = []
        while len(opened) < free and (more := self._some(free - len(opened))):
            opened += more
        return opened

    def over(self) -> tuple[str, str] | None:
        """Why nothing is left to execute, as long as nothing that runs changes that; else None.

        A code (max_trials, exhausted, or waits, when the strategy does) and a text.
        """
        if self._book.waiting:
            return None
        if self._refused is not None and self._refused[0] == self._state():
            return self._refused[1]
        return None if self.exhausted is None else ("exhausted", self.exhausted)

    def take_up(self, number: int, purpose: Purpose, until: int | None = None) -> Live:
        """Another execution of a trial that has not ended, from its last checkpoint on."""
        book = self._book
        book.commit()
        trial = book.trials[number]
        checkpoint = last_checkpoint(self._job, book, self._store, trial)
        seen = seen_before(self._job, book, self._store, trial, checkpoint.step if checkpoint else 0)
        return self._until(book.open_again(trial, purpose, seen, checkpoint), until)

    def _state(self) -> tuple[int, int]:
        """What a strategy's answer depends on. With all trials made only the end or pause of one may change it."""
        return self._book.moves, 0 if self._room() == 0 else self._book.reported

    def _room(self) -> int | None:
        """How many more trials may be made; None: any number."""
        return None if self._max_trials is None else max(0, self._max_trials - self._book.total)

    def _some(self, free: int) -> Sequence[Live]:
        book, room = self._book, self._room()
        if book.waiting:
            return (self.take_up(*book.waiting.popleft()),)
        if room != 0 and (queued := self._commands.next_enqueued()) is not None:
            command, proposal = queued
            live = self._open(proposal)
            book.journal.put(CommandHandled(command, f"trial {live.number}"))
            return (live,)
        if self.exhausted is not None or (self._refused is not None and self._refused[0] == self._state()):
            return ()
        answer = self._ask(min(free, room) if room else free)
        if isinstance(answer, Exhausted) and room != 0:
            self.exhausted = answer.reason
            return ()
        reason = ("max_trials", f"all {self._max_trials} trials were made")
        if isinstance(answer, Wait) and room != 0:
            reason = ("waits", answer.reason)
        # Trials may still be continued or measured when no new one may be made.
        proposals = () if isinstance(answer, (Wait, Exhausted)) else answer
        opened = [self._take(proposal) for proposal in proposals if room != 0 or not isinstance(proposal, New)]
        if not opened:
            self._refused = (self._state(), reason)
        return opened

    def _ask(self, n: int) -> Sequence[Proposal] | Wait | Exhausted:
        book = self._book
        if self._slow:  # a suggestion may take seconds, and what has ended meanwhile must not be lost in them
            book.commit()
        start = book.clock.now()
        answer = self._strategy.suggest(book.ledger.view(), n)
        self._slow = book.clock.now() - start > SLOW
        if isinstance(answer, (Wait, Exhausted)):
            return answer
        if not isinstance(answer, (list, Sequence)) or not 0 < len(answer) <= n:  # the list first, for it is quickly told
            raise InvalidInput("strategy", f"must give 1 to {n} proposals, Wait or Exhausted", answer)
        return answer

    def _take(self, proposal: Any) -> Live:
        if isinstance(proposal, New):
            return self._open(proposal)
        if isinstance(proposal, Continue):
            trial = self._book.trials.get(proposal.number)
            if trial is None or trial.status is not Status.PAUSED:
                raise InvalidInput("strategy", "must continue a paused trial", proposal)
            self._note(proposal, trial.step)
            return self.take_up(proposal.number, Purpose.CONTINUE, proposal.until)
        if isinstance(proposal, Measure):
            trial = self._completed(proposal)
            self._note(proposal, trial.step)
            return self._book.open_measure(trial, proposal.fold, proposal.repeat)
        raise InvalidInput("strategy", "must give New, Continue or Measure", proposal)

    def _note(self, proposal: Continue | Measure, step: int) -> None:
        """Keeps the reason of what a strategy wants done with a trial; that of a new one is the trial's origin."""
        by, now = type(self._strategy).__name__, self._book.clock.now()
        until = proposal.until if isinstance(proposal, Continue) else None
        self._book.journal.put(Decision(Action.RUN, proposal.reason, until, proposal.number, step, by, now))

    def _open(self, proposal: New) -> Live:
        live = self._book.open_trial(proposal)
        return live if self._stopper is None and proposal.until is None else self._until(live, proposal.until)

    def _until(self, live: Live, until: int | None) -> Live:
        if until is not None and self._stopper is None:
            raise InvalidInput("strategy", "must have decide(history, number), or a stopper, to set decision steps", until)
        self._book.set_until(live, self._outcomes.first_until(live) if until is None else until)
        return live

    def _completed(self, proposal: Measure) -> Trial:
        number = proposal.number
        self._book.commit()
        if number in self._book.measured:
            return self._book.measured[number]
        for trial in self._store.read(Trials(self._job, numbers=(number,), statuses=(Status.COMPLETED,))):
            return trial
        raise InvalidInput("strategy", "must measure a completed trial", proposal)
