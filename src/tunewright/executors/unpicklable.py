"""Names the part of a training function that can't be pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from tunewright.executors.task import Task

_DEPTH, _TRIES = 8, 500


def culprit(task: Task, attempt: Callable[[Any], object]) -> str:
    """The innermost part of a task that can't be pickled, and the way to it.

    Args:
        attempt: pickles an object, and raises when that can't be done.

    Returns:
        such as `"global 'connection' of train() (a sqlite3.Connection)"`.
    """
    seen: set[int] = set()

    def fails(part: Any) -> bool:
        if id(part) in seen or len(seen) > _TRIES:
            return False
        seen.add(id(part))
        try:
            attempt(part)
        except Exception:
            return True
        return False

    function_fails = task.realize is None or fails(task.function)
    place, found = ("", task.function) if function_fails else ("the search space", task.realize)
    for _ in range(_DEPTH):
        for label, part in _parts(found):
            if fails(part):
                place, found = f"{label} of {place}" if place else label, part
                break
        else:
            break
    kind = f"a {type(found).__module__}.{type(found).__qualname__}".replace("a builtins.", "a ")
    return f"{place} ({kind})" if place else f"it, {kind},"


def name_of(function: Any) -> str:
    """What people call a function."""
    while isinstance(function, partial):
        function = function.func
    return f"{getattr(function, '__qualname__', None) or type(function).__qualname__}"


def _parts(whole: Any) -> Iterator[tuple[str, Any]]:
    """What an object takes with it when it is pickled, each with its name."""
    if isinstance(whole, FunctionType):
        yield from _parts_of_function(whole)
    elif isinstance(whole, MethodType):
        yield f"the object of method {whole.__name__}()", whole.__self__
        yield f"method {whole.__name__}()", whole.__func__
    elif isinstance(whole, partial):
        yield "the partial's function", whole.func
        yield from ((f"argument {index} of the partial", part) for index, part in enumerate(whole.args))
        yield from ((f"argument {name!r} of the partial", part) for name, part in whole.keywords.items())
    elif isinstance(whole, dict):
        yield from ((f"item {key!r}", part) for key, part in whole.items())
    elif isinstance(whole, (list, tuple, set, frozenset)):
        yield from ((f"element {index}", part) for index, part in enumerate(whole))
    elif not isinstance(whole, type):
        kind = type(whole).__qualname__
        yield from ((f"attribute {name!r} of {kind}", part) for name, part in _attributes(whole).items())


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    name = f"{function.__qualname__}()"
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"closure variable {variable!r} of {name}", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for variable in sorted(_global_names(function.__code__)):
        if variable in function.__globals__:
            yield f"global {variable!r} of {name}", function.__globals__[variable]
    for index, value in enumerate(function.__defaults__ or ()):
        yield f"default {index} of {name}", value
    for variable, value in (function.__kwdefaults__ or {}).items():
        yield f"default of {variable!r} of {name}", value
    for variable, value in function.__dict__.items():
        yield f"attribute {variable!r} of {name}", value


def _global_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names


def _attributes(whole: Any) -> dict[str, Any]:
    found = dict(getattr(whole, "__dict__", {}))
    for kind in type(whole).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(whole, name):
                found.setdefault(name, getattr(whole, name))
    return found
