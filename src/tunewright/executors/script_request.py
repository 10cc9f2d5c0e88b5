"""What a supervisor is asked to do for one execution of a script."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tunewright.executors.script_environment import environment_of, values_of
from tunewright.executors.script_place import Place
from tunewright.executors.script_task import Script
from tunewright.executors.script_template import METRICS_FILE, PARAMS_FILE, command_line, fill, json_of, places, texts_of
from tunewright.interfaces import Launch, Placement
from tunewright.protocol import log_path
from tunewright.resources import Resources, duration_text

_SHOWN = 2000  # characters of a command that its log shows


def places_of(script: Script, names: Sequence[str], launch: Launch, place: Place, port: int) -> tuple[dict[str, str], str]:
    """The places of a command that aren't parameters, with their values; and the working directory."""
    values = values_of(launch, place, port)
    filled = {**values, **texts_of(launch.trial.params, names)}
    cwd = fill(script.cwd or "", filled)
    if script.metrics_file is not None:
        values[METRICS_FILE] = str(Path(cwd, fill(script.metrics_file, filled)))
    return values, cwd


def request_of(
    script: Script,
    resources: Resources,
    names: Sequence[str],
    launch: Launch,
    place: Place,
    port: int,
    placement: Placement,
) -> dict[str, Any]:
    """The request (see `script_supervisor`), but for the slot. Writes the file of parameters if the script takes one.

    Args:
        script: with an absolute working directory.
        names: of all parameters of the space.
        place: of the execution, whose folder exists.
        port: a free one.
        placement: the cores to keep to, and what shows it its GPUs.

    Raises:
        InvalidInput: a value that no command line can carry.
        OSError: the file of parameters can't be written.
    """
    params = launch.trial.params
    values, cwd = places_of(script, names, launch, place, port)
    named = {place for text in (*script.command, *script.env.values()) for place in places(text)}
    if PARAMS_FILE in named:
        Path(values[PARAMS_FILE]).write_text(json_of(params), encoding="utf-8")
    argv = command_line(script.command, script.arguments, params, names, values)
    return {
        "token": launch.execution.token,
        "argv": argv,
        "shown": shlex.join(argv)[:_SHOWN].replace("\n", "\\n"),
        "env": environment_of(script, launch, values, names, placement),
        "cwd": cwd,
        "cores": [*placement.cores],
        "folder": str(place.folder),
        "log": str(log_path(launch.folder).absolute()),
        "log_limit": script.log_limit,
        "metrics": dict(script.metrics),
        "step": script.step,
        "from_step": launch.execution.from_step,
        "metrics_file": values[METRICS_FILE],
        "expected": script.metrics_file is not None or METRICS_FILE in named,
        "time": resources.time,
        "time_text": duration_text(resources.time or 0.0),
        "port": port,
    }
