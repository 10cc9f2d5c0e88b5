"""A store that fails at a chosen commit, and from then on: a controller that was killed writes nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tunewright.interfaces import Fence, Store
from tunewright.queries import Query
from tunewright.records import Change, Command, TuningJob

Row = TypeVar("Row")


class Killed(BaseException):
    """Ends a controller as a kill would: whatever it does about it, its store takes nothing more."""


class FailingStore:
    """Passes everything on to another store, but fails at the commit with this number, from 1, and at all later ones.

    Args:
        after: the failing commit is carried out, and its caller never learns of it.
        error: makes what is raised.
    """

    def __init__(self, inner: Store, number: int, *, after: bool = False, error: Callable[[], BaseException] = Killed) -> None:
        self.inner, self.number, self.after, self.error = inner, number, after, error
        self.location, self.folder = inner.location, inner.folder
        self.commits = 0

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        if changes:
            self.commits += 1
            if self.commits == self.number and self.after:
                self.inner.commit(changes, fence)
            if self.commits >= self.number:
                raise self.error()
        return self.inner.commit(changes, fence)

    def create(self, job: TuningJob) -> None:
        self.inner.create(job)

    def claim(self, job: str, owner: str, ttl: float, *, evict: str | None = None) -> Fence | None:
        return self.inner.claim(job, owner, ttl, evict=evict)

    def release(self, fence: Fence) -> None:
        self.inner.release(fence)

    def request(self, job: str, command: Command) -> int:
        return self.inner.request(job, command)

    def delete(self, job: str, *, evict: str | None = None) -> bool:
        return self.inner.delete(job, evict=evict)

    def read(self, query: Query[Row]) -> Iterator[Row]:
        return self.inner.read(query)

    def wait(self, job: str, since: int, timeout: float) -> int:
        return self.inner.wait(job, since, timeout)

    def close(self) -> None:
        self.inner.close()
