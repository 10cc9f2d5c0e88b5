"""Brings a store's tables up to date because a person asked for it, and says beforehand what that would do."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidInput, StoreDamaged, StoreError
from tunewright.store.location import Place, locate

if TYPE_CHECKING:
    from tunewright.store.sql.database import Database
    from tunewright.store.sql.versions import Versions


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade does, or did.

    Attributes:
        location: the store, without a password.
        found, newest: the version that it had, and the one that this program knows.
        statements: the SQL that changes it, in order; empty when there is nothing to change.
        done: whether it was carried out.
        copy: where the store was copied to before; None for a database on a server, whose backup is its owner's.
    """

    location: str
    found: str
    newest: str
    statements: tuple[str, ...] = ()
    done: bool = False
    copy: str | None = None


def upgrade_store(
    address: str | os.PathLike[str] | None = None, *, dry_run: bool = False, versions: Versions | None = None
) -> Upgrade:
    """Brings a store up to this program's version.

    It is carried out in a transaction that is undone, and then, unless that was all that was asked for, once more for good.
    Jobs may go on meanwhile: they wait for it, at most half a minute.

    Args:
        address: as for `open_store`.
        dry_run: only say what would be done, once it is sure that it can be.
        versions: that this program knows; for tests.

    Raises:
        InvalidInput: the address means nothing, or a store in memory; or there is no such file.
        StoreVersion: it is of a newer version, or can't be brought up; it was left as it was.
        StoreError: the store can't be used.
    """
    from tunewright.store.sql.database import Database
    from tunewright.store.sql.versions import Versions, copy_beside, found_version, parts, refuse_newer

    known = versions or Versions()
    place = locate(address)
    database = Database(dialect_of(place))
    try:
        found = found_version(database, place.kind == "sqlite")
        if found is None:
            raise StoreDamaged(f"{database.name} holds no tables of Tunewright; the first job makes them")
        refuse_newer(database.name, found, known.newest)
        if parts(found) >= parts(known.newest):
            return Upgrade(database.name, found, known.newest)
        statements = _carry_out(database, found, known, for_good=False)
        if dry_run:
            return Upgrade(database.name, found, known.newest, statements)
        copied = None if place.path is None else str(copy_beside(place.path, found))
        _carry_out(database, found, known, for_good=True)
        return Upgrade(database.name, found, known.newest, statements, True, copied)
    finally:
        database.close()


def dialect_of(place: Place) -> Any:
    """The dialect for a place that is there, before anything is opened. Raises InvalidInput, StoreError."""
    if place.kind == "memory":
        raise InvalidInput("store", "must be a file or a database, not in memory")
    if place.kind == "postgresql":
        from tunewright.store.sql.postgresql import PostgresqlDialect, timeout_of

        return PostgresqlDialect(place.url, timeout_of(place.options))
    from tunewright.store.sql.sqlite import SqliteDialect, inspect

    assert place.path is not None
    inspect(place.path, create=False)
    return SqliteDialect(place.path, place.options)


class _Undone(Exception):
    """Ends a transaction without a trace."""


def _carry_out(database: Database, found: str, versions: Versions, *, for_good: bool) -> tuple[str, ...]:
    from sqlalchemy import event

    from tunewright.store.sql.versions import not_upgraded, run_migrations

    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if statement.split(None, 1)[0].upper() not in ("SELECT", "PRAGMA", "SHOW"):
            statements.append(" ".join(statement.split()))

    with suppress(_Undone), database.exclusive() as connection:
        event.listen(connection, "before_cursor_execute", note)
        try:
            run_migrations(connection, versions)
        except StoreError:
            raise
        except Exception as error:
            raise not_upgraded(database.name, found, versions.newest, error, None) from error
        if not for_good:
            raise _Undone
    return tuple(statements)
