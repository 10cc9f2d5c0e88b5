"""Small analytic problems with known minima: continuous, mixed with conditions, constrained, and finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tunewright.interfaces import Problem
from tunewright.objective import Goal, Objective
from tunewright.records import Params
from tunewright.space import Categorical, Float, Int, SearchSpace


@dataclass(frozen=True)
class AnalyticProblem:
    """A space and a function on it that is to be minimised.

    Args:
        name: of the problem.
        space: where the function is defined.
        function: from params to a loss.
        minimum: the lowest loss in the space.
    """

    name: str
    space: SearchSpace
    function: Callable[[Params], float]
    minimum: float

    def problem(self, seed: int = 0, *, goal: Goal = "minimize", **limits: Any) -> Problem:
        """What a strategy is made for; `limits` are further fields of `Problem`."""
        return Problem(self.space, (Objective("value", goal),), seed, **limits)

    def __str__(self) -> str:
        return self.name


def branin() -> AnalyticProblem:
    """Branin's function (Dixon & Szego, 1978): two dimensions, three equal minima of 0.397887."""
    space = SearchSpace({"x": Float(-5.0, 10.0), "y": Float(0.0, 15.0)})
    return AnalyticProblem("branin", space, _branin, 0.39788735772973816)


def rosenbrock(dimension: int = 3) -> AnalyticProblem:
    """Rosenbrock's curved valley (1960) in at least two dimensions; the minimum of 0 is where every coordinate is 1."""
    space = SearchSpace({f"x{i}": Float(-5.0, 10.0) for i in range(dimension)})
    return AnalyticProblem(f"rosenbrock{dimension}", space, _rosenbrock, 0.0)


def mixed() -> AnalyticProblem:
    """Log floats, integers, ordered and unordered categoricals, and a condition: like training a small network.

    The minimum of 0 is at optimizer sgd, learning_rate 0.03, momentum 0.9, width 64, depth 4, activation relu.
    """
    space = SearchSpace(
        {
            "learning_rate": Float(1e-5, 1.0, scale="log"),
            "optimizer": Categorical(["sgd", "adam"]),
            "momentum": Float(0.0, 0.99, when={"optimizer": ["sgd"]}),
            "width": Int(8, 1024, scale="log"),
            "depth": Categorical([1, 2, 4, 8], ordered=True),
            "activation": Categorical(["relu", "tanh", "gelu"]),
        }
    )
    return AnalyticProblem("mixed", space, _mixed, 0.0)


def constrained() -> AnalyticProblem:
    """A bowl whose centre the constraint cuts off; half of the space is feasible, the minimum of 0.5 is at (0.5, 0.5)."""
    space = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, constraints=["x + y <= 1"])
    return AnalyticProblem("constrained", space, _bowl, 0.5)


def lattice() -> AnalyticProblem:
    """A finite space of 24 points, with all kinds of parameters; the minimum is 0."""
    space = SearchSpace(
        {"n": Int(1, 4), "p": Float(0.0, 0.5, step=0.25), "kind": Categorical(["a", "b"])},
    )
    return AnalyticProblem("lattice", space, _lattice, 0.0)


def one_point() -> AnalyticProblem:
    """A space of a single point, and so its minimum, 0."""
    return AnalyticProblem("one point", SearchSpace({"kind": Categorical(["a"])}), _constant, 0.0)


def _branin(params: Params) -> float:
    x, y = _number(params, "x"), _number(params, "y")
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley * valley + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def _rosenbrock(params: Params) -> float:
    x = [_number(params, name) for name in params]
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def _mixed(params: Params) -> float:
    rate = math.log10(_number(params, "learning_rate"))
    if params["optimizer"] == "sgd":
        loss = (rate - math.log10(0.03)) ** 2 + 4 * (_number(params, "momentum") - 0.9) ** 2
    else:
        loss = 0.1 + (rate + 3) ** 2
    loss += 0.2 * (math.log2(_number(params, "width")) - 6) ** 2 + 0.3 * abs(math.log2(_number(params, "depth")) - 2)
    return loss + {"relu": 0.0, "tanh": 0.2, "gelu": 0.05}[str(params["activation"])]


def _bowl(params: Params) -> float:
    return (_number(params, "x") - 1) ** 2 + (_number(params, "y") - 1) ** 2


def _lattice(params: Params) -> float:
    return abs(_number(params, "n") - 3) + abs(_number(params, "p") - 0.25) + (params["kind"] == "b")


def _constant(params: Params) -> float:
    return 0.0 if params["kind"] == "a" else math.nan


def _number(params: Params, name: str) -> float:
    value = params[name]
    assert isinstance(value, int | float)
    return float(value)
