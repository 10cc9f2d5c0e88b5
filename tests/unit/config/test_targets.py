from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from tunewright.config.targets import find_space, load_target
from tunewright.errors import InvalidInput

PROGRAM = """
from dataclasses import dataclass
import neighbour
from tunewright.space import Float, SearchSpace

space = SearchSpace({"x": Float(0, 1)})
plain = {"x": [1, 2]}
number = 3

@dataclass
class Result:
    value: float

def train(trial):
    return Result(trial + neighbour.OFFSET).value

class Group:
    @staticmethod
    def train(trial):
        return trial

if __name__ == "__main__":
    raise SystemExit("executed as a program")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "neighbour.py").write_text("OFFSET = 10")
    (tmp_path / "json.py").write_text(PROGRAM)  # a file may be called like a module that is in use
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("import no_such_package")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("tunewright_target_") or name in ("neighbour", "program", "broken"):
            del sys.modules[name]


@pytest.mark.parametrize("target", ["json.py:train", "program:train", "./program.py:train"])
@pytest.mark.usefixtures("folder")
def test_a_function_is_found_with_its_neighbours(target: str) -> None:
    function, module = load_target(target)
    assert function(1) == 11
    assert module.number == 3
    import json

    assert json.loads("1") == 1


@pytest.mark.usefixtures("folder")
def test_a_function_of_a_class_is_found() -> None:
    assert load_target("program.py:Group.train")[0](5) == 5


@pytest.mark.slow
def test_a_function_of_a_file_travels_by_value(folder: Path) -> None:
    (folder / "function.pkl").write_bytes(cloudpickle.dumps(load_target("json.py:train")[0]))
    code = "import pickle; print(pickle.load(open('function.pkl', 'rb'))(1))"
    (folder / "json.py").unlink()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "11"


@pytest.mark.usefixtures("folder")
def test_a_function_of_a_module_travels_by_name() -> None:
    function = load_target("program:train")[0]
    assert len(cloudpickle.dumps(function)) < 200
    assert pickle.loads(cloudpickle.dumps(function)) is function


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("program.py", r"must be package.module:function or path/to/file.py:function; got 'program.py'"),
        (":train", "must be package.module:function"),
        ("program:", "must be package.module:function"),
        ("absent.py:train", "must name a file that exists; there is no absent.py"),
        ("absent:train", "must name a module that can be imported; there is no module 'absent'"),
        ("program.py:trian", r"must name a function of program.py; it has no 'trian' \(did you mean 'train'\?\)"),
        ("program.py:Group.tune", "it has no 'tune'"),
        ("program.py:number", "must name a function; 'number' is of type int"),
        ("broken.py:train", "must be importable; ModuleNotFoundError: No module named 'no_such_package'"),
        ("broken:train", "must be importable; ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_bad_target_says_what_is_wrong(target: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        load_target(target)


@pytest.mark.usefixtures("folder")
def test_the_space_beside_a_function() -> None:
    module = load_target("program.py:train")[1]
    assert find_space(module, None) is module.space
    assert find_space(module, "plain") == {"x": [1, 2]}
    with pytest.raises(
        InvalidInput, match=r"--space must name a variable of .*program\.py; search spaces there: space; got 'spaec'"
    ):
        find_space(module, "spaec")
    with pytest.raises(InvalidInput, match=r"must name a SearchSpace or a dict in .*'number' is of type int"):
        find_space(module, "number")


@pytest.mark.usefixtures("folder")
def test_a_function_may_have_no_space_beside_it() -> None:
    assert find_space(load_target("neighbour:__doc__.__class__")[1], None) is None
