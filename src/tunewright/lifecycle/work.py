"""What a job's trials do: a training function, or a script. Checked, named, kept with the job, and given to an executor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright import catalog
from tunewright.errors import InvalidInput, StoreDamaged
from tunewright.interfaces import Executor
from tunewright.space import SearchSpace
from tunewright.spec import JobSpec

if TYPE_CHECKING:
    from tunewright.executors.script_task import Script

    Work = Callable[..., Any] | Script

SCRIPT = "script"  # the executor of scripts
_FILE = "script.json"


def checked(work: object, space: SearchSpace, executor: object) -> tuple[Work | None, object]:
    """What is to be done, and by which executor: a script is done by its own unless an Executor object is given.

    Raises:
        InvalidInput: it is neither a function nor a script, the script doesn't suit the space, or the executor doesn't suit it.
    """
    from tunewright.executors.script_task import Script

    if isinstance(work, Script):
        if isinstance(executor, str) and executor not in ("process", SCRIPT):
            raise InvalidInput("executor", "must be 'script', or left out, for a tunewright.Script", executor)
        # A later resume may come from another folder.
        work = work.within(Path.cwd())
        work.check(space)
        return work, SCRIPT if isinstance(executor, str) else executor
    if executor == SCRIPT:
        raise InvalidInput("train", "must be a tunewright.Script for executor='script'", work)
    if work is None and not isinstance(executor, str):
        return None, executor  # whoever executes the trials has what is to be executed
    if not callable(work):
        raise InvalidInput("train", "must be callable with a trial, or a tunewright.Script", work)
    return work, executor


def described(work: Work) -> tuple[str, str]:
    """Its name for people, and a mark that changes when it does."""
    from tunewright.executors.fingerprint import fingerprint
    from tunewright.executors.script_task import Script

    if isinstance(work, Script):
        return work.name, work.fingerprint()
    named = getattr(work, "__name__", None) or type(work).__name__
    return named.replace("<lambda>", "lambda"), fingerprint(work)


def pack(work: Work, space: SearchSpace, folder: Path) -> None:
    """Keeps it with its job. Raises UnpicklableFunction."""
    from tunewright.executors.script_task import Script

    if isinstance(work, Script):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{_FILE}.partial"
        temporary.write_text(json.dumps(work.to_json(), indent=1), encoding="utf-8")
        temporary.replace(folder / _FILE)
        return
    from tunewright.executors.shipping import pack_function
    from tunewright.executors.task import Task

    pack_function(Task(work, space.realize), folder)


def unpack(executor: str, folder: Path) -> Work | None:
    """What was kept with a job, as far as its executor needs it here: workers load a function by themselves.

    Raises:
        StoreDamaged: it can't be read.
    """
    if executor == SCRIPT:
        from tunewright.executors.script_task import Script

        try:
            return Script.from_json(json.loads((folder / _FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise StoreDamaged(f"the script of a job can't be read from {folder / _FILE}: {error}") from error
    if executor != "inline":
        return None
    from tunewright.executors.shipping import load_function

    return load_function(folder).function


def executor_of(work: Work | None, spec: JobSpec, folder: Path) -> Executor:
    """The executor that a spec names, made for what is to be done."""
    from tunewright.executors.task import Task

    make = catalog.load("executors", spec.executor)
    if spec.executor == "inline":
        executor: Executor = make(Task(work, spec.space.realize), spec.resources)  # type: ignore[arg-type]
    elif spec.executor == SCRIPT:
        names = [*spec.space.parameters, *spec.space.fixed]
        required = [objective.metric for objective in spec.objectives]
        executor = make(
            work, folder, slots=spec.max_parallel, resources=spec.resources, names=names, required=required
        )  # fmt: skip
    else:
        executor = make(folder, slots=spec.max_parallel, resources=spec.resources)
    return executor
