"""Trials and reports per second on PostgreSQL, beside Optuna on the same server.

A server of its own on this machine with the defaults of PostgreSQL, so that every commit waits for the disk; the jobs are
those of `throughput`. Rounds of both alternate, and the best of each counts.
"""

from __future__ import annotations

from benchmarks.table import show
from benchmarks.throughput import REPORTS, optunas, ours
from tests.postgres_server import Server

TRIALS, OPTUNA_TRIALS = 500, 50
ROUNDS = 3
DURABLE = {"fsync": "on", "full_page_writes": "on"}


def _optuna(server: Server, reports: int, trials: int) -> float:
    """Seconds for a study."""
    return optunas(server.database().replace("postgresql://", "postgresql+psycopg://"), reports, trials)


def main() -> None:
    server = Server(**DURABLE)
    try:
        rows = []
        for name, reports, few, asked in (
            ("trials/s", 0, OPTUNA_TRIALS, 10.0),
            (f"reports/s, {REPORTS} a trial", REPORTS, OPTUNA_TRIALS // 5, 20.0),
        ):
            own, theirs = 0.0, 0.0
            for _ in range(ROUNDS):
                own = max(own, TRIALS * max(reports, 1) / ours(server.database(), reports, TRIALS))
                theirs = max(theirs, few * max(reports, 1) / _optuna(server, reports, few))
            rows.append((f"{name} on PostgreSQL", own, theirs, own / theirs, asked))
        show(("", "Tunewright", "Optuna", "ratio", "asked"), rows)
    finally:
        server.close()


if __name__ == "__main__":
    main()
