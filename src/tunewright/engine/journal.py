"""What a controller writes: changes gathered for one transaction, and when that transaction is due.

Records replace each other by their key until they are committed. Reports wait at most `DELAY` seconds, everything else is
committed before the engine acts on it.
"""

from __future__ import annotations

from typing import Any, Protocol

from tunewright.interfaces import Clock, Fence, Store
from tunewright.records import Change, Execution, JobState, Trial

DELAY = 0.05


class Draft(Protocol):
    """Something that keeps changing; its record is made when it is committed."""

    def record(self) -> Execution: ...


class Journal:
    """Gathers changes of one job and commits them under its fence.

    Args:
        event: the job's last event number so far.
    """

    def __init__(self, store: Store, fence: Fence, clock: Clock, event: int) -> None:
        self._store, self._fence, self._clock = store, fence, clock
        self._pending: dict[Any, Change] = {}
        self._drafts: dict[str, Draft] = {}
        self._oldest: float | None = None  # when the first uncommitted change came
        self._urgent = False
        self.event = event

    @property
    def next_event(self) -> int:
        """The event number up to which the pending changes will reach, if nobody else writes to this job meanwhile."""
        return self.event + len(self._pending) + len(self._drafts)

    def put(self, change: Change) -> None:
        """Adds a change; an earlier, uncommitted one of the same trial or execution is replaced. It is urgent."""
        kind = type(change)
        if kind is Trial:
            self._pending[change.number] = change  # type: ignore[union-attr]
        elif kind is Execution:
            self._pending[change.trial, change.number] = change  # type: ignore[union-attr]
            self._drafts.pop(change.token, None)  # type: ignore[union-attr]
        elif kind is JobState:
            self._pending[JobState] = change
        else:
            self._pending[kind, len(self._pending)] = change
        self._urgent = True
        if self._oldest is None:
            self._oldest = self._clock.now()

    def put_draft(self, token: str, draft: Draft, *changes: Change) -> None:
        """Adds an execution that goes on changing, and what came with it. None of it is urgent.

        Args:
            token: the execution's.
            changes: reports and decisions.
        """
        self._drafts[token] = draft
        for change in changes:
            self._pending[type(change), len(self._pending)] = change
        if self._oldest is None:
            self._oldest = self._clock.now()

    def due_in(self, now: float) -> float | None:
        """Seconds until a commit is due: 0 when something urgent waits, None when nothing does."""
        if self._oldest is None:
            return None
        return 0.0 if self._urgent else max(0.0, self._oldest + DELAY - now)

    def commit(self) -> int:
        """Commits what waits, in one transaction, and returns the last event number.

        Raises:
            LeaseLost, StoreFull, StoreBusy: as the store does; nothing was written then.
        """
        if self._oldest is not None:
            changes = [*self._pending.values(), *[draft.record() for draft in self._drafts.values()]]
            self.event = self._store.commit(changes, self._fence)
            self._pending.clear()
            self._drafts.clear()
            self._oldest, self._urgent = None, False
        return self.event
