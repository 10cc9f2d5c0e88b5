"""PostgreSQL, through psycopg: a store for a team.

Round trips. A transaction goes out in psycopg's pipeline mode: what needs no answer is sent together, with the COMMIT. So a
controller's commit costs two round trips, however much it writes.

Connections. One that breaks is made anew, and the transaction tried again, until `timeout` seconds are over
(`postgresql://user@host/database?timeout=300`). Before that, the server is asked by the transaction's number what became of
it, so nothing is written twice. A store that was never reached is an error at once.

Durability is the server's: with its default, `synchronous_commit=on`, an answered commit is on the server's disk. A user may
trade the last half second before a crash of the server for speed, by `?options=-csynchronous_commit%3Doff` in the address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, create_engine
from sqlalchemy.pool import QueuePool

from tunewright.errors import InvalidInput, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreUnreachable
from tunewright.store.location import without_password
from tunewright.store.sql.writing import Cursor

SCHEMA_LOCK = 0x7475_6E65  # any number that nobody else takes: "tune"
LOCK_TIMEOUT = 30.0  # seconds

# What libpq does unless the address says otherwise. A host that vanished is noticed within half a minute, not hours.
CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
    "fallback_application_name": "tunewright",
}

# SQLSTATE classes and codes, from the manual's appendix "PostgreSQL Error Codes"
_AGAIN = {"40001", "40P01", "55P03", "53300"}  # serialization failure, deadlock, lock not available, too many connections
_LOST = {"57P01", "57P02", "57P03", "57P05"}  # shut down by an administrator or a crash, can't connect now, idle for too long
_FULL = "53100"
# A server that crashed before a transaction reached its disk gives the number out again: it is in the future then.
_STATUS = "SELECT CASE WHEN %s::text::xid8 < pg_current_xact_id() THEN pg_xact_status(%s::text::xid8) ELSE 'aborted' END"
_READ_ONLY = "25006"
_FORBIDDEN = "42501"
_DAMAGED = ("XX001", "XX002")
_OUT_OF_RANGE = "22003"
# A connection that isn't made has no SQLSTATE, only the server's text: what passes by itself, and what doesn't.
_PASSING = re.compile(r"starting up|shutting down|recovery|not yet accepting|too many clients|connection slots")


# The number of the transaction; and its patience with others' locks
_BEGUN = f"SELECT pg_current_xact_id()::text, set_config('lock_timeout', '{int(LOCK_TIMEOUT * 1000)}', true)"
# backend_xid has the lower 32 bits of a transaction's number
_END_TRANSACTION = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE usename = current_user AND backend_xid::text::numeric = (%s::text::numeric) %% 4294967296"
)


class PostgresqlDialect:
    """A PostgreSQL database.

    Args:
        url: its address as libpq takes it, with the password.
        timeout: seconds before a database that is locked, or that can't be reached any more, is an error.

    Raises:
        InvalidInput: the address breaks its rule.
        StoreError: psycopg is missing.
    """

    one_writer = False
    poll = 0.2

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        self.limit = timeout
        self.name = without_password(url)
        try:
            import psycopg
        except ImportError as error:
            rule = "a store on PostgreSQL needs the package psycopg: pip install 'tunewright[postgres]'"
            raise StoreError(f"{rule} ({error})") from error
        self._psycopg = psycopg
        try:
            given = psycopg.conninfo.conninfo_to_dict(url)
            known = all(port.isdecimal() for port in str(given.get("port", "5432")).split(","))
            reason = "" if known else "the port must be a number"
        except psycopg.ProgrammingError as error:
            option = re.fullmatch(r'invalid URI query parameter: "(\w+)"', str(error).strip())
            # Nothing else of libpq's text is told: it quotes what it can't read, which may be the password.
            reason = f"libpq knows no option {option[1]}" if option else "@ / : ? # % in a password must be written as %40 ..."
            known = False
        if not known:
            rule = f"must be postgresql://user:password@host:port/database ({reason})"
            raise InvalidInput("store", rule, self.name)
        self._connection: dict[str, Any] = {**CONNECTION, **given}

    def engine(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://", creator=self._connect, paramstyle="format", use_native_hstore=False,
            poolclass=QueuePool, pool_size=8, max_overflow=-1, pool_use_lifo=True,
        )  # fmt: skip

    def _connect(self) -> Any:
        # Transactions are begun and ended by statements, so that a single SELECT is one round trip.
        return self._psycopg.connect(autocommit=True, **self._connection)

    @contextmanager
    def batch(self, connection: PoolProxiedConnection) -> Iterator[None]:
        driver: Any = connection.driver_connection
        failure: BaseException | None = None
        try:
            with driver.pipeline():
                try:
                    yield
                except BaseException as error:  # of what follows it in the pipeline, nobody wants to hear
                    failure = error
        except self._psycopg.Error:
            if failure is None:
                raise
        if failure is not None:
            raise failure

    def begin(self, cursor: Cursor) -> Callable[[], object]:
        cursor.execute("BEGIN")
        asked = cursor.connection.cursor()
        asked.execute(_BEGUN)
        return lambda: asked.fetchall()[0][0]

    def was_committed(self, cursor: Cursor, mark: object) -> bool:
        """A server that hasn't noticed would keep the transaction, and its locks, for hours: its process is ended."""
        while True:
            cursor.execute(_STATUS, (mark, mark))
            ((status,),) = cursor.fetchall()
            if status != "in progress":
                return bool(status == "committed")
            cursor.execute(_END_TRANSACTION, (mark,))
            time.sleep(0.05)

    def lock_schema(self, cursor: Cursor) -> None:
        cursor.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
        return {name for (name,) in cursor.fetchall()}

    # --- errors ---

    def is_busy(self, error: Exception) -> bool:
        return _state(error) in _AGAIN or (self._is_of_connection(error) and _PASSING.search(str(error)) is not None)

    def is_lost(self, error: Exception) -> bool:
        return _state(error) in _LOST or _state(error)[:2] == "08" or self._is_of_connection(error)

    def _is_of_connection(self, error: Exception) -> bool:
        return isinstance(error, (self._psycopg.OperationalError, self._psycopg.InterfaceError)) and not _state(error)

    def refused_value(self, error: Exception) -> Exception | None:
        if _state(error) == _OUT_OF_RANGE:
            return OverflowError(_line(error))
        if isinstance(error, self._psycopg.DataError) and "NUL" in str(error):
            return UnicodeError(_line(error))
        return None

    def explain(self, error: Exception) -> StoreError:
        state = _state(error)
        if self.is_lost(error):
            return self.lost(error, 0.0)
        if state == _FULL:
            return StoreFull(f"no space left for {self.name}; what was committed before is safe. Make room, then resume")
        if state in _DAMAGED:
            return StoreDamaged(f"{self.name} is damaged: {_line(error)}. Restore a backup of it, or name another store")
        if state == _READ_ONLY:
            return StoreError(f"{self.name} is read-only: a store must be writable, even to be read")
        if state == _FORBIDDEN:
            return StoreError(f"{self.name}: {_line(error)}. Have the database's owner grant it, or name another store")
        return StoreError(f"{self.name}: {_line(error)}")

    def busy(self) -> StoreBusy:
        return StoreBusy(f"{self.name}: others kept the rows locked for {self.limit:g} s (pg_stat_activity shows who)")

    def lost(self, error: Exception, seconds: float) -> StoreUnreachable:
        since = f" for {seconds:g} s" if seconds else ""
        found = re.search(r"FATAL: *(.*)", str(error))
        if found is None:
            return StoreUnreachable(f"{self.name} can't be reached{since}: {_line(error)}")
        hint = ""
        if "authentication" in found[1] or "no password" in found[1]:
            hint = " (a password comes from the address, from PGPASSWORD, or from ~/.pgpass)"
        return StoreUnreachable(f"{self.name} takes no connection{since}: {found[1].strip()}{hint}")


def timeout_of(options: Mapping[str, str]) -> float:
    """The option `timeout`. Raises InvalidInput."""
    text = options.get("timeout", "60")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InvalidInput("store option timeout", "must be a number of seconds", text)
    return seconds


def _state(error: Exception) -> str:
    state: Any = getattr(error, "sqlstate", None)
    return state or ""


def _line(error: Exception) -> str:
    """An error's text in one line."""
    return " ".join(str(error).split()).rstrip(".")
