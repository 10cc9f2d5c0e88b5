"""A W&B sweep file, as it is, as a job of Tunewright. What has no counterpart here is refused by its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunewright.config.document import Document, Problem
from tunewright.config.draft import Draft
from tunewright.config.fields import is_number
from tunewright.config.sweep_command import build
from tunewright.config.sweep_parameters import read_parameter
from tunewright.config.sweep_stopping import read_stopping
from tunewright.errors import InvalidInput, InvalidSpace, nearest
from tunewright.objective import Objective
from tunewright.space import Float, SearchSpace

_STRATEGIES = {"grid": "grid", "random": "random", "bayes": "bayesian"}
_LABELS = ("name", "project", "entity", "description")  # kept as tags
_WITHOUT_EFFECT = ("apiVersion", "kind", "controller")
_READ = ("program", "command", "method", "metric", "run_cap", "early_terminate", "parameters")
_LAUNCH = ("job", "image_uri", "scheduler", "metrics")


def is_sweep(document: Document) -> bool:
    """Whether a file is a sweep of W&B's rather than one of ours."""
    data = document.data
    return isinstance(data, dict) and "space" not in data and ("method" in data or "parameters" in data)


def read_sweep(document: Document) -> Draft:
    """What a sweep file asks for.

    Raises:
        InvalidInput: it breaks a rule of W&B's, or asks for something that isn't here; tells each with its line and key.
    """
    data: Mapping[str, Any] = document.data
    found: list[Problem] = []
    _refuse_others(data, found)
    built = build(data.get("program"), data.get("command"), found)
    strategy = _strategy(data, found)
    space = _space(data, strategy, found, as_text=built is None or not built.json)
    options: dict[str, Any] = {"strategy": strategy}
    if (objective := _objective(data, found)) is not None:
        options["objective"] = objective
    if "early_terminate" in data:
        options["stopper"] = read_stopping(data["early_terminate"], found)
    if "run_cap" in data:
        cap = data["run_cap"]
        if isinstance(cap, bool) or not isinstance(cap, int) or cap < 1:
            found.append(Problem(("run_cap",), "must be a whole number of at least 1", (cap,)))
        options["max_trials"] = cap
    elif strategy == "grid" and space is not None:
        options["max_trials"] = space.grid_size()  # W&B's grid ends with its last point
    tags = {f"sweep.{label}": str(data[label]) for label in _LABELS if data.get(label) is not None}
    if tags:
        options["tags"] = tags
    if found:
        raise document.error(found)
    assert built is not None
    script = {"command": built.command, "arguments": built.arguments}
    return Draft(None, script, space, options, None, document)


def _refuse_others(data: Mapping[str, Any], found: list[Problem]) -> None:
    known = (*_READ, *_LABELS, *_WITHOUT_EFFECT)
    for key in data:
        if key in _LAUNCH:
            found.append(Problem((str(key),), "is a part of W&B Launch, which is not here"))
        elif key not in known:
            found.append(Problem((str(key),), f"is no key of a W&B sweep that is known here ({nearest(str(key), known)})"))


def _strategy(data: Mapping[str, Any], found: list[Problem]) -> str:
    method = data.get("method")
    if method is None:
        found.append(Problem(("method",), "is missing: grid, random or bayes"))
    elif not isinstance(method, str) or method not in _STRATEGIES:
        hint = f" ({nearest(method, _STRATEGIES)})" if isinstance(method, str) else ""
        found.append(Problem(("method",), f"must be grid, random or bayes{hint}", (method,)))
    else:
        return _STRATEGIES[method]
    return "random"


def _space(data: Mapping[str, Any], strategy: str, found: list[Problem], *, as_text: bool) -> SearchSpace | None:
    given = data.get("parameters")
    if not isinstance(given, dict) or not given:
        found.append(
            Problem(("parameters",), "must be a mapping with at least one parameter", () if given is None else (given,))
        )
        return None
    before = len(found)
    parameters = {}
    for name, keys in given.items():
        parameters[name] = parameter = read_parameter(("parameters", name), keys, found, as_text=as_text)
        if strategy == "grid" and isinstance(parameter, Float) and parameter.step is None:
            rule = "must have a finite number of values for the method grid: values, whole numbers, or a q_ distribution"
            found.append(Problem(("parameters", name), rule))
    if len(found) > before:
        return None
    try:
        return SearchSpace(parameters)
    except InvalidSpace as error:
        place = ("parameters", error.field) if error.field in parameters else ("parameters",)
        found.append(Problem(place, error.rule, () if error.value is None else (error.value,)))
        return None


def _objective(data: Mapping[str, Any], found: list[Problem]) -> Objective | None:
    """W&B's metric. None when it isn't said, which W&B allows for grid and random; the command line has to say it then."""
    metric = data.get("metric")
    if metric is None:
        return None
    if not isinstance(metric, dict):
        found.append(Problem(("metric",), "must be a mapping with name and goal", (metric,)))
        return None
    before, known = len(found), ("name", "goal", "target")
    for key in metric:
        if key not in known:
            found.append(
                Problem(("metric", str(key)), f"is no key of a metric that is known here ({nearest(str(key), known)})")
            )
    name, goal, target = metric.get("name"), metric.get("goal", "minimize"), metric.get("target")
    if not isinstance(name, str) or not name.strip():
        found.append(Problem(("metric", "name"), "must be a metric's name", (name,)))
    if goal not in ("minimize", "maximize"):
        found.append(Problem(("metric", "goal"), "must be minimize or maximize", (goal,)))
    if target is not None and not is_number(target):
        found.append(Problem(("metric", "target"), "must be a number", (target,)))
    if len(found) > before:
        return None
    try:
        return Objective(str(name), goal, target=target)
    except InvalidInput as error:
        found.append(Problem(("metric", error.field), error.rule, (error.value,)))
        return None
