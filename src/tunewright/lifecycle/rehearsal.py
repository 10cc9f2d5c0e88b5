"""What a job would do, without doing anything: its first configurations, their commands, and where it would be stored."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tunewright.errors import SearchFinished
from tunewright.executors.script_place import Place
from tunewright.executors.script_request import places_of
from tunewright.executors.script_task import Script
from tunewright.executors.script_template import command_line
from tunewright.interfaces import Launch, Store
from tunewright.lifecycle.request import Request
from tunewright.lifecycle.tuner import Tuner
from tunewright.protocol import execution_folder
from tunewright.records import Params
from tunewright.store.location import locate, without_password

_PORT = 29500  # stands for the free port that an execution gets
_FOLDER = "JOB"  # stands for the job's name, which is only given when it starts


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would happen.

    Attributes:
        request: what was asked for, checked.
        configurations: the first ones that would be tried.
        commands: the arguments of the processes that would be started for them; none for a function.
        cwd: where they would run; None for a function.
        size: how many configurations the space has.
        store: where the job would be stored, without a password; None in memory.
        store_exists: whether that is there already; None when it isn't known without asking a server.
    """

    request: Request
    configurations: tuple[Params, ...]
    commands: tuple[tuple[str, ...], ...]
    cwd: str | None
    size: int | float
    store: str | None
    store_exists: bool | None


def rehearse(
    request: Request,
    *,
    name: str | None = None,
    store: str | os.PathLike[str] | Store | None = None,
    strategy: object = "auto",
    count: int = 3,
) -> Rehearsal:
    """Says what a request would do.

    Args:
        name: of the job, as far as it is known.
        store: as for `tune`; it isn't opened.
        strategy: as it was given.
        count: how many configurations are shown at most.

    Raises:
        InvalidInput: the store's address means nothing, or a value can't stand on a command line.
    """
    where = _where(store)
    launches = _launches(request, strategy, count, Path(where.folder, "jobs", name or _FOLDER))
    work, commands, cwd = request.function, [], None
    if isinstance(work, Script):
        names = [*request.spec.space.parameters, *request.spec.space.fixed]
        for launch in launches:
            place = Place(execution_folder(launch.folder, launch.execution.number))
            values, cwd = places_of(work, names, launch, place, _PORT)
            commands.append(tuple(command_line(work.command, work.arguments, launch.trial.params, names, values)))
    params = tuple(launch.trial.params for launch in launches)
    return Rehearsal(request, params, tuple(commands), cwd, request.spec.space.size(), where.location, where.exists)


def _launches(request: Request, strategy: object, count: int, folder: Path) -> list[Launch]:
    """The first launches of the job, by its own strategy and seed, in memory."""
    spec = request.spec
    with Tuner(
        spec.space, objective=[*spec.objectives], strategy=strategy, stopper=None, max_trials=spec.limits.max_trials,
        max_step=spec.max_step, seed=spec.seed,
    ) as tuner:  # fmt: skip
        default = spec.space.default()
        if default is not None and spec.strategy != "grid":
            tuner.enqueue(default)
        try:
            tuner.ask(count)
        except SearchFinished:
            return []
        return [
            Launch(trial.record, trial.executions[0], str(folder / "trials" / f"{trial.number:05d}")) for trial in tuner.trials
        ]


class _Where(NamedTuple):
    """A store, without opening it: where it is, where its jobs' files go, and whether it is there."""

    location: str | None
    folder: str
    exists: bool | None


def _where(store: Any) -> _Where:
    if store is not None and not isinstance(store, str | os.PathLike):
        return _Where(store.location, store.folder or tempfile.gettempdir(), True)
    place = locate(store)
    folder = str(place.folder or tempfile.gettempdir())
    if place.path is not None:
        return _Where(str(place.path), folder, place.path.exists())
    return _Where(None if place.kind == "memory" else without_password(place.url), folder, None)
