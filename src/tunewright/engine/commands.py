"""What people and other processes ask of a running job, read from the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from tunewright import queries
from tunewright.errors import InvalidInput
from tunewright.interfaces import New, Store
from tunewright.records import Command
from tunewright.space import SearchSpace


class Commands:
    """Unhandled commands of one job, each given out once.

    Enqueued configurations wait here, in the order in which they came, until the engine has a slot for them; they count as
    handled once their trial exists, so a crash loses none.
    """

    def __init__(self, job: str, space: SearchSpace, store: Store) -> None:
        self._job, self._space, self._store = job, space, store
        self._known: frozenset[int] = frozenset()
        self._enqueued: deque[tuple[int, New]] = deque()

    def new(self) -> Iterator[tuple[Command, str | None]]:
        """Commands that came since the last call, but for enqueued configurations that are valid; with each what is wrong
        with its payload, None when nothing is.
        """
        unhandled = [*self._store.read(queries.Commands(self._job))]
        known, self._known = self._known, frozenset(command.id for command in unhandled)
        for command in unhandled:
            if command.id in known:
                continue
            wrong = self._queue(command) if command.kind == "enqueue" else None
            if command.kind != "enqueue" or wrong is not None:
                yield command, wrong

    def next_enqueued(self) -> tuple[int, New] | None:
        """The id of the oldest waiting enqueue command, and what it proposes."""
        return self._enqueued.popleft() if self._enqueued else None

    def _queue(self, command: Command) -> str | None:
        """Queues a configuration, or says why it can't be executed."""
        given: Any = command.payload.get("params")
        if not isinstance(given, Mapping):
            return f"params must be a configuration; got {given!r}"
        try:
            params = self._space.validate(given)
        except InvalidInput as error:
            return str(error)
        self._enqueued.append((command.id, New(params, str(command.payload.get("reason") or "enqueued"))))
        return None
