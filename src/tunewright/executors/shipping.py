"""How a training function travels to worker processes, and to a job that is taken up again: two files in a folder.

`function.pkl` is a pickle made by cloudpickle. `function.data` holds the buffers over 1 MB of what the function carries
along (arrays, the columns of frames), each once and on pages of its own: every worker maps the file copy-on-write, so all
of them share its memory until one writes to it.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from tunewright.errors import UnpicklableFunction
from tunewright.executors.task import Task

LARGE = 1_000_000  # bytes; what is smaller stays in the pickle
PICKLE, DATA = "function.pkl", "function.data"
Span = tuple[int, int]  # offset and size in the data file, in bytes


def pack_function(task: Task, folder: str | Path) -> None:
    """Writes a task to a folder, which is made when it is missing; a task that is there already is replaced whole.

    Functions of `__main__`, of notebooks and of modules that a worker couldn't import travel by value, with the globals
    that they use; others by name. The search path is kept, too, because a job may be taken up again by another program.

    Raises:
        UnpicklableFunction: it holds something that can't be pickled; the message says where.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    old = _data_name(folder / PICKLE)
    data, pickled = (folder / f".{secrets.token_hex(6)}.{name}" for name in (DATA, PICKLE))
    try:
        with data.open("wb") as file:
            content, spans = dump(task, file)
        # Which data file belongs to a pickle is said in the pickle's file, so that one rename replaces both.
        name = f"{DATA}.{secrets.token_hex(4)}" if old == DATA else DATA
        with pickled.open("wb") as file:
            pickle.dump((name if spans else None, spans, [str(Path(entry).absolute()) for entry in sys.path]), file)
            file.write(content)
        if spans:
            data.replace(folder / name)
        pickled.replace(folder / PICKLE)
    finally:
        data.unlink(missing_ok=True)
        pickled.unlink(missing_ok=True)
    if old is not None:
        (folder / old).unlink(missing_ok=True)


def load_function(folder: str | Path) -> Task:
    """The task that was packed into a folder. Its large arrays are mapped from the data file, copy-on-write.

    Folders from which the packing process imported, and this one doesn't, come to the end of the search path.

    Raises:
        FileNotFoundError: nothing is packed there.
    """
    folder = Path(folder)
    with (folder / PICKLE).open("rb") as file:
        name, spans, *paths = pickle.load(file)
        buffers: list[memoryview] = []
        if name is not None:
            with (folder / name).open("rb") as data:
                mapped = memoryview(mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_COPY))
            buffers = [mapped[offset : offset + size] for offset, size in spans]
        sys.path.extend(entry for path in paths for entry in path if entry not in sys.path)
        task = pickle.load(file, buffers=buffers)
    assert isinstance(task, Task), "the file holds something else"
    return task


def dump(task: Task, data: IO[bytes] | None) -> tuple[bytes, list[Span]]:
    """The task's pickle, and where its large buffers are in `data`; without a file they are dropped.

    Raises:
        UnpicklableFunction: as `pack_function`.
    """
    from tunewright.executors.unpicklable import culprit, name_of

    spans: list[Span] = []
    content = io.BytesIO()

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < LARGE:
            return True
        if data is not None:
            offset = -(-data.tell() // mmap.PAGESIZE) * mmap.PAGESIZE
            data.seek(offset)
            data.write(raw)
            spans.append((offset, raw.nbytes))
        return False

    with _by_value(_unimportable_modules(task.function)):
        try:
            pickler(content, keep).dump(task)
        except OSError:
            raise
        except Exception as error:
            rule = (
                f"can't travel to a worker process: {culprit(task, _try_to_pickle)} can't be pickled "
                f"({type(error).__name__}: {error}); make it inside the function, or use executor='inline'"
            )
            raise UnpicklableFunction(f"function {name_of(task.function)}", rule) from error
    return content.getvalue(), spans


def _try_to_pickle(part: Any) -> None:
    pickler(io.BytesIO(), lambda buffer: buffer.raw().nbytes < LARGE).dump(part)


def pickler(file: IO[bytes], keep: Any) -> Any:
    """A cloudpickle pickler whose large arrays go to `keep`, a buffer callback of pickle protocol 5."""
    import cloudpickle

    numpy = sys.modules.get("numpy")

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if numpy is not None and isinstance(obj, numpy.ndarray) and (reduced := _reduce_array(numpy, obj)) is not None:
                return reduced
            return super().reducer_override(obj)

    return Pickler(file, protocol=5, buffer_callback=keep)


def _reduce_array(numpy: Any, array: Any) -> Any:
    """How an array is pickled that its own way would copy into the pickle: a memory map by its file, a strided one packed."""
    if type(array) is numpy.memmap:
        contiguous = array.flags.c_contiguous or array.flags.f_contiguous
        if isinstance(array.base, mmap.mmap) and array.filename is not None and array.mode != "c" and contiguous:
            mode = "r" if array.mode == "r" else "r+"
            order = "C" if array.flags.c_contiguous else "F"
            return numpy.memmap, (str(array.filename), array.dtype, mode, array.offset, array.shape, order)
        array = numpy.asarray(array)
    elif type(array) is not numpy.ndarray or array.flags.c_contiguous or array.flags.f_contiguous:
        return None
    if array.nbytes < LARGE or array.dtype.hasobject:
        return None
    return numpy.ascontiguousarray(array).__reduce_ex__(5)


# --- modules that a worker can't import ---


def _unimportable_modules(function: Any) -> list[ModuleType]:
    while isinstance(function, partial):
        function = function.func
    owner = function if getattr(function, "__module__", None) and hasattr(function, "__qualname__") else type(function)
    module = sys.modules.get(owner.__module__ or "")
    if module is None or module.__name__ == "__main__" or _importable(module):
        return []
    return [module]


def _importable(module: ModuleType) -> bool:
    """Whether a process with the same search path gets the same module by its name."""
    root = module.__name__.partition(".")[0]
    known = sys.modules.get(root, module)
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(root, None)
        if spec is not None:
            file = getattr(known, "__file__", None)
            if file is None or spec.origin is None or not Path(spec.origin).exists():
                return True
            return Path(file).exists() and Path(spec.origin).samefile(file)
    return False


@contextmanager
def _by_value(modules: list[ModuleType]) -> Iterator[None]:
    if not modules:
        yield
        return
    import cloudpickle

    new = [module for module in modules if module.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in new:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in new:
            cloudpickle.unregister_pickle_by_value(module)


def _data_name(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            name, *_ = pickle.load(file)
    except (OSError, ValueError, EOFError, pickle.UnpicklingError, TypeError):
        return None
    return name if name is None or os.sep not in name else None
