"""Transactions on an SQL database: short, tried again while others hold the locks, with errors that say what to do."""

from __future__ import annotations

import errno
import marshal
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from tunewright.errors import StoreBusy, StoreError, StoreFull
from tunewright.store.sql.writing import Cursor

T = TypeVar("T")
CHUNK = 1000  # rows that are fetched at once
IN_MEMORY = 20_000  # rows of an answer that are held in memory; more go through a temporary file


class Dialect(Protocol):
    """What differs between databases."""

    name: str  # printable: without a password
    limit: float  # seconds before a locked database is an error
    one_writer: bool  # only one transaction may write at a time, so threads queue here instead of in the database

    def engine(self) -> Engine: ...

    def begin(self, cursor: Cursor) -> None:
        """Starts a transaction that writes."""
        ...

    def lock_schema(self, cursor: Cursor) -> None:
        """In a transaction that writes: keeps others from changing tables till its end."""
        ...

    def tables(self, cursor: Cursor) -> set[str]:
        """The names of all tables."""
        ...

    def is_busy(self, error: Exception) -> bool:
        """Whether the same may succeed when it is tried again."""
        ...

    def explain(self, error: Exception) -> StoreError:
        """The error for people."""
        ...

    def busy(self) -> StoreBusy:
        """The error when others kept the database locked past the limit."""
        ...


class Database:
    """A database with its connections. Safe to use from several threads, and in a process that was forked."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.name = dialect.name
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._turn = Lock()
        self.engine = self._dialect.engine()
        self._errors = (self.engine.dialect.loaded_dbapi.Error, DBAPIError)

    def write(self, work: Callable[[Cursor], T]) -> T:
        """Runs `work` in one transaction that writes; it may be run again from the start when the database asks for that.

        Raises:
            StoreBusy, StoreFull, StoreDamaged, StoreError: nothing was written; and what `work` raises.
        """
        with self._writing():
            return self._again(lambda: self._transact(work))

    def read(self, sql: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """The rows of one statement, as of now.

        The rows are taken at once, so that a slow reader holds no snapshot; a large answer waits in a temporary file.
        """
        self._after_fork()
        first, spilled = self._again(lambda: self._fetch(sql, values))
        return iter(first) if spilled is None else _stream(first, spilled)

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """A connection in a transaction that may change tables, alone."""
        with self._writing():
            try:
                with self.engine.connect() as connection:
                    cursor: Any = connection.connection.cursor()
                    self._again(lambda: self._dialect.begin(cursor))
                    self._dialect.lock_schema(cursor)
                    cursor.close()
                    yield connection
                    connection.commit()
            except self._errors as error:
                raise self._explained(error) from error

    def tables(self) -> set[str]:
        """The names of all tables."""
        return self.once(self._dialect.tables)

    def once(self, work: Callable[[Cursor], T]) -> T:
        """Runs `work` outside of a transaction."""
        with self._cursor() as cursor:
            return self._again(lambda: work(cursor))

    def close(self) -> None:
        """Closes all connections that are not in use."""
        self._after_fork()
        self.engine.dispose()

    # --- how ---

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
        finally:
            connection.close()

    def _transact(self, work: Callable[[Cursor], T]) -> T:
        connection = self.engine.raw_connection()
        try:
            cursor: Any = connection.cursor()
            try:
                self._dialect.begin(cursor)
                result = work(cursor)
                connection.commit()
                return result
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                cursor.close()
        finally:
            connection.close()

    def _roll_back(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.rollback()
        except self._errors:  # the connection is broken, and its transaction with it
            connection.invalidate()

    def _fetch(self, sql: str, values: tuple[Any, ...]) -> tuple[list[tuple[Any, ...]], Any]:
        with self._cursor() as cursor:
            cursor.execute(sql, values)
            rows: list[tuple[Any, ...]] = cursor.fetchmany(CHUNK)
            if len(rows) < CHUNK:
                return rows, None
            while len(rows) < IN_MEMORY and (chunk := cursor.fetchmany(CHUNK)):
                rows += chunk
            if len(rows) < IN_MEMORY:
                return rows, None
            return rows, _spill(cursor)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._after_fork()
        if not self._dialect.one_writer:
            yield
            return
        if not self._turn.acquire(timeout=self._dialect.limit):
            raise self._dialect.busy()
        try:
            yield
        finally:
            self._turn.release()

    def _again(self, attempt: Callable[[], T]) -> T:
        """Attempts until it succeeds, fails for a reason that stays, or the limit is over."""
        deadline: float | None = None
        while True:
            try:
                return attempt()
            except self._errors as error:
                if not self._dialect.is_busy(_driver_error(error)):
                    raise self._explained(error) from error
                now = time.monotonic()
                if deadline is None:
                    deadline = now + self._dialect.limit
                elif now >= deadline:
                    raise self._dialect.busy() from error
            time.sleep(random.uniform(0.001, 0.01))

    def _explained(self, error: Exception) -> StoreError:
        return self._dialect.explain(_driver_error(error))

    def _after_fork(self) -> None:
        """A connection must not be used in two processes: a forked child leaves its parent's alone."""
        if self._process != os.getpid():
            self.engine.dispose(close=False)
            self._open()


def _driver_error(error: Exception) -> Exception:
    return error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error


def _spill(cursor: Any) -> Any:
    spilled = tempfile.TemporaryFile(prefix="tunewright-rows-")  # noqa: SIM115  # closed by _stream
    try:
        while chunk := cursor.fetchmany(CHUNK):
            marshal.dump(chunk, spilled)
        spilled.seek(0)
    except BaseException as error:
        spilled.close()
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StoreFull(f"no space left in {tempfile.gettempdir()} for a large answer of the store") from error
        raise
    return spilled


def _stream(first: list[tuple[Any, ...]], spilled: Any) -> Iterator[tuple[Any, ...]]:
    with spilled:
        yield from first
        first.clear()
        while True:
            try:
                chunk = marshal.load(spilled)  # written by this process a moment ago
            except EOFError:
                return
            yield from chunk
