from __future__ import annotations

import functools
import importlib.util
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tunewright.errors import UnpicklableFunction
from tunewright.executors import shipping
from tunewright.executors.shipping import LARGE, load_function, pack_function
from tunewright.executors.task import Task
from tunewright.report import Channel, Trial

TRIAL = Trial({}, Channel(), "")
BIG = LARGE // 8 + 1000


def call(folder: Path) -> Any:
    return load_function(folder).function(TRIAL)


def size(folder: Path) -> int:
    return (folder / "function.pkl").stat().st_size


def test_a_function_travels_with_its_closure(tmp_path: Path) -> None:
    offset = 3
    pack_function(Task(lambda trial: trial.number + offset, functools.partial(dict, y=1)), tmp_path)
    assert call(tmp_path) == 3
    realize = load_function(tmp_path).realize
    assert realize is not None
    assert realize({"x": 2}) == {"x": 2, "y": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["function.pkl"]


def test_nothing_packed_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_function(tmp_path)


ARRAYS: dict[str, Callable[[], Any]] = {
    "array": lambda: np.arange(BIG, dtype=np.float64),
    "fortran": lambda: np.asfortranarray(np.arange(4 * BIG).reshape(4, BIG)),
    "strided": lambda: np.arange(2 * BIG, dtype=np.float64)[::2],
    "read-only": lambda: np.broadcast_to(np.arange(BIG, dtype=np.float64), (1, BIG)).copy(),
    "structured": lambda: np.zeros(BIG, dtype=[("a", "f8"), ("b", "i4")]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_large_arrays_go_to_the_data_file_and_come_back_equal_and_writable(tmp_path: Path, kind: str) -> None:
    array = ARRAYS[kind]()
    pack_function(Task(lambda trial: array), tmp_path)
    assert size(tmp_path) < 10_000
    assert (tmp_path / "function.data").stat().st_size >= array.nbytes
    loaded = call(tmp_path)
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype
    loaded[:1] = np.zeros(1, dtype=array.dtype)


def test_what_a_worker_writes_stays_its_own(tmp_path: Path) -> None:
    array = np.ones(BIG)
    pack_function(Task(lambda trial: array), tmp_path)
    first, second = call(tmp_path), call(tmp_path)
    first[:] = 7.0
    assert second[0] == 1.0
    assert call(tmp_path)[0] == 1.0


def test_one_array_stays_one_however_often_it_is_meant(tmp_path: Path) -> None:
    array = np.ones(BIG)
    alias, nested = array, {"data": [array]}

    def train(trial: Trial) -> Any:
        return array, alias, nested["data"][0]

    pack_function(Task(train), tmp_path)
    one, two, three = call(tmp_path)
    assert one is two is three
    assert (tmp_path / "function.data").stat().st_size < 2 * array.nbytes


def test_large_frames_go_to_the_data_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(BIG), "b": np.linspace(0, 1, BIG), "c": np.arange(BIG)})
    pack_function(Task(lambda trial: frame), tmp_path)
    assert size(tmp_path) < 20_000
    pd.testing.assert_frame_equal(call(tmp_path), frame)


def test_partials_and_methods_carry_arrays_too(tmp_path: Path) -> None:
    class Trainer:
        def __init__(self, data: Any) -> None:
            self.data = data

        def train(self, trial: Trial) -> float:
            return float(self.data.sum())

    def train(trial: Trial, data: Any) -> float:
        return float(data.sum())

    for function in (Trainer(np.ones(BIG)).train, functools.partial(train, data=np.ones(BIG))):
        pack_function(Task(function), tmp_path)
        assert size(tmp_path) < 20_000
        assert call(tmp_path) == BIG


def test_small_arrays_stay_in_the_pickle(tmp_path: Path) -> None:
    array = np.ones(100)
    pack_function(Task(lambda trial: array), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["function.pkl"]
    assert call(tmp_path).sum() == 100


def test_a_memory_map_travels_by_its_file(tmp_path: Path) -> None:
    whole = np.memmap(tmp_path / "numbers", dtype=np.float64, mode="w+", shape=(4, BIG))
    whole[:] = 2.0
    whole.flush()
    part = whole[1:3]
    pack_function(Task(lambda trial: (whole, part)), tmp_path / "job")
    loaded, loaded_part = call(tmp_path / "job")
    assert isinstance(loaded, np.memmap)
    assert (loaded.shape, loaded.mode) == ((4, BIG), "r+")
    whole[0, 0] = 5.0
    assert loaded[0, 0] == 5.0, "both are the one file"
    np.testing.assert_array_equal(loaded_part, part)  # a part of a map is an array like any other


def first_of(array: Any) -> Callable[[Trial], Any]:
    return lambda trial: array[0]


def test_packing_again_replaces_all_and_leaves_nothing(tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        pack_function(Task(first_of(np.full(BIG, value))), tmp_path)
        assert call(tmp_path) == value
        assert len([*tmp_path.iterdir()]) == 2
    pack_function(Task(lambda trial: 4.0), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["function.pkl"]


def test_a_failed_packing_leaves_the_packed_one_alone(tmp_path: Path) -> None:
    lock, array = threading.Lock(), np.ones(BIG)
    pack_function(Task(lambda trial: array[0]), tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UnpicklableFunction):
        pack_function(Task(lambda trial: (array, lock)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert call(tmp_path) == 1.0


# --- functions of modules that a worker can't import ---


@pytest.fixture
def stray(tmp_path: Path) -> Any:
    """A module that was loaded by its file's path."""
    path = tmp_path / "stray_training.py"
    path.write_text("FACTOR = 21\ndef train(trial):\n    return double(FACTOR)\ndef double(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("stray_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stray_training"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["stray_training"]


@pytest.mark.slow
def test_a_function_of_an_unimportable_module_travels_by_value(tmp_path: Path, stray: ModuleType) -> None:
    pack_function(Task(stray.train), tmp_path / "job")
    script = (
        f"from tunewright.executors.shipping import load_function; print(load_function({str(tmp_path / 'job')!r}).function(0))"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True, cwd="/")
    assert done.stdout == "42\n"


def test_an_importable_function_travels_by_name(tmp_path: Path) -> None:
    pack_function(Task(shipping.load_function), tmp_path)  # type: ignore[arg-type]
    assert b"load_function" in (tmp_path / "function.pkl").read_bytes()
    assert b"ACCESS_COPY" not in (tmp_path / "function.pkl").read_bytes()
    assert load_function(tmp_path).function is shipping.load_function  # type: ignore[comparison-overlap]


@pytest.mark.slow
def test_another_program_imports_from_where_the_packing_one_did(tmp_path: Path) -> None:
    beside = tmp_path / "project"
    beside.mkdir()
    (beside / "beside_the_script.py").write_text("def train(trial):\n    return 42\n")
    script = (
        "import beside_the_script\n"
        "from tunewright.executors.shipping import pack_function\n"
        "from tunewright.executors.task import Task\n"
        f"pack_function(Task(beside_the_script.train), {str(tmp_path / 'job')!r})\n"
    )
    (beside / "main.py").write_text(script)
    subprocess.run([sys.executable, str(beside / "main.py")], check=True)
    other = (
        f"from tunewright.executors.shipping import load_function; print(load_function({str(tmp_path / 'job')!r}).function(0))"
    )
    done = subprocess.run([sys.executable, "-c", other], stdout=subprocess.PIPE, text=True, check=True, cwd="/")
    assert done.stdout == "42\n"


# --- what can't travel ---


class Holder:
    def __init__(self, client: Any) -> None:
        self.client = client

    def __call__(self, trial: Trial) -> float:
        return 0.0


CONNECTION = threading.Lock()


def closure() -> Callable[[Trial], Any]:
    lock = threading.Lock()

    def train(trial: Trial) -> Any:
        return lock

    return train


def nested() -> Callable[[Trial], Any]:
    config = {"depth": 3, "files": [io.TextIOWrapper(io.BytesIO())]}

    def train(trial: Trial) -> Any:
        return config

    return train


def uses_global() -> Callable[[Trial], Any]:
    def train(trial: Trial) -> Any:
        return CONNECTION

    return train


def default() -> Callable[[Trial], Any]:
    def train(trial: Trial, lock: Any = threading.Lock()) -> Any:  # noqa: B008
        return lock

    return train


def by_keyword() -> Callable[[Trial], Any]:
    def train(trial: Trial, lock: Any) -> Any:
        return lock

    return functools.partial(train, lock=threading.Lock())


@pytest.mark.parametrize(
    ("make", "name", "culprit"),
    [
        (closure, "train", "closure variable 'lock' of closure.<locals>.train() (a _thread.lock)"),
        (
            nested,
            "train",
            "element 0 of item 'files' of closure variable 'config' of nested.<locals>.train() (a _io.TextIOWrapper)",
        ),
        (uses_global, "train", "global 'CONNECTION' of uses_global.<locals>.train() (a _thread.lock)"),
        (default, "train", "default 0 of default.<locals>.train() (a _thread.lock)"),
        (by_keyword, "train", "argument 'lock' of the partial (a _thread.lock)"),
        (lambda: Holder(threading.Lock()), "Holder", "attribute 'client' of Holder (a _thread.lock)"),
    ],
)
def test_the_culprit_is_named(tmp_path: Path, make: Callable[[], Any], name: str, culprit: str) -> None:
    with pytest.raises(UnpicklableFunction) as caught:
        pack_function(Task(make()), tmp_path)
    text = str(caught.value)
    assert text.partition(" can't travel")[0].endswith(name)
    assert f"{culprit} can't be pickled (" in text
    assert text.endswith("make it inside the function, or use executor='inline'")
    assert [*tmp_path.iterdir()] == []


def test_a_culprit_in_the_space_is_named(tmp_path: Path) -> None:
    class Space:
        def __init__(self) -> None:
            self.choices = {"first": threading.Lock()}

        def realize(self, params: Any) -> dict[str, Any]:
            return {**params, **self.choices}

    with pytest.raises(UnpicklableFunction, match=r"item 'first' of attribute 'choices' of .*Space"):
        pack_function(Task(lambda trial: 0.0, Space().realize), tmp_path)
