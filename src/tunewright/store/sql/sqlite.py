"""SQLite: how its file is opened, what it promises, and what its errors mean.

Durability. The journal is a write-ahead log. Under `synchronous=NORMAL`, the default, a transaction that was committed
survives the end of the process, whatever ended it; a power cut or a crash of the operating system may lose the last
transactions, but never leaves half of one or a damaged file. Under `synchronous=FULL` (in the address:
`sqlite:///store.db?synchronous=FULL`) every commit waits for the disk and a power cut loses nothing that was committed;
`EXTRA` is as strict here. The log is copied into the file about every 16 MB.

Writers. One transaction writes at a time. It starts with BEGIN IMMEDIATE, so it never finds out half-way that it can't
write; whoever waits is tried again until `timeout` seconds are over (`?timeout=60`). Readers never wait.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, create_engine
from sqlalchemy.pool import QueuePool

from tunewright.errors import InvalidInput, StoreBusy, StoreDamaged, StoreError, StoreFull, nearest
from tunewright.store.sql.writing import Cursor

OLDEST = (3, 35, 0)  # the first one with RETURNING
HEADER = b"SQLite format 3\x00"
SLICE = 0.25  # seconds that SQLite waits for a lock by itself; then Ctrl-C gets its turn
SYNCHRONOUS = ("NORMAL", "FULL", "EXTRA")
LOG_PAGES = 4000
CACHE_KIB = 16_384
ALMOST_NOTHING = 1 << 20  # bytes: less free space than this explains a failed write

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


class SqliteDialect:
    """A SQLite file.

    Args:
        path: of the file.
        options: `synchronous` (NORMAL, FULL or EXTRA) and `timeout` (seconds), as text.

    Raises:
        InvalidInput: an option is unknown or breaks its rule.
        StoreError: this Python's SQLite is too old.
    """

    one_writer = True
    poll = 0.05

    def __init__(self, path: Path, options: Mapping[str, str] | None = None) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; a store needs {needed} or later")
        self.path, self.name = path, str(path)
        options = dict(options or {})
        self._synchronous = _synchronous(options.pop("synchronous", "NORMAL"))
        self.limit = _timeout(options.pop("timeout", "60"))
        for option in options:
            raise InvalidInput("store option", f"must be known ({nearest(option, ('synchronous', 'timeout'))})", option)

    def engine(self) -> Engine:
        return create_engine("sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=8, max_overflow=-1)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=SLICE, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            for pragma in (
                f"synchronous={self._synchronous}",
                f"wal_autocheckpoint={LOG_PAGES}",
                f"cache_size=-{CACHE_KIB}",
                "temp_store=MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def batch(self, connection: PoolProxiedConnection) -> AbstractContextManager[object]:
        return nullcontext()

    def begin(self, cursor: Cursor) -> Callable[[], object]:
        cursor.execute("BEGIN IMMEDIATE")
        return lambda: None

    def was_committed(self, cursor: Cursor, mark: object) -> bool:
        raise AssertionError("a connection to a file doesn't break")

    def lock_schema(self, cursor: Cursor) -> None:
        """Nothing: who may write is alone."""

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name for (name,) in cursor.fetchall()}

    def write_ahead(self, cursor: Cursor) -> None:
        """Makes the file keep a write-ahead log; it stays so."""
        cursor.execute("PRAGMA journal_mode=WAL")
        mode = cursor.fetchall()[0][0]
        if mode != "wal":
            raise StoreError(f"{self.path} can't keep a write-ahead log ({mode} instead): is it on a network file system?")

    def is_busy(self, error: Exception) -> bool:
        return _code(error) in _BUSY

    def is_lost(self, error: Exception) -> bool:
        return False

    def refused_value(self, error: Exception) -> Exception | None:
        """None: sqlite3 says so by itself, with errors that are no database's."""
        return None

    def lost(self, error: Exception, seconds: float) -> StoreError:
        return self.explain(error)

    def explain(self, error: Exception) -> StoreError:
        code = _code(error)
        if code in _DAMAGED:
            return damaged(self.path, str(error))
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(self.path)):
            return full(self.path)
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return read_only(self.path)
        if code == sqlite3.SQLITE_CANTOPEN:
            return full(self.path) if _is_full(self.path) else StoreError(f"{self.path} can't be opened: {error}")
        return StoreError(f"{self.path}: {error}")

    def busy(self) -> StoreBusy:
        holders = _holders(self.path)
        who = f"; it is open in {', '.join(holders)}" if holders else ""
        return StoreBusy(f"{self.path} was kept locked for {self.limit:g} s by somebody else's write{who}")


def inspect(path: Path, *, create: bool) -> None:
    """Looks at a file before SQLite does, and makes its folder when it is new.

    Raises:
        InvalidInput: it is a folder; or there is no such file, and `create` is false.
        StoreDamaged: it is no SQLite file.
        StoreError: it can't be written to.
        StoreFull: there is no space for its folder.
    """
    if path.is_dir():
        raise InvalidInput("store", f"must be a file, not a folder; {str(path / 'store.db')!r} would be one", str(path))
    if not path.exists():
        if not create:
            raise InvalidInput("store", "must exist", str(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise full(path) if error.errno == errno.ENOSPC else StoreError(f"{path} can't be made: {error}") from error
    elif path.stat().st_size:
        try:
            with path.open("rb") as file:
                header = file.read(len(HEADER))
        except OSError as error:
            raise StoreError(f"{path} can't be read: {error.strerror}") from error
        if header != HEADER:
            raise damaged(path, "it is not a SQLite file")
    if not _may_write(path):
        raise read_only(path)


def _may_write(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def damaged(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged or no Tunewright store: {why}. It was left as it is. Put a copy that is whole in its place, "
        "or name another file (store=..., --store, TUNEWRIGHT_STORE)"
    )


def full(path: Path) -> StoreFull:
    return StoreFull(
        f"no space left on the device that holds {path}; what was committed before is safe. Make room, then resume"
    )


def read_only(path: Path) -> StoreError:
    return StoreError(
        f"{path} is read-only, or its folder is: a store must be writable, even to be read. Change its permissions, or copy it"
    )


def _synchronous(value: str) -> str:
    if value.upper() not in SYNCHRONOUS:
        raise InvalidInput("store option synchronous", f"must be one of {', '.join(SYNCHRONOUS)}", value)
    return value.upper()


def _timeout(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InvalidInput("store option timeout", "must be a number of seconds", value)
    return seconds


def _code(error: Exception) -> int:
    """SQLite's primary error code, -1 when the driver gives none."""
    code: Any = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else int(code) & 0xFF


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < ALMOST_NOTHING
    except OSError:
        return False


def _holders(path: Path) -> list[str]:
    """The other processes of this user that have the file open."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "name"]):
        try:
            if process.pid != os.getpid() and any(file.path == str(path) for file in process.open_files()):
                found.append(f"{process.info['name']} ({process.pid})")
        except (psutil.Error, OSError):
            continue
    return found
