"""Metrics that a script prints or writes as JSON lines. Standard library only: supervisors use it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

Found = tuple[int, dict[str, float]]  # a step, and its metrics
_LONGEST = 65_536  # bytes of a line that are looked at
_LARGEST_STEP = 2.0**53
_SAMPLES = 3


class Steps:
    """Which step a metric belongs to, when a script doesn't say: the next one whenever a metric comes again.

    Args:
        start: the last step that was done before.
    """

    def __init__(self, start: int) -> None:
        self._step = start
        self._seen: set[str] = set()

    def of(self, names: Iterable[str]) -> int:
        """The step of metrics that came together."""
        if not self._seen or not self._seen.isdisjoint(names):
            self._step += 1
            self._seen.clear()
        self._seen.update(names)
        return self._step

    def set(self, step: int) -> None:
        """The script said it: what follows belongs to this step."""
        self._step = step
        self._seen.clear()


class PrintedMetrics:
    """Searches output for metrics, line by line; a carriage return ends a line too, as progress bars print it.

    Args:
        patterns: a regular expression per metric; its first group that matches is the number.
        step: a regular expression for the step; None counts up.
        start: the last step that was done before.

    Attributes:
        searches: how each metric is searched for; empty when none is.
    """

    def __init__(self, patterns: Mapping[str, str], step: str | None, start: int) -> None:
        self.searches = [(name, re.compile(pattern).search) for name, pattern in patterns.items()]
        self._step = None if step is None else re.compile(step).search
        self._steps = Steps(start)
        self._said: int | None = None
        self._rests: dict[int, bytes] = {}
        self._unmatched = {*patterns}
        self._samples: deque[str] = deque(maxlen=_SAMPLES)

    def feed(self, stream: int, block: bytes) -> list[Found]:
        """The metrics in a block of a stream's output; what is no whole line yet waits."""
        data = self._rests.get(stream, b"") + block
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end and len(data) > _LONGEST:
            end = len(data)
        self._rests[stream] = data[end:]
        return self._search(data[:end])

    def finish(self) -> list[Found]:
        """The metrics in the last lines, which nothing ended."""
        rests, self._rests = self._rests, {}
        return [found for rest in rests.values() for found in self._search(rest)]

    @property
    def unmatched(self) -> dict[str, list[str]]:
        """The metrics that no line matched, each with lines that might have: those with its name, else the last ones."""
        return {name: [line for line in self._samples if name in line] or [*self._samples] for name in sorted(self._unmatched)}

    def _search(self, data: bytes) -> list[Found]:
        found: list[Found] = []
        if not data:
            return found
        lines = data.decode("utf-8", "replace").replace("\r", "\n").split("\n")
        for line in lines:
            metrics = {}
            for name, search in self.searches:
                match = search(line)
                if match is not None and (value := _last_number(search, line, match)) is not None:
                    metrics[name] = value
            if self._step is not None:
                self._hear_step(line)
            if metrics:
                found.append((self._steps.of(metrics) if self._said is None else self._said, metrics))
        if self._unmatched:
            self._unmatched.difference_update(*(metrics for _, metrics in found))
            self._samples.extend(line[:200] for line in lines[-2 * _SAMPLES :] if line.strip())
        return found

    def _hear_step(self, line: str) -> None:
        assert self._step is not None
        match = self._step(line)
        value = None if match is None else _last_number(self._step, line, match)
        if value is not None and 0 <= value < _LARGEST_STEP and value == int(value):
            self._said = int(value)


def _last_number(search: Any, line: str, match: re.Match[str] | None) -> float | None:
    """The number of the last match in a line; None when what matched is no number."""
    value = None
    while match is not None:
        text = next((group for group in match.groups() if group is not None), None)
        with contextlib.suppress(ValueError):
            value = value if text is None else float(text)
        match = search(line, match.end()) if match.end() > match.start() else None
    return value


class MetricLines:
    """Reads JSON lines that a script appends to a file. Numbers are metrics; "step" is the step, else it counts up.

    Args:
        path: the file, which may not be there yet. What it holds already isn't this script's.
        start: the last step that was done before.
        expected: whether it is known that the script writes it.

    Attributes:
        expected: so, or it has been seen to.
    """

    def __init__(self, path: str, start: int, expected: bool) -> None:
        self._path, self._steps, self.expected = path, Steps(start), expected
        self._position, self._rest = self._size(), b""

    def read(self) -> list[Found]:
        """The metrics that came since the last call. A last line that isn't whole waits; what is no object is passed over."""
        size = self._size()
        if size < self._position:  # the script has written it anew
            self._position, self._rest = 0, b""
        if size == self._position:
            return []
        self.expected = True
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123
                file.seek(self._position)
                data = file.read(size - self._position)
        except OSError:
            return []
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [found for line in lines if (found := self._found(line)) is not None]

    def finish(self) -> list[Found]:
        """The metrics that came since, with those of a last line that nothing ended."""
        found, rest = self.read(), self._rest
        self._rest = b""
        last = self._found(rest)
        return found if last is None else [*found, last]

    def _found(self, line: bytes) -> Found | None:
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict):
            return None
        try:
            metrics = {name: float(value) for name, value in record.items() if type(value) in (int, float) and name != "step"}
        except OverflowError:
            return None
        if not metrics:
            return None
        step = record.get("step")
        if type(step) is int and 0 <= step < _LARGEST_STEP:
            self._steps.set(step)
            return step, metrics
        return self._steps.of(metrics), metrics

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size  # noqa: PTH116
        except OSError:
            return 0
