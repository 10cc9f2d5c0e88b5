"""The schema's version: a new store gets the newest, an older one is brought up to it, a newer one is refused.

A version is a major number and a minor one, which is left out when it is 0: "0001", "0001.1", "0001.2", "0002". A minor
version only adds: tables, indexes, and columns that may be NULL or have a default of the database. Every statement names its
columns, so a program that knows an earlier minor version of the same major one goes on working with it, and is let in. A
change of anything that is there already is a major version.

Alembic is imported only when a store has to be brought up; its version table is read by plain SQL.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert

from tunewright.errors import StoreDamaged, StoreError, StoreVersion
from tunewright.store.sql.database import Database
from tunewright.store.sql.schema import SCHEMA_VERSION, VERSION_TABLE, metadata
from tunewright.store.sql.writing import Cursor

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION = re.compile(r"\d+(\.\d+)?")

_version_table = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


@dataclass(frozen=True)
class Versions:
    """The versions that a program knows.

    Args:
        newest: the version that its tables have.
        folder: Alembic's folder with a revision per version.
    """

    newest: str = SCHEMA_VERSION
    folder: Path = MIGRATIONS


def prepare(
    database: Database,
    versions: Versions,
    *,
    alone: bool,
    create: bool,
    upgrade: bool = True,
    set_up: Callable[[Cursor], None] = lambda _: None,
    copy: Callable[[str], Path | None] = lambda _: None,
) -> None:
    """Makes sure that a database has the newest tables.

    Args:
        alone: the database must hold nothing else.
        create: make the tables when there are none.
        upgrade: bring older tables up to date; else they are refused.
        set_up: called, outside a transaction, once it is sure that the database may be used.
        copy: called with the old version before tables change; gives the copy that it made, or None.

    Raises:
        StoreDamaged: the database holds something else, or its version can't be read.
        StoreVersion: it is of a newer version, or could not be brought up.
    """
    found = found_version(database, alone)
    if found is None and not create:
        raise StoreDamaged(f"{database.name} holds no tables of Tunewright")
    if found is not None:
        refuse_newer(database.name, found, versions.newest)
        if not upgrade:
            _refuse_older(database.name, found, versions.newest)
    database.once(set_up)
    if found is not None and parts(found) >= parts(versions.newest):
        return
    with database.exclusive() as connection:
        found = found_version(database, alone)  # somebody else may have been first
        if found is None:
            metadata.create_all(connection, checkfirst=False)
            _version_table.create(connection)
            connection.execute(insert(_version_table).values(version_num=versions.newest))
        elif parts(found) < parts(versions.newest):
            copied = copy(found)
            try:
                run_migrations(connection, versions)
            except StoreError:
                raise
            except Exception as error:
                raise not_upgraded(database.name, found, versions.newest, error, copied) from error


def found_version(database: Database, alone: bool) -> str | None:
    """The version of the tables, None when there are none."""
    tables = database.tables()
    if VERSION_TABLE in tables:
        rows = [*database.read(f"SELECT version_num FROM {VERSION_TABLE}", ())]
        if len(rows) != 1 or not _VERSION.fullmatch(str(rows[0][0])):
            raise StoreDamaged(f"{database.name} is damaged: its version reads {rows!r}. It was left as it is")
        return str(rows[0][0])
    others = tables if alone else tables & metadata.tables.keys()
    if others:
        shown = ", ".join(sorted(others)[:5])
        raise StoreDamaged(
            f"{database.name} is no Tunewright store: it is a database of something else, with the tables {shown}. "
            "It was left as it is; name another file or database for the store"
        )
    return None


def parts(version: str) -> tuple[int, int]:
    """The major and the minor number of a version such as "0002" or "0002.1"."""
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def _refuse_older(name: str, found: str, newest: str) -> None:
    if parts(found) < parts(newest):
        raise StoreVersion(
            f"{name} is of version {found}, and this Tunewright needs {newest}. A store that others may be using is upgraded "
            "by hand: tunewright store upgrade --dry-run shows how, tunewright store upgrade does it"
        )


def refuse_newer(name: str, found: str, newest: str) -> None:
    if parts(found)[0] > parts(newest)[0]:
        raise StoreVersion(
            f"{name} was written by a newer Tunewright: its version is {found}, and this one knows versions up to {newest}. "
            "It was left as it is; upgrade Tunewright (pip install -U tunewright), or name another store"
        )


def not_upgraded(name: str, found: str, newest: str, error: Exception, copied: Path | None) -> StoreVersion:
    kept = f"; a copy of it is {copied}" if copied else ""
    text = f"{name} (version {found}) could not be brought to version {newest}: {error}. It was left as it was{kept}"
    return StoreVersion(text)


def run_migrations(connection: object, versions: Versions) -> None:
    """Brings the tables up to date, in the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(versions.folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, versions.newest)


def copy_beside(path: Path, version: str) -> Path:
    """Copies a SQLite file, whole and as of now, to `<name>.v<version>.bak` beside it; an earlier copy stays."""
    mark = ".".join(str(int(number)) for number in version.split("."))
    target, number = path.with_name(f"{path.name}.v{mark}.bak"), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.v{mark}-{number}.bak")
    partial = target.with_name(f"{target.name}.part")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target_file:
            source.backup(target_file)
            target_file.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the journal of the source
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StoreVersion(
            f"{path} (version {version}) has to be brought up to a newer version, but couldn't be copied beside it first: "
            f"{error}. It was left as it is"
        ) from error
    return target
