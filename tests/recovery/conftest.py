"""Where the jobs are that recovery tests kill."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder for a job whose store is a SQLite file in it, or a PostgreSQL database; see `searching.store_of`."""
    if request.param == "postgresql":
        (tmp_path / "address").write_text(request.getfixturevalue("postgresql"))
    return tmp_path
