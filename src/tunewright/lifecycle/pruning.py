"""Removes what is no longer needed from a store: jobs that ended long ago, and checkpoints that nobody will continue from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tunewright.errors import InvalidInput
from tunewright.interfaces import Store
from tunewright.lifecycle.deleting import delete_job, size_of
from tunewright.lifecycle.folders import job_folder
from tunewright.queries import Jobs, Trials
from tunewright.records import TERMINAL, Status, TuningJob


@dataclass(frozen=True, slots=True)
class Pruning:
    """What goes, or went: jobs by name with the bytes of their files, and folders of checkpoints with theirs."""

    jobs: tuple[tuple[str, int], ...]
    checkpoints: tuple[tuple[Path, int], ...]

    @property
    def size(self) -> int:
        """Bytes of files, altogether."""
        return sum(size for _, size in (*self.jobs, *self.checkpoints))


def plan_pruning(
    store: Store,
    *,
    older_than: float | None = None,
    keep: int | None = None,
    checkpoints: bool = False,
    now: Callable[[], float] = time.time,
) -> Pruning:
    """What pruning would remove.

    Args:
        older_than: jobs that ended at least so many seconds ago.
        keep: but for so many of the newest jobs; alone: all that have ended but these.
        checkpoints: of jobs that stay and have ended, those of all trials but the best and paused ones.

    Raises:
        InvalidInput: nothing is asked for.
    """
    if older_than is None and keep is None and not checkpoints:
        raise InvalidInput("prune", "must be told what: --older-than 30d, --keep 10, or --checkpoints")
    jobs = [*store.read(Jobs())]
    gone = [job for job in jobs[keep or 0 :] if _goes(job, older_than, now())] if older_than or keep is not None else []
    names = {job.name for job in gone}
    folders = []
    for job in jobs if checkpoints else ():
        if job.name not in names and job.status in TERMINAL and job.owner is None:
            needed = {trial.number for trial in store.read(Trials(job.name, statuses=(Status.PAUSED,)))}
            needed |= set() if job.state.best is None else {job.state.best}
            folders += _spare_checkpoints(job_folder(store, job), needed)
    return Pruning(
        tuple((job.name, size_of(job_folder(store, job))) for job in gone), tuple((path, size_of(path)) for path in folders)
    )


def prune(store: Store, plan: Pruning) -> None:
    """Removes what a plan says. A job that runs again meanwhile raises JobTaken and stays."""
    for name, _ in plan.jobs:
        delete_job(store, name)
    for folder, _ in plan.checkpoints:
        shutil.rmtree(folder, ignore_errors=True)


def _goes(job: TuningJob, older_than: float | None, now: float) -> bool:
    if job.status not in TERMINAL or job.owner is not None:
        return False
    return older_than is None or (job.state.ended is not None and now - job.state.ended >= older_than)


def _spare_checkpoints(folder: Path, needed: set[int]) -> list[Path]:
    kept = {f"{number:05d}" for number in needed}
    return [path for path in sorted(folder.glob("trials/*/checkpoints")) if path.is_dir() and path.parent.name not in kept]
