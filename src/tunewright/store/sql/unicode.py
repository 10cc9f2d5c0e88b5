"""Text that databases take: what came from a program's output or a file's name may hold lone surrogates, or zero bytes."""

from __future__ import annotations

from typing import Any

from tunewright.store.sql.writing import Cursor


class WellFormed:
    """A cursor that puts U+FFFD in the place of lone surrogates, and of null characters, in all that is written through it."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    @property
    def connection(self) -> Any:
        return self._cursor.connection

    def execute(self, sql: str, parameters: tuple[Any, ...] = (), /) -> Any:
        return self._cursor.execute(sql, _well_formed(parameters))

    def executemany(self, sql: str, rows: list[tuple[Any, ...]], /) -> Any:
        return self._cursor.executemany(sql, [_well_formed(row) for row in rows])

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._cursor.fetchall()


def _well_formed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_value, row))


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return [*map(_value, value)] if isinstance(value, list) else value
