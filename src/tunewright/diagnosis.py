"""Looks a machine, an installation and a store over, and says what is wrong with them and what to do about it."""

from __future__ import annotations

import math
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from tunewright.errors import InvalidInput, StoreError, TunewrightError
from tunewright.interfaces import Store
from tunewright.lifecycle.ownership import describe, is_dead
from tunewright.queries import Jobs
from tunewright.records import TERMINAL, TuningJob
from tunewright.resources import Resources
from tunewright.store import open_store
from tunewright.store.location import locate

GIBIBYTE = 2**30
APART = ("name", "store", "resume", "progress", "on_trial")  # arguments of `tune` that are no part of a request
LOW_SPACE = 1 * GIBIBYTE
LOW_MEMORY = 1 * GIBIBYTE


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `level` is ok, warning or problem; `advice` says what to do, empty when nothing."""

    name: str
    level: str
    found: str
    advice: str = ""


def examine(store: str | None = None) -> list[Check]:
    """All checks, in the order in which they should be read.

    Args:
        store: an address; None: the default store. One that is not there yet isn't made.
    """
    looks: list[Callable[[], Iterator[Check]]] = [_python, _packages, _system, _cores, _memory, _gpus]
    checks = [check for look in looks for check in look()]
    return [*checks, *_store(store)]


def examine_file(path: Path) -> list[Check]:
    """Whether a tune.yaml, or a W&B sweep file, could be started as it is.

    Nothing is started; a function's module is imported.
    """
    from tunewright.config.plan import Chosen, make_plan
    from tunewright.lifecycle.rehearsal import rehearse
    from tunewright.lifecycle.request import make_request
    from tunewright.lifecycle.work import described

    try:
        plan = make_plan(str(path), Chosen())
        options = {name: value for name, value in plan.options.items() if name not in APART}
        with plan.located():
            request = make_request(plan.work, plan.space, **options)
            found = rehearse(request, store=plan.options.get("store"), strategy=options.get("strategy", "auto"))
    except TunewrightError as error:
        return [Check("file", "problem", str(error), "mend it, then look again")]
    first = shlex.join(found.commands[0]) if found.commands else f"the function {described(plan.work)[0]}"
    size = "infinitely many" if found.size == math.inf else str(found.size)
    goals = " and ".join(f"{objective.goal} {objective.metric}" for objective in request.spec.objectives)
    return [
        Check("file", "ok", f"{path} can be started: tunewright tune {path}"),
        Check("first", "ok", first),
        Check("space", "ok", f"{size} configurations of {', '.join(request.spec.space.names)}"),
        Check("search", "ok", f"{goals}, {request.strategy_note or f'strategy {request.spec.strategy}'}"),
    ]


def _python() -> Iterator[Check]:
    yield Check("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages() -> Iterator[Check]:
    """The core's own dependencies are installed, in a version that the package's metadata allows to be named."""
    missing = []
    for text in requires("tunewright") or ():
        if "extra ==" in text:
            continue
        name = text.split(";")[0].split(">=")[0].strip()
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Check("packages", "problem", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    else:
        yield Check("packages", "ok", f"tunewright {version('tunewright')} and all that it needs")


def _system() -> Iterator[Check]:
    found = f"{platform.system()} {platform.release()}"
    if sys.platform in ("linux", "darwin"):
        yield Check("system", "ok", found)
    else:
        advice = "only the inline executor and tw.Tuner are known to work here; under WSL2 everything does"
        yield Check("system", "warning", found, advice)


def _cores() -> Iterator[Check]:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    yield Check("cores", "ok", f"{usable} of {total} may be used")


def _memory() -> Iterator[Check]:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / GIBIBYTE:.1f} of {memory.total / GIBIBYTE:.1f} GiB are free"
    if memory.available < LOW_MEMORY:
        yield Check("memory", "warning", found, "trials may run out of it; lower --max-parallel or set --memory")
    else:
        yield Check("memory", "ok", found)


def _gpus() -> Iterator[Check]:
    """Which GPUs trials may use, and who uses them at this moment."""
    from tunewright.slots.host import Host
    from tunewright.slots.inventory import find_gpus
    from tunewright.slots.registry import Registry

    try:
        inventory = find_gpus()
    except InvalidInput as error:
        yield Check("GPUs", "problem", str(error))
        return
    try:
        if inventory.problem:
            yield Check("GPUs", "warning", inventory.problem, "look at the driver")
        if not inventory.gpus:
            yield Check("GPUs", "ok", f"none ({inventory.source})")
            return
        named = ", ".join(f"{gpu.label} {gpu.name}".strip() for gpu in inventory.gpus)
        yield Check("GPUs", "ok", f"{named} ({inventory.source})")
        for taken in Host(Resources(gpus=1), inventory, Registry(), (), "").taken():
            yield Check("GPUs", "ok", f"{taken}; others wait for it")
    except InvalidInput as error:
        yield Check("GPUs", "problem", str(error))
    finally:
        inventory.close()


def _store(address: str | None) -> Iterator[Check]:
    """The store opens, its jobs can be read, its device has space; and jobs that nobody runs any more."""
    try:
        place = locate(address)
        if place.note:
            yield Check("store", "warning", place.note)
        if place.path is not None and not place.path.exists():
            yield Check("store", "ok", f"{place.path} is not there yet; the first job makes it")
            return
        opened = open_store(address, create=False)
    except TunewrightError as error:
        yield Check("store", "problem", str(error))
        return
    try:
        yield from _opened_store(opened)
    finally:
        opened.close()


def _opened_store(store: Store) -> Iterator[Check]:
    try:
        jobs = list(store.read(Jobs()))
    except StoreError as error:
        yield Check("store", "problem", f"{store.location}: {error}")
        return
    yield Check("store", "ok", f"{store.location}: {len(jobs)} job{'' if len(jobs) == 1 else 's'}")
    if store.folder is not None and Path(store.folder).is_dir():
        free = shutil.disk_usage(store.folder).free
        level, advice = ("warning", "a full disk ends jobs; they can be resumed") if free < LOW_SPACE else ("ok", "")
        yield Check("disk", level, f"{free / GIBIBYTE:.1f} GiB are free where the store is", advice)
    for job in jobs:
        if job.status not in TERMINAL and not _controlled(job):
            who = f"{describe(job.owner)} has died" if job.owner else "no process runs it"
            yield Check("job", "warning", f"{job.name} is {job.status.value}, but {who}", f"tunewright resume {job.name}")


def _controlled(job: TuningJob) -> bool:
    """Whether a process may still control the job: one that is not known to be dead."""
    return job.owner is not None and not is_dead(job.owner)
