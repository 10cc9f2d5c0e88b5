"""From what an execution reported and returned to its objectives, or to the failure that stands in their place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tunewright.interfaces import Failure
from tunewright.objective import Objective, Requirement
from tunewright.records import FailureKind


class Seen:
    """What one execution has reported: the last value of every metric, and what the objectives need."""

    __slots__ = ("best", "metrics", "step")

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.step = 0

    def add(self, step: int, metrics: Mapping[str, float], objectives: Sequence[Objective]) -> None:
        self.step = step
        self.metrics.update(metrics)
        for objective in objectives:
            if objective.which == "best" and (value := metrics.get(objective.metric)) is not None:
                old = self.best.get(objective.metric)
                if old is None or math.isnan(old) or objective.better(value, old):
                    self.best[objective.metric] = value


def score(
    objectives: Sequence[Objective],
    seen: Seen,
    returned: Mapping[str, float] | float | None,
    requirements: Sequence[Requirement] = (),
) -> tuple[float, ...] | Failure:
    """One value per objective, all finite, or why there are none: a required metric that is missing counts, too.

    Args:
        seen: what the execution reported; what it returned is added to its metrics.
        returned: metrics by name, or a number for the first objective, or None.
    """
    add_returned(objectives, seen, returned)
    values = []
    for objective in objectives:
        value = (seen.best if objective.which == "best" else seen.metrics).get(objective.metric)
        if value is None:
            return _missing(objective.metric, seen.metrics)
        if math.isnan(value):
            return Failure(FailureKind.NOT_A_NUMBER, f"{objective.metric} is not a number")
        if math.isinf(value):
            return Failure(FailureKind.INFINITE, f"{objective.metric} is infinite ({value:+})")
        values.append(value)
    for requirement in requirements:
        if requirement.metric not in seen.metrics:
            return _missing(requirement.metric, seen.metrics)
    return tuple(values)


def add_returned(objectives: Sequence[Objective], seen: Seen, returned: Mapping[str, float] | float | None) -> None:
    """Adds what an execution returned to its metrics; see `score`."""
    if returned is not None:
        final = returned if isinstance(returned, Mapping) else {objectives[0].metric: float(returned)}
        seen.add(seen.step, final, objectives)


def shown(objectives: Sequence[Objective], seen: Seen) -> tuple[float, ...] | None:
    """The objectives of a stopped execution by what it had reported, None unless all are there and finite."""
    values = score(objectives, seen, None)
    return None if isinstance(values, Failure) else values


def feasible(requirements: Sequence[Requirement], metrics: Mapping[str, float]) -> bool:
    """Whether every required metric was reported and within its limit."""
    return all(r.metric in metrics and r.holds(metrics[r.metric]) for r in requirements)


def _missing(metric: str, metrics: Mapping[str, float]) -> Failure:
    seen = ", ".join(repr(name) for name in sorted(metrics)) or "nothing"
    return Failure(FailureKind.MISSING_METRIC, f"metric {metric!r} must be reported or returned by the function; got {seen}")
