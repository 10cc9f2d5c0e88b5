"""Transactions on an SQL database: short, tried again while others hold the locks, with errors that say what to do."""

from __future__ import annotations

import errno
import marshal
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from tunewright.errors import StoreBusy, StoreError, StoreFull
from tunewright.store.sql.writing import Cursor

T = TypeVar("T")
OPENING = 10.0  # seconds that a server which is just starting is waited for
CHUNK = 1000  # rows that are fetched at once
IN_MEMORY = 20_000  # rows of an answer that are held in memory; more go through a temporary file


class Dialect(Protocol):
    """What differs between databases."""

    name: str  # printable: without a password
    limit: float  # seconds before a database that is locked, or can't be reached any more, is an error
    one_writer: bool  # only one transaction may write at a time, so threads queue here instead of in the database
    poll: float  # seconds between looks for what other processes wrote

    def engine(self) -> Engine: ...

    def batch(self, connection: PoolProxiedConnection) -> AbstractContextManager[object]:
        """Within it, statements may be sent together; the error of one may come up at a later one, or at the end."""
        ...

    def begin(self, cursor: Cursor) -> Callable[[], object]:
        """Starts a transaction that writes. What comes back gives, once asked, the mark for `was_committed`."""
        ...

    def was_committed(self, cursor: Cursor, mark: object) -> bool:
        """What became of a transaction whose connection broke. When the database doesn't know of that yet, it is ended."""
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

    def is_lost(self, error: Exception) -> bool:
        """Whether the connection broke, or none could be made."""
        ...

    def refused_value(self, error: Exception) -> Exception | None:
        """A UnicodeError or OverflowError, when it was a value that the database doesn't take."""
        ...

    def explain(self, error: Exception) -> StoreError:
        """The error for people."""
        ...

    def busy(self) -> StoreBusy:
        """The error when others kept the database locked past the limit."""
        ...

    def lost(self, error: Exception, seconds: float) -> StoreError:
        """The error when the database couldn't be reached for so long."""
        ...


class Database:
    """A database with its connections. Safe to use from several threads, and in a process that was forked."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.name, self.poll = dialect.name, dialect.poll
        self._patient = False  # waits for a lost connection: not before there was one, nor again once that was in vain
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
            StoreUnreachable: the same, unless the connection broke during the commit: then it may have been written.
            UnicodeError, OverflowError: a value that the database doesn't take; nothing was written.
        """
        with self._writing():
            return self._again(_Transaction(self._dialect, lambda: self.engine, self._errors, work))

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
                    connection.begin()  # SQLAlchemy's view of it: what runs within must not commit by itself
                    yield connection
                    connection.commit()
            except self._errors as error:
                raise self._explained(error) from error

    def tables(self) -> set[str]:
        """The names of all tables."""
        return self.once(self._dialect.tables)

    def once(self, work: Callable[[Cursor], T]) -> T:
        """Runs `work` outside of a transaction."""

        def attempt() -> T:
            with self._cursor() as cursor:
                return work(cursor)

        return self._again(attempt)

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
        except self._errors as error:
            if self._dialect.is_lost(_driver_error(error)):
                connection.invalidate()
            raise
        finally:
            connection.close()

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
        began: float | None = None
        pause = 0.01
        while True:
            try:
                result = attempt()
                self._patient = True
                return result
            except self._errors as error:
                problem = _driver_error(error)
                lost, busy = self._dialect.is_lost(problem), self._dialect.is_busy(problem)
                if not lost and not busy:
                    raise self._dialect.refused_value(problem) or self._dialect.explain(problem) from error
                now = time.monotonic()
                if lost:
                    self._wait_for_connection(problem, 0.0 if began is None else now - began, busy)
                elif began is not None and now - began >= self._dialect.limit:
                    raise self._dialect.busy() from error
                began = now if began is None else began
            pause = min(2 * pause, 1.0) if lost else 0.01
            time.sleep(random.uniform(pause / 10, pause))

    def _wait_for_connection(self, problem: Exception, waited: float, passing: bool) -> None:
        """Raises when a lost connection is to be waited for no longer."""
        limit = self._dialect.limit if self._patient else (min(OPENING, self._dialect.limit) if passing else 0.0)
        if waited >= limit:
            self._patient = False
            self.engine.dispose()  # idle connections are broken, too
            raise self._dialect.lost(problem, limit) from problem

    def _explained(self, error: Exception) -> StoreError:
        return self._dialect.explain(_driver_error(error))

    def _after_fork(self) -> None:
        """A connection must not be used in two processes: a forked child leaves its parent's alone."""
        if self._process != os.getpid():
            self.engine.dispose(close=False)
            self._open()


class _Transaction(Generic[T]):
    """One transaction that writes, attempted until it is committed.

    Args:
        engine: gives the engine as it is then.
        errors: the driver's.
    """

    def __init__(
        self, dialect: Dialect, engine: Callable[[], Engine], errors: tuple[type[Exception], ...], work: Callable[[Cursor], T]
    ) -> None:
        self._dialect, self._engine, self._errors, self._work = dialect, engine, errors, work
        self._mark: object = None  # of an attempt whose connection broke
        self._results: list[T] = []  # of an attempt that may have been committed

    def __call__(self) -> T:
        connection = self._engine().raw_connection()
        try:
            cursor: Any = connection.cursor()
            try:
                if self._mark is not None and self._dialect.was_committed(cursor, self._mark):
                    return self._results[0]
                return self._attempt(connection, cursor)
            finally:
                cursor.close()
        except self._errors as error:
            if self._dialect.is_lost(_driver_error(error)):
                connection.invalidate()
            raise
        finally:
            connection.close()

    def _attempt(self, connection: PoolProxiedConnection, cursor: Cursor) -> T:
        mark: Callable[[], object] | None = None
        self._mark = None
        try:
            with self._dialect.batch(connection):
                mark = self._dialect.begin(cursor)
                result = self._work(cursor)
                self._results = [result]
                cursor.execute("COMMIT")
            return result
        except BaseException as error:
            if not isinstance(error, self._errors) or not self._dialect.is_lost(_driver_error(error)):
                self._roll_back(connection)
            elif mark is not None:
                with suppress(*self._errors):  # it broke before the transaction had begun
                    self._mark = mark()
            raise

    def _roll_back(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.rollback()
        except self._errors:  # the connection is broken, and its transaction with it
            connection.invalidate()


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
