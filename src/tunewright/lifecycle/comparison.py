"""Several jobs beside each other: how they went, what they searched, and their best configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunewright.errors import InvalidInput
from tunewright.interfaces import Store
from tunewright.lifecycle.documents import objectives_of
from tunewright.lifecycle.running import stored_job
from tunewright.objective import Objective
from tunewright.queries import Trials
from tunewright.records import Trial, TuningJob

_SETTINGS = (
    "objectives", "require", "max_trials", "max_time", "max_step", "strategy", "stopper", "max_parallel", "resources",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the jobs: its record, objectives, and best trial, None when no trial completed."""

    job: TuningJob
    objectives: tuple[Objective, ...]
    best: Trial | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Jobs in the order in which they were named.

    Attributes:
        leading: the job with the best value; None when their first objectives differ, or nothing has completed.
        parameters: all that best trials have, in their order.
        differences: how each job's space, objectives and limits differ from the first one's, a line each.
    """

    jobs: tuple[Compared, ...]
    leading: str | None
    parameters: tuple[str, ...]
    differences: tuple[tuple[str, ...], ...]


def compare(store: Store, names: Sequence[str]) -> Comparison:
    """Compares jobs of a store.

    Raises:
        NotFound: there is no such job. InvalidInput: fewer than two names, or one of them twice.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise InvalidInput("jobs", "must be two or more different ones", list(names))
    found = tuple(_compared(store, name) for name in names)
    parameters = tuple(dict.fromkeys(name for one in found if one.best is not None for name in one.best.params))
    differences = tuple(tuple(_differences(found[0].job, one.job)) for one in found)
    return Comparison(found, _leading(found), parameters, differences)


def _compared(store: Store, name: str) -> Compared:
    job = stored_job(store, name)
    number = job.state.best
    best = None if number is None else next(iter(store.read(Trials(name, numbers=(number,)))), None)
    return Compared(job, objectives_of(job), best)


def _leading(jobs: Sequence[Compared]) -> str | None:
    first = jobs[0].objectives[0]
    if any((one.objectives[0].metric, one.objectives[0].goal) != (first.metric, first.goal) for one in jobs):
        return None
    valued = [(first.sign * one.best.objective, one.job.name) for one in jobs if one.best and one.best.objective is not None]
    return min(valued)[1] if valued else None


def _differences(first: TuningJob, other: TuningJob) -> list[str]:
    from tunewright.space import SearchSpace

    if first.name == other.name:
        return []
    lines = [*SearchSpace.from_json(first.spec["space"]).differences(SearchSpace.from_json(other.spec["space"]))]
    for key in (
        "objectives",
        "require",
        "max_trials",
        "max_time",
        "max_step",
        "strategy",
        "stopper",
        "max_parallel",
        "resources",
    ):
        if first.spec.get(key) != other.spec.get(key):
            lines.append(f"{key} is {other.spec.get(key)!r}, not {first.spec.get(key)!r}")
    if first.spec.get("function") != other.spec.get("function"):
        lines.append(f"it tunes {other.spec.get('function')}, not {first.spec.get('function')}")
    elif first.spec.get("fingerprint") != other.spec.get("fingerprint"):
        lines.append("its code or command differs")
    return lines
