"""What a script finds in its environment, and what the places of its command stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tunewright.executors.placement import thread_environment
from tunewright.executors.script_place import METRICS, PARAMS, Place
from tunewright.executors.script_task import Script
from tunewright.executors.script_template import fill, json_of, text_of, texts_of
from tunewright.interfaces import Launch, Placement
from tunewright.protocol import script_environment


def values_of(launch: Launch, place: Place, port: int) -> dict[str, str]:
    """The places of a command that every execution has, with their values; `script_task.Script` names them."""
    trial, execution = launch.trial, launch.execution
    return {
        "checkpoint": launch.checkpoint or "",
        "execution": str(execution.number),
        "fidelity": "" if execution.fidelity is None else text_of(execution.fidelity),
        "folder": str(Path(launch.folder).absolute()),
        "metrics_file": str(place.folder / METRICS),
        "number": str(trial.number),
        "params_file": str(place.folder / PARAMS),
        "params_json": json_of(trial.params),
        "port": str(port),
        "seed": str(trial.seed),
    }


def environment_of(
    script: Script, launch: Launch, values: Mapping[str, str], names: Iterable[str], placement: Placement
) -> dict[str, str]:
    """The whole environment of an execution, in a space of parameters with these names.

    This process's own, with thread pools kept to as many threads as it has cores, its GPUs, and output unbuffered; the trial
    (see `report`); each parameter as TUNEWRIGHT_PARAM_<name>, with signs that shells don't take in names as `_`; a port of its
    own for the ranks of a distributed training, as torch.distributed and torchrun read it; and what the script itself adds.
    """
    environment = {**os.environ, **thread_environment(len(placement.cores), os.environ), **placement.environment}
    environment.setdefault("PYTHONUNBUFFERED", "1")
    environment.setdefault("MASTER_ADDR", "127.0.0.1")
    environment |= {"MASTER_PORT": values["port"], "PET_MASTER_PORT": values["port"]}
    environment |= script_environment(launch, launch.trial.params)
    environment["TUNEWRIGHT_METRICS_FILE"] = values["metrics_file"]
    environment |= _variables(launch.trial.params)
    filled = {**values, **texts_of(launch.trial.params, names)}
    return environment | {name: fill(text, filled) for name, text in script.env.items()}


def _variables(params: Mapping[str, object]) -> dict[str, str]:
    """A variable per parameter; none for two that would have the same name, or for a value that no variable can hold."""
    named: dict[str, list[str]] = {}
    for name, value in params.items():
        named.setdefault("TUNEWRIGHT_PARAM_" + re.sub(r"\W", "_", name, flags=re.ASCII), []).append(text_of(value))
    return {name: texts[0] for name, texts in named.items() if len(texts) == 1 and "\0" not in texts[0]}
