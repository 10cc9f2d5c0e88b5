"""compare, export, delete, attach, store, show --plot."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

import tunewright as tw
from tests.cli.session import Session

INLINE = ("--executor", "inline", "--seed", "1", "--strategy", "random")
TUNE = ("tune", "program.py:train", "--metric", "loss", *INLINE)


@pytest.fixture(autouse=True)
def jobs(cli: Session) -> None:
    assert cli(*TUNE, "--max-trials", "5", "--name", "first").code == 0
    assert cli(*TUNE, "--max-trials", "3", "--name", "second", "-p", "layers=1,2").code == 0


def test_compare(cli: Session) -> None:
    code, out, _ = cli("compare", "first", "second")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["first", "second"]
    assert any(line.split() == ["trials", "ended", "5", "3"] for line in lines)
    assert "second differs from first:" in lines
    assert "    max_trials is 3, not 5" in lines
    document = json.loads(cli("compare", "first", "second", "--json").out)
    assert document["leading"] in ("first", "second")
    assert f"Best: {document['leading']}" in lines
    assert [job["name"] for job in document["jobs"]] == ["first", "second"]
    assert cli("compare", "first").code == 2
    assert cli("compare", "first", "third").code == 2


def test_export(cli: Session, project: Path) -> None:
    code, out, err = cli("export", "first")
    assert (code, err) == (0, "")
    assert len([*csv.DictReader(io.StringIO(out))]) == 5
    assert json.loads(cli("export", "first", "--json").out)["counts"]["completed"] == 5
    assert cli("export", "first", "-o", "t.json", "--reports").code == 0
    assert json.loads((project / "t.json").read_text())["trials"][0]["reports"]
    assert cli("export", "first", "-o", "t.parquet").code == 0
    assert (project / "t.parquet").read_bytes()[:4] == b"PAR1"
    code, _, err = cli("export", "first", "-o", "t.xlsx")
    assert code == 2
    assert "output must end with .csv, .json or .parquet" in err
    assert cli("export", "first", "--format", "parquet").code == 2
    assert cli("export", "first", "--format", "csv", "--json").code == 2


def test_delete_asks_nobody_when_there_is_nobody(cli: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, _, err = cli("delete", "first")
    assert code == 2
    assert "--yes must be given where nobody can be asked" in err
    assert len(tw.jobs()) == 2
    code, out, _ = cli("delete", "first", "second", "--yes")
    assert code == 0
    assert out.startswith("Deleted first, second (8 trials, ")
    assert tw.jobs() == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "left"), [("y", ["second"]), ("n", ["second", "first"]), ("", ["second", "first"])])
def test_delete_asks_on_a_terminal(cli: Session, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    code, out, _ = cli("delete", "first")
    assert "Delete first (5 trials, " in out
    assert code == (0 if answer == "y" else 1)
    assert [job.name for job in tw.jobs()] == left


def test_delete_as_json_and_of_what_is_not_there(cli: Session) -> None:
    assert json.loads(cli("delete", "first", "-y", "--json").out)["deleted"].keys() == {"first"}
    code, _, err = cli("delete", "second", "third", "-y")
    assert code == 2
    assert "'third'" in err
    assert [job.name for job in tw.jobs()] == ["second"]  # all or none


def test_attach_to_what_has_ended(cli: Session) -> None:
    code, out, _ = cli("attach", "first")
    assert code == 0
    assert "Completed (all 5 trials were made)" in out
    assert json.loads(cli("attach", "first", "--json").out)["status"] == "Completed"
    assert cli("attach", "third").code == 2


def test_a_store_is_saved_restored_pruned_and_upgraded(cli: Session, project: Path) -> None:
    code, out, _ = cli("store", "backup", "b.tar.gz")
    assert code == 0
    assert out.startswith("Saved 2 jobs with ")
    code, out, _ = cli("store", "restore", "b.tar.gz", "--store", "new.db")
    assert code == 0
    assert len(tw.jobs(store="new.db")) == 2
    assert cli("store", "backup", "b.tar.gz").code == 2
    assert cli("store", "restore", "b.tar.gz", "--store", "new.db").code == 2
    code, out, _ = cli("store", "prune", "--keep", "1", "--dry-run", "--store", "new.db")
    assert (code, out.splitlines()[0].split()[0]) == (0, "first")
    assert "Would remove 1 job" in out
    assert cli("store", "prune", "--keep", "1", "--store", "new.db").code == 2  # nobody can be asked
    document = json.loads(cli("store", "prune", "--keep", "1", "--store", "new.db", "--yes", "--json").out)
    assert document["done"] is True
    assert [job.name for job in tw.jobs(store="new.db")] == ["second"]
    assert cli("store", "prune", "--older-than", "30d", "--store", "new.db").out == "There is nothing to remove\n"
    assert cli("store", "prune", "--store", "new.db").code == 2
    assert cli("store", "prune", "--older-than", "soon").code == 2
    code, out, _ = cli("store", "upgrade", "--dry-run")
    assert code == 0
    assert "the newest; there is nothing to do" in out
    assert json.loads(cli("store", "upgrade", "--json").out)["statements"] == []
    assert len(tw.jobs()) == 2


def test_prune_asks_for_a_store_that_is_there(cli: Session, project: Path) -> None:
    code, _, err = cli("store", "prune", "--keep", "1", "--store", "absent.db")
    assert code == 2
    assert "store must exist" in err
    assert not (project / "absent.db").exists()


def test_show_draws_pictures_as_text(cli: Session) -> None:
    code, out, _ = cli("show", "first", "--plot", "all")
    assert code == 0
    assert "loss of 5 completed trials (o), and the best so far (-)" in out
    assert "loss by parameter: number of trials, best, median" in out
    assert "The best 5 of 5 completed trials, each parameter on its axis" in out
    assert cli("show", "first", "--plot", "history").out.count("completed trials") == 1
    for bad in (("--plot", "pie"), ("0", "--plot", "all"), ("--plot", "all", "--json")):
        assert cli("show", "first", *bad).code == 2
