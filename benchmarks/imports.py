"""What `import tunewright` costs beside `import numpy`: whole interpreters, in turn, medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.table import show

RUNS = 15
STATEMENTS = {
    "nothing": "pass",
    "numpy": "import numpy",
    "tunewright": "import tunewright",
    "tunewright, and tune from it": "import tunewright; tunewright.tune",
}


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(RUNS):
        for name, statement in STATEMENTS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times[name].append(time.perf_counter() - start)
    numpy = statistics.median(times["numpy"])
    rows = []
    for name, taken in times.items():
        median = statistics.median(taken)
        rows.append((name, 1000 * median, median / numpy))
    show(("imported", "ms, median of whole process", "times numpy"), rows)


if __name__ == "__main__":
    main()
