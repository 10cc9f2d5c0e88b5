"""What `tune --dry-run` prints."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

from tunewright.cli.output import print_json
from tunewright.progress.formatting import counted, format_duration, format_location, format_params

if TYPE_CHECKING:
    from tunewright.lifecycle.rehearsal import Rehearsal


def print_rehearsal(rehearsal: Rehearsal, *, as_json: bool) -> None:
    """Tells what would happen, for people or as a JSON document."""
    if as_json:
        print_json(_document(rehearsal))
        return
    spec = rehearsal.request.spec
    if rehearsal.commands:
        folder = format_location(rehearsal.cwd or "")
        print("Would run:" if folder == "." else f"Would run, in {folder}:")
        for command in rehearsal.commands:
            print(f"    {shlex.join(command)}")
    else:
        print("Would call the function with:")
        for params in rehearsal.configurations:
            print(f"    {format_params(params)}")
    goals = " and ".join(f"{objective.goal} {objective.metric}" for objective in spec.objectives)
    limits = [] if spec.limits.max_trials is None else [counted(spec.limits.max_trials, "trial")]
    limits += [] if spec.limits.max_time is None else [format_duration(spec.limits.max_time)]
    at_most = f", at most {' or '.join(limits)}" if limits else ""
    print(f"Search: {goals}{at_most}, {spec.max_parallel} at a time, seed {spec.seed}")
    for note in (*rehearsal.request.notes, rehearsal.request.strategy_note):
        if note:
            print(f"        {note}")
    names = ", ".join(spec.space.names)
    print(f"Space: {_size(rehearsal.size)} of {names}")
    print(f"Store: {_store(rehearsal)}")
    print("Nothing was started")


def _size(size: float) -> str:
    return "infinitely many configurations" if math.isinf(size) else counted(int(size), "configuration")


def _store(rehearsal: Rehearsal) -> str:
    if rehearsal.store is None:
        return "in memory only"
    new = " (not there yet)" if rehearsal.store_exists is False else ""
    return f"{format_location(rehearsal.store)}{new}"


def _document(rehearsal: Rehearsal) -> dict[str, Any]:
    spec = rehearsal.request.spec
    return {
        "commands": [list(command) for command in rehearsal.commands],
        "configurations": [dict(params) for params in rehearsal.configurations],
        "cwd": rehearsal.cwd,
        "size": rehearsal.size,
        "store": rehearsal.store,
        "store_exists": rehearsal.store_exists,
        "spec": spec.to_json(),
    }
