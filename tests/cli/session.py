"""Commands run within the tests' own process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tunewright.cli.main import main

PROGRAM = '''
"""A function to tune that takes no time, with the space beside it."""
import tunewright as tw

space = tw.SearchSpace({
    "lr": tw.Float(1e-4, 1.0, scale="log", default=0.1),
    "layers": tw.Int(1, 6, default=5),
})
other = {"lr": tw.Float(0.5, 1.0), "layers": 3}


def train(trial):
    print("training with", trial.params["layers"], "layers")
    loss = abs(trial.params["lr"] - 0.01) + trial.params["layers"] / 10
    trial.report(loss=loss + 1, size=trial.params["layers"])
    return {"loss": loss}


def fails(trial):
    raise RuntimeError("no data")
'''


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Session:
    """Runs `tunewright ARGUMENTS` in this process: `code, out, err = session("list", "--json")`.

    Attributes:
        folder: the current one.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *arguments: Any) -> Outcome:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)
