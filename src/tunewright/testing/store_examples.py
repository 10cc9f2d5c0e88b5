"""Jobs, trials and executions to put into stores, and what a store says about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tunewright.interfaces import Fence, Store
from tunewright.queries import (
    AllSeries,
    Checkpoints,
    Commands,
    Decisions,
    Events,
    Executions,
    Jobs,
    Points,
    Query,
    Trials,
)
from tunewright.records import (
    Execution,
    Status,
    Trial,
    TuningJob,
)

LEASE = 60.0  # seconds: longer than any test
SHORT_LEASE = 0.2
TEXTS = ("", "plain", "quotes ' \" ` and ; --", "lines\nand\ttabs", "Grüße, 你好, 🎛️", "\u2028\ufeff")
# Not -0.0: a database may drop the sign of a zero.
FLOATS = (0.1, 0.0, 1 / 3, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan)


def a_job(name: str = "job", **fields: Any) -> TuningJob:
    return TuningJob(name, **{"spec": {"max_trials": 3}, **fields})


def a_trial(number: int, **fields: Any) -> Trial:
    return Trial(number, **{"params": {"x": 0.5}, "seed": 1, "status": Status.IN_PROGRESS, "created": 1.0, **fields})


def an_execution(trial: int, number: int = 1, **fields: Any) -> Execution:
    return Execution(trial, number, f"token-{trial}-{number}", **fields)


def claimed(store: Store, owner: str = "a", *, ttl: float = LEASE) -> Fence:
    """Control of the job called "job"."""
    fence = store.claim("job", owner, ttl)
    assert fence is not None
    return fence


def numbers(trials: Iterator[Trial] | Sequence[Trial]) -> list[int]:
    return [trial.number for trial in trials]


def everything(store: Store, name: str = "job") -> list[list[Any]]:
    """All that a store says about a job, but for its lease."""
    job = [(job.spec, job.state, job.wanted, job.owner, job.fence, job.event) for job in store.read(Jobs(names=(name,)))]
    queries: list[Query[Any]] = [Trials(name), Executions(name), Points(name), AllSeries(name), Checkpoints(name)]
    queries += [Decisions(name), Commands(name, unhandled_only=False), Events(name)]
    return [job, *([*store.read(query)] for query in queries)]
