"""The store on an SQL database."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from threading import Condition
from typing import Any, TypeVar

from tunewright.errors import InvalidInput, JobExists, StoreBusy, StoreFull, StoreUnreachable
from tunewright.interfaces import Fence
from tunewright.queries import Jobs, Query
from tunewright.records import Change, Command, TuningJob
from tunewright.store.changes import WANTED_BY_COMMAND, Batch, no_job
from tunewright.store.encoding import to_json
from tunewright.store.sql import reading
from tunewright.store.sql.database import Database
from tunewright.store.sql.statements import Statements
from tunewright.store.sql.unicode import WellFormed
from tunewright.store.sql.versions import Versions, copy_beside, prepare
from tunewright.store.sql.writing import Commit, Cursor, state_row

Row = TypeVar("Row")
T = TypeVar("T")


class SqlStore:
    """A store on an SQL database; `tunewright.interfaces.Store` says what its methods do.

    Text is kept with U+FFFD in the place of lone surrogates; on PostgreSQL, which takes none, of null characters, too.

    Args:
        database: with the newest tables; see `open_sqlite` and `open_postgresql`.
        folder: where the files of its jobs go.
        namespace: of all jobs that this store sees.
    """

    def __init__(self, database: Database, folder: str | None = None, *, namespace: str = "local") -> None:
        self._database, self.namespace = database, namespace
        self.location: str | None = database.name
        self.folder = folder
        self._statements = Statements(database.engine.dialect)
        self._ids: dict[str, int] = {}
        self._changed = Condition()
        self._queries: dict[Any, tuple[str, tuple[str, ...]]] = {}  # by shape, of which there are few
        self._close = weakref.finalize(self, database.close)

    # --- writing ---

    def create(self, job: TuningJob) -> None:
        if job.namespace != self.namespace:
            raise InvalidInput("namespace", f"must be {self.namespace!r}, the store's", job.namespace)
        spec, statements = to_json("spec", job.spec), self._statements

        def work(cursor: Cursor) -> int:
            cursor.execute(statements.time)
            ((now,),) = cursor.fetchall()
            row = (self.namespace, job.name, job.kind, job.wanted.value, job.folder, job.created or now, 0, 1)
            cursor.execute(statements.add_job, (*row, *state_row(job.state)))
            added = cursor.fetchall()
            if not added:
                raise JobExists("name", "must be new in this store", job.name)
            ((number,),) = added
            cursor.execute(statements.add_spec, (number, spec))
            cursor.execute(statements.add_event, (number, 1, "job", None, None, "created", now))
            return int(number)

        self._ids[job.name] = self._write(work)

    def claim(self, job: str, owner: str, ttl: float, *, evict: str | None = None) -> Fence | None:
        statements = self._statements

        def work(cursor: Cursor, number: int) -> Fence | None:
            cursor.execute(statements.claim, (owner, ttl, number, evict))
            claimed = cursor.fetchall()
            if not claimed:
                return None
            ((fence, event, now),) = claimed
            cursor.execute(statements.add_event, (number, event, "job", None, None, f"claimed by {owner}", now))
            return Fence(job, fence, ttl)

        return self._of_job(job, lambda number: self._write(lambda cursor: work(cursor, number)))

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        try:
            return self._write(Commit(self._statements, self._id(fence.job), fence, Batch(changes)).write)
        except OverflowError as error:
            raise InvalidInput("an integer of the changes", f"must fit in 64 bits ({error})") from error

    def release(self, fence: Fence) -> None:
        """Gives control up; a store that takes nothing now leaves that to the lease's end."""
        number, statements = self._id(fence.job), self._statements

        def work(cursor: Cursor) -> None:
            cursor.execute(statements.job_owner, (number,))
            owners = cursor.fetchall()
            cursor.execute(statements.release, (number, fence.number))
            for event, now in cursor.fetchall():
                text = f"released by {owners[0][0]}"
                cursor.execute(statements.add_event, (number, event, "job", None, None, text, now))

        with suppress(StoreFull, StoreBusy, StoreUnreachable):
            self._write(work)

    def request(self, job: str, command: Command) -> int:
        statements = self._statements
        payload, wanted = to_json("payload", command.payload), WANTED_BY_COMMAND.get(command.kind)

        def work(cursor: Cursor, number: int) -> int | None:
            if wanted is None:
                cursor.execute(statements.request, (number,))
            else:
                cursor.execute(statements.request_wanted, (wanted, number))
            requested = cursor.fetchall()
            if not requested:
                return None
            ((event, now),) = requested
            cursor.execute(statements.add_command, (number, command.kind, payload, command.by, now, False))
            ((identity,),) = cursor.fetchall()
            text = f"{identity}: {command.kind}"
            cursor.execute(statements.add_event, (number, event, "command", None, None, text, now))
            return int(identity)

        made = self._of_job(job, lambda number: self._write(lambda cursor: work(cursor, number)))
        if made is None:
            raise no_job(job)
        return made

    def delete(self, job: str, *, evict: str | None = None) -> bool:
        statements = self._statements

        def work(cursor: Cursor, number: int) -> bool | None:
            cursor.execute(statements.delete_job, (number, evict))
            if not cursor.fetchall():
                return None
            for statement in statements.delete_of_job:
                cursor.execute(statement, (number,))
            return True

        if not self._of_job(job, lambda number: self._write(lambda cursor: work(cursor, number))):
            return False
        self._ids.pop(job, None)
        return True

    def _write(self, work: Callable[[Cursor], T]) -> T:
        try:
            result = self._database.write(work)
        except UnicodeError:
            result = self._database.write(lambda cursor: work(WellFormed(cursor)))
        with self._changed:
            self._changed.notify_all()
        return result

    # --- reading ---

    def read(self, query: Query[Row]) -> Iterator[Row]:
        record = reading.READERS[type(query)].record
        if isinstance(query, Jobs):
            return map(record, self._rows(query, None))

        def attempt(number: int) -> Iterator[tuple[Any, ...]] | None:
            rows = self._rows(query, number)
            first = next(rows, None)
            return None if first is None else chain((first,), rows)

        return map(record, self._of_job(query.job, attempt) or ())  # type: ignore[attr-defined]

    def wait(self, job: str, since: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while True:
            rows = self._of_job(job, lambda number: [*self._database.read(self._statements.job_event, (number,))] or None)
            if not rows:
                raise no_job(job)
            left = deadline - time.monotonic()
            if rows[0][0] > since or left <= 0:
                return int(rows[0][0])
            with self._changed:
                self._changed.wait(min(self._database.poll, left))

    def close(self) -> None:
        """Closes the connections. Idempotent."""
        self._close()

    def _rows(self, query: Query[Any], job: int | None) -> Iterator[tuple[Any, ...]]:
        sql, order = self._compiled(query)
        values = reading.parameters(query, job, self.namespace)
        return self._database.read(sql, tuple([values[name] for name in order]))

    def _compiled(self, query: Query[Any]) -> tuple[str, tuple[str, ...]]:
        """The text that answers a query, and the order of its parameters."""
        shape = reading.shape(query)
        known = self._queries.get(shape)
        if known is None:
            known = self._statements.compiled(reading.READERS[type(query)].select(query))
            if reading.is_cacheable(query):
                self._queries[shape] = known
        return known

    def _of_job(self, job: str, attempt: Callable[[int], T | None]) -> T | None:
        """What `attempt` finds with a job's id. When it finds nothing, the job may have been deleted and made anew by another
        process: then once more with the new id. Raises NotFound.
        """
        number = self._id(job)
        found = attempt(number)
        if found is None:
            self._ids.pop(job, None)
            if (new := self._id(job)) != number:
                found = attempt(new)
        return found

    def _id(self, job: str) -> int:
        """The id of a job; ids are never given twice."""
        number = self._ids.get(job)
        if number is None:
            rows = [*self._database.read(self._statements.job_id, (self.namespace, job))]
            if not rows:
                raise no_job(job)
            number = self._ids[job] = int(rows[0][0])
        return number


def open_sqlite(
    path: Path,
    options: Mapping[str, str] | None = None,
    *,
    create: bool = True,
    folder: str | None = None,
    namespace: str = "local",
    versions: Versions | None = None,
) -> SqlStore:
    """Opens a store in a SQLite file; an older one is brought up to date, after a copy beside it.

    Args:
        path: of the file, on a local file system.
        options: see `tunewright.store.sql.sqlite`.
        create: make the file when there is none.
        folder, namespace: see `SqlStore`.
        versions: that this program knows; for tests.

    Raises:
        InvalidInput: a folder, a missing file, or an option that breaks its rule.
        StoreDamaged, StoreVersion, StoreFull, StoreBusy, StoreError: the file can't be used as it is; it was left alone.
    """
    from tunewright.store.sql.sqlite import SqliteDialect, inspect

    dialect = SqliteDialect(path, options)
    inspect(path, create=create)
    database = Database(dialect)
    try:
        prepare(
            database,
            versions or Versions(),
            alone=True,
            create=create,
            set_up=dialect.write_ahead,
            copy=lambda version: copy_beside(path, version),
        )
    except BaseException:
        database.close()
        raise
    return SqlStore(database, folder, namespace=namespace)


def open_postgresql(
    url: str,
    options: Mapping[str, str] | None = None,
    *,
    create: bool = True,
    folder: str | None = None,
    namespace: str = "local",
    versions: Versions | None = None,
) -> SqlStore:
    """Opens a store in a PostgreSQL database; its tables stand in the first schema of the search path.

    An older one is refused, for others may be using it: `upgrade_store` brings it up to date.

    Args:
        url: as libpq takes it.
        options: see `tunewright.store.sql.postgresql`.
        create: make the tables when there are none.
        folder, namespace: see `SqlStore`.
        versions: that this program knows; for tests.

    Raises:
        InvalidInput: the address or an option breaks its rule.
        StoreUnreachable: its server can't be reached, or takes no connection.
        StoreDamaged, StoreVersion, StoreBusy, StoreError: the database can't be used as it is; it was left alone.
    """
    from tunewright.store.sql.postgresql import PostgresqlDialect, timeout_of

    database = Database(PostgresqlDialect(url, timeout_of(options or {})))
    try:
        prepare(database, versions or Versions(), alone=False, create=create, upgrade=False)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, folder, namespace=namespace)
