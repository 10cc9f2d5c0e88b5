"""The store on PostgreSQL against the model that the other stores are held to."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings

from tests.postgres_server import Server
from tests.property.test_store import StoreMachine
from tunewright.store.sql.database import Database
from tunewright.store.sql.postgresql import PostgresqlDialect
from tunewright.store.sql.schema import metadata
from tunewright.store.sql.store import SqlStore, open_postgresql

pytestmark = pytest.mark.slow


class PostgresqlMachine(StoreMachine):
    """All runs use one database, which is emptied before each."""

    address: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        database = Database(PostgresqlDialect(self.address))
        tables = ", ".join(metadata.tables)
        database.once(lambda cursor: cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY"))
        self.store = SqlStore(database)


@pytest.fixture(scope="module", autouse=True)
def _tables(postgresql_server: Server) -> None:
    PostgresqlMachine.address = postgresql_server.database()
    open_postgresql(PostgresqlMachine.address).close()


TestPostgresql = PostgresqlMachine.TestCase
TestPostgresql.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
