from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tunewright.executors.process_identity import start_time, this_host
from tunewright.executors.script_place import Place


def test_one_of_many_that_claim_succeeds(tmp_path: Path) -> None:
    results: list[tuple[int, bool]] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        results.append((number, Place(tmp_path / "1").claim({"number": number})))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number, won in results if won]
    assert Place(tmp_path / "1").claimed() == {"number": winner}
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["claim.json"]


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    place = Place(tmp_path / "1")
    assert [place.claim({"number": number}) for number in (1, 2)] == [True, False]
    assert place.claimed() == {"number": 1}


def test_the_last_owner_owns(tmp_path: Path) -> None:
    place = Place(tmp_path / "1")
    assert place.owned_by("anyone")
    place.own("first")
    place.own("second")
    assert not place.owned_by("first")
    assert place.owned_by("second")


def test_the_first_end_that_is_decided_counts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.decided_end() is None
    place.decide_end({"outcome": "paused"})
    place.decide_end({"outcome": "stopped"})
    assert place.decided_end() == {"outcome": "paused"}


def test_what_is_half_written_is_not_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for content in ("", '{"pid": 1', "[1]"):
        (tmp_path / "claim.json").write_text(content)
        assert place.claimed() is None


def test_a_process_is_told_from_another_one_with_its_number() -> None:
    mine = start_time(os.getpid())
    assert mine
    assert start_time(os.getpid()) == mine
    assert start_time(os.getppid()) not in ("", mine)
    assert start_time(2**22 + 1) == ""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert start_time(child) == "", "a zombie doesn't run"
    os.waitpid(child, 0)
    assert this_host() == this_host() != ""
