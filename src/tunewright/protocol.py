"""What executors and training code leave for each other: a trial's folder, its spools, its orders, its environment.

A trial's folder:

    log.txt                         what its executions printed
    checkpoints/step-<n>/           whole checkpoints; a second one of the same step is step-<n>.2
    artifacts/                      files kept with the trial
    executions/<n>/spool.jsonl      what the execution reported, in order, and how it ended (see `report.py`)
    executions/<n>/order.json       the last order, for training code that has no connection to its executor
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunewright.interfaces import Checkpointed, ExecutorEvent, Exited, Failure, Halt, Launch, Order, Reported, Until
from tunewright.records import FailureKind, Report

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_OUTCOMES = frozenset({"completed", "failed", "stopped", "paused", "lost", "released"})


# --- the folder ---


def log_path(folder: str) -> Path:
    """The trial's log."""
    return Path(folder, "log.txt")


def execution_folder(folder: str, number: int) -> Path:
    """The folder of one execution of the trial."""
    return Path(folder, "executions", str(number))


def spool_path(folder: str, number: int) -> Path:
    """The spool of one execution of the trial."""
    return execution_folder(folder, number) / "spool.jsonl"


def remove_partial_checkpoints(launch: Launch) -> None:
    """Removes what an execution that is dead left of a checkpoint that it didn't finish."""
    import shutil

    for partial in Path(launch.folder, "checkpoints").glob(f".step-*.{launch.execution.number}.partial"):
        shutil.rmtree(partial, ignore_errors=True)


# --- the spool ---


class SpoolReader:
    """Reads a spool that is still being written to. A last line that isn't whole yet waits for the next call.

    Args:
        folder: the trial's folder.
        number: the execution's number.
        token: the execution's token, for its events.

    Attributes:
        notes: records that are no events, by their kind, the last one of each.
    """

    def __init__(self, folder: str, number: int, token: str) -> None:
        self._path, self._token = spool_path(folder, number), token
        self.notes: dict[str, dict[str, Any]] = {}
        self._file: int | None = None
        self._rest = b""
        self._reports = 0

    def read(self) -> list[ExecutorEvent]:
        """The events since the last call; the last one of a spool is Exited. A line that can't be read is passed over."""
        events: list[ExecutorEvent] = []
        reports: list[Report] = []
        for record in self._records():
            kind = record.get("kind")
            try:
                if kind == "report":
                    metrics = {str(name): _number(value) for name, value in record["metrics"].items()}
                    reports.append(Report(int(record["step"]), metrics, float(record["at"])))
                    continue
                event = self._event(kind, record)
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            if event is None:
                self.notes[str(kind)] = record
                continue
            self._add(events, reports)
            reports = []
            events.append(event)
        self._add(events, reports)
        return events

    def close(self) -> None:
        """Closes the file. Idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _add(self, events: list[ExecutorEvent], reports: list[Report]) -> None:
        if reports:
            events.append(Reported(self._token, self._reports, reports))
            self._reports += len(reports)

    def _event(self, kind: object, record: Mapping[str, Any]) -> ExecutorEvent | None:
        if kind == "checkpoint":
            return Checkpointed(self._token, int(record["step"]), str(record["path"]), float(record["at"]))
        if kind == "end" and record["outcome"] in _OUTCOMES:
            returned = record.get("returned")
            if isinstance(returned, dict):
                returned = {str(name): _number(value) for name, value in returned.items()}
            elif returned is not None:
                returned = _number(returned)
            failure = record.get("failure")
            found = None if failure is None else failure_of_record(failure)
            return Exited(self._token, record["outcome"], float(record["at"]), returned, found)
        return None

    def _records(self) -> Iterator[dict[str, Any]]:
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            except (FileNotFoundError, NotADirectoryError):
                return
        while chunk := os.read(self._file, 1 << 20):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    yield record


def harvest(launch: Launch) -> list[ExecutorEvent]:
    """All that a dead execution left in its spool; nothing when there is none."""
    reader = SpoolReader(launch.folder, launch.execution.number, launch.execution.token)
    try:
        return reader.read()
    finally:
        reader.close()


def failure_record(failure: Failure) -> dict[str, str]:
    """A failure as the last line of a spool carries it."""
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "where": failure.where,
        "traceback": failure.traceback,
    }


def failure_of_record(record: Mapping[str, Any]) -> Failure:
    """The failure of a record. Raises KeyError or ValueError when it is none."""
    return Failure(FailureKind(record["kind"]), str(record["message"]), str(record["where"]), str(record["traceback"]))


def _number(value: Any) -> float:
    return float(_SPECIAL[value] if isinstance(value, str) else value)


# --- orders ---


def order_record(order: Until | Halt) -> dict[str, Any]:
    """An order as training code reads it."""
    if isinstance(order, Until):
        return {"until": order.step}
    return {"halt": order.action, "reason": order.reason}


def write_order(launch: Launch, number: int, order: Order) -> None:
    """Leaves an order for training code that reads its order file.

    Args:
        number: counts up with each order of an execution, from 1.
    """
    assert isinstance(order, (Until, Halt)), "a kill isn't for training code to read"
    folder = execution_folder(launch.folder, launch.execution.number)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".order.json"
    temporary.write_text(json.dumps({"number": number, **order_record(order)}), encoding="utf-8")
    temporary.replace(folder / "order.json")


# --- the environment of a script ---


def script_environment(launch: Launch, params: Mapping[str, Any]) -> dict[str, str]:
    """What a script finds in its environment, for `report.current_trial`.

    Args:
        params: the parameters with labels in place of objects, so that JSON can hold them.
    """
    trial, execution = launch.trial, launch.execution
    values: dict[str, object] = {
        "TUNEWRIGHT_FOLDER": str(Path(launch.folder).absolute()),
        "TUNEWRIGHT_EXECUTION": execution.number,
        "TUNEWRIGHT_TOKEN": execution.token,
        "TUNEWRIGHT_PARAMS": json.dumps(dict(params)),
        "TUNEWRIGHT_NUMBER": trial.number,
        "TUNEWRIGHT_SEED": trial.seed,
        "TUNEWRIGHT_FOLD": execution.fold,
        "TUNEWRIGHT_REPEAT": execution.repeat,
        "TUNEWRIGHT_FIDELITY": execution.fidelity,
        "TUNEWRIGHT_FROM_STEP": execution.from_step,
        "TUNEWRIGHT_UNTIL_STEP": execution.until_step,
        "TUNEWRIGHT_CHECKPOINT": launch.checkpoint,
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}
