"""Successive halving without waiting: at a few steps, each a multiple of the one before, only the best share goes on.

The rule is the one that W&B's sweeps call hyperband (`early_terminate`): a trial is compared, at its own pace, with all trials
that have come as far. See Jamieson and Talwalkar, "Non-stochastic Best Arm Identification" (AISTATS 2016) for the halving,
and Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020) for doing it asynchronously.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator

from tunewright.errors import InvalidInput
from tunewright.history import Curve, History
from tunewright.interfaces import Problem
from tunewright.records import Action, Decision

_LAST, _MOST = 1e9, 20_000  # the last step of a bracket, and how many are made at most


class BracketStopper:
    """Stops a trial at a bracket, a certain step, when it is not among the best 1/eta of the trials that have reached it.

    Args:
        problem: its first objective is what curves hold; `max_step` is the end of a trial.
        min_iter: the first bracket; the next ones are at eta times, eta^2 times ... this step.
        max_iter, s: in place of `min_iter`: brackets at max_iter/eta, max_iter/eta^2 ... at most `s` of them.
        eta: what is kept is one of so many, and brackets are so many times apart.
        strict: compare the trial's value at the bracket; else its best value up to there.

    Raises:
        InvalidInput: an option breaks its rule, or there would be no bracket.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        min_iter: int | None = None,
        max_iter: int | None = None,
        s: int | None = None,
        eta: float = 3.0,
        strict: bool = False,
    ) -> None:
        if not eta > 1:
            raise InvalidInput("eta", "must be above 1", eta)
        if min_iter is None and (max_iter is None or s is None):
            min_iter = 1
        for name, value in (("min_iter", min_iter), ("max_iter", max_iter), ("s", s)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InvalidInput(name, "must be an integer of at least 1", value)
        end = problem.max_step or math.inf
        steps = _upwards(min_iter, eta) if min_iter is not None else _downwards(max_iter or 0, s or 0, eta)
        self.brackets = sorted({step for step in steps if step < end})
        if not self.brackets:
            field, given = ("min_iter", min_iter) if min_iter is not None else ("max_iter", max_iter)
            raise InvalidInput(field, f"must leave a bracket between step 1 and the last step ({end:g})", given)
        self.eta, self.strict = eta, strict
        self._metric, self._sign = problem.objectives[0].metric, problem.objectives[0].sign

    @property
    def reason(self) -> str:
        """What it does, in one line."""
        shown = ", ".join(map(str, self.brackets[:4])) + (" ..." if len(self.brackets) > 4 else "")
        return f"brackets: at steps {shown} a trial stops unless it is among the best 1 of {self.eta:g} that came as far"

    def decide(self, history: History, number: int) -> Decision:
        """Stop or run on to the next bracket, with the values that were compared."""
        curve = history.curve(number)
        step = int(curve[0][-1]) if len(curve[0]) else 0
        passed = bisect_right(self.brackets, step)
        until = self.brackets[passed] if passed < len(self.brackets) else None
        if not passed:
            return Decision(Action.RUN, "", until, number, step, "brackets")
        bracket = self.brackets[passed - 1]
        others = map(history.curve, history.numbers.tolist())
        reached = [other for other in others if len(other[0]) and other[0][-1] >= bracket]
        losses = sorted(self._loss(other, bracket, best=False) for other in reached)
        threshold = losses[int(len(losses) / self.eta)]
        own = self._loss(curve, bracket, best=not self.strict)
        against = (
            f"{self._sign * threshold:.6g}, the limit of the best 1 of {self.eta:g} of the {len(losses)} trials that reached "
            f"step {bracket}"
        )
        value = f"{'' if self.strict else 'best '}{self._metric} {self._sign * own:.6g}"
        if own > threshold or own == math.inf:
            return Decision(Action.STOP, f"{value} by step {bracket} is worse than {against}", None, number, step, "brackets")
        return Decision(Action.RUN, f"{value} by step {bracket} is not worse than {against}", until, number, step, "brackets")

    def _loss(self, curve: Curve, bracket: int, *, best: bool) -> float:
        """The loss at the bracket, or the least up to there; infinite when it isn't a number."""
        steps, values = curve
        upto = (self._sign * values[: bisect_right(steps.tolist(), bracket)]).tolist()
        finite = [loss for loss in upto if loss == loss]
        if best:
            return min(finite, default=math.inf)
        return finite[-1] if upto and upto[-1] == upto[-1] else math.inf


def _upwards(first: int, eta: float) -> Iterator[int]:
    step = float(first)
    for _ in range(_MOST):
        if step > _LAST:
            return
        yield int(step)
        step *= eta


def _downwards(last: int, s: int, eta: float) -> Iterator[int]:
    step = float(last)
    for _ in range(min(s, _MOST)):
        step /= eta
        if step < 1:
            return
        yield int(step)
