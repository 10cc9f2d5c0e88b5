"""A project folder with a function to tune, and commands run in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.session import PROGRAM, Session


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, made the current one, that holds program.py; its store is .tunewright/store.db."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNEWRIGHT_STORE", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("tunewright_target_program", None)


@pytest.fixture
def cli(project: Path, capsys: pytest.CaptureFixture[str]) -> Session:
    return Session(project, capsys)
