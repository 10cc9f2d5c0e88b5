"""What an executor runs: the training function, and what becomes of its return value or its exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tunewright.interfaces import Failure
from tunewright.records import FailureKind, Params
from tunewright.report import Channel, Trial, TrialInterrupted, as_number

_LONGEST = 300  # characters of a failure's message


@dataclass(frozen=True, slots=True)
class Task:
    """The training function, and how the labels of categorical parameters become objects.

    Args:
        function: gets the trial, returns metrics by name, a number, or None.
        realize: `SearchSpace.realize`; None hands the parameters over as they are.
    """

    function: Callable[[Trial], Any]
    realize: Callable[[Params], dict[str, Any]] | None = None


class Ending(NamedTuple):
    """How a call of the training function ended. `escaped` is an exception that the caller has to raise again."""

    outcome: str
    returned: dict[str, float] | float | None = None
    failure: Failure | None = None
    escaped: BaseException | None = None


def perform(task: Task, params: Params, channel: Channel, start: Callable[[dict[str, Any]], Trial]) -> Ending:
    """Calls the training function and tells how it ended. Raises nothing.

    Args:
        start: makes the trial of its parameters.
    """
    try:
        given = dict(params) if task.realize is None else task.realize(params)
        returned = task.function(start(given))
        if channel.halt is None or channel.told is None:
            return Ending("completed", _metrics(returned))
    except BaseException as error:
        return _ending_of(error, channel)
    # The training code knew of the order. What it returns after an exception that it swallowed doesn't count.
    action = channel.halt[0]
    try:
        value = _metrics(returned) if action == "stop" and channel.told == "returned" else None
    except ValueError:
        value = None
    return Ending(_OUTCOMES[action], value)


_OUTCOMES = {"stop": "stopped", "pause": "paused"}


def halted(channel: Channel) -> Ending:
    """The ending of an execution that was ordered to end before it began."""
    assert channel.halt is not None
    return Ending(_OUTCOMES[channel.halt[0]])


def _ending_of(error: BaseException, channel: Channel) -> Ending:
    if channel.halt is not None and channel.told == "raised":
        # Whatever the training code raised on its way out, it was on its way out.
        escaped = error if _escapes(error) and not isinstance(error, TrialInterrupted) else None
        return Ending(_OUTCOMES[channel.halt[0]], escaped=escaped)
    if _abandons(error):
        return Ending("released", None, Failure(FailureKind.LOST, f"interrupted by {type(error).__name__}"), error)
    return Ending("failed", None, failure_of(error), error if _escapes(error) else None)


def _escapes(error: BaseException) -> bool:
    """Whether an exception is meant for more than the training function: neither an Exception nor an ordinary way to end."""
    return _abandons(error) or not isinstance(error, (Exception, TrialInterrupted, SystemExit))


def _abandons(error: BaseException) -> bool:
    """Whether a person wants out: Ctrl-C, or `q` in the debugger."""
    return isinstance(error, KeyboardInterrupt) or (type(error).__module__, type(error).__name__) == ("bdb", "BdbQuit")


def failure_of(error: BaseException) -> Failure:
    """An exception of training code as a failure: its class, one line, its place, its traceback without our own frames."""
    import traceback

    trace = error.__traceback__
    if trace is not None and trace.tb_frame.f_code is perform.__code__:
        trace = trace.tb_next
    inner = trace
    while inner is not None and inner.tb_next is not None:
        inner = inner.tb_next
    where = ""
    if inner is not None:
        code = inner.tb_frame.f_code
        where = f"{code.co_filename}:{inner.tb_lineno} in {code.co_qualname}"
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's is a RuntimeError
    kind = FailureKind.OUT_OF_MEMORY if memory else FailureKind.CRASH
    text = "".join(traceback.format_exception(type(error), error, trace))
    return Failure(kind, _line_of(error), where, text, error)


def _line_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its text can't be made)"
    name = type(error).__name__
    if isinstance(error, SystemExit):
        return f"the training code called sys.exit({error.code!r})"
    if isinstance(error, TrialInterrupted):
        return "the training code raised TrialInterrupted by itself"
    line = f"{name}: {text.strip().splitlines()[0]}" if text.strip() else name
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _metrics(returned: Any) -> dict[str, float] | float | None:
    if returned is None or type(returned) is float:
        return returned
    if type(returned) is dict or isinstance(returned, Mapping):
        for name in returned:
            if not isinstance(name, str) or not name:
                raise ValueError(f"returned metric name must be a non-empty string; got {name!r}")
        return {str(name): as_number(f"returned metric {name!r}", value) for name, value in returned.items()}
    return as_number("the training function's return value", returned)
