"""The command `doctor`: whether this machine, this installation and this store are in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tunewright.cli import options

if TYPE_CHECKING:
    from tunewright.diagnosis import Check

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def doctor(store: options.Store = None, as_json: options.Json = False) -> None:
    """Checks this machine, this installation and the store. Exits with 1 when something is wrong."""
    from dataclasses import asdict

    from tunewright.cli.output import print_json
    from tunewright.diagnosis import examine

    checks = examine(store)
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
        print(f"{MARKS[check.level]}  {check.name:<{width}}  {check.found}")
        if check.advice:
            print(f"{'':{len(MARKS['ok']) + width + 4}}{check.advice}")
