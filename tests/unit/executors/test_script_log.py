from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tunewright.executors.script_log import BoundedLog

LIMIT = 20_000


def test_a_short_log_is_what_was_written(tmp_path: Path) -> None:
    log = BoundedLog(str(tmp_path / "log.txt"), LIMIT)
    log.note("hello")
    log.write(b"one\n")
    log.close()
    assert (tmp_path / "log.txt").read_text() == "tunewright: hello\none\n"


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = BoundedLog(str(path), LIMIT)
    lines = [f"line {number}\n".encode() for number in range(10_000)]
    for line in lines[:9000]:
        log.write(line)
        assert path.stat().st_size < LIMIT
    assert "has reached its limit of 20,000 bytes" in path.read_text()
    for line in lines[9000:]:
        log.write(line)
    log.close()
    text = path.read_text()
    assert path.stat().st_size < LIMIT + 500
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 9998\nline 9999\n")
    beginning, _, rest = text.partition("tunewright: the log has reached")
    left_out = int(rest.partition("tunewright: ")[2].partition(" bytes")[0].replace(",", ""))
    end = rest.partition("left out here\n")[2]
    assert len(beginning.rstrip("\n")) + left_out + len(end) in (sum(map(len, lines)), sum(map(len, lines)) - 1)


def test_the_bound_is_of_the_trial_with_all_its_executions(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    for _ in range(5):
        log = BoundedLog(str(path), LIMIT)
        log.write(b"x" * 10_000)
        log.close()
    assert path.stat().st_size < LIMIT + 5 * (LIMIT // 4) + 5 * 500


def test_one_large_block_is_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = BoundedLog(str(path), LIMIT)
    log.write(b"y" * 1_000_000 + b"end")
    log.close()
    assert path.stat().st_size < LIMIT + 500
    assert path.read_bytes().endswith(b"yend")


def test_a_full_disk_costs_output_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    log = BoundedLog(str(path), LIMIT)
    log.write(b"before\n")
    write, full = os.write, True

    def refuse(file: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", refuse)
    log.write(b"late\n")
    full = False
    log.write(b"after\n")
    log.close()
    assert path.read_text() == "before\nlate\nafter\n"


def test_what_a_full_disk_costs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    log = BoundedLog(str(path), LIMIT)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        for number in range(2000):
            log.write(f"{number}\n".encode())
    log.write(b"after\n")
    log.close()
    assert path.read_text().startswith("tunewright: 3,890 bytes of output were left out here\n")
    assert path.read_text().endswith("\n1998\n1999\nafter\n")


def test_a_log_that_cannot_be_made_is_made_later(tmp_path: Path) -> None:
    log = BoundedLog(str(tmp_path / "later" / "log.txt"), LIMIT)
    log.write(b"one\n")
    (tmp_path / "later").mkdir()
    log.close()
    assert (tmp_path / "later" / "log.txt").read_text() == "one\n"
