"""A store with the files of its jobs as one archive, and back again, to the same place or another one."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tunewright.errors import InvalidInput, StoreDamaged, StoreError
from tunewright.store.copying import load_copy, refuse_jobs, save_copy
from tunewright.store.location import locate

ARCHIVES = (".tar.gz", ".tgz", ".tar")
_DATABASE, _MANIFEST = "store.db", "backup.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup holds: its file, how many jobs and files of theirs, and its size in bytes."""

    path: Path
    jobs: int
    files: int
    size: int


def back_up(store: str | None, output: Path) -> Saved:
    """Saves a store; jobs may go on meanwhile.

    Args:
        output: a new file. An archive (.tar.gz, .tgz, .tar) holds jobs' folders too; any other file is the database alone.

    Raises:
        InvalidInput: the file is there already or can't be written, or there is no such store.
        StoreError: the store can't be read.
    """
    if output.exists():
        raise InvalidInput("output", "must be a new file", str(output))
    try:
        with tempfile.TemporaryDirectory(prefix="tunewright-backup-") as temporary:
            copy = Path(temporary, _DATABASE)
            save_copy(store, copy)
            folders = _folders(copy, copy)
            if not output.name.endswith(ARCHIVES):
                shutil.move(copy, output)
                return Saved(output, len(folders), 0, output.stat().st_size)
            partial = output.with_name(f".{output.name}.partial")
            try:
                files = _pack(copy, folders, partial, compressed=not output.name.endswith(".tar"))
                partial.replace(output)
            finally:
                partial.unlink(missing_ok=True)
            return Saved(output, len(folders), files, output.stat().st_size)
    except OSError as error:
        raise InvalidInput("output", f"must be a file that can be written ({error.strerror})", str(output)) from error


def restore(source: Path, store: str | None) -> Saved:
    """Makes a store of a backup. Jobs that ran when it was made can be resumed from where they were then.

    Args:
        store: an address that is new, or whose store holds no job.

    Raises:
        InvalidInput: there is no such backup, or the store holds jobs. StoreError: the backup is damaged.
    """
    if not source.is_file():
        raise InvalidInput("backup", "must be a file that exists", str(source))
    place = locate(store)
    refuse_jobs(place)
    root = Path(place.folder or ".") / "jobs"
    with tempfile.TemporaryDirectory(prefix="tunewright-restore-") as temporary:
        unpacked = Path(temporary)
        with _damage_told(source):
            archive = source.name.endswith(ARCHIVES)
            if archive:
                _unpack(source, unpacked)
            else:
                shutil.copy(source, unpacked / _DATABASE)
            folders = _folders(unpacked / _DATABASE, source)
            moved = {name: _free(root, name) for name in folders if (unpacked / "jobs" / name).is_dir()}
            _rewrite(unpacked / _DATABASE, folders, moved)
        load_copy(unpacked / _DATABASE, store)
        files = 0
        for name, folder in moved.items():
            files += sum(1 for path in (unpacked / "jobs" / name).rglob("*") if path.is_file())
            shutil.move(unpacked / "jobs" / name, folder)
    return Saved(source, len(folders), files, source.stat().st_size)


def _folders(database: Path, shown: Path) -> dict[str, str | None]:
    """Where the jobs' folders are, by name; `shown` is what an error calls the database."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            return dict(connection.execute("SELECT name, folder FROM jobs").fetchall())
    except sqlite3.Error as error:
        raise StoreDamaged(f"{shown} is no Tunewright store: {error}") from error


def _pack(database: Path, folders: dict[str, str | None], output: Path, *, compressed: bool) -> int:
    """Writes an archive; gives the number of jobs' files in it. A file that changes or goes meanwhile is taken as it is."""
    files = 0
    with tarfile.open(output, "w:gz" if compressed else "w") as archive:
        manifest = database.with_name(_MANIFEST)
        manifest.write_text(json.dumps({"format": 1, "folders": folders}), encoding="utf-8")
        archive.add(manifest, _MANIFEST)
        archive.add(database, _DATABASE)
        for name, folder in folders.items():
            for path in sorted(Path(folder).rglob("*")) if folder else ():
                if path.is_file() and not path.is_symlink():
                    files += _add(archive, path, f"jobs/{name}/{path.relative_to(str(folder)).as_posix()}")
    return files


def _add(archive: tarfile.TarFile, path: Path, name: str) -> int:
    """Adds a file as long as it is now, though others may write to it."""
    try:
        with path.open("rb") as file, tempfile.SpooledTemporaryFile(max_size=16_000_000) as held:
            shutil.copyfileobj(file, held)
            info = archive.gettarinfo(str(path), name)
            info.size = held.tell()
            held.seek(0)
            archive.addfile(info, held)
    except FileNotFoundError:
        return 0
    return 1


def _unpack(source: Path, folder: Path) -> None:
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    if not (folder / _DATABASE).is_file():
        raise StoreDamaged(f"{source} is no backup of a store: it holds no {_DATABASE}")


def _free(root: Path, name: str) -> Path:
    """A folder for a job that nothing is in yet."""
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}.{number}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _rewrite(database: Path, folders: dict[str, str | None], moved: dict[str, Path]) -> None:
    """Sets jobs free of the processes that controlled them, and points to where their files are now."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE jobs SET owner = NULL, lease_until = NULL")
        for name, folder in moved.items():
            ((job,),) = connection.execute("SELECT id FROM jobs WHERE name = ?", (name,)).fetchall()
            connection.execute("UPDATE jobs SET folder = ? WHERE id = ?", (str(folder), job))
            old = folders[name] or ""
            of_job = "run_id IN (SELECT id FROM runs WHERE job_id = ?) AND substr(path, 1, ?) = ?"
            connection.execute(
                f"UPDATE checkpoints SET path = ? || substr(path, ?) WHERE {of_job}",
                (str(folder), len(old) + 1, job, len(old), old),
            )


@contextmanager
def _damage_told(source: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, sqlite3.Error, EOFError) as error:
        raise StoreDamaged(f"{source} is damaged or no backup of a store: {error}. Nothing was restored") from error
    except OSError as error:
        raise StoreError(f"{source} could not be restored: {error}") from error
