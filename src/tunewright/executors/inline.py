"""The inline executor: training code runs in the controller's own thread, so debuggers and exceptions work as usual."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tunewright import report
from tunewright.errors import InvalidInput
from tunewright.executors.task import Ending, Task, halted, perform
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Dead,
    ExecutorEvent,
    Exited,
    Halt,
    Launch,
    Order,
    Reported,
    Started,
    Until,
)
from tunewright.protocol import remove_partial_checkpoints
from tunewright.records import Report
from tunewright.resources import Resources

_INTERVAL = report.INTERVAL


def refuse_limits(resources: Resources | None) -> None:
    """Raises InvalidInput for limits that can't be kept in one's own process."""
    for name in ("time", "memory"):
        if getattr(resources, name, None) is not None:
            rule = "can't be enforced by the inline executor, which shares the process; use executor='process'"
            raise InvalidInput(f"resources.{name}", rule, getattr(resources, name))


class InlineExecutor:
    """Runs one execution at a time, inside `poll`.

    Reports are delivered from within `report()`: at decision steps and at the end at once, else every 50 ms. Ctrl-C and
    leaving the debugger end the execution as lost, and then leave `poll` as the exception that they are.

    Args:
        task: what to run.
        resources: its limits; `time` and `memory` can't be kept in one's own process.

    Raises:
        InvalidInput: a limit was asked for that can't be kept.
    """

    slots = 1

    def __init__(self, task: Task, resources: Resources | None = None) -> None:
        refuse_limits(resources)
        self._task = task
        self._launched: Launch | None = None
        self._channel: _DirectChannel | None = None

    @property
    def in_training(self) -> bool:
        """Whether training code runs at this moment, and not the controller that it reported to. For signal handlers."""
        channel = self._channel
        return channel is not None and channel.in_training

    def launch(self, launch: Launch) -> None:
        """Keeps an execution for the next `poll`."""
        assert self._launched is None, "the inline executor has one slot"
        self._launched = launch
        self._channel = _DirectChannel(launch.execution.token, launch.execution.until_step)

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        """Runs the launched execution from start to end, or sleeps when there is none."""
        launch, channel = self._launched, self._channel
        if launch is None or channel is None:
            time.sleep(timeout)
            return
        token = channel.token
        channel.deliver = deliver
        self._launched = None
        try:
            deliver(Started(token, "inline"))
            ending = halted(channel) if channel.halt is not None else self._run(launch, channel)
            channel.flush()
            if channel.broken is not None:
                raise channel.broken
        finally:
            self._channel = None
        deliver(Exited(token, ending.outcome, time.time(), ending.returned, ending.failure))
        if ending.escaped is not None:
            raise ending.escaped

    def order(self, token: str, order: Order) -> None:
        """Passes an order on. Training code in one's own thread can't be killed: a kill ends it at its next report."""
        channel = self._channel
        if channel is None or channel.token != token:
            return
        if isinstance(order, Until):
            channel.take({"until": order.step})
        elif isinstance(order, Halt):
            channel.take({"halt": order.action, "reason": order.reason})
        else:
            channel.take({"halt": "stop", "reason": order.reason})

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """An inline execution ends with its process, and leaves no spool."""
        remove_partial_checkpoints(launch)
        return Dead()

    def close(self) -> None:
        """Forgets what was launched and not begun."""
        self._launched = self._channel = None

    def _run(self, launch: Launch, channel: _DirectChannel) -> Ending:
        trial, execution = launch.trial, launch.execution

        def start(params: dict[str, Any]) -> report.Trial:
            made = report.Trial(
                params, channel, launch.folder, number=trial.number, seed=trial.seed, fidelity=execution.fidelity,
                fold=execution.fold, repeat=execution.repeat, execution=execution.number, step=execution.from_step,
                resume=launch.checkpoint,
            )  # fmt: skip
            report.set_current_trial(made)
            return made

        before = report.set_current_trial(None)
        with _variables({} if launch.placement is None else launch.placement.environment):
            channel.in_training = True
            try:
                return perform(self._task, trial.params, channel, start)
            finally:
                channel.in_training = False
                report.set_current_trial(before)


@contextmanager
def _variables(given: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment for a while. A library that has looked for GPUs before looks no more."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _DirectChannel(report.Channel):
    """Hands reports to the controller in the training code's own call.

    Attributes:
        deliver: the controller's callback.
        broken: what the callback raised. It belongs to the caller of `poll`, not to training code, which is told to stop.
        in_training: whether training code runs, and not the callback.
    """

    __slots__ = ("_first", "_flushed", "_reports", "broken", "deliver", "in_training", "token")

    def __init__(self, token: str, until: int | None, deliver: Callable[[ExecutorEvent], None] | None = None) -> None:
        super().__init__(until)
        self.token = token
        self.deliver = deliver
        self.broken: BaseException | None = None
        self.in_training = False
        self._reports: list[Report] = []
        self._first = 0
        self._flushed = time.monotonic()

    def add(self, step: int, metrics: dict[str, float]) -> None:
        self._reports.append(Report(step, metrics, time.time()))
        if time.monotonic() - self._flushed >= _INTERVAL:
            self.flush()

    def ask(self) -> None:
        self.flush()

    def checkpointed(self, step: int, path: str) -> None:
        self.flush()
        self._hand_over(Checkpointed(self.token, step, path, time.time()))

    def flush(self) -> None:
        """Delivers what was reported so far."""
        self._flushed = time.monotonic()
        if self._reports:
            self._reports, reports = [], self._reports
            self._first += len(reports)
            self._hand_over(Reported(self.token, self._first - len(reports), reports))

    def _hand_over(self, event: ExecutorEvent) -> None:
        assert self.deliver is not None, "reports come only from within poll"
        if self.broken is not None:
            return
        training, self.in_training = self.in_training, False
        try:
            self.deliver(event)
        except BaseException as error:
            self.broken = error
            self.take({"halt": "stop", "reason": "its controller failed"})
        self.in_training = training
