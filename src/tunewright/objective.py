"""What is optimised: metrics, goals, and how reports, folds and repeats become one number.

A training function reports metrics by step and may return some at its end. An `Objective` says which metric counts,
whether small or large is good, which of the reported values is taken, and how the values of several folds or repeats
become one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from tunewright.errors import InvalidInput, nearest

Goal = Literal["minimize", "maximize"]
Which = Literal["last", "best"]
Aggregate = Literal["mean", "median", "worst", "last"]

_MAXIMIZE = frozenset(
    "accuracy acc balanced_accuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy top1 top5 top1_accuracy "
    "top5_accuracy auc roc_auc auroc pr_auc auc_pr auprc aucpr average_precision ap map f1 f1_macro f1_micro f1_weighted "
    "macro_f1 micro_f1 weighted_f1 fbeta precision recall sensitivity specificity r2 r_squared explained_variance mcc "
    "matthews_corrcoef kappa cohen_kappa jaccard iou miou mean_iou dice ndcg mrr bleu rouge rougel reward return score psnr "
    "ssim likelihood log_likelihood elbo correlation pearson spearman hit_rate win_rate throughput".split()
)
_MINIMIZE = frozenset(
    "loss cost error err error_rate mse rmse mae mape smape rmsle msle medae logloss log_loss cross_entropy crossentropy nll "
    "perplexity ppl bpc bpb brier brier_score hinge hinge_loss deviance regret wer cer ter fid mlogloss merror "
    "binary_logloss multi_logloss binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy l1 l2 "
    "quantile pinball kl kl_divergence latency latency_ms training_time max_error hamming_loss zero_one_loss distance "
    "mean_squared_error root_mean_squared_error mean_absolute_error median_absolute_error mean_squared_log_error "
    "root_mean_squared_log_error mean_absolute_percentage_error mean_poisson_deviance mean_gamma_deviance".split()
)
_DATA_SETS = "train training val valid valid_0 valid_1 validation validation_0 validation_1 test eval evaluation dev cv holdout"
_PREFIXES = tuple(_DATA_SETS.split())
_SEPARATORS = "_/:-. @"


@dataclass(frozen=True, slots=True)
class Objective:
    """One quantity to optimise.

    Args:
        metric: the metric's name, as reported or returned by the training code.
        goal: `"minimize"` or `"maximize"`; None reads it from a well-known name and refuses any other.
        which: of the values reported in one execution, the `"last"` or the `"best"` counts. A returned value is the last.
        aggregate: how the values of several folds and repeats become one.
        target: a value at which the job is done.

    Raises:
        InvalidInput: a field breaks its rule, or the goal of an unknown metric name was left out.
    """

    metric: str
    goal: Goal = None  # type: ignore[assignment]  # never None after construction
    which: Which = "last"
    aggregate: Aggregate = "mean"
    target: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric.strip():
            raise InvalidInput("metric", "must be a metric's name", self.metric)
        if self.goal is None:
            known = known_goal(self.metric)
            if known is None:
                rule = f"must be given for the metric {self.metric!r}, whose name doesn't tell it: 'minimize' or 'maximize'"
                raise InvalidInput("goal", rule)
            object.__setattr__(self, "goal", known)
        _one_of("goal", self.goal, ("minimize", "maximize"))
        _one_of("which", self.which, ("last", "best"))
        _one_of("aggregate", self.aggregate, ("mean", "median", "worst", "last"))
        if self.target is not None:
            object.__setattr__(self, "target", _finite("target", self.target))

    @property
    def sign(self) -> float:
        """1 when small is good, -1 when large is good: `sign * value` is always minimised."""
        return 1.0 if self.goal == "minimize" else -1.0

    @property
    def contradicts_name(self) -> bool:
        """Whether the goal is the opposite of what the metric's well-known name asks for."""
        known = known_goal(self.metric)
        return known is not None and known != self.goal

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is strictly better than `other`; NaN is worse than any number."""
        if other != other:  # NaN: comparing with it would say that nothing is better
            return one == one
        return one < other if self.goal == "minimize" else one > other

    def best(self, values: Iterable[float]) -> float:
        """The best of at least one value; NaN only when all are."""
        found = [*values]
        numbers = [value for value in found if value == value] or found
        return min(numbers) if self.goal == "minimize" else max(numbers)

    def reached(self, value: float) -> bool:
        """Whether `value` is finite, and at the target or beyond it."""
        return self.target is not None and math.isfinite(value) and not self.better(self.target, value)

    def value_of(self, reported: Sequence[float], returned: float | None) -> float | None:
        """The value of one execution.

        Args:
            reported: the metric's values in the order of their steps; may be empty.
            returned: what the training code returned for the metric, or None.

        Returns:
            The value that counts, or None when there is none.
        """
        values = [*reported] if returned is None else [*reported, returned]
        if not values:
            return None
        return values[-1] if self.which == "last" else self.best(values)

    def combine(self, values: Sequence[float]) -> float:
        """One number of at least one value of folds and repeats, given in their order.

        A NaN among them is not outweighed by the others: the result is NaN, unless only the last value counts.
        """
        if len(values) == 1 or self.aggregate == "last":
            return values[-1]
        if any(math.isnan(value) for value in values):
            return math.nan
        if self.aggregate == "mean":
            return _mean(values)
        if self.aggregate == "median":
            ordered = sorted(values)
            middle = len(ordered) // 2
            return ordered[middle] if len(ordered) % 2 else _mean(ordered[middle - 1 : middle + 1])
        return max(values) if self.goal == "minimize" else min(values)

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "goal": self.goal,
            "which": self.which,
            "aggregate": self.aggregate,
            "target": self.target,
        }


@dataclass(frozen=True, slots=True)
class Requirement:
    """A limit on another metric's outcome, such as `latency_ms <= 20`; a trial outside it is never the best."""

    metric: str
    operator: Literal["<=", "<", ">=", ">"]
    bound: float

    def holds(self, value: float) -> bool:
        if self.operator == "<=":
            return value <= self.bound
        if self.operator == "<":
            return value < self.bound
        return value >= self.bound if self.operator == ">=" else value > self.bound

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.bound:g}"


def requirements(require: Mapping[str, str] | None) -> tuple[Requirement, ...]:
    """Reads `{"latency_ms": "<= 20"}`.

    Raises:
        InvalidInput: not metrics' names with limits, or a limit is not an operator (<=, <, >=, >) and a finite number.
    """
    if require is None:
        return ()
    if not isinstance(require, Mapping):
        raise InvalidInput("require", "must be limits by metric, such as {'latency_ms': '<= 20'}", require)
    found = []
    for metric, text in require.items():
        if not isinstance(metric, str) or not metric.strip():
            raise InvalidInput("require", "must name metrics", metric)
        match = re.fullmatch(r"\s*(<=|<|>=|>)\s*([-+0-9.eE]+)\s*", text) if isinstance(text, str) else None
        try:
            bound = _finite("bound", float(match[2]))  # type: ignore[index]
            found.append(Requirement(metric, match[1], bound))  # type: ignore[index,arg-type]
        except (TypeError, ValueError):
            raise InvalidInput(f"require[{metric!r}]", "must be an operator and a number, such as '<= 20'", text) from None
    return tuple(found)


def known_goal(metric: str) -> Goal | None:
    """The goal that a well-known metric name implies, or None.

    Prefixes and suffixes that name a data set (`val/`, `validation:`, `test_` ...) and a cutoff (`@10`) are cut off first.
    `neg_` turns the goal around: scikit-learn's negated scorers are maximised, `neg_log_likelihood` is minimised.
    """
    names, seen = [metric.strip().lower()], set[str]()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        base = re.sub(r"[/:\-. ]+", "_", re.sub(r"@[\d.:]+$", "", name))
        base = base.removesuffix("_score") if base not in _MINIMIZE else base
        negated = re.match(r"(neg|negative)_", base)
        goal = _goal_of(base[negated.end() :] if negated else base)
        if goal is not None:
            return goal if not negated else "maximize" if goal == "minimize" else "minimize"
        for prefix in _PREFIXES:
            if len(name) > len(prefix) + 1:
                if name.startswith(prefix) and name[len(prefix)] in _SEPARATORS:
                    names.append(name[len(prefix) + 1 :])
                if name.endswith(prefix) and name[-len(prefix) - 1] in _SEPARATORS:
                    names.append(name[: -len(prefix) - 1])
    return None


def _goal_of(name: str) -> Goal | None:
    return "maximize" if name in _MAXIMIZE else "minimize" if name in _MINIMIZE else None


def objectives(
    metric: str | None, goal: str | None, objective: Objective | Sequence[Objective] | None
) -> tuple[Objective, ...]:
    """The objectives that `metric=, goal=, objective=` of a door mean.

    Raises:
        InvalidInput: none or both ways were used, a list is empty, or names a metric twice.
    """
    if objective is None:
        if metric is None:
            raise InvalidInput("metric", "must name what to optimise, such as metric='loss'")
        return (Objective(metric, goal),)  # type: ignore[arg-type]
    if metric is not None or goal is not None:
        raise InvalidInput("objective", "can't be combined with metric= or goal=; put them into the Objective")
    found = (objective,) if isinstance(objective, Objective) else objective
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise InvalidInput("objective", "must be an Objective or a list of them", objective)
    if not found:
        raise InvalidInput("objective", "must hold at least one Objective", objective)
    for item in found:
        if not isinstance(item, Objective):
            raise InvalidInput("objective", "must be an Objective or a list of them", item)
    names = [item.metric for item in found]
    if len(set(names)) < len(names):
        raise InvalidInput("objective", "must name each metric once", names)
    return tuple(found)


def _mean(values: Sequence[float]) -> float:
    """The mean of numbers that may be infinite or near the largest float."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)
    except ValueError:  # infinities of both signs
        return math.nan


def _finite(field: str, value: object) -> float:
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(field, "must be a finite number", value)
    return number


def _one_of(field: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        listed = " or ".join(repr(a) for a in allowed)
        hint = f" ({nearest(value, allowed)})" if isinstance(value, str) and len(value) > 2 else ""
        raise InvalidInput(field, f"must be {listed}{hint}", value)
