from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest

from tunewright.executors import script_spool
from tunewright.executors.script_spool import SpoolWriter
from tunewright.interfaces import ExecutorEvent, Exited, Reported
from tunewright.protocol import SpoolReader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "executions" / "1").mkdir(parents=True)
    return tmp_path / "executions" / "1" / "spool.jsonl"


def read(path: Path) -> list[ExecutorEvent]:
    reader = SpoolReader(str(path.parents[2]), 1, "token")
    events = reader.read()
    reader.close()
    return events


def test_reports_and_the_end_are_read_back(path: Path) -> None:
    spool = SpoolWriter(str(path))
    spool.reports([(1, {"loss": 2.0}), (2, {"loss": math.nan, "acc": math.inf})])
    assert spool.waiting
    assert spool.write()
    assert not spool.waiting
    spool.end({"outcome": "completed"})
    reported, exited = read(path)
    assert isinstance(reported, Reported)
    assert [(report.step, str(report.metrics)) for report in reported.reports] == [
        (1, "{'loss': 2.0}"),
        (2, "{'loss': nan, 'acc': inf}"),
    ]
    assert isinstance(exited, Exited)
    assert exited.outcome == "completed"


def test_an_end_after_a_line_that_was_cut_short_is_whole(path: Path) -> None:
    path.write_text('{"kind": "report", "step": 1, "metr')
    SpoolWriter(str(path)).end({"outcome": "stopped"})
    (exited,) = read(path)
    assert isinstance(exited, Exited)


def test_a_full_disk_delays_reports_and_the_end_and_loses_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, refusals = os.write, 3

    def refuse(file: int, data: bytes) -> int:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:10])

    pauses: list[float] = []
    monkeypatch.setattr(os, "write", refuse)
    monkeypatch.setattr("tunewright.executors.script_spool.time.sleep", pauses.append)
    spool = SpoolWriter(str(path))
    spool.reports([(1, {"loss": 2.0})])
    assert not spool.write()
    assert spool.waiting
    spool.end({"outcome": "completed"})
    assert len(pauses) == 2
    assert [type(event) for event in read(path)] == [Reported, Exited]


def test_the_end_gives_up_at_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_spool, "_PATIENCE", 0.02)
    monkeypatch.setattr(script_spool, "_PAUSE", 0.01)
    spool = SpoolWriter(str(path.parent / "missing" / "spool.jsonl"))
    spool.end({"outcome": "completed"})
    assert spool.waiting
