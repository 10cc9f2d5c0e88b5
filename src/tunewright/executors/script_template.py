"""From a command with places to fill in, and a configuration, to the arguments of a process. No shell is involved.

A place is a name in braces: `{args}`, `{lr}`, `{folder}`. `{{lr}}` is the text `{lr}`: of two and more pairs of braces, one
goes. Braces around anything but a name, and those of a shell's `${lr}`, stay as they are.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tunewright.errors import InvalidInput, nearest

ARGS, PARAMS_FILE, PARAMS_JSON, METRICS_FILE = "args", "params_file", "params_json", "metrics_file"
PLACES = (
    ARGS, PARAMS_FILE, PARAMS_JSON, METRICS_FILE, "checkpoint", "execution", "fidelity", "folder", "number", "port", "seed",
)  # fmt: skip
HYDRA, FLAGS = "hydra", "flags"
_NAME = r"[A-Za-z_][\w.:/-]*"
_BRACED = re.compile(rf"(\$?)(\{{+)({_NAME})(\}}+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "none", "nan", "inf"})  # that Hydra would read as something else than a text


def places(text: str) -> list[str]:
    """The names of the places in a text."""
    return [match[3] for match in _BRACED.finditer(text) if _depth(match) == 1 and not match[1]]


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its places filled in; one without a value stays."""

    def filled(match: re.Match[str]) -> str:
        dollar, before, name, after = match.groups()
        if _depth(match) > 1:
            return f"{dollar}{before[1:]}{name}{after[1:]}"
        return match[0] if dollar or name not in values else f"{before[1:]}{values[name]}{after[1:]}"

    return _BRACED.sub(filled, text)


def escape(text: str) -> str:
    """A text that `fill` turns into the given one, whatever it holds."""

    def escaped(match: re.Match[str]) -> str:
        dollar, before, name, after = match.groups()
        return match[0] if dollar and _depth(match) == 1 else f"{dollar}{{{before}{name}{after}}}"

    return _BRACED.sub(escaped, text)


def _depth(match: re.Match[str]) -> int:
    """In how many pairs of braces a name stands: one makes it a place, a second one a text in braces."""
    return min(len(match[2]), len(match[4]))


def text_of(value: object) -> str:
    """A parameter's value as scripts read it: the shortest text that gives the same number, `True` and `False`, `None`."""
    return repr(value) if isinstance(value, float) else str(value)


def json_of(params: Mapping[str, object]) -> str:
    """A configuration as a JSON object on one line."""
    return json.dumps(dict(params))


def texts_of(params: Mapping[str, object], names: Iterable[str] = ()) -> dict[str, str]:
    """All values as texts; nothing for those of `names` that are not active."""
    return {**dict.fromkeys(names, ""), **{name: text_of(value) for name, value in params.items()}}


def hydra_text(value: object) -> str:
    """A value as an override of Hydra's: texts are quoted where its grammar would read them as something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return text_of(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # A backslash escapes a quote, an interpolation, which is to stay a text, and backslashes before these; nothing else.
    return "'" + re.sub(r"(\\*)('|\$\{|$)", lambda match: match[1] * 2 + (f"\\{match[2]}" if match[2] else ""), value) + "'"


def arguments(template: str | Sequence[str] | None, params: Mapping[str, Any]) -> list[str]:
    """The arguments for a configuration, in its order.

    Args:
        template: one argument per parameter, or several, with the places `{name}` and `{value}`; "hydra"; "flags":
            `--name=value`, but `--name` for true and nothing for false; None: nothing.
    """
    if template is None:
        return []
    if template == FLAGS:
        truths = {name: f"--{name}" if value else "" for name, value in params.items() if isinstance(value, bool)}
        given = (truths.get(name, f"--{name}={text_of(value)}") for name, value in params.items())
        return [argument for argument in given if argument]
    write: Callable[[object], str] = text_of
    if template == HYDRA:
        template, write = "{name}={value}", hydra_text
    parts = [template] if isinstance(template, str) else template
    return [fill(part, {"name": name, "value": write(value)}) for name, value in params.items() for part in parts]


def command_line(
    command: Sequence[str],
    template: str | Sequence[str] | None,
    params: Mapping[str, Any],
    names: Iterable[str],
    values: Mapping[str, str],
) -> list[str]:
    """The arguments of the process.

    `{args}` alone becomes all arguments of the template; within a longer one they are quoted for a shell. Without `{args}`
    they are appended, unless the command takes the configuration in another way: by `{params_file}`, `{params_json}` or
    parameters' names. An argument that names a parameter which is not active is left out.

    Args:
        command: the program and its arguments, with places.
        template: see `arguments`.
        params: the configuration; only active parameters.
        names: of all parameters of the space.
        values: of the other places.

    Raises:
        InvalidInput: a value holds a line break or a null character, which no command line carries safely.
    """
    given = arguments(template, params)
    filled = {**values, ARGS: shlex.join(given), **texts_of(params)}
    inactive = set(names).difference(params)
    found: list[str] = []
    for argument in command:
        if argument == f"{{{ARGS}}}":
            found += given
        elif not inactive.intersection(places(argument)):
            found.append(fill(argument, filled))
    if appends(command, names):
        found += given
    _refuse_breaks(found, params)
    return found


def appends(command: Iterable[str], names: Iterable[str]) -> bool:
    """Whether the template's arguments go to the end of a command, for nothing in it takes the configuration."""
    return {ARGS, PARAMS_FILE, PARAMS_JSON, *names}.isdisjoint(place for argument in command for place in places(argument))


def check_places(field: str, text: str, names: Iterable[str], *, also: Iterable[str] = PLACES) -> None:
    """Checks that all places of a text can be filled in. Raises InvalidInput, which names the nearest known one."""
    known = {*also, *names}
    for place in places(text):
        if place not in known:
            rule = f"must name known places only ({nearest(place, known)} '{{{{{place}}}}}' is the text in braces)"
            raise InvalidInput(field, rule, f"{{{place}}}")


def check_value(name: str, value: object) -> None:
    """Checks that a value can stand on a command line. Raises InvalidInput."""
    if isinstance(value, str) and any(sign in value for sign in "\n\r\0"):
        rule = "must not hold a line break or a null character, for it goes to a command line; use {params_file}"
        raise InvalidInput(f"value of {name}", rule, value)


def _refuse_breaks(found: Iterable[str], params: Mapping[str, Any]) -> None:
    if any(sign in argument for argument in found for sign in "\n\r\0"):
        for name, value in params.items():
            check_value(name, value)
