"""Trials and reports per second, beside Optuna on the same kind of storage and beside bare sqlite3.

1,000 trials of a trivial function over five parameters, random search, inline; with 20 reports each in the second pair.
Optuna stores what it does by default. Bare sqlite3 commits one row at a time, WAL and synchronous=NORMAL, as the store does.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import optuna

import tunewright as tw
from benchmarks.table import show

TRIALS = 1000
OPTUNA_TRIALS = 200  # on its SQLite storage, which takes long; a rate
REPORTS = 20
ROUNDS = 3

SPACE = tw.SearchSpace(
    {
        "learning_rate": tw.Float(1e-5, 1e-1, scale="log"),
        "width": tw.Int(8, 1024, scale="log"),
        "dropout": tw.Float(0.0, 0.5),
        "activation": tw.Categorical(["relu", "tanh", "gelu"]),
        "decay": tw.Float(0.0, 1.0),
    }
)


def ours(store: str, reports: int, trials: int = TRIALS) -> float:
    """Seconds for a job."""

    def train(trial: tw.Trial) -> float:
        for step in range(1, reports + 1):
            trial.report({"loss": 1.0 / step}, step=step)
        return float(trial.params["dropout"])

    start = time.perf_counter()
    tw.tune(
        train, SPACE, metric="loss", max_trials=trials, strategy="random", executor="inline", store=store, seed=0,
        progress="none", stopper=None,
    )  # fmt: skip
    return time.perf_counter() - start


def optunas(storage: str | None, reports: int, trials: int) -> float:
    """Seconds for a study."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
        trial.suggest_int("width", 8, 1024, log=True)
        dropout = trial.suggest_float("dropout", 0.0, 0.5)
        trial.suggest_categorical("activation", ["relu", "tanh", "gelu"])
        trial.suggest_float("decay", 0.0, 1.0)
        for step in range(1, reports + 1):
            trial.report(1.0 / step, step)
        return float(dropout)

    start = time.perf_counter()
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return time.perf_counter() - start


def bare_sqlite(folder: Path, rows: int = 20_000) -> float:
    """One-row commits per second."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE points (run INTEGER, step INTEGER, value REAL)")
    start = time.perf_counter()
    for row in range(rows):
        connection.execute("BEGIN")
        connection.execute("INSERT INTO points VALUES (1, ?, 0.5)", (row,))
        connection.execute("COMMIT")
    taken = time.perf_counter() - start
    connection.close()
    return rows / taken


def best(measure: Callable[[], float]) -> float:
    """The best of a few rounds: noise only ever adds."""
    return min(measure() for _ in range(ROUNDS))


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = iter(range(1_000_000))
        sqlite = bare_sqlite(folder)

        def store() -> str:
            return f"sqlite:///{folder}/tw{next(fresh)}/store.db"

        def storage() -> str:
            return f"sqlite:///{folder}/optuna{next(fresh)}.db"

        rows = []
        memory = TRIALS / best(lambda: ours("memory", 0))
        optuna_memory = TRIALS / best(lambda: optunas(None, 0, TRIALS))
        rows.append(("trials/s in memory", memory, optuna_memory, memory / optuna_memory, 2.0))
        disk = TRIALS / best(lambda: ours(store(), 0))
        optuna_disk = OPTUNA_TRIALS / optunas(storage(), 0, OPTUNA_TRIALS)
        rows.append(("trials/s on SQLite", disk, optuna_disk, disk / optuna_disk, 30.0))
        reports = REPORTS * TRIALS / best(lambda: ours(store(), REPORTS))
        few = OPTUNA_TRIALS // 8
        optuna_reports = REPORTS * few / optunas(storage(), REPORTS, few)
        rows.append(("reports/s on SQLite, 20 a trial", reports, optuna_reports, reports / optuna_reports, 100.0))
        show(("", "Tunewright", "Optuna", "ratio", "asked"), rows)
        print()
        floor = [
            ("reports/s on SQLite", reports, sqlite, reports / sqlite, 0.2),
            ("trials/s on SQLite", disk, sqlite, disk / sqlite, "-"),
        ]
        show(("", "Tunewright", "bare sqlite3, one-row commits/s", "ratio", "asked"), floor)


if __name__ == "__main__":
    main()
