"""Where the files of jobs are: a folder per job, with a folder per trial in it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from tunewright.errors import StoreError
from tunewright.interfaces import Store
from tunewright.records import TuningJob


def job_folder(store: Store, job: TuningJob) -> Path:
    """Where a job's files are: in the folder that was made for it, or, where that isn't (on another host), in one of the same
    name beside the other jobs of this store.
    """
    made = Path(job.folder) if job.folder else None
    if made is not None and (store.folder is None or made.is_dir()):
        return made
    return Path(store.folder or tempfile.gettempdir()) / "jobs" / (made.name if made else job.name)


def new_folder(store: Store, name: str) -> Path:
    """Makes a folder for the files of a new job of this name. No other process gets the same one, and it is empty.

    A store in memory has its folders among the temporary ones, and they go with it.

    Raises:
        StoreError: it can't be made.
    """
    root = Path(store.folder) if store.folder else Path(tempfile.mkdtemp(prefix="tunewright-"))
    if not store.folder:
        weakref.finalize(store, shutil.rmtree, root, ignore_errors=True)
    folder, number = root / "jobs" / name, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # left by a job that is in no store any more
            number += 1
            folder = root / "jobs" / f"{name}.{number}"
        except OSError as error:
            raise StoreError(f"the folder {folder} for the job's files can't be made: {error.strerror}") from error
