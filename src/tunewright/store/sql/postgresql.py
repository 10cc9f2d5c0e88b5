"""PostgreSQL, through psycopg: a store for a team."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url

from tunewright.errors import StoreBusy, StoreDamaged, StoreError, StoreFull
from tunewright.store.sql.writing import Cursor

SCHEMA_LOCK = 0x7475_6E65  # any number that nobody else takes: "tune"
LOCK_TIMEOUT = 30.0

# SQLSTATE classes and codes, from the manual's appendix "PostgreSQL Error Codes"
_AGAIN = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_FULL = "53100"
_READ_ONLY = "25006"
_DAMAGED = ("XX001", "XX002")


class PostgresqlDialect:
    """A PostgreSQL database.

    Args:
        url: its address, with the password.
    """

    one_writer = False
    limit = 60.0

    def __init__(self, url: str) -> None:
        self._url: URL = make_url(url).set(drivername="postgresql+psycopg")
        self.name = self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    def engine(self) -> Engine:
        try:
            return create_engine(self._url, paramstyle="format", pool_pre_ping=True, max_overflow=-1)
        except ModuleNotFoundError as error:
            rule = "a store on PostgreSQL needs the package psycopg: pip install 'psycopg[binary]'"
            raise StoreError(rule) from error

    def begin(self, cursor: Cursor) -> None:
        """The driver starts a transaction by itself; this bounds its waiting for others."""
        cursor.execute(f"SET LOCAL lock_timeout = {int(LOCK_TIMEOUT * 1000)}")

    def lock_schema(self, cursor: Cursor) -> None:
        cursor.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")

    def tables(self, cursor: Cursor) -> set[str]:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
        return {name for (name,) in cursor.fetchall()}

    def is_busy(self, error: Exception) -> bool:
        return _state(error) in _AGAIN

    def explain(self, error: Exception) -> StoreError:
        state = _state(error)
        if state == _FULL:
            return StoreFull(f"no space left for {self.name}")
        if state in _DAMAGED:
            return StoreDamaged(f"{self.name} is damaged: {error}. Restore a backup of it, or name another store")
        if state == _READ_ONLY:
            return StoreError(f"{self.name} is read-only")
        return StoreError(f"{self.name}: {str(error).strip()}")

    def busy(self) -> StoreBusy:
        return StoreBusy(f"{self.name}: others kept the rows locked for {self.limit:g} s (pg_stat_activity shows who)")


def _state(error: Exception) -> str:
    state: Any = getattr(error, "sqlstate", None)
    return state or ""
