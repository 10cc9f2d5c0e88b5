"""One of several controllers on one database: `python -m tests.recovery.sharing ADDRESS NAME TRIALS`."""

from __future__ import annotations

import sys
from typing import cast

import tunewright as tw
from tunewright.lifecycle.job import StoredTrial

SPACE = tw.SearchSpace({"x": tw.Float(0.0, 1.0), "depth": tw.Int(1, 9)})


def train(trial: tw.Trial) -> float:
    for step in range(1, 6):
        trial.report(loss=trial.params["x"] + 1 / step, step=step)
    if trial.number % 7 == 3:
        raise ValueError("this one fails")
    return cast(float, trial.params["x"])


def main(address: str, name: str, trials: int) -> None:
    """Runs a job of its own, and asks for one more configuration in every other job that there is."""
    store = tw.open_store(address)

    def ask_others(trial: StoredTrial) -> None:
        if trial.number == trials // 2:
            for other in tw.jobs(store=store):
                other.enqueue({"x": 0.5, "depth": 5}, reason=f"asked by {name}")

    job = tw.tune(
        train, SPACE, metric="loss", max_trials=trials, strategy="random", executor="inline", seed=len(name), name=name,
        store=store, progress="none", on_trial=ask_others,
    )  # fmt: skip
    print(job.status.value)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
