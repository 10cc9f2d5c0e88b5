"""The stores keep the contract of `Store`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright.interfaces import Store
from tunewright.store.memory import MemoryStore
from tunewright.store.sql.store import open_postgresql, open_sqlite
from tunewright.testing.clock import FakeClock
from tunewright.testing.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        self.clock = FakeClock()
        return MemoryStore(self.clock)

    def let_pass(self, store: Store, seconds: float) -> None:
        self.clock.advance(seconds)


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        opened = open_sqlite(tmp_path / "store.db")
        yield opened
        opened.close()


@pytest.mark.slow
class TestPostgresqlStore(StoreContract):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        opened = open_postgresql(postgresql)
        yield opened
        opened.close()
