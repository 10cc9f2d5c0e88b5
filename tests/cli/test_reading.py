"""list, show, best, logs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import tunewright as tw
from tests.cli.session import Session
from tunewright.cli.following import Follower
from tunewright.records import TuningJob

pytestmark = pytest.mark.usefixtures("project")
INLINE = ("--executor", "inline", "--seed", "1")
TUNE = ("tune", "program.py:train", "--metric", "loss", *INLINE)


@pytest.fixture
def job(cli: Session) -> tw.Job:
    assert cli(*TUNE, "--max-trials", "5", "--name", "first").code == 0
    return tw.job("first")


def test_an_empty_store_says_how_to_start(cli: Session) -> None:
    code, out, _ = cli("list")
    assert code == 0
    assert out.startswith("No job in ")
    assert "tunewright tune --help" in out
    assert cli("list", "--json").out == "[]\n"


@pytest.mark.usefixtures("job")
def test_list_is_newest_first(cli: Session) -> None:
    cli(*TUNE, "--max-trials", "2", "--name", "second")
    code, out, _ = cli("list")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:5] == ["NAME", "STATUS", "TRIALS", "FAILED", "BEST"]
    assert lines[1][:7] == ["second", "Completed", "2", "of", "2", "0", "loss"]
    assert lines[2][0] == "first"
    assert [document["name"] for document in json.loads(cli("list", "--json").out)] == ["second", "first"]


@pytest.mark.usefixtures("job")
def test_list_says_when_there_are_more(cli: Session) -> None:
    cli(*TUNE, "--max-trials", "2", "--name", "second")
    out = cli("list", "--limit", "1").out
    assert "first" not in out
    assert out.splitlines()[-1] == "... and older ones: tunewright list --limit 2"
    assert len(json.loads(cli("list", "--limit", "1", "--json").out)) == 1


def test_show_a_job(cli: Session, job: tw.Job) -> None:
    code, out, _ = cli("show", "first", "--top", "3")
    assert code == 0
    assert out.startswith(f"first: Completed ({job.reason})\n")
    for text in (
        "minimize loss",
        "seed 1",
        "5 trials completed",
        "Best: loss ",
        "better than the default",
        "tunewright show first",
    ):
        assert text in out
    table = out.split("TRIAL  LOSS")[1].split("\n\n")[0].splitlines()[1:]
    assert len(table) == 3
    assert table[0].split()[0] == str(job.best.number)
    document = json.loads(cli("show", "first", "--json").out)
    values = [trial["objectives"][0] for trial in document["leading"]]
    assert values == sorted(values)
    assert document["spec"]["seed"] == 1


def test_show_a_trial(cli: Session, job: tw.Job) -> None:
    code, out, _ = cli("show", "first", "0")
    assert code == 0
    assert out.startswith("Trial 0 of first: Completed\n")
    for text in ("objective  loss 0.59", "layers  5", "the space's default", "REPORTED", "size", "tunewright logs first 0"):
        assert text in out
    document = json.loads(cli("show", "first", "0", "--json").out)
    assert document["params"] == dict(job.trial(0).params)
    assert document["executions"][0]["purpose"] == "search"
    assert {series["metric"] for series in document["series"]} >= {"loss", "size"}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("arguments", [("show", "first", "9"), ("logs", "first", "9")])
def test_an_unknown_trial_is_refused(cli: Session, arguments: tuple[str, ...]) -> None:
    code, _, err = cli(*arguments)
    assert code == 2
    assert "trial must be" in err
    assert "got 9" in err


@pytest.mark.usefixtures("job")
def test_an_unknown_job_gets_the_nearest_name(cli: Session) -> None:
    assert "did you mean 'first'?" in cli("best", "frist").err


def test_best(cli: Session, job: tw.Job) -> None:
    code, out, _ = cli("best", "first")
    assert code == 0
    assert out.splitlines()[0].startswith("Best: loss ")
    assert json.loads(cli("best", "first", "--json").out)["params"] == dict(job.best.params)


def test_best_of_nothing_exits_with_1(cli: Session) -> None:
    cli("tune", "program.py:fails", "--metric", "loss", "--max-trials", "2", "--name", "bad", *INLINE)
    code, out, _ = cli("best", "bad")
    assert (code, out) == (1, "No trial of bad has completed\n")
    assert cli("best", "bad", "--json") == (1, "null\n", "")
    assert "No trial has completed" in cli("show", "bad").out


def test_a_job_whose_process_is_gone_is_told(cli: Session) -> None:
    store = tw.open_store(None)
    store.create(TuningJob("orphan", {"objectives": [{"metric": "loss", "goal": "minimize"}]}))
    assert "Pending, not running" in cli("list").out
    store.claim("orphan", "elsewhere|1|0|x", ttl=60)  # a process on another host may well run it
    assert "not running" not in cli("list").out


@pytest.mark.usefixtures("job")
def test_logs_of_nothing(cli: Session) -> None:
    assert cli("logs", "first").out == "No trial of first has printed anything\n"
    assert cli("logs", "first", "0").out == ""


@pytest.mark.slow
def test_logs(cli: Session) -> None:
    tune = ("tune", "program.py:train", "--metric", "loss", "--max-trials", "2", "--seed", "1", "--name", "second")
    assert cli(*tune).code == 0
    assert cli("logs", "second", "0").out == "training with 5 layers\n"
    everything = cli("logs", "second").out
    assert "== trial 0, Completed ==\ntraining with 5 layers\n== trial 1, Completed ==\ntraining with" in everything
    document = json.loads(cli("logs", "second", "--json").out)
    assert document[0] == {"trial": 0, "log": "training with 5 layers\n"}
    assert cli("logs", "second", "0", "--follow").out == "training with 5 layers\n"
    assert cli("logs", "second", "--follow", "--json").code == 2


def test_a_follower_prints_whole_lines_as_they_come(job: tw.Job) -> None:
    log = Path(job.trial(1).folder) / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntw")
    out = io.StringIO()
    follower = Follower(job, 1, out, begin_at_end=False)
    follower.print_new(whole=False)
    assert out.getvalue() == "one\n"
    with log.open("a") as file:
        file.write("o\n")
    follower.print_new(whole=False)
    assert out.getvalue() == "one\ntwo\n"
    with log.open("a") as file:
        file.write("three")
    follower.follow()  # the trial has ended, so the last line is printed without its end
    assert out.getvalue() == "one\ntwo\nthree\n"
    both = io.StringIO()
    Follower(job, None, both, begin_at_end=True).follow()
    assert both.getvalue() == ""
