"""The median rule: a trial ends when it does worse than the earlier trials did on average by the same step.

It is the rule of Golovin et al., "Google Vizier: A Service for Black-Box Optimization" (KDD 2017), section 3.2.2, and of
SageMaker's early stopping type Auto.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tunewright.errors import InvalidInput
from tunewright.history import Curve, History
from tunewright.interfaces import Problem
from tunewright.records import Action, Decision, Status

_NEVER = float("inf")


class MedianStopper:
    """Stops a trial at a step when its best value so far is worse than the median of the completed trials' running averages.

    The running average of a trial at a step is the mean of all that it reported up to that step; only finite values count.
    A trial that has reported no finite value counts as worse than any other.

    Args:
        problem: its first objective is what curves hold; `max_step` is the end of a trial.
        warmup_steps: no decision at this step or before; None: a tenth of `max_step`, at least 1.
        min_trials: how many trials must have completed before the first decision.
        every: decisions fall due at multiples of this step, after the warm-up.
        compare: the trial's `"best"` value so far, or its `"last"`.

    Raises:
        InvalidInput: an option breaks its rule.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        warmup_steps: int | None = None,
        min_trials: int = 5,
        every: int = 1,
        compare: Literal["best", "last"] = "best",
    ) -> None:
        if warmup_steps is None:
            warmup_steps = max(1, (problem.max_step or 0) // 10)
        self.warmup_steps = _at_least("warmup_steps", warmup_steps, 0)
        self.min_trials = _at_least("min_trials", min_trials, 1)
        self.every = _at_least("every", every, 1)
        if compare not in ("best", "last"):
            raise InvalidInput("compare", "must be 'best' or 'last'", compare)
        self.compare = compare
        self._max_step = problem.max_step or _NEVER
        self._metric, self._sign = problem.objectives[0].metric, problem.objectives[0].sign
        self._averages = _Averages(self._sign, lineage=None)

    @property
    def reason(self) -> str:
        """What it does, in one line."""
        return (
            f"median rule: after step {self.warmup_steps}, once {self.min_trials} trials have completed, a trial stops when "
            f"its {self.compare} {self._metric} is worse than the median of their running averages"
        )

    def decide(self, history: History, number: int) -> Decision:
        """Stop or run on, with the values that were compared; without a reason while there is nothing to compare."""
        steps, values = history.curve(number)
        step = int(steps[-1]) if len(steps) else 0
        if len(steps) == 0 or step <= self.warmup_steps or step >= self._max_step:
            return self._run(number, step)
        if history.lineage is not self._averages.lineage:
            self._averages = _Averages(self._sign, history.lineage)
        averages = self._averages.up_to(step, history)
        if len(averages) < self.min_trials:
            return self._run(number, step)
        loss, median = self._loss(values), _median(averages)
        against = f"{self._shown(median)}, the median of the running averages of {len(averages)} completed trials"
        if loss > median:
            reason = f"{self._shown(loss, self.compare)} by step {step} is worse than {against}"
            return Decision(Action.STOP, reason, trial=number, step=step, by="median")
        return self._run(number, step, f"{self._shown(loss, self.compare)} by step {step} is not worse than {against}")

    def _shown(self, loss: float, which: str = "") -> str:
        if which and loss == _NEVER:
            return f"no finite {'last ' if which == 'last' else ''}{self._metric}"
        value = f"{self._sign * loss + 0.0:.6g}"
        return f"{which} {self._metric} {value}" if which else value

    def _loss(self, values: NDArray[np.float64]) -> float:
        losses = self._sign * values
        finite = losses[np.isfinite(losses)]
        if len(finite) == 0 or (self.compare == "last" and not np.isfinite(losses[-1])):
            return _NEVER
        return float(finite.min() if self.compare == "best" else finite[-1])

    def _run(self, number: int, step: int, reason: str = "") -> Decision:
        until = self.every * (max(step, self.warmup_steps) // self.every + 1)
        end = None if until >= self._max_step else until
        return Decision(Action.RUN, reason, until=end, trial=number, step=step, by="median")


class _Averages:
    """Running averages of completed trials, sorted, by step. Each trial is looked at once per step.

    A cache: what it holds follows from the history alone. A completed trial's curve doesn't change any more.
    """

    def __init__(self, sign: float, lineage: object) -> None:
        self.lineage, self._sign = lineage, sign
        self._trials: list[tuple[list[int], list[float]]] = []
        self._known = np.zeros(0, np.bool_)
        self._by_step: dict[int, tuple[int, list[float]]] = {}

    def up_to(self, step: int, history: History) -> list[float]:
        """One loss per completed trial with a finite report up to `step`, ascending."""
        self._follow(history)
        looked_at, averages = self._by_step.get(step, (0, []))
        for steps, means in self._trials[looked_at:]:
            position = bisect_right(steps, step)
            if position:
                insort(averages, means[position - 1])
        self._by_step[step] = (len(self._trials), averages)
        return averages

    def _follow(self, history: History) -> None:
        completed = history.mask(Status.COMPLETED)
        if np.count_nonzero(completed) == np.count_nonzero(self._known):
            return
        new = completed.copy()
        new[: len(self._known)] &= ~self._known
        for number in history.numbers[new].tolist():
            self._trials.append(_running_average(history.curve(number), self._sign))
        self._known = completed


def _running_average(curve: Curve, sign: float) -> tuple[list[int], list[float]]:
    """The steps of finite values, and the mean of them up to each."""
    steps, values = curve
    finite = np.isfinite(values)
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.cumsum(sign * values[finite]) / np.arange(1, np.count_nonzero(finite) + 1)
    return steps[finite].tolist(), np.nan_to_num(means, nan=_NEVER, posinf=_NEVER, neginf=-_NEVER).tolist()


def _median(ascending: list[float]) -> float:
    middle = len(ascending) // 2
    if len(ascending) % 2:
        return ascending[middle]
    return ascending[middle - 1] / 2 + ascending[middle] / 2


def _at_least(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(name, f"must be an integer of at least {least}", value)
    return value
