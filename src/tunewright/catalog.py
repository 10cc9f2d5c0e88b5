"""Names of strategies, stoppers and executors, and the classes behind them: the only registry.

Built-ins stand here as `module:attribute`, just as a plugin's entry point spells them, and are loaded by the same code
when they are first used. A package adds its own under the entry-point groups `tunewright.strategies`,
`tunewright.stoppers` and `tunewright.executors`; it can't replace a built-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from tunewright.errors import InvalidInput, nearest
from tunewright.interfaces import Problem, Stopper, Strategy

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "strategies": {
        "auto": "tunewright.strategies.auto:AutoStrategy",
        "bayesian": "tunewright.strategies.bayesian:BayesianStrategy",
        "grid": "tunewright.strategies.grid:GridStrategy",
        "random": "tunewright.strategies.random:RandomStrategy",
        "sobol": "tunewright.strategies.sobol:SobolStrategy",
    },
    "stoppers": {
        "brackets": "tunewright.stoppers.brackets:BracketStopper",
        "median": "tunewright.stoppers.median:MedianStopper",
    },
    "executors": {
        "inline": "tunewright.executors.inline:InlineExecutor",
        "process": "tunewright.executors.process:ProcessExecutor",
        "script": "tunewright.executors.script:ScriptExecutor",
        "simulated": "tunewright.executors.simulated:SimulatedExecutor",
    },
}
_SINGULAR = {"strategies": "strategy", "stoppers": "stopper", "executors": "executor"}


def names(kind: str) -> list[str]:
    """The known names of a kind ("strategies", "stoppers" or "executors"), plugins' included, sorted."""
    return sorted({*BUILT_IN[kind], *(point.name for point in _plugins(kind))})


def load(kind: str, name: str) -> Any:
    """The class, or other callable, that a name stands for.

    Args:
        kind: "strategies", "stoppers" or "executors".
        name: a built-in's or a plugin's name.

    Raises:
        InvalidInput: the name is unknown, two plugins claim it, or the plugin can't be imported.
    """
    built_in = BUILT_IN[kind].get(name)
    if built_in is not None:
        return _import(built_in)
    found = {point.value for point in _plugins(kind) if point.name == name}
    if not found:
        raise InvalidInput(_SINGULAR[kind], f"must be a known name ({nearest(name, names(kind))})", name)
    if len(found) > 1:
        raise InvalidInput(_SINGULAR[kind], f"must be one plugin's name; several claim it: {', '.join(sorted(found))}", name)
    (value,) = found
    try:
        return _import(value)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(_SINGULAR[kind], f"must be a plugin that can be imported ({value}: {error})", name) from error


def strategy(given: object, problem: Problem, **options: Any) -> Strategy:
    """The strategy that was asked for.

    Args:
        given: a name; a class or factory that takes the problem and options; or an object with `suggest(history, n)`, which
            is taken as it is.
        problem: what it is made for.
        options: arguments of the class, such as `bins=` of grid.

    Raises:
        InvalidInput: an unknown name or option, a value that an option refuses, or an object that is no strategy.
    """
    return cast(Strategy, _resolve("strategies", "suggest", "suggest(history, n)", given, problem, options))


def stopper(given: object, problem: Problem, **options: Any) -> Stopper:
    """The stopper that was asked for; as `strategy`, for objects with `decide(history, number)`."""
    return cast(Stopper, _resolve("stoppers", "decide", "decide(history, number)", given, problem, options))


def _resolve(kind: str, method: str, call: str, given: object, problem: Problem, options: dict[str, Any]) -> object:
    field = _SINGULAR[kind]
    if isinstance(given, str):
        return _make(field, given, load(kind, given), problem, options, method, call)
    if isinstance(given, type):
        return _make(field, given.__name__, given, problem, options, method, call)
    if callable(getattr(given, method, None)):
        if options:
            raise InvalidInput(f"{field} options", "must be left out when an object is given", options)
        return given
    if callable(given):
        return _make(field, getattr(given, "__name__", repr(given)), given, problem, options, method, call)
    raise InvalidInput(field, f"must be a name, an object with {call}, or a class of such objects", given)


def _make(
    field: str, name: str, make: Callable[..., Any], problem: Problem, options: dict[str, Any], method: str, call: str
) -> object:
    """What the class or factory makes, after its options' names were checked, so that a TypeError within isn't hidden."""
    if isinstance(make, type) and not callable(getattr(make, method, None)):
        raise InvalidInput(field, f"must be a class whose objects have {call}", make)
    _check_options(field, name, make, problem, options)
    made = make(problem, **options)
    if not callable(getattr(made, method, None)):
        raise InvalidInput(field, f"{name!r} must make an object with {call}", made)
    return made


def _check_options(field: str, name: str, make: Callable[..., Any], problem: Problem, options: dict[str, Any]) -> None:
    import inspect

    signature = inspect.signature(make)
    try:
        signature.bind(problem, **options)
    except TypeError as error:
        kinds = inspect.Parameter
        parameters = list(signature.parameters.values())
        known = [p.name for p in parameters[1:] if p.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
        unknown = [option for option in options if option not in known]
        if not parameters or not unknown or any(p.kind is kinds.VAR_KEYWORD for p in parameters):
            raise InvalidInput(field, f"{name!r} must take the problem and options ({error})", options) from None
        hint = nearest(unknown[0], known) if known else "it has none"
        raise InvalidInput(f"{field} option {unknown[0]!r}", f"must be an option of {name!r} ({hint})") from None


def _import(value: str) -> Any:
    """What an entry point's value, `package.module:attribute`, names."""
    module, _, attributes = value.partition("[")[0].strip().partition(":")
    found: Any = import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


def _plugins(kind: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    return [point for point in entry_points(group=f"tunewright.{kind}") if point.name not in BUILT_IN[kind]]
