"""What the command line says comes before what a file says, and both become one call of tune."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.config.plan import Chosen, Plan, make_plan
from tunewright.config.programs import started
from tunewright.errors import InvalidInput

PROGRAM = """
import tunewright as tw
space = {"x": tw.Float(0, 1), "y": 3}
def train(trial):
    return trial.params["x"]
def told(trial):
    pass
"""
FILE = """
function: program.py:train
space: {lr: {float: [0, 1]}, n: 1}
metric: loss
max_trials: 5
resources: {cpus: 2, memory: 1GB}
on_trial: program.py:told
"""
SCRIPT = "program: train.sh\nspace: {lr: {float: [0, 1]}}\nmetric: loss\nmetrics: {acc: 'acc=(.*)'}\nmax_trials: 5\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "train.sh").write_text("true\n")
    (tmp_path / "tune.yaml").write_text(FILE)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    yield tmp_path
    sys.modules.pop("tunewright_target_program", None)


def script_of(plan: Plan) -> tw.Script:
    assert isinstance(plan.work, tw.Script)
    return plan.work


def test_a_function_with_the_space_beside_it() -> None:
    plan = make_plan("program.py:train", Chosen(options={"metric": "loss"}))
    assert callable(plan.work)
    assert plan.space == {"x": tw.Float(0, 1), "y": 3}
    assert plan.options == {"metric": "loss"}


def test_parameters_are_added_or_put_in_place() -> None:
    plan = make_plan("program.py:train", Chosen({"x": tw.Int(1, 2), "z": 7}))
    assert plan.space == tw.SearchSpace({"x": tw.Int(1, 2), "y": 3, "z": 7})


def test_a_file_with_a_function() -> None:
    plan = make_plan("tune.yaml", Chosen())
    assert plan.space == tw.SearchSpace({"lr": tw.Float(0, 1), "n": 1})
    assert plan.options.pop("on_trial").__name__ == "told"
    assert plan.options == {"metric": "loss", "max_trials": 5, "resources": tw.Resources(2, memory="1GB")}


def test_the_command_line_comes_before_the_file() -> None:
    plan = make_plan(
        "tune.yaml", Chosen({"n": 2}, resources={"gpus": 1}, options={"metric": "acc", "max_trials": 9, "stopper": None})
    )
    assert plan.space == tw.SearchSpace({"lr": tw.Float(0, 1), "n": 2})
    assert plan.options["metric"] == "acc"
    assert plan.options["max_trials"] == 9
    assert plan.options["stopper"] is None
    assert plan.options["resources"] == tw.Resources(2, 1, "1GB")


def test_a_metric_of_the_command_line_replaces_a_files_objective(folder: Path) -> None:
    (folder / "tune.yaml").write_text(FILE.replace("metric: loss", "objective: {metric: loss, target: 1}"))
    plan = make_plan("tune.yaml", Chosen(options={"metric": "acc"}))
    assert plan.options["metric"] == "acc"
    assert "objective" not in plan.options
    aimed = make_plan("tune.yaml", Chosen(target=0.5))
    assert aimed.options["objective"] == tw.Objective("loss", target=0.5)


def test_a_target_needs_its_metric() -> None:
    plan = make_plan("program.py:train", Chosen(target=0.5, options={"metric": "loss", "goal": "maximize"}))
    assert plan.options == {"objective": tw.Objective("loss", "maximize", target=0.5)}
    with pytest.raises(InvalidInput, match="--target needs --metric"):
        make_plan("program.py:train", Chosen(target=0.5))


def test_a_program_with_its_own_arguments() -> None:
    plan = make_plan("train.sh", Chosen({"x": tw.Int(1, 2)}, arguments=("--epochs", "10")))
    assert script_of(plan).command == ("bash", "train.sh", "--epochs", "10")
    assert plan.space == tw.SearchSpace({"x": tw.Int(1, 2)})


def test_regular_expressions_are_for_the_metric_or_a_named_one() -> None:
    chosen = Chosen({"x": [1, 2]}, script={"metrics": {None: "loss=(.*)", "acc": "acc=(.*)"}}, options={"metric": "val/loss"})
    assert script_of(make_plan("train.sh", chosen)).metrics == {"val/loss": "loss=(.*)", "acc": "acc=(.*)"}
    with pytest.raises(InvalidInput, match=r"--regex needs --metric.*NAME=~PATTERN"):
        make_plan("train.sh", Chosen({"x": [1, 2]}, script={"metrics": {None: "loss=(.*)"}}))
    of_file = make_plan("script.yaml", Chosen(script={"metrics": {None: "l=(.*)"}, "cwd": "/tmp"}))
    assert script_of(of_file).metrics == {"acc": "acc=(.*)", "loss": "l=(.*)"}
    assert script_of(of_file).cwd == "/tmp"


@pytest.mark.parametrize(
    ("target", "chosen", "message"),
    [
        ("nothing.py", {}, "target must be a function .*, a program such as train.py, or a .yaml file"),
        ("program.py:", {}, "target must be package.module:function or path/to/file.py:function; got 'program.py:'"),
        ("program.py:tain", {}, "it has no 'tain' .did you mean 'train'"),
        ("nothing.yaml", {}, "nothing.yaml must be a file that can be read"),
        ("program.py:train", {"arguments": ("a",)}, "arguments are for a program; program.py:train is none; got 'a'"),
        ("tune.yaml", {"arguments": ("a",)}, "arguments are for a program; tune.yaml is none"),
        ("program.py:train", {"script": {"metrics_file": "x"}}, "--metrics-file is for programs, not for a function"),
        ("train.sh", {"space": "other"}, "--space is for functions; the space of a program is given by -p"),
        ("train.sh", {}, "space must be given: -p NAME=SPEC"),
        ("program.py:told", {"space": "other"}, "--space must name a variable of"),
    ],
)
def test_targets_that_mean_nothing(target: str, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_plan(target, Chosen(**chosen))


def test_a_script_that_breaks_a_rule_is_told_with_the_files_line(folder: Path) -> None:
    (folder / "script.yaml").write_text(SCRIPT.replace("acc=(.*)", "acc=.*"))
    with pytest.raises(InvalidInput, match=r"^script.yaml:4: metrics\['acc'\] must be a regular expression with a group"):
        make_plan("script.yaml", Chosen())


def test_what_tune_refuses_is_told_with_the_files_line(folder: Path) -> None:
    (folder / "tune.yaml").write_text(FILE.replace("max_trials: 5", "max_trials: 0"))
    plan = make_plan("tune.yaml", Chosen())
    with (
        pytest.raises(InvalidInput, match=r"^tune.yaml:5: max_trials must be an integer of at least 1; got 0$"),
        plan.located(),
    ):
        tw.tune(plan.work, plan.space, **plan.options)


def test_a_function_that_is_not_there_is_told_with_the_files_line(folder: Path) -> None:
    (folder / "tune.yaml").write_text(FILE.replace("py:told", "py:tld"))
    with pytest.raises(InvalidInput, match=r"^tune.yaml:7: on_trial must name a function of program.py"):
        make_plan("tune.yaml", Chosen())


def test_how_programs_are_started(folder: Path) -> None:
    assert started("p", "program.py") == [sys.executable, "program.py"]
    assert started("p", "train.sh") == ["bash", "train.sh"]
    (folder / "train.sh").chmod(0o755)
    assert started("p", "train.sh") == ["./train.sh"]
    (folder / "deep").mkdir()
    (folder / "deep" / "run").write_text("")
    assert started("p", "deep/run") == ["deep/run"]
    assert started("p", "run", folder / "deep") == ["./run"]
    assert started("p", "ls") == ["ls"]
    with pytest.raises(InvalidInput, match=r"p must name a file in .*deep, or a program in PATH; got 'walk'"):
        started("p", "walk", folder / "deep")
