"""What a script trial runs: the command, how it gets its configuration, and how its metrics are read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tunewright.errors import InvalidInput
from tunewright.executors.script_template import FLAGS, HYDRA, PLACES, appends, check_places, check_value, escape, fill, places
from tunewright.resources import size_in_bytes
from tunewright.space import Categorical, SearchSpace

DEFAULT = "--{name}={value}"
_SHELL = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1"})
_LEAST_LOG = 10_000
_LARGEST_FILE = 10_000_000  # bytes; a larger file on a command line is data, not code


@dataclass(frozen=True, slots=True)
class Script:
    """A command to tune, in place of a training function.

    Args:
        command: the program and its arguments, or one text that is split as a shell would, without running one. Places in
            braces are filled in: `{args}` (all parameters), a parameter's name, `{params_file}` (a JSON file with all
            parameters), `{params_json}` (the same as text), `{metrics_file}`, `{folder}` (the trial's), `{number}`, `{seed}`,
            `{execution}`, `{fidelity}`, `{checkpoint}` and `{port}` (a free one). Without any of the first four, `{args}` is
            appended.
        arguments: what one parameter becomes: text with the places `{name}` and `{value}`, a list of such texts for several
            arguments, "hydra" for Hydra's overrides with its quoting, "flags" for `--name` and nothing in place of
            `--name=True` and `--name=False`, or None when parameters go another way.
        metrics: a regular expression per metric, as in SageMaker's MetricDefinitions: its first group that matches is a
            number. Lines of standard output and error are searched, and the last match counts.
        step: a regular expression for the step that lines belong to; None counts a step up whenever a metric comes again.
        metrics_file: where the script writes JSON lines such as `{"step": 1, "loss": 0.5}`, with places; relative to `cwd`.
            None: the file that `{metrics_file}` and `$TUNEWRIGHT_METRICS_FILE` name, if the script writes it.
        env: further environment variables, with places.
        cwd: the working directory, with places; None: that of the process that tunes.
        log_limit: the most that a trial's log may hold, in bytes or as "50MB".

    Raises:
        InvalidInput: an argument breaks its rule.
    """

    command: tuple[str, ...]
    arguments: str | tuple[str, ...] | None = DEFAULT
    metrics: Mapping[str, str] = field(default_factory=dict)
    step: str | None = None
    metrics_file: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    log_limit: int = 100_000_000

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        arguments: str | Sequence[str] | None = DEFAULT,
        metrics: Mapping[str, str] | None = None,
        step: str | None = None,
        metrics_file: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        log_limit: int | str = 100_000_000,
    ) -> None:
        limit = size_in_bytes("log_limit", log_limit)
        if limit < _LEAST_LOG:
            raise InvalidInput("log_limit", f"must be at least {_LEAST_LOG} bytes", log_limit)
        for name, value in {
            "command": _command(command),
            "arguments": _arguments(arguments),
            "metrics": {name: _pattern(f"metrics[{name!r}]", text) for name, text in _metrics(metrics).items()},
            "step": None if step is None else _pattern("step", step),
            "metrics_file": None if metrics_file is None else _text("metrics_file", metrics_file),
            "env": _environment(env),
            "cwd": None if cwd is None else _text("cwd", os.fspath(cwd)),
            "log_limit": limit,
        }.items():
            object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        """What a person would call it: the name of its first file of code, else of its program."""
        files = [Path(argument) for argument in self.command[1:] if Path(argument).suffix in (".py", ".sh", ".R", ".jl", ".js")]
        return (files or [Path(self.command[0])])[0].stem

    def within(self, folder: Path) -> Script:
        """The same with an absolute working directory, that of `folder` unless it has one."""
        if self.cwd is not None and (Path(self.cwd).is_absolute() or self.cwd.startswith("{folder}")):
            return self
        return replace(self, cwd=str(Path(escape(str(folder)), self.cwd or "")))

    def check(self, space: SearchSpace) -> None:
        """Checks it against a space, and that its program can be started.

        Raises:
            InvalidInput: a place without a value, a value that no command line can carry, or a program that isn't found or
                may not be executed.
        """
        names = [*space.parameters, *space.fixed]
        for index, argument in enumerate(self.command):
            check_places(f"command[{index}]", argument, names)
        texts = {
            "cwd": self.cwd,
            "metrics_file": self.metrics_file,
            **{f"env[{key!r}]": text for key, text in self.env.items()},
        }
        for where, text in texts.items():
            check_places(where, text or "", names)
        self._check_values(space, names)
        if not places(self.command[0]):
            self.check_program()

    def check_program(self) -> None:
        """Checks that the program is found and may be executed. Raises InvalidInput."""
        program = self.command[0]
        if places(self.cwd or ""):
            return
        folder = fill(self.cwd or "", {})
        if folder and not Path(folder).is_dir():
            raise InvalidInput("cwd", "must be a folder that exists", folder)
        path = Path(folder, program) if os.sep in program else None
        if shutil.which(path or program, path=self.env.get("PATH")) is not None:
            return
        if path is not None and path.is_file():
            rule = f"must be a program that may be executed (chmod +x {program}, or start it by its interpreter)"
            raise InvalidInput("command", rule, program)
        where = "that exists" if path is not None else "that is found in PATH"
        raise InvalidInput("command", f"must begin with a program {where}", program)

    def _check_values(self, space: SearchSpace, names: Sequence[str]) -> None:
        named = {place for argument in self.command for place in places(argument)}
        by_template = self.arguments is not None and ("args" in named or appends(self.command, names))
        for name in names:
            if not by_template and name not in named:
                continue
            parameter = space.parameters.get(name)
            values = parameter.choices if isinstance(parameter, Categorical) else [space.fixed.get(name)]
            for value in (name, *values):
                check_value(name, value)

    def fingerprint(self) -> str:
        """A short hash of the command and of the files of code that it names, wherever they are; changes when they do."""
        parts = [json.dumps({**self.to_json(), "cwd": None}, sort_keys=True).encode()]
        for argument in self.command:
            path = Path(fill(self.cwd or "", {}), argument)
            try:
                if path.is_file() and path.stat().st_size <= _LARGEST_FILE and shutil.which(argument) is None:
                    parts.append(path.read_bytes())
            except (OSError, ValueError):
                continue
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """As keyword arguments that make it again."""
        return {
            "command": [*self.command],
            "arguments": [*self.arguments] if isinstance(self.arguments, tuple) else self.arguments,
            "metrics": dict(self.metrics),
            "step": self.step,
            "metrics_file": self.metrics_file,
            "env": dict(self.env),
            "cwd": self.cwd,
            "log_limit": self.log_limit,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Script:
        """The script of `to_json`. Raises InvalidInput."""
        return cls(**data)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidInput(name, "must be a text that is not empty and holds no null character", value)
    return value


def _command(command: object) -> tuple[str, ...]:
    if isinstance(command, str):
        try:
            parts = shlex.split(command)
        except ValueError as error:
            raise InvalidInput("command", f"must be a text that can be split into arguments ({error})", command) from None
        if shell := _SHELL.intersection(parts):
            rule = f"runs without a shell, so {sorted(shell)[0]!r} means nothing; start one: ['bash', '-c', '...']"
            raise InvalidInput("command", rule, command)
    elif isinstance(command, Sequence):
        parts = [os.fspath(part) if isinstance(part, os.PathLike) else part for part in command]
    else:
        raise InvalidInput("command", "must be a text or a list of texts", command)
    if not parts or not parts[0]:
        raise InvalidInput("command", "must begin with a program", command)
    for index, part in enumerate(parts):
        if not isinstance(part, str) or "\0" in part:
            raise InvalidInput(f"command[{index}]", "must be a text without a null character", part)
    return tuple(parts)


def _arguments(arguments: object) -> str | tuple[str, ...] | None:
    if arguments is None or arguments in (HYDRA, FLAGS):
        return arguments
    parts = (arguments,) if isinstance(arguments, str) else tuple(arguments) if isinstance(arguments, Sequence) else ()
    for part in parts:
        check_places("arguments", _text("arguments", part), (), also=("name", "value"))
    if "value" not in {place for part in parts for place in places(part)}:
        rule = "must be a text or a list of texts with the places {name} and {value}, or 'hydra', 'flags' or None"
        raise InvalidInput("arguments", rule, arguments)
    return arguments if isinstance(arguments, str) else parts


def _metrics(metrics: object) -> Mapping[str, object]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping) or not all(isinstance(name, str) and name for name in metrics):
        raise InvalidInput("metrics", "must be a dict of regular expressions by the metric's name", metrics)
    return metrics


def _pattern(name: str, text: object) -> str:
    try:
        pattern = re.compile(_text(name, text))
    except re.error as error:
        raise InvalidInput(name, f"must be a regular expression ({error})", text) from None
    if not pattern.groups:
        raise InvalidInput(name, "must be a regular expression with a group around the number, such as 'loss=([0-9.]+)'", text)
    return pattern.pattern


def _environment(env: object) -> dict[str, str]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise InvalidInput("env", "must be a dict of texts", env)
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidInput("env", "must have names without '='", name)
        if not isinstance(value, str) or "\0" in value:
            raise InvalidInput(f"env[{name!r}]", "must be a text without a null character", value)
    return dict(env)


__all__ = ["DEFAULT", "HYDRA", "PLACES", "Script"]
