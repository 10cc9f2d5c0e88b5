"""The executor of ask and tell: the caller. It runs nothing; it keeps orders until the caller reports, and knows leases."""

from __future__ import annotations

from collections.abc import Callable

from tunewright.interfaces import Adopted, Clock, Dead, ExecutorEvent, Exited, Failure, Launch, Order
from tunewright.records import Execution, FailureKind

OVERDUE = Failure(FailureKind.LOST, "released: it was not told within its lease")


class Outside:
    """See the module.

    Args:
        clock: what leases go by.
        lease: seconds that an asked trial may go untold; None: for ever.

    Attributes:
        orders: the last order for each execution, by token.
    """

    slots = 1

    def __init__(self, clock: Clock, lease: float | None) -> None:
        self._clock, self._lease = clock, lease
        self.orders: dict[str, Order] = {}

    def overdue(self, execution: Execution) -> bool:
        """Whether it was asked longer ago than its lease."""
        return self._lease is not None and (execution.started or 0.0) + self._lease < self._clock.now()

    def launch(self, launch: Launch) -> None:
        raise AssertionError("ask and tell launches nothing")

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        raise AssertionError("ask and tell polls nothing")

    def order(self, token: str, order: Order) -> None:
        """Keeps an order for the next report."""
        self.orders[token] = order

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """A trial asked by an earlier process is still pending while its lease lasts."""
        execution = launch.execution
        if not self.overdue(execution):
            return Adopted()
        return Dead((Exited(execution.token, "released", self._clock.now(), failure=OVERDUE),))

    def close(self) -> None:
        """There is nothing to free."""
