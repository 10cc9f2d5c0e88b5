"""What people and other processes ask of a running job, read from the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tunewright import queries
from tunewright.errors import InvalidInput
from tunewright.interfaces import New, Store
from tunewright.records import Command, Trial
from tunewright.space import SearchSpace


class Commands:
    """Unhandled commands of one job, each given out once.

    Enqueued configurations wait here, in the order in which they came, until the engine has a slot for them; they count as
    handled once their trial exists, so a crash loses none.
    """

    def __init__(self, job: str, space: SearchSpace, store: Store) -> None:
        self._job, self._space, self._store = job, space, store
        self._known: set[int] = set()
        self._enqueued: deque[tuple[int, New]] = deque()

    def new(self) -> Iterator[Command]:
        """Commands that came since the last call, but for enqueued configurations that are valid."""
        for command in self._store.read(queries.Commands(self._job)):
            if command.id in self._known:
                continue
            self._known.add(command.id)
            if command.kind != "enqueue" or not self._queue(command):
                yield command

    def next_enqueued(self) -> tuple[int, New] | None:
        """The id of the oldest waiting enqueue command, and what it proposes."""
        return self._enqueued.popleft() if self._enqueued else None

    def stored_trial(self, number: int) -> Trial:
        """A trial that has ended, from the store."""
        return next(iter(self._store.read(queries.Trials(self._job, numbers=(number,)))))

    def _queue(self, command: Command) -> bool:
        try:
            params = self._space.validate(command.payload["params"])
        except InvalidInput:
            return False
        self._enqueued.append((command.id, New(params, command.payload.get("reason") or "enqueued")))
        return True
