"""The options of `tune` as the arguments that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tunewright.cli.parameters import read_parameters
from tunewright.config.plan import Chosen
from tunewright.errors import InvalidInput

# Of `tune` in Python, by the name that the command's function gives the option.
_OPTIONS = (
    "metric", "goal", "strategy", "stopper", "max_step", "seed", "max_trials", "max_time", "max_parallel", "executor", "name",
    "store", "notify", "artifacts", "keep",
)  # fmt: skip
_SCRIPT = ("step", "metrics_file", "cwd", "log_limit")


def chosen(given: Mapping[str, Any]) -> Chosen:
    """What the options of a command line say; those that weren't given are None.

    Raises:
        InvalidInput: one of them breaks its grammar.
    """
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    if options.get("stopper") == "none":
        options["stopper"] = None
    if "max_time" in options:
        options["max_time"] = number_or_text(options["max_time"])
    if given["resume"]:
        options["resume"] = True
    if given["require"]:
        options["require"] = _requirements(given["require"])
    if given["tags"]:
        options["tags"] = dict(text.partition("=")[::2] for text in given["tags"])
    script = {name: given[name] for name in _SCRIPT if given[name] is not None}
    if given["template"] is not None:
        script["arguments"] = None if given["template"] == "none" else given["template"]
    if given["regex"]:
        script["metrics"] = _patterns(given["regex"])
    if given["env"]:
        script["env"] = dict(_variable(text) for text in given["env"])
    return Chosen(
        read_parameters(given["parameters"] or ()),
        given["space"],
        tuple(given["arguments"] or ()),
        script,
        _resources(given),
        given["goal_value"],
        options,
    )


def number_or_text(text: str | None) -> float | str | None:
    """A duration: bare numbers are seconds."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _resources(given: Mapping[str, Any]) -> dict[str, Any]:
    names = {"cpus": "cpus", "gpus": "gpus", "memory": "memory", "time": "trial_time"}
    found = {name: given[option] for name, option in names.items() if given[option] is not None}
    if "gpus" in found and found["gpus"] == int(found["gpus"]):
        found["gpus"] = int(found["gpus"])
    if "time" in found:
        found["time"] = number_or_text(found["time"])
    return found


def _requirements(texts: Iterable[str]) -> dict[str, str]:
    """Limits such as `latency_ms <= 20`, as `tune` takes them."""
    import re

    found = {}
    for text in texts:
        match = re.fullmatch(r"\s*(.+?)\s*((?:<=|>=|<|>).*)", text)
        if match is None:
            raise InvalidInput("--require", "must be a metric, an operator and a number, such as 'latency_ms <= 20'", text)
        found[match[1]] = match[2]
    return found


def _patterns(texts: Iterable[str]) -> dict[str | None, str]:
    """Regular expressions by metric; None stands for the metric that is optimised."""
    found: dict[str | None, str] = {}
    for text in texts:
        name, sign, pattern = text.partition("=~")
        metric = name if sign and name else None
        if metric in found:
            rule = f"must be there once for {metric or 'the metric of --metric'}; for another one write NAME=~PATTERN"
            raise InvalidInput("--regex", rule, text)
        found[metric] = pattern if metric is not None else text
    return found


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InvalidInput("--env", "must be NAME=VALUE", text)
    return name, value
