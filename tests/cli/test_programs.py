"""tune with programs, tune.yaml and sweeps: what is run, what is said, what is refused."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.cli.session import Session

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
parser.add_argument("--opt")
given = parser.parse_args()
for epoch in range(given.epochs):
    print(f"epoch {epoch} loss={abs(given.lr - 0.01) + given.layers / 10 / (epoch + 1)} acc={1 / given.layers}", flush=True)
"""
PARAMETERS = ("-p", "lr=1e-5..1e-1:log", "-p", "layers=1..6", "-p", "opt=sgd,adam")
TUNE = (
    "tune", "script.py", *PARAMETERS, "--metric", "val/loss", "--regex", r"loss=([0-9.e-]+)", "--max-trials", "3",
    "--max-parallel", "2", "--seed", "1", "--name", "first",
)  # fmt: skip
SWEEP = """
program: script.py
method: random
metric: {name: loss, goal: minimize}
parameters:
  lr: {distribution: log_uniform_values, min: 1e-5, max: 0.1}
  layers: {min: 1, max: 6}
  opt: {values: [sgd, adam]}
run_cap: 3
"""
FILE = r"""
program: script.py
metrics: {val/loss: "loss=([0-9.e-]+)"}
space:
  lr: {float: [1e-5, 1e-1], scale: log}
  layers: {int: [1, 6]}
  opt: {choice: [sgd, adam]}
metric: val/loss
max_trials: 3
max_parallel: 2
name: first
"""


@pytest.fixture(autouse=True)
def script(project: Path) -> Path:
    (project / "script.py").write_text(SCRIPT)
    return project / "script.py"


def commands(out: str) -> list[list[str]]:
    return [shlex.split(line) for line in out.splitlines() if line.startswith("    ") and line[4] != " "]


def test_a_dry_run_says_what_would_run_and_starts_nothing(cli: Session, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_GPUS", "2")
    code, out, err = cli(*TUNE[:-2], "--gpus", "1", "--dry-run", "--", "--epochs", "10")
    assert (code, err) == (0, "")
    found = commands(out)
    assert len(found) == 3
    for command in found:
        assert command[:4] == [sys.executable, "script.py", "--epochs", "10"]
        assert [argument.partition("=")[0] for argument in command[4:]] == ["--lr", "--layers", "--opt"]
    assert "Search: minimize val/loss, at most 3 trials, 2 at a time, seed 1\n" in out
    assert "Space: infinitely many configurations of lr, layers, opt\n" in out
    assert "Store: .tunewright/store.db (not there yet)\nNothing was started\n" in out
    assert not (project / ".tunewright").exists()


def test_a_dry_run_as_json(cli: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_GPUS", "1")
    document = json.loads(cli(*TUNE, "--dry-run", "--json", "--gpus", "0.5").out)
    assert len(document["commands"]) == 3
    assert document["commands"][0][:2] == [sys.executable, "script.py"]
    assert document["configurations"][0].keys() == {"lr", "layers", "opt"}
    assert document["size"] == "Infinity"
    assert document["store_exists"] is False
    assert document["spec"]["resources"]["gpus"] == 0.5


def test_a_dry_run_of_a_function_shows_its_configurations(cli: Session) -> None:
    out = cli("tune", "program.py:train", "--metric", "loss", "--max-trials", "3", "--dry-run").out
    assert "Would call the function with:\n    lr=0.1 layers=5\n" in out


def test_a_dry_run_and_the_job_agree(cli: Session) -> None:
    shown = commands(cli(*TUNE, "--dry-run", "--strategy", "random").out)
    assert cli(*TUNE, "--strategy", "random").code == 0
    for command, trial in zip(shown, tw.job("first").trials, strict=True):
        assert command[-3:] == [f"--{name}={value}" for name, value in trial.params.items()]


@pytest.mark.slow
def test_a_program_is_tuned(cli: Session) -> None:
    code, out, err = cli(*TUNE, "--regex", "acc=~acc=(.*)", "--env", "A=1", "--log-limit", "1MB", "--", "--epochs", "2")
    assert (code, err) == (0, "")
    assert "Best: val/loss " in out
    job = tw.job("first")
    trial = job.trials[0]
    assert trial.objective == pytest.approx(abs(trial.params["lr"] - 0.01) + trial.params["layers"] / 20)  # type: ignore[operator]
    assert trial.metrics["acc"] == pytest.approx(1 / trial.params["layers"])  # type: ignore[operator]
    assert "epoch 1 loss=" in cli("logs", "first", "0").out
    kept = json.loads((job.folder / "script.json").read_text())
    assert kept["command"] == [sys.executable, "script.py", "--epochs", "2"]
    assert (kept["env"], kept["log_limit"]) == ({"A": "1"}, 1_000_000)


@pytest.mark.slow
def test_a_file_is_tuned_and_the_command_line_comes_first(cli: Session, project: Path) -> None:
    (project / "tune.yaml").write_text(FILE)
    code, _, err = cli("tune", "tune.yaml", "--max-trials", "2", "-p", "layers=2", "--seed", "5")
    assert (code, err) == (0, "")
    job = tw.job("first")
    assert len(job.trials) == 2
    assert job.seed == 5
    assert {trial.params["layers"] for trial in job.trials} == {2}


@pytest.mark.slow
def test_a_sweep_is_tuned_as_it_is(cli: Session, project: Path) -> None:
    (project / "sweep.yaml").write_text(SWEEP)
    code, _, err = cli("tune", "sweep.yaml", "--regex", r"loss=([0-9.e-]+)", "--name", "first")
    assert (code, err) == (0, "")
    job = tw.job("first")
    assert len(job.trials) == 3
    assert job.record.spec["strategy"] == "random"
    assert job.trials[0].objective is not None


@pytest.mark.slow
def test_a_file_may_hold_a_function(cli: Session, project: Path) -> None:
    (project / "tune.yaml").write_text(
        "function: program.py:train\nmetric: loss\nmax_trials: 2\nexecutor: inline\nname: first\n"
    )
    assert cli("tune", "tune.yaml").code == 0
    assert [*tw.job("first").space.names] == ["lr", "layers"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("max_trials: 3", "max_trails: 3"), "tune.yaml:9: max_trails is no key that is known here (did you mean 'max_trials'"),
        (("max_trials: 3", "max_trials: 0"), "tune.yaml:9: max_trials must be an integer of at least 1; got 0"),
        (("scale: log", "scale: lgo"), "tune.yaml:5: space.lr.scale must be one of"),
        (("loss=([0-9.e-]+)", "loss=.*"), "tune.yaml:3: metrics['val/loss'] must be a regular expression with a group"),
        (("program: script.py", "program: nothing.py"), "tune.yaml:2: program must name a file"),
    ],
)
def test_a_file_that_breaks_a_rule_is_told_by_line_and_key(
    cli: Session, project: Path, change: tuple[str, str], message: str
) -> None:
    (project / "tune.yaml").write_text(FILE.replace(*change))
    code, out, err = cli("tune", "tune.yaml")
    assert (code, out) == (2, "")
    assert f"error: {message}" in err
    assert not (project / ".tunewright").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tune", "nothing.py"), "target must be a function"),
        (("tune", "script.py"), "space must be given: -p NAME=SPEC"),
        ((*TUNE, "--regex", "loss=(.*)"), "--regex must be there once for the metric of --metric"),
        ((*TUNE[:-6], "--regex", "acc=~acc=.*"), "metrics['acc'] must be a regular expression with a group around the number"),
        ((*TUNE, "--env", "A"), "--env must be NAME=VALUE; got 'A'"),
        ((*TUNE, "--cwd", "nowhere"), "cwd must be a folder that exists"),
        ((*TUNE, "--arguments", "{name}"), "arguments must be a text or a list of texts with the places {name} and {value}"),
        ((*TUNE, "--log-limit", "1"), "log_limit must be at least"),
        ((*TUNE, "--notify", "me"), "notify must be https://"),
        ((*TUNE, "--executor", "inline"), "executor must be 'script'"),
        (("tune", "program.py:train", "--regex", "a=(.*)", "--metric", "a"), "--regex is for programs, not for a function"),
        (("tune", "program.py:train", "--metric", "a", "--", "b"), "arguments are for a program; program.py:train is none"),
        (("tune", "script.py", "--epochs", "10"), "No such option: --epochs"),
    ],
)
def test_bad_input_starts_nothing(cli: Session, project: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert not (project / ".tunewright").exists()


def test_doctor_checks_a_file(cli: Session, project: Path) -> None:
    (project / "tune.yaml").write_text(FILE)
    code, out, _ = cli("doctor", "tune.yaml")
    assert code == 0
    assert "ok       file    tune.yaml can be started: tunewright tune tune.yaml" in out
    assert f"ok       first   {sys.executable} script.py --lr=" in out
    assert "infinitely many configurations of lr, layers, opt" in out
    assert not (project / ".tunewright").exists()
    (project / "sweep.yaml").write_text(SWEEP.replace("method: random", "method: rndom").replace("run_cap", "runcap"))
    code, out, _ = cli("doctor", "sweep.yaml")
    assert code == 1
    assert "PROBLEM  file  sweep.yaml:3: method must be grid, random or bayes (did you mean 'random'?)" in out
    assert "sweep.yaml:9: runcap is no key of a W&B sweep" in out
    document = json.loads(cli("doctor", "sweep.yaml", "--json").out)
    assert document["sound"] is False


def test_doctor_prints_the_schema(cli: Session) -> None:
    document = json.loads(cli("doctor", "--schema").out)
    assert document["properties"]["max_trials"]
    assert document["$schema"].startswith("https://json-schema.org/")


@pytest.mark.slow
def test_a_job_in_the_background_outlives_the_command(cli: Session, project: Path) -> None:
    code, out, err = cli(*TUNE, "--detach", "--", "--epochs", "2")
    assert (code, err) == (0, "")
    assert "Job first runs in the background" in out
    assert "To follow it: tunewright attach first" in out
    code, out, _ = cli("attach", "first")
    assert code == 0
    assert "3 trials completed" in out
    assert "3 trials completed" in (project / ".tunewright" / "jobs" / "first" / "controller.log").read_text()
    code, out, _ = cli("resume", "first", "--max-trials", "4", "--detach", "--json")
    assert code == 0
    assert json.loads(out)["name"] == "first"
    job = _ended(4)
    assert job.status is tw.Status.COMPLETED


@pytest.mark.slow
def test_a_function_in_the_background_at_another_store(cli: Session, project: Path) -> None:
    arguments = ("tune", "program.py:train", "--metric", "loss", "--max-trials", "2", "--name", "first", "--store", "other.db")
    assert cli(*arguments, "--detach").code == 0
    assert cli("attach", "first", "--store", "other.db").code == 0
    assert len(tw.job("first", store="other.db").trials) == 2


def test_what_cannot_run_in_the_background(cli: Session, project: Path) -> None:
    code, _, err = cli(*TUNE, "--detach", "--store", "memory")
    assert code == 2
    assert "store must be a file or a database for a job in a process of its own" in err
    code, _, err = cli("resume", "nothing", "--detach")
    assert code == 2
    assert "job must be in the store" in err


@pytest.mark.slow
def test_a_background_process_that_cannot_start_tells_why(cli: Session, project: Path) -> None:
    assert cli(*TUNE).code == 0
    (project / ".tunewright" / "jobs" / "first" / "request.pkl").write_bytes(b"broken")
    code, _, err = cli("resume", "first", "--detach")
    assert code == 1
    assert "error: the process for job 'first' ended with code 1: the request of job 'first' can't be read" in err


def _ended(trials: int) -> tw.Job:
    end = time.monotonic() + 60
    while True:
        job: Any = tw.job("first")
        if len(job.trials) == trials and job.record.owner is None:
            return job  # type: ignore[no-any-return]
        assert time.monotonic() < end
        time.sleep(0.1)
