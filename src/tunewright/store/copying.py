"""A store's database as a SQLite file, and back into another store: for backups and moves, between both databases."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tunewright.errors import InvalidInput, StoreDamaged, StoreError, StoreVersion
from tunewright.store.location import Place, locate
from tunewright.store.upgrading import dialect_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tunewright.store.sql.database import Database

_ROWS = 1000  # written at once


def save_copy(address: str | os.PathLike[str] | None, target: Path) -> None:
    """Writes a store's database, as of one moment, to a new SQLite file. Jobs may go on meanwhile.

    Raises:
        InvalidInput: the address means nothing, or there is no such store. StoreError: it can't be read or written.
    """
    from tunewright.store.sql.database import Database
    from tunewright.store.sql.versions import found_version

    place = locate(address)
    database = Database(dialect_of(place))
    try:
        if found_version(database, place.kind == "sqlite") is None:
            raise StoreDamaged(f"{database.name} holds no tables of Tunewright")
        if place.path is not None:
            copy_file(place.path, target)
        else:
            _copy_from_server(database, target)
    finally:
        database.close()


def load_copy(source: Path, address: str | os.PathLike[str] | None) -> None:
    """Makes a store of a copy. The copy, which is brought up to this program's version, is used up.

    Raises:
        InvalidInput: the address means nothing, or its store holds jobs already.
        StoreError: the copy is none, or the store can't be written; it was left as it was.
    """
    from tunewright.store.sql.store import open_sqlite

    open_sqlite(source, create=False).close()
    with closing(sqlite3.connect(source)) as connection:  # into one file, whole
        connection.execute("PRAGMA journal_mode=DELETE")
    place = locate(address)
    refuse_jobs(place)
    if place.path is not None:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        for rest in ("", "-wal", "-shm"):
            Path(f"{place.path}{rest}").unlink(missing_ok=True)
        shutil.move(source, place.path)
        return
    from tunewright.store.sql.store import open_postgresql

    open_postgresql(place.url, place.options).close()
    _copy_to_server(source, place)


def refuse_jobs(place: Place) -> None:
    """Raises InvalidInput when a place has a store with jobs, or one that can't be known to be empty."""
    from tunewright.queries import Jobs
    from tunewright.store.opening import open_store

    if place.kind == "memory":
        raise InvalidInput("store", "must be a file or a database, not in memory")
    if place.path is not None and not place.path.exists():
        return
    address = place.url or str(place.path)
    try:
        opened = open_store(address, create=place.path is None)
    except StoreVersion:
        raise
    except StoreDamaged as error:
        raise InvalidInput("store", f"must be new or empty ({error})") from error
    try:
        count = sum(1 for _ in opened.read(Jobs(limit=1)))
    finally:
        opened.close()
    if count:
        raise InvalidInput("store", "must be new or hold no job; name another one (--store)", opened.location)


def copy_file(source: Path, target: Path) -> None:
    """Copies a SQLite file, whole and as of one moment. Raises StoreError."""
    partial = target.with_name(f"{target.name}.part")
    try:
        with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(partial)) as copied:
            opened.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE")
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"{source} could not be copied to {target}: {error}") from error


def _copy_from_server(database: Database, target: Path) -> None:
    from tunewright.store.sql.schema import SCHEMA_VERSION
    from tunewright.store.sql.store import open_sqlite
    from tunewright.store.sql.versions import found_version, parts

    found = found_version(database, alone=False)
    if found is None or parts(found) != parts(SCHEMA_VERSION):
        rule = f"{database.name} is of version {found}, and a copy is of version {SCHEMA_VERSION}: tunewright store upgrade"
        raise StoreVersion(rule)
    open_sqlite(target).close()
    with _file_engine(target).connect() as written, database.engine.connect() as read:
        read.execution_options(isolation_level="REPEATABLE READ", stream_results=True)
        _copy_rows(read, written)
        written.commit()
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _copy_to_server(source: Path, place: Place) -> None:
    from sqlalchemy import text

    from tunewright.store.sql.database import Database
    from tunewright.store.sql.schema import metadata

    database = Database(dialect_of(place))
    try:
        with _file_engine(source).connect() as read, database.exclusive() as written:
            _copy_rows(read, written)
            for table in metadata.sorted_tables:
                if "id" in table.c:  # numbers go on after those that were copied
                    last = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), MAX(id)) FROM {table.name}"
                    written.execute(text(f"{last} HAVING MAX(id) IS NOT NULL"))
    finally:
        database.close()


def _copy_rows(source: Connection, target: Connection) -> None:
    from sqlalchemy import insert, select

    from tunewright.store.sql.schema import metadata

    for table in metadata.sorted_tables:
        result = source.execute(select(table))
        while rows := result.fetchmany(_ROWS):
            target.execute(insert(table), [dict(row._mapping) for row in rows])


def _file_engine(path: Path) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    return create_engine(f"sqlite:///{path}", poolclass=NullPool)
