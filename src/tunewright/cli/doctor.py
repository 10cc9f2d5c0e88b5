"""The command `doctor`: whether this machine, this installation and this store are in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tunewright.cli import options

if TYPE_CHECKING:
    from tunewright.diagnosis import Check

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    file: options.CheckedFile = None,
    schema: options.Schema = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Checks this machine, this installation and the store, or a file of `tune`. Exits with 1 when something is wrong."""
    from dataclasses import asdict

    from tunewright.cli.output import print_json

    if schema:
        from tunewright.config.schema import json_schema

        print_json(json_schema())
        return
    from tunewright.diagnosis import examine, examine_file

    checks = examine(store) if file is None else examine_file(file)
    sound = all(check.level != "problem" for check in checks)
    if as_json:
        print_json({"sound": sound, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if not sound:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        start = f"{MARKS[check.level]}  {check.name:<{width}}  "
        print(start + check.found.replace("\n       ", "\n" + " " * len(start)))
        if check.advice:
            print(" " * len(start) + check.advice)
