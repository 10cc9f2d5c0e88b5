"""A worker process: loads the training function once, then runs one execution after another.

What it is told: {"kind": "hello", "folder", "argv", "devices"} first, then {"kind": "launch", ...} (see `launch_message`; it
may have "environment", variables to set, and "cores" to move to) and {"kind": "order", "token", ...}. What it says: {"kind":
"started", "token", "pid"}, {"kind": "spool", "token"} when there is something new in the spool, {"kind": "end", "token",
"retire"} after its last line, {"kind": "unwritable", "token", "message"} when there is none, and {"kind": "unloadable",
"failure"} when it can't load the function.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunewright import report
from tunewright.executors.connection import Connection, Message
from tunewright.executors.output import Output
from tunewright.executors.residue import reason_to_retire
from tunewright.executors.shipping import load_function
from tunewright.executors.task import Task, failure_of, perform
from tunewright.interfaces import Launch
from tunewright.protocol import failure_record, log_path, spool_path


def launch_message(launch: Launch, folder: str) -> Message:
    """A launch as a worker is told of it; `folder` is the trial's, absolute."""
    trial, execution = launch.trial, launch.execution
    return {
        "kind": "launch",
        "token": execution.token,
        "folder": folder,
        "params": dict(trial.params),
        "until": execution.until_step,
        "trial": {
            "number": trial.number,
            "seed": trial.seed,
            "fidelity": execution.fidelity,
            "fold": execution.fold,
            "repeat": execution.repeat,
            "execution": execution.number,
            "step": execution.from_step,
            "resume": launch.checkpoint,
        },
    }


class _Inbox:
    """Messages of the controller, in order. Orders may be among those that came with the launch that they are for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._messages: deque[Message] = deque()

    def next(self) -> Message | None:
        """The next message, waiting for it; None when the controller is gone."""
        while not self._messages:
            self._messages += self._connection.wait(None)
            if not self._messages and not self._connection.open:
                return None
        return self._messages.popleft()

    def poll(self, timeout: float) -> list[Message]:
        """All messages, waiting at most `timeout` seconds for one."""
        if not self._messages:
            if self._connection.open:
                self._messages += self._connection.wait(timeout) if timeout > 0 else self._connection.receive()
            else:  # the controller is gone, and the guard about to kill this process
                time.sleep(min(timeout, 1.0))
        messages = [*self._messages]
        self._messages.clear()
        return messages


class _Orders:
    """The orders for one execution, out of what the controller says."""

    def __init__(self, inbox: _Inbox, token: str) -> None:
        self._inbox, self._token = inbox, token

    def poll(self, timeout: float) -> list[Message]:
        """New orders, waiting at most `timeout` seconds for a message."""
        return [word for word in self._inbox.poll(timeout) if word["kind"] == "order" and word["token"] == self._token]


class _Worker:
    """Serves one controller.

    Args:
        devices: prefixes of device files; a process that has one of them open is not used for another execution.
    """

    def __init__(self, connection: Connection, inbox: _Inbox, task: Task, devices: list[str]) -> None:
        self._connection, self._inbox, self._task, self._devices = connection, inbox, task, devices
        self._output = Output()
        self._home = Path.cwd()

    def serve(self) -> None:
        """Runs executions until the controller is gone, or until this process shouldn't run another one."""
        while (message := self._inbox.next()) is not None:
            # An order may come after the end of what it was meant for: it is passed over.
            if message["kind"] == "launch" and self._execute(message):
                return

    def _execute(self, message: Message) -> bool:
        """Runs one execution; whether this process should be replaced now."""
        token, folder = message["token"], message["folder"]
        os.environ["TUNEWRIGHT_TOKEN"] = token
        os.environ.update(message.get("environment", {}))
        if "cores" in message:
            _move(message["cores"])
        self._say("started", token, pid=os.getpid())
        try:
            self._run(message)
        except OSError as problem:
            self._say("unwritable", token, message=f"the trial's folder {folder} can't be written to: {problem}")
            return True
        retire = reason_to_retire(self._devices)
        self._say("end", token, retire=retire)
        return retire is not None

    def _run(self, message: Message) -> None:
        """Calls the training function, with its prints in the trial's log, and writes how it ended into the spool."""
        token, folder, number = message["token"], message["folder"], message["trial"]["execution"]
        spool = spool_path(folder, number)
        spool.parent.mkdir(parents=True, exist_ok=True)
        orders = _Orders(self._inbox, token)
        channel = report.SpoolChannel(str(spool), message["until"], orders, lambda: self._say("spool", token))

        def start(params: dict[str, Any]) -> report.Trial:
            trial = report.Trial(params, channel, folder, **message["trial"])
            report.set_current_trial(trial, process=True)
            return trial

        try:
            with self._output.to(log_path(folder)):
                ending = perform(self._task, message["params"], channel, start)
                if ending.escaped is not None and not isinstance(ending.escaped, KeyboardInterrupt):
                    # Nobody is here for it to escape to: leaving a debugger, too, is a failure like any other.
                    ending = ending._replace(outcome="failed", failure=failure_of(ending.escaped))
                if ending.failure is not None:
                    print(ending.failure.traceback, file=sys.stderr, end="")
        finally:
            report.set_current_trial(None, process=True)
            with suppress(OSError):  # training code may have gone elsewhere; the next one's relative paths mustn't
                os.chdir(self._home)
        failure = None if ending.failure is None else failure_record(ending.failure)
        channel.end({"outcome": ending.outcome, "returned": ending.returned, "failure": failure})

    def _say(self, kind: str, token: str, **more: Any) -> None:
        self._connection.send({"kind": kind, "token": token, **more})


def _move(cores: list[int]) -> None:
    """Keeps this process to other cores: all of its threads, for libraries start theirs once."""
    if hasattr(os, "sched_setaffinity"):
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it has ended, or the cores were taken from us
                os.sched_setaffinity(int(thread.name), cores)


def _no_terminal(*_: object, **__: object) -> None:
    raise RuntimeError("breakpoint() needs a terminal, which a worker process doesn't have; use executor='inline'")


def main() -> None:
    """Runs a worker; the last argument is the descriptor of its socket."""
    connection = Connection(socket.socket(fileno=int(sys.argv[-1])))
    inbox = _Inbox(connection)
    hello = inbox.next()
    if hello is None:
        return
    sys.argv = hello["argv"]
    faulthandler.enable()
    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = _no_terminal
    try:
        task = load_function(hello["folder"])
    except BaseException as error:
        connection.send({"kind": "unloadable", "failure": failure_record(failure_of(error))})
        raise
    _Worker(connection, inbox, task, hello["devices"]).serve()
