"""A controller to be killed: `python -m tests.recovery.searching FOLDER`, which runs or resumes one job there.

The training function writes what it does to a witness file of its own, so a test can tell what was really executed from
what was recorded.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import tunewright as tw

NAME, TRIALS, WORKERS = "hunted", 60, 3
SPACE = tw.SearchSpace({"x": tw.Float(0.0, 1.0), "kind": tw.Categorical(["a", "b", "c"]), "depth": tw.Int(1, 9)})


class Training:
    """Three short steps; every begin and end goes to the witness at once."""

    def __init__(self, witness: str, seconds: float) -> None:
        self.witness, self.seconds = witness, seconds

    def __call__(self, trial: tw.Trial) -> dict[str, float]:
        self._write(f"begin {trial.number} {trial.execution}")
        for step in range(1, 4):
            time.sleep(self.seconds / 3)
            trial.report({"loss": trial.params["x"] + 1 / step}, step=step)
        self._write(f"end {trial.number} {trial.execution}")
        return {"loss": trial.params["x"]}

    def _write(self, line: str) -> None:
        file = os.open(self.witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{line}\n".encode())
        os.close(file)


def store_of(folder: Path) -> str:
    """A SQLite file, unless a test left another address in the folder's `address`."""
    other = folder / "address"
    return other.read_text() if other.exists() else f"sqlite:///{folder}/store.db"


def run(folder: Path, *, trials: int = TRIALS, workers: int = WORKERS, seconds: float = 0.5) -> tw.Job:
    """Makes the job, or goes on with it, to its end."""
    return tw.tune(
        Training(str(folder / "witness"), seconds), SPACE, metric="loss", max_trials=trials, max_parallel=workers,
        strategy="random", stopper=None, retries=tw.Retries(crash=50, lost=50), seed=7, name=NAME,
        store=store_of(folder), resume=True, progress="none",
    )  # fmt: skip


if __name__ == "__main__":
    print(run(Path(sys.argv[1])), flush=True)
