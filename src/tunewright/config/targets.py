"""What a command is pointed at: `package.module:function` or `path/to/file.py:function`, and the space beside it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidInput, nearest

if TYPE_CHECKING:
    from tunewright.space import SearchSpace


def load_target(target: str) -> tuple[Callable[..., Any], ModuleType]:
    """The training function that a target names, and the module that holds it.

    A module is imported with the current folder on the path, as `python -m` does; a file is executed with its own folder on
    the path, as `python file.py` does, but under its own name, so an `if __name__ == "__main__"` block stays unused.

    Raises:
        InvalidInput: the target has no function's name, there is no such file, module or function, or an error arises in it,
            which is the cause then.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise InvalidInput("target", "must be package.module:function or path/to/file.py:function", target)
    try:
        module = _load_file(Path(place), target) if place.endswith(".py") else _load_module(place, target)
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput("target", f"must be importable; {type(error).__name__}: {error}", target) from error
    function: Any = module
    for part in name.split("."):
        if not hasattr(function, part):
            functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
            hint = f" ({nearest(part, functions)})" if functions else ""
            raise InvalidInput("target", f"must name a function of {place}; it has no {part!r}{hint}", target)
        function = getattr(function, part)
    if not callable(function):
        raise InvalidInput("target", f"must name a function; {name!r} is of type {type(function).__name__}", target)
    return function, module


def find_space(module: ModuleType, name: str | None) -> SearchSpace | dict[str, Any] | None:
    """The search space beside a target.

    Args:
        name: the variable that holds it; None looks for `space` and accepts that there is none.

    Raises:
        InvalidInput: there is no such variable, or it holds something else.
    """
    from tunewright.space import SearchSpace

    if not hasattr(module, name or "space"):
        if name is None:
            return None
        spaces = [n for n, value in vars(module).items() if isinstance(value, SearchSpace)]
        hint = f"; search spaces there: {', '.join(spaces)}" if spaces else ""
        raise InvalidInput("--space", f"must name a variable of {_place(module)}{hint}", name)
    value = getattr(module, name or "space")
    if not isinstance(value, SearchSpace | dict):
        kind = type(value).__name__
        raise InvalidInput(
            "--space", f"must name a SearchSpace or a dict in {_place(module)}; {name or 'space'!r} is of type {kind}"
        )
    return value


def _load_file(path: Path, target: str) -> ModuleType:
    import cloudpickle

    if not path.is_file():
        raise InvalidInput("target", f"must name a file that exists; there is no {path}", target)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # A name of its own: a file called like an installed package (digits.py, train.py) must not take its place.
    name = f"tunewright_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # Workers can't import it under that name, so what it defines travels to them by value.
    cloudpickle.register_pickle_by_value(module)
    return module


def _load_module(name: str, target: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise InvalidInput(
            "target", f"must name a module that can be imported; there is no module {error.name!r}", target
        ) from None


def _place(module: ModuleType) -> str:
    return module.__file__ or module.__name__
