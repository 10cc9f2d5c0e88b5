"""tune, resume, stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tunewright as tw
from tests.cli.session import Session

pytestmark = pytest.mark.usefixtures("project")
INLINE = ("--executor", "inline", "--seed", "1")
TUNE = ("tune", "program.py:train", "--metric", "loss", *INLINE)


def test_tune_tells_the_job_from_start_to_end(cli: Session) -> None:
    code, out, err = cli(*TUNE, "--max-trials", "6", "--name", "first")
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if not line.startswith("training with")]
    assert lines[0].startswith("Job first, stored in ")
    assert "minimize loss, at most 6 trials, 1 at a time, seed 1" in lines[0]
    assert any(line.startswith("Best: loss ") and "better than the default (0.59)" in line for line in lines)
    assert lines[-1] == "More: tunewright show first"


def test_tune_prints_one_document_with_json(cli: Session) -> None:
    code, out, err = cli(*TUNE, "--max-trials", "6", "--name", "first", "--json")
    assert code == 0
    assert err.count("training with") == 6
    document = json.loads(out)
    assert (document["name"], document["status"], document["reason_code"]) == ("first", "Completed", "max_trials")
    assert document["trials"]["completed"] == 6
    assert document["objectives"][0]["metric"] == "loss"


def test_parameters_of_the_command_line_replace_those_beside_the_function(cli: Session) -> None:
    assert cli(*TUNE, "--max-trials", "6", "--name", "first", "-p", "layers=1,2:default=1", "-p", "epochs=10").code == 0
    job = tw.job("first")
    assert {trial.params["layers"] for trial in job.trials} <= {1, 2}
    assert {trial.params["epochs"] for trial in job.trials} == {10}
    assert list(job.space.names) == ["lr", "layers"]


def test_another_space_beside_the_function(cli: Session) -> None:
    assert cli(*TUNE, "--max-trials", "4", "--name", "first", "--space", "other").code == 0
    for trial in tw.job("first").trials:
        assert isinstance(trial.params["lr"], float)
        assert trial.params["lr"] >= 0.5
        assert trial.params["layers"] == 3


def test_a_space_of_parameters_alone(cli: Session, project: Path) -> None:
    (project / "bare.py").write_text("def train(trial):\n    return trial.params['x']\n")
    assert (
        cli("tune", "bare.py:train", "-p", "x=0..1", "--metric", "loss", "--max-trials", "3", "--name", "first", *INLINE).code
        == 0
    )
    code, _, err = cli("tune", "bare.py:train", "--metric", "loss", "--max-trials", "3", *INLINE)
    assert code == 2
    assert "space must be given: a variable `space` beside the function, --space NAME, or -p NAME=SPEC" in err


def test_limits_resources_and_tags_arrive(cli: Session) -> None:
    options = ("--max-trials", "50", "--max-time", "1h", "--target", "0.25", "--tag", "team=vision", "--tag", "draft")
    assert cli(*TUNE, *options, "--require", "size <= 3", "--name", "first").code == 0
    record = tw.job("first").record
    assert record.spec["max_time"] == 3600
    assert record.spec["tags"] == {"team": "vision", "draft": ""}
    assert record.spec["require"] == {"size": "<= 3.0"}
    assert record.state.reason_code == "target_reached"
    assert tw.job("first").best.params["layers"] <= 3  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "limits must hold at least one of max_trials, max_time"),
        (("--max-trials", "0"), "max_trials must be an integer of at least 1; got 0"),
        (("--max-trials", "3", "--max-parallel", "0"), "max_parallel must be an integer of at least 1; got 0"),
        (("--max-trials", "3", "--strategy", "sobl"), "did you mean 'sobol'?"),
        (("--max-trials", "3", "--goal", "minimise"), "goal must be 'minimize' or 'maximize'"),
        (("--max-trials", "3", "--max-time", "soon"), "max_time"),
        (("--max-trials", "3", "-p", "lr=1..0"), "-p lr=1..0: Int.high must be greater than low"),
        (("--max-trials", "3", "-p", "x=0..1:when=lr >"), "x"),
        (("--max-trials", "3", "--space", "nothing"), "--space must name a variable of"),
        (("--max-trials", "3", "--require", "size"), "--require must be a metric, an operator and a number"),
        (("--max-trials", "3", "--memory", "much"), "resources.memory"),
    ],
)
def test_bad_input_starts_nothing(cli: Session, options: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*TUNE, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert tw.jobs() == []


def test_a_name_that_is_taken_shows_the_two_ways_on(cli: Session) -> None:
    assert cli(*TUNE, "--max-trials", "2", "--name", "first").code == 0
    code, _, err = cli(*TUNE, "--max-trials", "2", "--name", "first")
    assert code == 2
    assert "name is taken; choose another name, or go on with that job" in err
    assert cli(*TUNE, "--max-trials", "4", "--name", "first", "--resume").code == 0
    assert len(tw.job("first").trials) == 4


def test_a_job_whose_trials_fail_exits_with_1_and_shows_why(cli: Session) -> None:
    code, out, err = cli("tune", "program.py:fails", "--metric", "loss", "--max-trials", "9", "--name", "first", *INLINE)
    assert code == 1
    assert "trial 0 failed: RuntimeError: no data" in out
    assert 'raise RuntimeError("no data")' in err
    assert "error: job 'first' failed: the first 3 trials failed with the same error" in err


def test_an_error_in_the_target_shows_its_traceback(cli: Session, project: Path) -> None:
    (project / "broken.py").write_text("1 / 0\n")
    code, _, err = cli("tune", "broken.py:train", "--metric", "loss", "--max-trials", "9")
    assert code == 2
    assert "1 / 0" in err
    assert "error: target must be importable; ZeroDivisionError: division by zero; got 'broken.py:train'" in err


def test_resume_goes_on_to_a_larger_limit(cli: Session) -> None:
    cli(*TUNE, "--max-trials", "3", "--name", "first")
    code, out, _ = cli("resume", "first", "--max-trials", "5", "--json")
    assert code == 0
    assert json.loads(out)["trials"]["completed"] == 5
    assert cli("resume", "frist").code == 2


def test_stop_says_that_a_job_has_ended(cli: Session) -> None:
    cli(*TUNE, "--max-trials", "3", "--name", "first")
    code, out, _ = cli("stop", "first")
    assert code == 0
    assert out.startswith("Job first has ended already: Completed")
    assert json.loads(cli("stop", "first", "--json").out)["answer"].startswith("job first has ended already")


@pytest.mark.slow
def test_tune_in_worker_processes(cli: Session) -> None:
    code, out, _ = cli(
        "tune", "program.py:train", "--metric", "loss", "--max-trials", "6", "--max-parallel", "2", "--name", "first"
    )
    assert code == 0
    assert "training with" not in out
    assert "6 trials completed" in out
    assert cli("logs", "first", "0").out == "training with 5 layers\n"
