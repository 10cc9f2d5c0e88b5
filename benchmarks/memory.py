"""How the controller's memory grows with the number of trials, without reports, on SQLite."""

from __future__ import annotations

import gc
import tempfile

import psutil

import tunewright as tw
from benchmarks.table import show
from benchmarks.throughput import SPACE

FIRST, LAST = 2_000, 22_000


def main() -> None:
    sizes: dict[int, int] = {}
    process = psutil.Process()

    def watch(trial: object) -> None:
        number = trial.number + 1  # type: ignore[attr-defined]
        if number in (FIRST, LAST):
            gc.collect()
            sizes[number] = process.memory_info().rss

    with tempfile.TemporaryDirectory() as folder:
        tw.tune(
            lambda trial: trial.params["dropout"], SPACE, metric="loss", max_trials=LAST, strategy="random",
            executor="inline", store=f"sqlite:///{folder}/store.db", seed=0, progress="none", on_trial=watch,
        )  # fmt: skip
    growth = (sizes[LAST] - sizes[FIRST]) / (LAST - FIRST)
    show(
        (f"between trial {FIRST:,} and {LAST:,}", "bytes per trial", "asked"),
        [("growth of the controller's resident memory", growth, "at most 2,048")],
    )


if __name__ == "__main__":
    main()
