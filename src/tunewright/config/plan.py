"""From a target and what the command line says besides to a job that `tunewright.tune` can start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tunewright.config.document import Document, read_document
from tunewright.config.draft import Draft
from tunewright.config.programs import started
from tunewright.config.targets import find_space, load_target
from tunewright.errors import InvalidInput
from tunewright.executors.script_task import Script
from tunewright.objective import Objective
from tunewright.resources import Resources
from tunewright.space import SearchSpace

FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a command line says besides its target; it comes before what a file says.

    Attributes:
        parameters: of `-p`, added to the space or put in place of its parameters.
        space: the variable beside a function that holds its space.
        arguments: of a program.
        script: keyword arguments of a Script; its metrics may have None as name, for the metric that is optimised.
        resources: arguments of Resources.
        target: a value of the metric at which the job is done.
        options: of `tune`.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    space: str | None = None
    arguments: Sequence[str] = ()
    script: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    target: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A job to start: the first two arguments of `tunewright.tune`, and its others by name."""

    work: Callable[..., Any] | Script
    space: SearchSpace | dict[str, Any]
    options: dict[str, Any]
    document: Document | None = None

    @contextmanager
    def located(self) -> Iterator[None]:
        """An error about something that the file says gets the file's name and the line."""
        with _located(self.document):
            yield


def make_plan(target: str, chosen: Chosen) -> Plan:
    """The job that a target means.

    Args:
        target: a file (.yaml or .yml; a W&B sweep too), a function (`package.module:function`, `path/to/file.py:function`),
            or a program: a script's file, or a name in PATH.

    Raises:
        InvalidInput: something breaks a rule; what a file says is told with its line.
    """
    draft = read_target(target, chosen.arguments)
    with _located(draft.document):
        options = _options(draft, chosen)
        if draft.function is not None:
            _refuse_for_functions(chosen)
            work, module = load_target(draft.function)
            return Plan(work, _space(draft, chosen, module), options, draft.document)
        if chosen.space is not None:
            raise InvalidInput("--space", "is for functions; the space of a program is given by -p", chosen.space)
        script = {**(draft.script or {}), **chosen.script}
        if "metrics" in chosen.script:
            script["metrics"] = {**(draft.script or {}).get("metrics", {}), **_named(chosen.script["metrics"], options)}
        return Plan(Script(**script), _space(draft, chosen, None), options, draft.document)


def read_target(target: str, arguments: Sequence[str] = ()) -> Draft:
    """What a target asks for by itself. Raises InvalidInput."""
    if target.lower().endswith(FILES):
        _no_arguments(target, arguments)
        return read_file(Path(target))
    place, colon, name = target.rpartition(":")
    if colon and place and name.replace(".", "").isidentifier() and not Path(target).exists():
        _no_arguments(target, arguments)
        return Draft(function=target)
    if colon and not Path(target).is_file():
        raise InvalidInput("target", "must be package.module:function or path/to/file.py:function", target)
    try:
        return Draft(script={"command": [*started("target", target), *arguments]})
    except InvalidInput:
        rule = (
            "must be a function (package.module:function or path/to/file.py:function), a program such as train.py, or a "
            ".yaml file; there is no such file, and no program of this name in PATH"
        )
        raise InvalidInput("target", rule, target) from None


def read_file(path: Path) -> Draft:
    """What a tune.yaml, or a W&B sweep file, asks for. Raises InvalidInput, which tells every problem that was found."""
    from tunewright.config.sweep import is_sweep, read_sweep

    document = read_document(path)
    if is_sweep(document):
        return read_sweep(read_document(path, old=True))
    from tunewright.config.tune_file import read_tune_file

    return read_tune_file(document)


@contextmanager
def _located(document: Document | None) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        if document is None or str(error).startswith(f"{document.name}:"):
            raise
        raise document.located(error) from error.__cause__


def _no_arguments(target: str, arguments: Sequence[str]) -> None:
    if arguments:
        raise InvalidInput("arguments", f"are for a program; {target} is none", " ".join(arguments))


def _refuse_for_functions(chosen: Chosen) -> None:
    if chosen.script:
        name = next(iter(chosen.script))
        option = "regex" if name == "metrics" else name.replace("_", "-")
        raise InvalidInput(f"--{option}", "is for programs, not for a function")


def _options(draft: Draft, chosen: Chosen) -> dict[str, Any]:
    """The arguments of `tune`: those of the command line, else the file's."""
    options = {**draft.options, **chosen.options}
    if "metric" in chosen.options:
        options.pop("objective", None)
    if chosen.target is not None:
        options["objective"] = _with_target(options, chosen.target)
        options = {name: value for name, value in options.items() if name not in ("metric", "goal")}
    if chosen.resources:
        given = options.get("resources") or Resources()
        options["resources"] = Resources(**{**given.to_json(), **chosen.resources})
    if draft.on_trial is not None:
        try:
            options["on_trial"] = load_target(draft.on_trial)[0]
        except InvalidInput as error:
            raise InvalidInput("on_trial", error.rule, error.value) from error.__cause__
    return options


def _with_target(options: Mapping[str, Any], target: float) -> Objective:
    objective = options.get("objective")
    if isinstance(objective, Objective):
        return replace(objective, target=target)
    if options.get("metric") is None:
        raise InvalidInput("--target", "needs --metric, whose value it is", target)
    return Objective(options["metric"], options.get("goal"), target=target)  # type: ignore[arg-type]


def _named(metrics: Mapping[str | None, str], options: Mapping[str, Any]) -> dict[str, str]:
    """Regular expressions by metric; the one without a name is for the metric that is optimised."""
    objective = options.get("objective")
    metric = objective.metric if isinstance(objective, Objective) else options.get("metric")
    named = {name: pattern for name, pattern in metrics.items() if name is not None}
    if None not in metrics:
        return named
    if metric is None:
        rule = "needs --metric, which it finds; for another metric write NAME=~PATTERN"
        raise InvalidInput("--regex", rule, metrics[None])
    return {metric: metrics[None], **named}


def _space(draft: Draft, chosen: Chosen, module: ModuleType | None) -> SearchSpace | dict[str, Any]:
    """The file's space or the one beside the function, with the parameters of the command line added or put in place."""
    found: SearchSpace | dict[str, Any] | None = draft.space
    if module is not None and (found is None or chosen.space is not None):
        found = find_space(module, chosen.space)
    if found is None:
        if not chosen.parameters:
            where = "" if draft.document is None else "a key `space` in the file, "
            where += "" if module is None else "a variable `space` beside the function, --space NAME, "
            where += "or " if where else ""
            raise InvalidInput("space", f"must be given: {where}-p NAME=SPEC")
        return SearchSpace(chosen.parameters)
    if not chosen.parameters:
        return found
    known = found if isinstance(found, SearchSpace) else SearchSpace(found)
    return SearchSpace({**known.parameters, **known.fixed, **chosen.parameters}, constraints=known.constraints)
