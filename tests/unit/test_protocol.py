from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunewright import protocol
from tunewright.interfaces import Checkpointed, Exited, Failure, Halt, Launch, Order, Reported, Until
from tunewright.protocol import SpoolReader
from tunewright.records import Execution, FailureKind, Trial
from tunewright.report import OrderFile, trial_of_environment


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    trial = Trial(7, {"lr": 0.1, "opt": "sgd", "wide": True, "depth": 3, "none": None}, seed=11)
    execution = Execution(7, 2, "token", fold=1, repeat=3, fidelity=9.0, from_step=4, until_step=6)
    return Launch(trial, execution, str(tmp_path), str(tmp_path / "checkpoints" / "step-4"))


@pytest.fixture
def spool(launch: Launch) -> Path:
    path = protocol.spool_path(launch.folder, 2)
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def reader(launch: Launch, spool: Path) -> Any:
    made = SpoolReader(launch.folder, 2, "token")
    yield made
    made.close()


def append(spool: Path, *records: dict[str, Any], end: str = "\n") -> None:
    with spool.open("a") as file:
        file.write("\n".join(map(json.dumps, records)) + end)


def line(step: int, **metrics: float | str) -> dict[str, Any]:
    return {"kind": "report", "step": step, "at": float(step), "metrics": metrics}


def test_a_spool_is_read_as_it_grows(reader: SpoolReader, spool: Path) -> None:
    assert reader.read() == []
    append(spool, line(1, loss=0.5), line(2, loss="NaN", up="Infinity"))
    (event,) = reader.read()
    assert isinstance(event, Reported)
    assert (event.token, event.first) == ("token", 0)
    assert [(report.step, report.at, str(report.metrics)) for report in event.reports] == [
        (1, 1.0, "{'loss': 0.5}"),
        (2, 2.0, "{'loss': nan, 'up': inf}"),
    ]
    assert reader.read() == []
    failure = {"kind": "timeout", "message": "too long", "where": "here", "traceback": "there"}
    append(
        spool,
        line(3, loss=1.0),
        {"kind": "checkpoint", "step": 3, "path": "/p", "at": 3.5},
        line(4, loss=2.0),
        {"kind": "end", "at": 5.0, "outcome": "failed", "returned": None, "failure": failure},
    )
    third, checkpoint, fourth, end = reader.read()
    assert isinstance(third, Reported)
    assert isinstance(fourth, Reported)
    assert (third.first, fourth.first) == (2, 3)
    assert checkpoint == Checkpointed("token", 3, "/p", 3.5)
    assert end == Exited("token", "failed", 5.0, None, Failure(FailureKind.TIMEOUT, "too long", "here", "there"))


@pytest.mark.parametrize("returned", [None, 0.5, {"loss": 0.5, "n": 3.0}])
def test_what_was_returned_is_read(reader: SpoolReader, spool: Path, returned: Any) -> None:
    append(spool, {"kind": "end", "at": 5.0, "outcome": "completed", "returned": returned, "failure": None})
    assert reader.read() == [Exited("token", "completed", 5.0, returned)]


def test_a_line_that_is_not_whole_waits(reader: SpoolReader, spool: Path) -> None:
    text = json.dumps(line(1, loss=0.5))
    append(spool, line(0, loss=1.0), end="\n" + text[:20])
    assert len(reader.read()) == 1
    assert reader.read() == []
    with spool.open("a") as file:
        file.write(text[20:] + "\n")
    (event,) = reader.read()
    assert isinstance(event, Reported)
    assert (event.first, event.reports[0].step) == (1, 1)


def test_a_torn_last_line_is_not_harvested(launch: Launch, spool: Path) -> None:
    append(spool, line(1, loss=0.5), end='\n{"kind": "end", "outcome": "comp')
    assert [type(event) for event in protocol.harvest(launch)] == [Reported]


@pytest.mark.parametrize(
    "garbage",
    ["\x00\x00", "[1, 2]", '{"kind": "report"}', '{"kind": "end", "outcome": "great", "at": 1}', '{"kind": "new"}', "{"],
)
def test_a_damaged_line_is_passed_over(reader: SpoolReader, spool: Path, garbage: str) -> None:
    append(spool, line(1, loss=0.5), end="\n" + garbage + "\n")
    append(spool, line(2, loss=0.5))
    events = reader.read()
    steps = [report.step for event in events if isinstance(event, Reported) for report in event.reports]
    assert steps == [1, 2]
    assert not any(isinstance(event, Exited) for event in events)


def test_an_execution_without_a_spool_left_nothing(tmp_path: Path, launch: Launch) -> None:
    assert protocol.harvest(launch) == []


def test_a_failure_survives_the_spool() -> None:
    failure = Failure(FailureKind.CRASH, "ValueError: no", "a.py:3 in f", "Traceback ...", ValueError("no"))
    again = protocol.failure_of_record(json.loads(json.dumps(protocol.failure_record(failure))))
    assert again == Failure(FailureKind.CRASH, "ValueError: no", "a.py:3 in f", "Traceback ...")


def test_orders_reach_the_order_file(launch: Launch, tmp_path: Path) -> None:
    orders = OrderFile(str(protocol.execution_folder(launch.folder, 2) / "order.json"))
    protocol.write_order(launch, 1, Until(9))
    assert orders.poll(0) == [{"number": 1, "until": 9}]
    protocol.write_order(launch, 2, Halt("pause", "others first"))
    assert orders.poll(0) == [{"number": 2, "halt": "pause", "reason": "others first"}]


def test_partial_checkpoints_of_an_execution_are_removed_and_no_others(launch: Launch, tmp_path: Path) -> None:
    for name in (".step-3.2.partial", ".step-3.1.partial", "step-3"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "weights").touch()
    protocol.remove_partial_checkpoints(launch)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [".step-3.1.partial", "step-3"]


def test_a_script_finds_its_trial_in_its_environment(launch: Launch) -> None:
    environment = protocol.script_environment(launch, launch.trial.params)
    assert environment["TUNEWRIGHT_TOKEN"] == "token"
    trial = trial_of_environment(environment)
    assert trial is not None
    assert trial.params == launch.trial.params
    assert (trial.number, trial.seed, trial.fold, trial.repeat) == (7, 11, 1, 3)
    assert (trial.execution, trial.step, trial.fidelity) == (2, 4, 9.0)
    assert str(trial.resume_dir) == launch.checkpoint


def test_a_script_without_decisions_checkpoint_or_fidelity(tmp_path: Path) -> None:
    plain = Launch(Trial(0, {}, seed=1), Execution(0, 1, "token"), str(tmp_path))
    trial = trial_of_environment(protocol.script_environment(plain, {}))
    assert trial is not None
    assert (trial.fidelity, trial.resume_dir, trial.step) == (None, None, 0)
    assert trial.report(loss=1.0) == "continue"


@pytest.mark.slow
def test_a_script_is_stopped_by_its_order_file(launch: Launch) -> None:
    script = """
from tunewright import report
step = report.current_trial().step
try:
    while True:
        step += 1
        report.report(loss=1.0 / step, step=step)
except report.TrialInterrupted as interruption:
    print(interruption, "at", step)
"""
    environment = {**os.environ, **protocol.script_environment(launch, launch.trial.params)}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    reader = SpoolReader(launch.folder, 2, "token")
    reports: list[int] = []
    orders = iter(list[Order]([Until(8), Halt("stop", "enough")]))
    number = 0
    while process.poll() is None:
        new = [report.step for event in reader.read() if isinstance(event, Reported) for report in event.reports]
        reports += new
        if new and new[-1] in (6, 8):
            number += 1
            protocol.write_order(launch, number, next(orders))
    assert process.stdout is not None
    with process.stdout as output:
        assert output.read() == "stop: enough at 8\n"
    reader.close()
    assert reports == [5, 6, 7, 8]
