"""doctor, and the checks behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tunewright as tw
from tests.cli.session import Session
from tunewright.diagnosis import examine
from tunewright.records import TuningJob

pytestmark = pytest.mark.usefixtures("project")


def test_a_sound_machine(cli: Session, project: Path) -> None:
    code, out, _ = cli("doctor")
    assert code == 0
    assert {line.split()[1] for line in out.splitlines() if line.startswith("ok")} >= {
        "Python",
        "packages",
        "system",
        "cores",
        "store",
    }
    assert "not there yet; the first job makes it" in out
    assert not (project / ".tunewright").exists()


def test_json(cli: Session) -> None:
    document = json.loads(cli("doctor", "--json").out)
    assert document["sound"] is True
    assert {"name", "level", "found", "advice"} == set(document["checks"][0])


def test_a_store_that_is_none_is_a_problem(cli: Session, project: Path) -> None:
    (project / "notes.txt").write_text("text " * 100)
    code, out, _ = cli("doctor", "--store", "notes.txt")
    assert code == 1
    assert "PROBLEM  store" in out
    assert "notes.txt" in out


def test_a_job_that_nobody_runs_any_more_is_told(cli: Session) -> None:
    store = tw.open_store(None)
    store.create(TuningJob("orphan", {"objectives": [{"metric": "loss", "goal": "minimize"}]}))
    assert store.claim("orphan", "nowhere|1|0|x", ttl=60) is not None
    found = [check for check in examine() if check.name == "job"]
    assert found == []  # a process on another host may still run it
    store.create(TuningJob("second", {"objectives": [{"metric": "loss", "goal": "minimize"}]}))
    (check,) = [check for check in examine() if check.name == "job"]
    assert check.found == "second is Pending, but no process runs it"
    assert check.advice == "tunewright resume second"
    assert "2 jobs" in cli("doctor").out
