"""Asks before something is removed for good."""

from __future__ import annotations

import sys

import typer

from tunewright.errors import InvalidInput


def confirm(question: str, *, yes: bool) -> None:
    """Goes on when the answer is yes, was given by --yes, and ends the command with 1 when it is no.

    Raises:
        InvalidInput: there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("--yes", "must be given where nobody can be asked")
    if not typer.confirm(question):
        raise typer.Exit(1)
