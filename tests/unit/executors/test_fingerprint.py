from __future__ import annotations

import functools
import linecache
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from tunewright.executors.fingerprint import fingerprint

COUNT = [0]


def function(source: str, name: str = "train", *, keep_source: bool = True) -> Callable[..., Any]:
    """A function made from source, as a notebook makes it."""
    COUNT[0] += 1
    file = f"<cell {COUNT[0]}>"
    source = textwrap.dedent(source)
    if keep_source:
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {}
    exec(compile(source, file, "exec"), scope)
    made: Callable[..., Any] = scope[name]
    return made


BASE = """
def train(trial):
    total = 0
    for i in range(10):
        total += i
    return total
"""
SAME = """
# a comment before
def train(trial):
    total = 0   # and one here

    for i in range(10):
            total += i
    return total
"""
OTHERS = [
    BASE.replace("10", "11"),
    BASE.replace("+=", "-="),
    BASE.replace("    return", "        return"),
    BASE.replace("total", "sum_"),
    BASE.replace("(trial)", "(trial, x=1)"),
]


@pytest.mark.parametrize("keep_source", [True, False])
def test_it_changes_with_the_function(keep_source: bool) -> None:
    first = fingerprint(function(BASE, keep_source=keep_source))
    assert first == fingerprint(function(BASE, keep_source=keep_source))
    others = {fingerprint(function(other, keep_source=keep_source)) for other in OTHERS}
    assert first not in others
    assert len(others) == len(OTHERS)


def test_comments_and_layout_do_not_count() -> None:
    assert fingerprint(function(BASE)) == fingerprint(function(SAME))


def test_partials_methods_and_objects_stand_for_their_function() -> None:
    class Trainer:
        def __call__(self, trial: Any) -> float:
            return 0.0

        def fit(self, trial: Any) -> float:
            return 1.0

    train = function(BASE)
    assert fingerprint(functools.partial(train, x=1)) == fingerprint(train)
    assert fingerprint(Trainer().fit) == fingerprint(Trainer.fit)
    assert fingerprint(Trainer()) == fingerprint(Trainer())
    assert fingerprint(Trainer()) != fingerprint(Trainer().fit)
    assert fingerprint(len) != fingerprint(max)


@pytest.mark.slow
def test_every_process_finds_the_same() -> None:
    script = """
def train(trial):
    return trial in {"a", "b", "c", "d"}, 3.0, None
from tunewright.executors.fingerprint import fingerprint
print(fingerprint(train))
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
