"""Jobs of scripts, from `tw.tune` to the store and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.history import History
from tunewright.records import Action, Decision

SPACE = {"x": tw.Int(0, 9)}
PRINT = ["bash", "-c", "echo loss={x}"]
LOSS = {"loss": "loss=(.*)"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tune(script: Any, space: Any = None, **options: Any) -> tw.Job:
    given = {
        "metric": "loss", "max_trials": 3, "max_parallel": 2, "seed": 0, "strategy": "random", "stopper": None, "store": "s.db",
        "progress": "none", **options,
    }  # fmt: skip
    return tw.tune(script, space or SPACE, **given)


# --- refused before anything starts ---


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        (tw.Script("no-such-program"), {}, "command must begin with a program that is found in PATH; got 'no-such-program'"),
        (tw.Script(["sh", "{y}"]), {}, r"command\[1\] must name known places only"),
        (
            tw.Script("sh"),
            {"executor": "inline"},
            "executor must be 'script', or left out, for a tunewright.Script; got 'inline'",
        ),
        (lambda trial: 0.0, {"executor": "script"}, "train must be a tunewright.Script for executor='script'"),
        ("train.py", {}, "train must be callable with a trial, or a tunewright.Script; got 'train.py'"),
        (tw.Script("sh"), {"space": {"x": ["a", "b\nc"]}}, "value of x must not hold a line break"),
    ],
)
def test_what_can_be_refused_is_refused_and_nothing_is_stored(
    here: Path, script: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(tw.InvalidInput, match=message):
        tune(script, **options)
    assert [*here.iterdir()] == []


def test_a_program_that_may_not_be_executed_is_refused(here: Path) -> None:
    (here / "train.sh").write_text("#!/bin/sh\n")
    with pytest.raises(tw.InvalidInput, match=r"may be executed \(chmod \+x \./train\.sh"):
        tune(tw.Script("./train.sh"))


# --- running ---


@pytest.mark.slow
def test_a_job_of_scripts_finds_the_best_and_keeps_what_they_printed() -> None:
    job = tune(tw.Script(PRINT, metrics=LOSS), max_trials=6)
    assert [trial.objective for trial in job.trials] == [trial.params["x"] for trial in job.trials]
    assert job.best.objective == min(int(str(trial.params["x"])) for trial in job.trials)
    assert job.best.log().endswith(f"loss={job.best.params['x']}\n")
    assert job.name.startswith("bash-")
    assert json.loads((job.folder / "script.json").read_text())["metrics"] == LOSS


@pytest.mark.slow
def test_a_script_in_memory_leaves_nothing(here: Path) -> None:
    assert tune(tw.Script(PRINT, metrics=LOSS), store="memory").best.objective is not None
    assert [*here.iterdir()] == []


@pytest.mark.slow
def test_a_metric_that_is_never_found_ends_the_job_and_shows_lines_of_the_output() -> None:
    with pytest.raises(tw.InvalidInput, match=r"metric 'loss' was never found.*lines: loss: \d"):
        tune(tw.Script(["bash", "-c", "echo loss: {x}"], metrics=LOSS))


@pytest.mark.slow
def test_scripts_that_fail_in_the_same_way_end_the_job_with_their_last_words() -> None:
    code = "import sys; sys.exit('the data of trial {x} is gone')"
    with pytest.raises(
        tw.TrialsFailed, match=r"failed with the same error: the script exited with code 1: the data of trial"
    ) as raised:
        tune(tw.Script([sys.executable, "-c", code], metrics=LOSS), max_trials=20)
    assert "is gone" in str(raised.value.__cause__)


@pytest.mark.slow
def test_a_script_that_prints_no_number_fails_its_trial() -> None:
    code = "test {x} -lt 5 && echo loss=nan || echo loss={x}"
    job = tune(tw.Script(["bash", "-c", code], metrics=LOSS), max_trials=10, space={"x": [1, 6, 7, 8]}, strategy="grid")
    failed = [trial for trial in job.trials if trial.status is tw.Status.FAILED]
    assert [trial.params["x"] for trial in failed] == [1]
    assert failed[0].reason == "loss is not a number"
    assert job.best.objective == 6.0


class StopAtTwo:
    """Has every trial asked about at step 2, and stops those whose value there is over 3."""

    def __init__(self, problem: object) -> None:
        pass

    def decide(self, history: History, number: int) -> Decision:
        steps, values = history.curve(number)
        if len(steps) == 0:
            return Decision(Action.RUN, "", until=2)
        return Decision(Action.STOP, "over 3") if values[-1] > 3 else Decision(Action.RUN, "")


REPORTING = """
import sys
from tunewright.report import report
for step in range(1, 5):
    report(loss=float(sys.argv[1].partition("=")[2]), step=step)
"""


@pytest.mark.slow
def test_decision_steps_are_kept_by_scripts_that_report() -> None:
    script = tw.Script([sys.executable, "-c", REPORTING])
    job = tune(script, {"x": [1, 2, 6, 7]}, strategy="grid", max_trials=4, stopper=StopAtTwo)
    for trial in job.trials:
        stopped = int(str(trial.params["x"])) > 3
        assert trial.status is (tw.Status.STOPPED if stopped else tw.Status.COMPLETED)
        assert [point.step for point in trial.reports] == ([1, 2] if stopped else [1, 2, 3, 4])


@pytest.mark.slow
def test_a_script_that_only_prints_is_stopped_by_a_signal() -> None:
    code = "for step in 1 2 3; do echo loss={x}; done; trap 'exit 0' TERM; while [ {x} -gt 3 ]; do sleep 0.05; done"
    job = tune(tw.Script(["bash", "-c", code], metrics=LOSS), {"x": [1, 6]}, strategy="grid", max_trials=2, stopper=StopAtTwo)
    assert {trial.params["x"]: trial.status for trial in job.trials} == {1: tw.Status.COMPLETED, 6: tw.Status.STOPPED}


# --- resumed ---


@pytest.mark.slow
def test_a_job_is_resumed_from_another_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "train.sh").write_text("echo loss=$1\n")
    job = tune(tw.Script(["bash", "train.sh", "{x}"], metrics=LOSS), name="first")
    assert len(job.trials) == 3
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = tw.resume("first", max_trials=5, store=str(here / "s.db"), progress="none")
    assert [trial.status for trial in again.trials] == [tw.Status.COMPLETED] * 5


@pytest.mark.slow
def test_a_script_that_has_changed_is_told(here: Path) -> None:
    (here / "train.sh").write_text("echo loss=$1\n")
    script = tw.Script(["bash", "train.sh", "{x}"], metrics=LOSS)
    tune(script, name="first")
    tune(script, name="first", max_trials=4, resume=True)
    (here / "train.sh").write_text("echo loss=1$1\n")
    with pytest.warns(UserWarning, match="has changed since its earlier trials"):
        job = tune(script, name="first", max_trials=5, resume=True)
    assert len(job.trials) == 5
