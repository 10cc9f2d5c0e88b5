"""An executor around another one, whose executions hold leases of the host's cores and GPUs.

An execution that finds no GPU free waits here, in line with those of other jobs, and says for what. Its lease is given back
when it has ended and the memory of its GPUs is back; what outlives this process keeps it by the descriptor that it inherited.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tunewright.errors import InvalidInput
from tunewright.executors.placement import own_cores
from tunewright.frozen import changed
from tunewright.interfaces import Adopted, Dead, Executor, ExecutorEvent, Exited, Halt, Kill, Launch, Order, Waiting
from tunewright.resources import Resources
from tunewright.slots.host import Host, Lease
from tunewright.slots.inventory import Inventory, find_gpus
from tunewright.slots.registry import Published, Registry

_LOOK = 0.1  # seconds between looks at what is waited for
_QUIET = 2.0  # seconds between two reasons for the same wait
_RENEW = 1.0  # seconds after which cores that are shared are exchanged for better ones, if there are some
_SETTLE = 30.0  # seconds that a GPU's memory gets to come back
_TOUCH = 3600.0  # seconds between touches of leases
_OUTCOMES = {"stop": "stopped", "pause": "paused"}


class LeasedExecutor:
    """See the module.

    Args:
        executor: runs the executions.
        host: gives leases.
        tell: is called in `poll` with a line for people.
    """

    def __init__(self, executor: Executor, host: Host, tell: Callable[[str], None]) -> None:
        self._executor, self._host, self._tell = executor, host, tell
        self._running: set[str] = set()  # adopted ones, too, whose leases others hold
        self._leases: dict[str, Lease] = {}
        self._spare: list[Lease] = []  # of executions that have just ended, for those that follow at once
        self._settling: list[tuple[Lease, float]] = []  # and until when
        self._queue: deque[Launch] = deque()
        self._wish: Published | None = None
        self._said, self._said_at = "", 0.0
        self._next_look, self._next_touch = 0.0, time.monotonic() + _TOUCH
        self._events: deque[ExecutorEvent] = deque()
        self._closed = False

    @property
    def slots(self) -> int:
        """How many executions it takes at present: while one waits, no further one."""
        slots = self._executor.slots
        if not self._host.need:
            return slots
        slots, have = min(slots, self._host.capacity), len(self._running) + len(self._queue)
        if self._queue or have >= slots:
            return have
        return min(slots, have + max(1, self._host.free()))

    def __getattr__(self, name: str) -> Any:
        """Whatever else the executor has, such as a clock of its own."""
        return getattr(self._executor, name)

    def launch(self, launch: Launch) -> None:
        """Starts an execution if it gets what it needs, else lets it wait."""
        self._queue.append(launch)
        if len(self._queue) == 1:
            self._start_waiting()

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Hands over what has happened, and starts what has waited."""
        now = time.monotonic()
        while self._spare:
            self._spare.pop().release()
        if now >= self._next_look:
            self._settle(now)
            self._start_waiting()
            self._next_look = time.monotonic() + _LOOK
        if now >= self._next_touch:
            self._next_touch = now + _TOUCH
            for lease in self._leases.values():
                lease.touch()
        if self._events:
            timeout = 0.0
        elif self._queue or self._settling:
            timeout = min(timeout, _LOOK)
        while self._events:
            deliver(self._events.popleft())
        self._executor.poll(timeout, lambda event: self._hear(event, deliver))

    def order(self, token: str, order: Order) -> None:
        """Passes an order on; an execution that still waits ends by it at once, or takes no notice."""
        waiting = next((launch for launch in self._queue if launch.execution.token == token), None)
        if waiting is None:
            self._executor.order(token, order)
        elif isinstance(order, (Halt, Kill)):
            self._queue.remove(waiting)
            self._withdraw()
            outcome = _OUTCOMES[order.action] if isinstance(order, Halt) else "stopped"
            self._events.append(Exited(token, outcome, time.time()))

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """Takes over an execution, which holds its lease by itself if it runs."""
        answer = self._executor.adopt(launch)
        if isinstance(answer, Adopted):
            self._running.add(launch.execution.token)
        return answer

    def close(self) -> None:
        """Kills what runs, and gives back what it held; what belongs to another controller by now keeps its leases."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self._withdraw()
        self._executor.close()
        for lease in self._leases.values():
            lease.let_go()
        for lease in (*self._spare, *(lease for lease, _ in self._settling)):
            lease.release()
        self._leases.clear()
        self._host.sweep()
        self._host.close()

    # --- starting ---

    def _start_waiting(self) -> None:
        while self._queue:
            launch = self._queue[0]
            lease = self._lease(launch.trial.number)
            if isinstance(lease, str):
                self._wait(launch, lease)
                return
            self._queue.popleft()
            self._withdraw()
            token = launch.execution.token
            self._running.add(token)
            if lease is not None:
                self._leases[token] = lease
                launch = changed(launch, placement=lease.placement)
            self._executor.launch(launch)

    def _lease(self, trial: int) -> Lease | str | None:
        """A lease; or why there is none yet; or None, when one must do without."""
        while self._spare:
            lease = self._spare.pop()
            if not lease.shared or time.monotonic() - lease.made < _RENEW:
                return lease
            lease.release()
        try:
            return self._host.take(trial, self._wish)
        except OSError as problem:  # no space left, for one
            return f"no lease can be written ({problem})" if self._host.need else None

    def _wait(self, launch: Launch, reason: str) -> None:
        """Takes a place in the line, and says why."""
        if self._settling:
            gpus = ", ".join(self._host.labels(lease) for lease, _ in self._settling)
            reason = f"the memory of {gpus} is not back yet from a trial that has ended"
        now, text = time.monotonic(), f"waits for {self._host.need_text}: {reason}"
        if self._wish is not None:
            self._wish.touch()
        else:
            try:
                self._wish = self._host.wait_in_line(launch.trial.number)
            except OSError as problem:
                text += f" (and without a place in the line: {problem})"
        if text != self._said and (not self._said or now - self._said_at >= _QUIET):
            self._said, self._said_at = text, now
            self._events.append(Waiting(launch.execution.token, text))

    def _withdraw(self) -> None:
        """Leaves the line, for the first in it has been served or has gone."""
        self._said = ""
        if self._wish is not None:
            self._wish.withdraw()
            self._wish = None

    # --- ending ---

    def _hear(self, event: ExecutorEvent, deliver: Callable[[ExecutorEvent], None]) -> None:
        if isinstance(event, Exited):
            self._running.discard(event.token)
            if (lease := self._leases.pop(event.token, None)) is not None:
                self._ended(lease)
            self._next_look = 0.0
        deliver(event)

    def _ended(self, lease: Lease) -> None:
        if not self._host.need:
            self._spare.append(lease)
        elif self._host.settled(lease):
            lease.release()
        else:
            self._settling.append((lease, time.monotonic() + _SETTLE))

    def _settle(self, now: float) -> None:
        """Gives leases back whose GPUs have their memory back."""
        for lease, end in [*self._settling]:
            settled = self._host.settled(lease)
            if settled or now >= end:
                self._settling.remove((lease, end))
                lease.release()
            if not settled and now >= end:
                self._tell(f"the memory of {self._host.labels(lease)} is not back {_SETTLE:g} s after its trial has ended")


def host_for(resources: Resources, job: str) -> Host | None:
    """This host for a job's trials; None where leases are impossible and not needed, as without GPUs.

    Args:
        resources: of one trial.
        job: its name, for others who wait.

    Raises:
        InvalidInput: the host has fewer GPUs than one trial needs, or no folder for leases.
    """
    inventory = find_gpus() if resources.gpus else Inventory((), "")
    try:
        return Host(resources, inventory, Registry(), own_cores(), job)
    except InvalidInput:
        inventory.close()
        if resources.gpus:
            raise
        return None
