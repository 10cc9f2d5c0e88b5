"""A controller to be killed, whose job goes on from another folder, as on another host.

`python -m tests.recovery.moving ADDRESS WITNESS`; its checkpoints are where `$TUNEWRIGHT_ARTIFACTS` says.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time

import tunewright as tw

NAME, TRIALS, STEPS = "moving", 6, 8
SIZE = 3_000_000  # bytes of a checkpoint, so that kills hit uploads
SPACE = tw.SearchSpace({"x": tw.Float(0.0, 1.0)})


class Training:
    """Steps that each leave a checkpoint; one that was torn would be noticed by its digest."""

    def __init__(self, witness: str) -> None:
        self.witness = witness

    def __call__(self, trial: tw.Trial) -> float:
        step = 0
        if trial.resume_dir is not None:
            data = (trial.resume_dir / "weights").read_bytes()
            said, digest = (trial.resume_dir / "facts").read_text().split()
            if digest != hashlib.sha256(data).hexdigest() or len(data) != SIZE:
                self._write(f"torn {trial.number} {trial.execution} {said}")
            step = int(said)
        self._write(f"begin {trial.number} {trial.execution} {step}")
        while step < STEPS:
            step += 1
            time.sleep(0.1)
            data = os.urandom(16) * (SIZE // 16)
            with trial.checkpoint(step=step) as folder:
                (folder / "weights").write_bytes(data)
                (folder / "facts").write_text(f"{step} {hashlib.sha256(data).hexdigest()}")
            trial.report(loss=trial.params["x"] + 1 / step, step=step)
        (trial.artifact_dir / "model.txt").write_text(f"model of trial {trial.number}")
        return float(trial.params["x"])

    def _write(self, line: str) -> None:
        with open(self.witness, "a", encoding="utf-8") as file:  # noqa: PTH123  # travels to workers as it is
            file.write(f"{line}\n")


def main(address: str, witness: str) -> None:
    """Makes the job, or goes on with it."""
    tw.tune(
        Training(witness), SPACE, metric="loss", max_trials=TRIALS, max_parallel=2, strategy="random", stopper=None, seed=5,
        retries=tw.Retries(lost=50), name=NAME, store=address, resume=True, progress="none", keep="top:2",
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
