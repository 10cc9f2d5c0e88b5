"""`tunewright list` on a store with 100,000 trials, beside a bare interpreter that imports SQLAlchemy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

import tunewright as tw
from benchmarks.table import show
from benchmarks.throughput import SPACE

TRIALS, JOBS, RUNS = 100_000, 20, 9


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/store.db"
        for number in range(JOBS):
            tw.tune(
                lambda trial: trial.params["dropout"], SPACE, metric="loss", max_trials=TRIALS // JOBS, strategy="random",
                executor="inline", store=store, seed=number, progress="none",
            )  # fmt: skip
        commands = {
            "python -c 'import sqlalchemy'": [sys.executable, "-c", "import sqlalchemy"],
            "tunewright list": [sys.executable, "-m", "tunewright", "list", "--store", store],
            "tunewright list --json": [sys.executable, "-m", "tunewright", "list", "--json", "--store", store],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - start)
    floor = statistics.median(times["python -c 'import sqlalchemy'"])
    rows = [(name, 1000 * statistics.median(taken), statistics.median(taken) / floor, 3.0) for name, taken in times.items()]
    show((f"with {TRIALS:,} trials in {JOBS} jobs", "ms, median", "times the bare import", "asked at most"), rows)


if __name__ == "__main__":
    main()
