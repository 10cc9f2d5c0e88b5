"""The keys of a tune.yaml: what to tune, the space, and any argument of `tunewright.tune`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from tunewright.config.document import Document, Problem
from tunewright.config.draft import Draft
from tunewright.config.entries import Entry, read_space
from tunewright.config.fields import (
    Addresses,
    Command,
    Duration,
    Keys,
    Number,
    Parallel,
    Scalar,
    Size,
    Tags,
    Template,
    Text,
    Texts,
    Truth,
    Whole,
    broken,
)
from tunewright.config.problems import problems_of
from tunewright.config.programs import started
from tunewright.errors import InvalidInput
from tunewright.objective import Objective
from tunewright.resources import Resources
from tunewright.spec import Retries

_SCRIPT = ("arguments", "metrics", "step", "metrics_file", "env", "cwd", "log_limit")
_NOT_YET = "it is not there yet in this version"


class ObjectiveKeys(Keys):
    """One quantity to optimise."""

    metric: Text
    goal: Literal["minimize", "maximize"] | None = None
    which: Literal["last", "best"] = "last"
    aggregate: Literal["mean", "median", "worst", "last"] = "mean"
    target: Number | None = Field(None, description="the value at which the job is done")


class ResourcesKeys(Keys):
    """What one trial may use."""

    cpus: Whole = 1
    gpus: Number = 0
    memory: Size | None = Field(None, description="the most memory of one trial: 2GB, 512MiB")
    time: Duration | None = Field(None, description="the longest that one trial may run: 30m")


class RetriesKeys(Keys):
    """How often a failed trial is executed again, by the class of failure."""

    crash: Whole = 0
    out_of_memory: Whole = 0
    timeout: Whole = 0
    not_finite: Whole = 0
    lost: Whole = 3


class TuneFile(Keys):
    """A job of Tunewright: what to tune, its space, and any argument of `tunewright.tune`."""

    _elsewhere: ClassVar[Mapping[str, str]] = {
        "parameters": "did you mean 'space'? A sweep file of W&B has 'method' beside 'parameters'",
        "target": "an objective has it: objective: {metric: loss, target: 0.1}",
        **dict.fromkeys(("warm_start", "cost", "fidelity"), _NOT_YET),
    }

    function: Text | None = Field(None, description="package.module:function or path/to/file.py:function")
    program: Text | None = Field(None, description="a script; its arguments are the parameters")
    command: Command | None = Field(None, description="a command, with places such as {args}, {lr} or {params_file}")

    arguments: Template | None = Field("--{name}={value}", description="what a parameter becomes in {args}")
    metrics: Texts | None = Field(None, description="a regular expression per metric that the script prints")
    step: Text | None = Field(None, description="a regular expression for the step that printed metrics belong to")
    metrics_file: Text | None = Field(None, description="where the script writes metrics as JSON lines")
    env: Texts | None = Field(None, description="further environment variables of the script")
    cwd: Text | None = Field(None, description="the script's working directory, else the current one")
    log_limit: Size = Field("100MB", description="the most that a trial's log may hold: 100MB")

    space: dict[str, Entry] | None = Field(None, description="what may vary, and fixed values")
    constraints: list[Text] = Field([], description="expressions that every configuration satisfies")
    fixed: dict[str, Scalar] | None = Field(None, description="parameters that have one value in all trials")

    metric: Text | None = Field(None, description="the metric to optimise")
    goal: Literal["minimize", "maximize"] | None = None
    objective: ObjectiveKeys | list[ObjectiveKeys] | None = Field(None, description="in place of metric and goal")
    require: Texts | None = Field(None, description="limits on other metrics: {latency_ms: '<= 20'}")
    max_trials: Whole | None = None
    max_time: Duration | None = Field(None, description="2h, 30m, or seconds")
    max_parallel: Parallel = "auto"
    max_step: Whole | None = None
    strategy: Text = "auto"
    stopper: Text | None = "auto"
    resources: ResourcesKeys | None = None
    retries: RetriesKeys | None = None
    seed: Whole | None = None
    name: Text | None = None
    tags: Tags | None = None
    store: Text | None = Field(None, description="where jobs are stored: a file or an address")
    executor: Text = "process"
    resume: Truth = Field(False, description="go on with the job of this name when there is one")
    on_trial: Text | None = Field(None, description="a function that is called with each ended trial: module:function")
    notify: Addresses | None = Field(None, description="who is told: a webhook's address, or mailto:someone@example.com")
    artifacts: Text | None = Field(None, description="where checkpoints and artifacts are kept, too: s3://bucket/prefix")
    keep: Text = Field("all", description="whose checkpoints stay: all, or top:3")
    progress: Literal["auto", "live", "plain", "none"] = "auto"

    @model_validator(mode="after")
    def _one_work(self) -> TuneFile:
        named = [name for name in ("function", "program", "command") if getattr(self, name) is not None]
        if len(named) != 1:
            raise broken(f"must name what to tune by one of function, program and command; got {' and '.join(named) or 'none'}")
        if named == ["function"]:
            for name in _SCRIPT:
                if name in self.model_fields_set:
                    raise broken(f"can't have the key {name!r} beside function; it is for a program or command")
        return self


def read_tune_file(document: Document) -> Draft:
    """What a tune.yaml asks for.

    Raises:
        InvalidInput: it breaks a rule; tells every broken one with its line and the path of its key.
    """
    try:
        file = TuneFile.model_validate(document.data)
    except ValidationError as error:
        raise document.error(problems_of(error, document.data)) from None
    found: list[Problem] = []
    space = None if file.space is None else read_space(file.space, file.constraints, found)
    options = _options(file, found)
    script = None if file.function is not None else _script(file, found)
    if file.constraints and file.space is None:
        found.append(Problem(("constraints",), "must be left out without a space"))
    if found:
        raise document.error(found)
    return Draft(file.function, script, space, options, file.on_trial, document)


def _options(file: TuneFile, found: list[Problem]) -> dict[str, Any]:
    """The arguments of `tune` that were given."""
    apart = {"function", "program", "command", "space", "constraints", "on_trial", *_SCRIPT}
    options = {name: getattr(file, name) for name in file.model_fields_set - apart}
    for name, kind in (("resources", Resources), ("retries", Retries)):
        if options.get(name) is not None:
            try:
                options[name] = kind(**options[name].model_dump())
            except InvalidInput as error:
                found.append(Problem((name, error.field.rpartition(".")[2]), error.rule, (error.value,)))
    if options.get("objective") is not None:
        given = options["objective"]
        several = isinstance(given, list)
        made = []
        for index, keys in enumerate(given if several else [given]):
            try:
                made.append(Objective(**keys.model_dump()))
            except InvalidInput as error:
                place = ("objective", index) if several else ("objective",)
                value = () if error.value is None else (error.value,)
                found.append(Problem((*place, error.field), error.rule, value))
        options["objective"] = made if several else next(iter(made), None)
    return options


def _script(file: TuneFile, found: list[Problem]) -> dict[str, Any]:
    script = {name: getattr(file, name) for name in _SCRIPT if name in file.model_fields_set}
    command = file.command
    if file.program is not None:
        try:
            command = started("program", file.program, Path(file.cwd) if file.cwd and "{" not in file.cwd else None)
        except InvalidInput as error:
            found.append(Problem(("program",), error.rule, (error.value,)))
    return {"command": command, **script}
