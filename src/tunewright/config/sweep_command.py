"""The command of a W&B sweep file, as the command of a Script.

    ${env}                       /usr/bin/env
    ${interpreter}               this Python
    ${program}                   the file's program
    ${args}                      --lr=0.1 --fast=True
    ${args_no_hyphens}           lr=0.1 fast=True
    ${args_no_equals}            --lr 0.1 --fast True
    ${args_no_boolean_flags}     --lr=0.1 --fast
    ${args_json}                 {"lr": 0.1, "fast": true}
    ${args_json_file}            the path of a file that holds this
    ${envvar:NAME}               the variable's value, within an argument too

As in W&B's agent, a macro counts only when it is a whole argument, save for `${envvar:NAME}`.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NamedTuple

from tunewright.config.document import Problem
from tunewright.errors import nearest
from tunewright.executors.script_task import DEFAULT
from tunewright.executors.script_template import FLAGS, escape

_DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
_TEMPLATES: dict[str, str | list[str]] = {
    "args": DEFAULT,
    "args_no_hyphens": "{name}={value}",
    "args_no_equals": ["--{name}", "{value}"],
    "args_no_boolean_flags": FLAGS,
}
_JSON = {"args_json": "{params_json}", "args_json_file": "{params_file}"}
_OTHERS = ("env", "interpreter", "program")
_VARIABLE = re.compile(r"\$\{envvar:([A-Za-z_]\w*)\}")


class Built(NamedTuple):
    """A command with the places of a Script, its template, and whether it takes the configuration as JSON."""

    command: list[str]
    arguments: str | list[str] | None
    json: bool


def build(program: Any, command: Any, found: list[Problem]) -> Built | None:
    """The command that a file's `program` and `command` mean. What is wrong is added to `found`; then this is None."""
    before = len(found)
    if program is not None and (not isinstance(program, str) or not program):
        found.append(Problem(("program",), "must be a text", (program,)))
    if command is None:
        command = list(_DEFAULT)
        if program is None:
            found.append(Problem(("program",), "is missing: the script to run"))
    elif not isinstance(command, list) or not command:
        found.append(Problem(("command",), "must be a list of arguments", (command,)))
    if len(found) > before:
        return None
    parts: list[str] = []
    templates: dict[str, str | list[str]] = {}
    takes_json = False
    for index, item in enumerate(command):
        macro = re.fullmatch(r"\$\{([^:}]*)\}", str(item))
        name = None if macro is None else macro[1]
        if isinstance(item, dict | list):
            found.append(Problem(("command", index), "must be one argument", (item,)))
        elif name is None:
            parts.append(_with_variables(index, str(item), found))
        elif name in _TEMPLATES:
            templates[name] = _TEMPLATES[name]
            parts.append("{args}")
        elif name in _JSON:
            takes_json = True
            parts.append(_JSON[name])
        elif name == "program" and program is None:
            found.append(Problem(("program",), "is missing: the command names it"))
        elif name in _OTHERS:
            parts.append({"env": "/usr/bin/env", "interpreter": escape(sys.executable), "program": escape(str(program))}[name])
        else:
            hint = nearest(name, (*_TEMPLATES, *_JSON, *_OTHERS, "envvar:NAME"))
            found.append(Problem(("command", index), f"must be a macro of W&B's ({hint})", (str(item),)))
    if len(templates) > 1:
        rule = f"must write arguments in one way; it has {' and '.join(f'${{{name}}}' for name in templates)}"
        found.append(Problem(("command",), rule))
    if not templates and not takes_json:
        rule = "must hold ${args}, or another macro with the configuration: without one it would not reach the program"
        found.append(Problem(("command",), rule))
    return None if len(found) > before else Built(parts, next(iter(templates.values()), None), takes_json)


def _with_variables(index: int, text: str, found: list[Problem]) -> str:
    """The text with its variables' values, and nothing in it that a Script would fill in."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            found.append(Problem(("command", index), f"names the environment variable {match[1]}, which is not set"))
        return os.environ.get(match[1], "")

    return escape(_VARIABLE.sub(value, text))
