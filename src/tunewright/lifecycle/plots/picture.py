"""What pictures of a job show: its completed trials by their objective and by their parameters, as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import InvalidInput
from tunewright.objective import Objective
from tunewright.records import Status, Trial
from tunewright.space import Categorical, SearchSpace
from tunewright.space.scalars import same

KINDS = ("history", "slices", "parallel")


@dataclass(frozen=True, slots=True)
class Picture:
    """A job's completed trials, by number, and the space that they are from.

    Attributes:
        name: of the job.
        index: of the objective that is shown.
        units: shape (trials, parameters): where each value lies on its parameter's axis, from 0 to 1; NaN where inactive.
        failed: how many trials failed.
    """

    name: str
    objective: Objective
    index: int
    space: SearchSpace
    trials: tuple[Trial, ...]
    units: NDArray[np.float64]
    failed: int

    @property
    def values(self) -> list[float]:
        """The objective of each trial."""
        return [trial.objectives[self.index] for trial in self.trials if trial.objectives]

    @property
    def best(self) -> list[float]:
        """The best value up to each trial, of those within the required limits; NaN before there is one."""
        found, best = [], math.nan
        for trial, value in zip(self.trials, self.values, strict=True):
            if trial.feasible and (math.isnan(best) or self.objective.better(value, best)):
                best = value
            found.append(best)
        return found

    @property
    def order(self) -> list[int]:
        """The positions of the trials, the best first."""
        values = self.values
        return sorted(range(len(values)), key=lambda i: (not self.trials[i].feasible, self.objective.sign * values[i]))

    def bins(self, name: str, most: int = 6) -> list[tuple[str, list[int]]]:
        """A parameter's values in groups, each with a text and the positions of its trials; groups without trials are left out.

        Args:
            most: groups of a parameter with many values; the choices of a categorical are a group each.
        """
        parameter = self.space.parameters[name]
        column = self.units[:, self.space.names.index(name)]
        active = [int(i) for i in np.flatnonzero(~np.isnan(column))]
        values = [self.trials[i].params[name] for i in active]
        if isinstance(parameter, Categorical) or len(set(values)) <= most:
            known = parameter.choices if isinstance(parameter, Categorical) else sorted(set(values))  # type: ignore[type-var]
            paired = [*zip(active, values, strict=True)]
            groups = [(text_of(choice), [i for i, value in paired if same(value, choice)]) for choice in known]
        else:
            cells = np.minimum((column * most).astype(np.float64), most - 1)
            groups = []
            for cell in range(most):
                inside = [i for i in active if int(cells[i]) == cell]
                bounds = [self.trials[i].params[name] for i in inside]
                if inside:
                    low, high = min(bounds), max(bounds)  # type: ignore[type-var]
                    groups.append((text_of(low) if low == high else f"{text_of(low)} .. {text_of(high)}", inside))
        return [group for group in groups if group[1]]


def text_of(value: Any) -> str:
    """A value for an axis."""
    from tunewright.progress.formatting import format_number, format_value

    return format_number(value) if isinstance(value, float) else format_value(value)


def make_picture(
    name: str, space: SearchSpace, objectives: Sequence[Objective], trials: Sequence[Trial], metric: str | None = None
) -> Picture:
    """The picture of a job.

    Args:
        metric: of the objective that is shown; None: the first one.

    Raises:
        InvalidInput: there is no such objective, or no trial has completed.
    """
    names = [objective.metric for objective in objectives]
    if metric is not None and metric not in names:
        raise InvalidInput("metric", f"must be one of the job's objectives: {', '.join(names)}", metric)
    index = 0 if metric is None else names.index(metric)
    completed = tuple(
        trial
        for trial in trials
        if trial.status is Status.COMPLETED and trial.objectives and math.isfinite(trial.objectives[index])
    )
    if not completed:
        raise InvalidInput(f"job {name!r}", "must have a completed trial to be shown as a picture")
    units = np.array([space.encode(trial.params) for trial in completed]).reshape(len(completed), len(space.names))
    failed = sum(trial.status is Status.FAILED for trial in trials)
    return Picture(name, objectives[index], index, space, completed, units, failed)


def check_kind(kind: str) -> tuple[str, ...]:
    """The kinds of pictures that are asked for: one, or all. Raises InvalidInput."""
    if kind == "all":
        return KINDS
    if kind not in KINDS:
        raise InvalidInput("plot", f"must be one of {', '.join(KINDS)} and all", kind)
    return (kind,)
