"""The history of a job as strategies and stoppers see it: columns, read-only, extended in place.

The controller keeps one `Ledger`, adds to it what it commits, and hands `History` views of it to strategies and
stoppers. Nothing passes over all trials per suggestion: columns grow by doubling and views are slices.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.objective import Objective
from tunewright.records import Params, Status, Trial
from tunewright.space import SearchSpace

STATUS_CODES: Mapping[Status, int] = {status: code for code, status in enumerate(Status)}
_STATUSES = tuple(Status)
_CODES = {status.value: code for status, code in STATUS_CODES.items()}  # plain strings hash without a Python call
_COLUMNS = ("_numbers", "_codes", "_values", "_points")
_DONE = STATUS_CODES[Status.COMPLETED]
Curve = tuple[NDArray[np.int64], NDArray[np.float64]]
_NO_CURVE: Curve = (np.empty(0, np.int64), np.empty(0))


class Ledger:
    """The growing columns behind `History`. Owned and changed by one controller.

    Args:
        space: the job's search space.
        objectives: what is optimised, in the order of the value columns.
    """

    def __init__(self, space: SearchSpace, objectives: Sequence[Objective]) -> None:
        self.space, self.objectives = space, tuple(objectives)
        self.event = 0
        self.lineage = object()
        self._rows: dict[int, int] = {}
        self._params: list[Params] = []
        self._numbers = np.empty(16, np.int64)
        self._codes = np.empty(16, np.int8)
        self._values = np.empty((16, len(self.objectives)))
        self._points = np.empty((16, len(space.names)))
        self._encoded = 0
        self._first: dict[int, int] = {}  # hash of a configuration -> its first row: keys themselves would take 4 times as much
        self._clashes: dict[int, list[int]] = {}  # further rows of other configurations with that hash
        self._keyed = 0
        self._next_number = 0
        self._curves: dict[int, tuple[array[int], array[float]]] = {}

    def __len__(self) -> int:
        return len(self._params)

    def record(self, trial: Trial, event: int) -> None:
        """Adds a trial, or brings its row up to date, as of an event number."""
        row = self._rows.get(trial.number)
        if row is None:
            row = self._rows[trial.number] = len(self._params)
            self._params.append(trial.params)
            if row == len(self._numbers):
                self._grow()
            self._numbers[row] = trial.number
            if trial.number >= self._next_number:
                self._next_number = trial.number + 1
        self._codes[row] = _CODES[trial.status._value_]
        self._values[row] = np.nan if trial.objectives is None else trial.objectives
        if event > self.event:
            self.event = event

    def report(self, number: int, step: int, value: float) -> None:
        """Adds a reported value of the first objective. A repeated or earlier step cuts the curve back to before it."""
        curve = self._curves.get(number)
        if curve is None:
            curve = self._curves[number] = (array("q"), array("d"))
        steps, values = curve
        while steps and steps[-1] >= step:
            steps.pop()
            values.pop()
        steps.append(step)
        values.append(value)

    def view(self) -> History:
        """The columns as they are now. Valid until the next change of the ledger; see `History.freeze`."""
        return History(self, len(self._params))

    def copy(self) -> Ledger:
        """The same trials in columns of its own; parameters, which never change, are shared."""
        other = Ledger(self.space, self.objectives)
        other.event, other._encoded, other._next_number = self.event, self._encoded, self._next_number
        other._rows, other._params = self._rows.copy(), self._params.copy()
        for name in _COLUMNS:
            setattr(other, name, getattr(self, name).copy())
        other._curves = {number: (steps[:], values[:]) for number, (steps, values) in self._curves.items()}
        return other

    def _grow(self) -> None:
        for name in _COLUMNS:
            old = getattr(self, name)
            new = np.empty((2 * len(old), *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def _encode_to(self, size: int) -> NDArray[np.float64]:
        while self._encoded < size:
            self._points[self._encoded] = self.space.encode(self._params[self._encoded])
            self._encoded += 1
        return self._points[:size]

    def _row_of(self, params: Params, size: int) -> int | None:
        """The first row of a configuration, looked for among at least `size` rows."""
        while self._keyed < size:
            row, self._keyed = self._keyed, self._keyed + 1
            key = self.space.key(self._params[row])
            if self._first.setdefault(hash(key), row) != row and self._lookup(key) is None:
                self._clashes.setdefault(hash(key), []).append(row)
        return self._lookup(self.space.key(params))

    def _lookup(self, key: Hashable) -> int | None:
        first = self._first.get(hash(key))
        if first is None:
            return None
        rows = (first, *self._clashes.get(hash(key), ()))
        return next((row for row in rows if self.space.key(self._params[row]) == key), None)


class History:
    """A read-only view of a job's trials at an event number. Rows are in the order in which trials were made.

    Attributes:
        space, objectives: of the job.
        event: the number of the last event that it holds.
        lineage: one and the same object in all views of a growing ledger. Of two views with the same lineage, the longer one
            holds all trials of the other, so what was computed from their parameters stays true.
    """

    def __init__(self, ledger: Ledger, size: int) -> None:
        self._ledger, self._size = ledger, size
        self.space, self.objectives = ledger.space, ledger.objectives
        self.event, self.lineage = ledger.event, ledger.lineage

    def __len__(self) -> int:
        return self._size

    @property
    def next_number(self) -> int:
        """The number that the next new trial gets."""
        return self._ledger._next_number

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Shape (n,): the trials' numbers."""
        return _frozen(self._ledger._numbers[: self._size])

    @property
    def codes(self) -> NDArray[np.int8]:
        """Shape (n,): the trials' statuses, as `STATUS_CODES`."""
        return _frozen(self._ledger._codes[: self._size])

    @property
    def values(self) -> NDArray[np.float64]:
        """Shape (n, objectives): the trials' values as measured; NaN where there is none."""
        return _frozen(self._ledger._values[: self._size])

    @property
    def losses(self) -> NDArray[np.float64]:
        """Shape (n,): the first objective, negated when it is maximised, of completed trials; NaN elsewhere."""
        values = self._ledger._values[: self._size, 0] * self.objectives[0].sign
        return np.where(self._ledger._codes[: self._size] == _DONE, values, np.nan)

    @property
    def points(self) -> NDArray[np.float64]:
        """Shape (n, parameters): the trials in the unit cube, NaN where a parameter is inactive."""
        return _frozen(self._ledger._encode_to(self._size))

    def mask(self, *statuses: Status) -> NDArray[np.bool_]:
        """Shape (n,): which trials are in one of the statuses."""
        among = np.zeros(len(_STATUSES), np.bool_)
        for status in statuses:
            among[_CODES[status._value_]] = True
        return among[self._ledger._codes[: self._size]]

    @property
    def pending(self) -> NDArray[np.bool_]:
        """Shape (n,): trials that were proposed and have not ended."""
        return ~self.mask(Status.COMPLETED, Status.FAILED, Status.STOPPED)

    def params(self, row: int) -> Params:
        """The configuration of the trial in this row."""
        return self._ledger._params[row]

    def row(self, number: int) -> int:
        """The row of the trial with this number."""
        return self._ledger._rows[number]

    def status(self, number: int) -> Status:
        """The status of the trial with this number."""
        return _STATUSES[int(self._ledger._codes[self.row(number)])]

    def curve(self, number: int) -> Curve:
        """Steps, shape (k,), ascending, and the first objective's values there, shape (k,), of the trial with this number."""
        found = self._ledger._curves.get(number)
        return _NO_CURVE if found is None else (np.array(found[0], np.int64), np.array(found[1]))

    def __contains__(self, params: Params) -> bool:
        """Whether a trial has exactly this configuration."""
        row = self._ledger._row_of(params, self._size)
        return row is not None and row < self._size

    def freeze(self) -> History:
        """The same view on copies of its own: what the controller adds later doesn't show."""
        return History(self._ledger.copy(), self._size)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
