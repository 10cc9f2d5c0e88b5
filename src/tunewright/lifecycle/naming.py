"""The names of jobs: what is allowed, and the one that a job gets when nobody named it."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import datetime

from tunewright.errors import InvalidInput

_ALLOWED = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


def check_name(name: object) -> str:
    """A name that a folder and a command line can carry. Raises InvalidInput."""
    if not isinstance(name, str) or not re.fullmatch(_ALLOWED, name):
        rule = "must be 1 to 128 letters, digits, dots, dashes and underscores, the first a letter or digit"
        raise InvalidInput("name", rule, name)
    return name


def free_name(function: str, taken: Container[str]) -> str:
    """`<function>-<date>-<n>` with the first n that is free."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", function).strip("-._") or "job"
    stem = f"{stem[:80]}-{datetime.now().astimezone():%Y%m%d}"
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
