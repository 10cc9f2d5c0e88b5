"""The simulated executor: executions in virtual time, from a model or a recorded table, for tests and for replays.

An hour of training costs microseconds here, and equal calls give equal events, so schedules can be tested exactly.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tunewright.errors import InvalidInput
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Dead,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Launch,
    Order,
    Reported,
    Started,
    Until,
)
from tunewright.records import Params, Report

_OUTCOMES = {"stop": "stopped", "pause": "paused"}


@dataclass(frozen=True, slots=True)
class Curve:
    """What one configuration reports when it is trained to its end.

    Args:
        steps: ascending, at least one unless the curve is only a duration.
        values: metrics by name at each step.
        durations: seconds that each step takes; one more than steps adds a time after the last one.
        returned: what the training function returns.
        failure: how it fails after the last step, instead of completing.
        checkpoints: whether it writes a checkpoint at each step before it reports it.

    Raises:
        InvalidInput: the lengths don't fit, the steps don't ascend, or a duration is below 0.
    """

    steps: Sequence[int]
    values: Sequence[Mapping[str, float]]
    durations: Sequence[float]
    returned: dict[str, float] | float | None = None
    failure: Failure | None = None
    checkpoints: bool = False

    def __post_init__(self) -> None:
        n = len(self.steps)
        if len(self.values) != n:
            raise InvalidInput("curve.values", f"must have one entry for each of the {n} steps", len(self.values))
        if len(self.durations) not in (n, n + 1):
            raise InvalidInput("curve.durations", f"must have {n} or {n + 1} entries for {n} steps", len(self.durations))
        if any(a >= b for a, b in itertools.pairwise(self.steps)):
            raise InvalidInput("curve.steps", "must ascend", self.steps)
        if any(not duration >= 0 for duration in self.durations):
            raise InvalidInput("curve.durations", "must be at least 0", self.durations)


Simulate = Callable[[Params, int], Curve]


class Recorded:
    """A recorded table as a model: the curve of each configuration that is in it, whatever the seed.

    Args:
        curves: configurations and their curves.
        key: what tells configurations apart, such as `SearchSpace.key`.
    """

    def __init__(self, curves: Iterable[tuple[Params, Curve]], key: Callable[[Params], Hashable]) -> None:
        self._key = key
        self._curves = {key(params): curve for params, curve in curves}

    def __call__(self, params: Params, seed: int) -> Curve:
        """The recorded curve. Raises InvalidInput for a configuration that isn't in the table."""
        found = self._curves.get(self._key(params))
        if found is None:
            raise InvalidInput("params", "must be a configuration of the recorded table", dict(params))
        return found


class SimulatedExecutor:
    """Executes curves on a clock of its own, which `poll` moves on. It is a Clock as well.

    An execution goes on from its `from_step`, ends at its fidelity, if it has one, and waits at its decision steps; an order
    to end takes effect at its next report, or after its grace.

    Args:
        simulate: the curve of a configuration and a seed.
        slots: how many executions run at once.
        start: the first moment, in seconds since the epoch.
        start_time: seconds from a launch to the beginning of its first step.
    """

    def __init__(self, simulate: Simulate, *, slots: int = 1, start: float = 0.0, start_time: float = 0.0) -> None:
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise InvalidInput("slots", "must be an integer of at least 1", slots)
        self.slots = slots
        self._simulate, self._now, self._start_time = simulate, start, start_time
        self._runs: dict[str, _Run] = {}
        self._queue: list[tuple[float, int, _Run]] = []  # what is due when; outdated once its number isn't the run's any more
        self._numbers = itertools.count(1)
        self._events: deque[ExecutorEvent] = deque()

    def now(self) -> float:
        """Virtual time, in seconds since the epoch."""
        return self._now

    def launch(self, launch: Launch) -> None:
        """Begins an execution at the present moment."""
        assert len(self._runs) < self.slots, f"there are {self.slots} slots"
        run = _Run(launch, self._simulate(launch.trial.params, launch.trial.seed))
        self._runs[run.token] = run
        self._events.append(Started(run.token, "simulated"))
        self._go_on(run, self._start_time)

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Moves the clock to the next event, or by `timeout` when there is none until then, and hands over what happens."""
        if not self._events:
            end = self._now + timeout
            while self._queue and self._queue[0][1] != self._queue[0][2].number:
                heapq.heappop(self._queue)
            if self._queue and self._queue[0][0] <= end:
                self._now, _, run = heapq.heappop(self._queue)
                self._happen(run)
            else:
                self._now = end
        while self._events:
            deliver(self._events.popleft())

    def order(self, token: str, order: Order) -> None:
        """Passes an order on to an execution."""
        run = self._runs.get(token)
        if run is None:
            return
        if isinstance(order, Until):
            run.until = order.step
            if run.waits:
                run.waits = False
                self._go_on(run)
        elif isinstance(order, Halt):
            run.halt = order
            if run.waits:
                self._end(run, _OUTCOMES[order.action])
            elif self._now + order.grace < run.due:
                run.killed = True
                self._put(run, self._now + order.grace)
        else:
            self._end(run, "stopped")

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """Nothing of an earlier simulation is left."""
        return Dead()

    def close(self) -> None:
        """Forgets what runs."""
        self._runs.clear()
        self._queue.clear()
        self._events.clear()

    # --- what happens when ---

    def _put(self, run: _Run, at: float) -> None:
        run.due, run.number = at, next(self._numbers)
        heapq.heappush(self._queue, (at, run.number, run))

    def _go_on(self, run: _Run, delay: float = 0.0) -> None:
        self._put(run, self._now + delay + run.next_duration())

    def _happen(self, run: _Run) -> None:
        """What the run's next due moment brings: the end of its grace, a report, or its end."""
        if run.killed:
            assert run.halt is not None
            self._end(run, _OUTCOMES[run.halt.action])
        elif not run.remaining:
            self._complete(run)
        else:
            self._report(run)

    def _report(self, run: _Run) -> None:
        index = run.remaining.popleft()
        step = run.curve.steps[index]
        if run.curve.checkpoints:
            path = f"{run.launch.folder}/checkpoints/step-{step}"
            self._events.append(Checkpointed(run.token, step, path, self._now))
        report = Report(step, dict(run.curve.values[index]), self._now)
        self._events.append(Reported(run.token, run.reported, [report]))
        run.reported += 1
        if run.halt is not None:
            self._end(run, _OUTCOMES[run.halt.action])
        elif run.until is not None and step >= run.until:
            run.waits = True
        else:
            self._go_on(run)

    def _complete(self, run: _Run) -> None:
        failure = run.curve.failure if run.whole else None
        self._end(run, "failed" if failure else "completed", run.curve.returned if run.whole and not failure else None, failure)

    def _end(
        self, run: _Run, outcome: str, returned: dict[str, float] | float | None = None, failure: Failure | None = None
    ) -> None:
        run.number = 0
        del self._runs[run.token]
        self._events.append(Exited(run.token, outcome, self._now, returned, failure))


class _Run:
    """One simulated execution.

    Attributes:
        remaining: indices of the curve's steps that are still to come.
        whole: whether it goes to the curve's end.
        waits: at a decision step, for an order.
        killed: due is the end of a grace.
        due, number: when something happens next, and the number of that entry in the queue.
    """

    def __init__(self, launch: Launch, curve: Curve) -> None:
        self.launch, self.curve = launch, curve
        execution = launch.execution
        self.token, self.until = execution.token, execution.until_step
        last = math.inf if execution.fidelity is None else execution.fidelity
        self.remaining = deque(i for i, step in enumerate(curve.steps) if execution.from_step < step <= last)
        self.whole = not curve.steps or curve.steps[-1] <= last
        self.reported = 0
        self.waits = self.killed = False
        self.halt: Halt | None = None
        self.due, self.number = 0.0, 0

    def next_duration(self) -> float:
        """Seconds to its next report, or to its end."""
        durations = self.curve.durations
        if self.remaining:
            return durations[self.remaining[0]]
        return durations[-1] if self.whole and len(durations) > len(self.curve.steps) else 0.0
