"""Removes a job: what its store holds of it, and its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from tunewright.artifacts.vault import Vault
from tunewright.errors import JobTaken
from tunewright.interfaces import Store
from tunewright.lifecycle import ownership
from tunewright.lifecycle.folders import job_folder
from tunewright.lifecycle.running import stored_job


def delete_job(store: Store, name: str) -> Path:
    """Removes a job that no process controls, and gives the folder that was removed with it.

    Raises:
        NotFound: there is no such job. JobTaken: a living process controls it, or one that can't be seen from here.
        StoreError: what it kept elsewhere can't be removed, unlike the job itself.
    """
    job = stored_job(store, name)
    folder = job_folder(store, job)
    evict = job.owner if job.owner is not None and ownership.is_dead(job.owner) else None
    if not store.delete(name, evict=evict):
        who = ownership.describe(job.owner) if job.owner else "another process"
        raise JobTaken(f"job {name!r} is controlled by {who}; stop it first: tunewright stop {name}")
    shutil.rmtree(folder, ignore_errors=True)
    if root := job.spec.get("artifacts"):
        Vault(root).remove()
    return folder


def size_of(folder: Path) -> int:
    """Bytes that the files in a folder take."""
    total = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
        except OSError:  # gone meanwhile
            continue
    return total
