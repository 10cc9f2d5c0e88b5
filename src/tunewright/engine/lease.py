"""Keeps a controller's lease alive while it has nothing to write, or is busy in training code."""

from __future__ import annotations

from threading import Event, Thread

from tunewright.errors import LeaseLost, StoreError
from tunewright.interfaces import Fence, Store


class LeaseKeeper:
    """Renews a lease every third of its length, in a thread.

    A stopped process stops renewing, so that another controller may take over; a store that can't be reached for a while is
    left to the controller's own writes.
    """

    def __init__(self, store: Store, fence: Fence) -> None:
        self._store, self._fence = store, fence
        self._stop = Event()
        self.lost: LeaseLost | None = None
        self._thread = Thread(target=self._keep, name="tunewright-lease", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Renews no more. Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def check(self) -> None:
        """Raises LeaseLost when the lease was found lost."""
        if self.lost is not None:
            raise self.lost

    def _keep(self) -> None:
        while not self._stop.wait(self._fence.ttl / 3):
            try:
                self._store.commit((), self._fence)
            except LeaseLost as error:
                self.lost = error
                return
            except StoreError:
                continue
