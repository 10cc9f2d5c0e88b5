"""What a controller writes: changes gathered for one transaction, and when that transaction is due.

Records replace each other by their key until they are committed. Reports wait at most `DELAY` seconds, everything else is
committed before the engine acts on it.
"""

from __future__ import annotations

from typing import Any

from tunewright.interfaces import Clock, Fence, Store
from tunewright.records import Change, Execution, JobState, Reports, Trial

DELAY = 0.05


class Journal:
    """Gathers changes of one job and commits them under its fence.

    Args:
        event: the job's last event number so far.
    """

    def __init__(self, store: Store, fence: Fence, clock: Clock, event: int) -> None:
        self._store, self._fence, self._clock = store, fence, clock
        self._pending: dict[Any, Change] = {}
        self._oldest = 0.0
        self._last_commit = clock.now()
        self._urgent = False
        self.event = event

    @property
    def next_event(self) -> int:
        """The event number up to which the pending changes will reach, if nobody else writes to this job meanwhile."""
        return self.event + len(self._pending)

    def put(self, change: Change, *, urgent: bool = True) -> None:
        """Adds a change; an earlier, uncommitted one of the same trial or execution is replaced."""
        if not self._pending:
            self._oldest = self._clock.now()
        kind = type(change)
        if kind is Trial:
            self._pending[change.number] = change  # type: ignore[union-attr]
        elif kind is Execution:
            self._pending[change.trial, change.number] = change  # type: ignore[union-attr]
        elif kind is JobState:
            self._pending["state"] = change
        else:
            self._pending[kind, len(self._pending)] = change
        self._urgent = self._urgent or (urgent and kind is not Reports)

    def due_in(self) -> float | None:
        """Seconds until a commit is due: 0 when something urgent waits, None when nothing does."""
        if not self._pending:
            return None
        return 0.0 if self._urgent else max(0.0, self._oldest + DELAY - self._clock.now())

    def commit(self) -> int:
        """Commits what waits, in one transaction, and returns the last event number.

        Raises:
            LeaseLost, StoreFull, StoreBusy: as the store does; nothing was written then.
        """
        if self._pending:
            self.event = self._store.commit([*self._pending.values()], self._fence)
            self._pending.clear()
            self._urgent = False
            self._last_commit = self._clock.now()
        return self.event
