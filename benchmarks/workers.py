"""What the process executor costs beyond the function itself: processor time per trial, and memory with a large closure."""

from __future__ import annotations

import os
import resource
import tempfile
import time

import numpy as np
import psutil

import tunewright as tw
from benchmarks.table import show

TRIALS = 400
SPIN = 0.005  # seconds of work in a trial


def _train(trial: tw.Trial) -> float:
    end = time.thread_time() + SPIN
    while time.thread_time() < end:
        pass
    return float(trial.params["x"])


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def cost_per_trial() -> tuple[float, float]:
    """Seconds of processor time per trial beyond the function's own: in the controller, and in the workers.

    The start of the workers is told apart by a shorter run.
    """
    totals = []
    for trials in (40, 40 + TRIALS):
        with tempfile.TemporaryDirectory() as folder:
            before = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
            tw.tune(
                _train, {"x": tw.Float(0.0, 1.0)}, metric="loss",
                max_trials=trials, max_parallel=2, strategy="random", store=f"sqlite:///{folder}/store.db", seed=0,
                progress="none",
            )  # fmt: skip
            totals.append((_cpu(resource.RUSAGE_SELF) - before[0], _cpu(resource.RUSAGE_CHILDREN) - before[1]))
    controller = (totals[1][0] - totals[0][0]) / TRIALS
    workers = (totals[1][1] - totals[0][1]) / TRIALS - SPIN
    return controller, workers


def closure_memory(workers: int = 4, gigabytes: float = 1.0) -> tuple[float, float]:
    """Memory (proportional set size, GB) of all worker processes together, and of the controller beside them."""
    data = np.ones(int(gigabytes * 1e9 / 8))
    sizes = []

    def train(trial: tw.Trial) -> float:
        total = float(data[:: 4096 // 8].sum())  # touches every page
        time.sleep(2.0)
        return total * float(trial.params["x"])

    def measure(_: object) -> None:
        children = psutil.Process().children(recursive=True)
        sizes.append(sum(process.memory_full_info().pss for process in children if process.is_running()))

    with tempfile.TemporaryDirectory() as folder:
        job = tw.start(
            train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=workers, max_parallel=workers, strategy="random",
            store=f"sqlite:///{folder}/store.db", seed=0,
        )  # fmt: skip
        while job.status.value not in ("Completed", "Failed"):
            time.sleep(0.2)
            try:
                measure(None)
            except psutil.Error:
                continue
        job.wait()
        own = psutil.Process(os.getpid()).memory_full_info().pss
    return max(sizes) / 1e9, own / 1e9


def main() -> None:
    controller, workers = cost_per_trial()
    total = 1000 * (controller + workers)
    show(
        ("per trial beyond the function", "ms of a core", "asked"),
        [("controller", 1000 * controller, ""), ("worker", 1000 * workers, ""), ("together", total, "at most 5")],
    )
    print()
    together, own = closure_memory()
    show(
        ("a closure over 1 GB, 4 workers", "GB", "asked"),
        [("all worker processes together", together, "at most 1.3"), ("the controller, whose array it is", own, "")],
    )


if __name__ == "__main__":
    main()
