"""Every error that Tunewright raises on purpose.

    TunewrightError
    ├── InvalidInput (also a ValueError)      something given to Tunewright breaks a rule
    │   ├── InvalidSpace                      a parameter, condition or constraint of a search space
    │   │   ├── InvalidExpression             text that the expression grammar refuses; points at the character
    │   │   └── InfeasibleSpace               no point that satisfies the constraints was found in bounded time
    │   ├── UnpicklableFunction               a function that can't travel to a worker process
    │   ├── JobExists                         the name is taken in this store
    │   ├── JobChanged                        a resumed job's space, metric or goal differs from the stored one
    │   └── NotFound                          no job or trial of that name or number
    ├── TrialsFailed                          the trials of a job fail, so the job ended
    ├── SearchFinished                        ask() has nothing left to give
    └── StoreError
        ├── StoreDamaged                      the file is no store, or a broken one
        ├── StoreVersion                      written by a newer version, or an older one that can't be migrated
        ├── StoreBusy                         another process kept the store locked for longer than the limit
        ├── StoreFull                         no space left on the device
        ├── StoreUnreachable                  the database's server can't be reached, or takes no connection
        ├── JobTaken                          another living controller owns the job
        └── LeaseLost                         this controller no longer owns its job

`tunewright.TrialInterrupted` is not here: it is a BaseException and belongs to `report.py`, which stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable


class TunewrightError(Exception):
    """Base of all errors that Tunewright raises on purpose."""


class InvalidInput(TunewrightError, ValueError):
    """Input that breaks a rule. The message names the field, the rule and the value.

    Args:
        field: what was given, as the caller spelled it (`"max_parallel"`, `"learning_rate.low"`).
        rule: what must hold (`"must be at least 1"`).
        value: what was given instead; shown by `repr`. Leave it out when the rule already tells it.
    """

    def __init__(self, field: str, rule: str, *value: object) -> None:
        self.field, self.rule = field, rule
        self.value = value[0] if value else None
        super().__init__(f"{field} {rule}; got {value[0]!r}" if value else f"{field} {rule}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args[0], self.__dict__)


def _rebuild(kind: type[InvalidInput], message: str, state: dict[str, object]) -> InvalidInput:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class InvalidSpace(InvalidInput):
    """A parameter, condition or constraint of a search space breaks a rule."""


class InvalidExpression(InvalidSpace):
    """Text that the expression grammar refuses.

    Args:
        field: which expression (`"constraint"`, `"momentum.when"`).
        text: the whole expression.
        position: 0-based index of the offending character.
        problem: what is wrong there.
    """

    def __init__(self, field: str, text: str, position: int, problem: str) -> None:
        self.text, self.position, self.problem = text, position, problem
        super().__init__(field, f"{problem}, at character {position + 1}\n    {text}\n    {' ' * position}^")


class InfeasibleSpace(InvalidSpace):
    """No point that satisfies the constraints was found in bounded time."""


class UnpicklableFunction(InvalidInput):
    """A function that can't travel to a worker process; the message says which part of it."""


class JobExists(InvalidInput):
    """A job of this name is already in the store."""


class JobChanged(InvalidInput):
    """A resumed job's space, metric or goal differs from what the store holds; the message shows the difference."""


class NotFound(InvalidInput):
    """No job or trial of that name or number."""


class TrialsFailed(TunewrightError):
    """The job ended because its trials fail. `__cause__` carries the trial's own traceback."""


class SearchFinished(TunewrightError):
    """`ask()` has nothing left to give; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StoreError(TunewrightError):
    """The store can't do what was asked."""


class StoreDamaged(StoreError):
    """The file is not a Tunewright store, or it is broken. It was not written to."""


class StoreVersion(StoreError):
    """The store was written by another version and can't be used as it is. It was not written to."""


class StoreBusy(StoreError):
    """Another process kept the store locked for longer than the limit."""


class StoreFull(StoreError):
    """No space left on the device that holds the store; what was committed before is safe."""


class StoreUnreachable(StoreError):
    """The database's server can't be reached, or takes no connection; what was committed before is safe."""


class JobTaken(StoreError):
    """Another living controller owns the job."""


class LeaseLost(StoreError):
    """This controller no longer owns its job, so nothing that it wanted to write was written."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Text for an error on an unknown name: the nearest known names, or all of them when none is near."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=2, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(c) for c in close)}?"
    return f"known: {', '.join(names)}"
