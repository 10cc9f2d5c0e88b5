"""A job that writes much: `python -m tests.recovery.filling FOLDER TRIALS EXECUTOR`."""

from __future__ import annotations

import sys

import tunewright as tw

REPORTS = 200


def train(trial: tw.Trial) -> dict[str, float]:
    for step in range(1, REPORTS + 1):
        trial.report({"loss": trial.params["x"], "another metric": 1.0 / step}, step=step)
    return {"loss": trial.params["x"]}


if __name__ == "__main__":
    _, folder, trials, executor = sys.argv
    tw.tune(
        train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=int(trials), strategy="random", stopper=None, seed=1,
        max_parallel=1, name="filling", store=f"{folder}/store.db", executor=executor, resume=True, progress="none",
    )  # fmt: skip
