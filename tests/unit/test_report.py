from __future__ import annotations

import ast
import json
import math
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright import report as reporting
from tunewright.report import Channel, OrderFile, SpoolChannel, Trial, TrialInterrupted


class Listening(Channel):
    """Keeps what it is given; answers a decision with the orders that it was made with."""

    def __init__(self, until: float | None = None, *answers: dict[str, Any]) -> None:
        super().__init__(until)
        self.heard: list[tuple[int, dict[str, float]]] = []
        self.asked: list[int] = []
        self._answers = [*answers]

    def add(self, step: int, metrics: dict[str, float]) -> None:
        self.heard.append((step, metrics))

    def ask(self) -> None:
        self.asked.append(self.heard[-1][0])
        if self._answers:
            self.take(self._answers.pop(0))


class Silence:
    """No orders, ever; notes how long it was asked to wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def poll(self, timeout: float) -> list[dict[str, Any]]:
        self.waits.append(timeout)
        time.sleep(timeout)
        return []


@pytest.fixture
def channel() -> Listening:
    return Listening()


@pytest.fixture
def trial(channel: Listening, tmp_path: Path) -> Trial:
    return Trial({"x": 1}, channel, str(tmp_path / "trial"), step=4)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolChannel]:
    made = SpoolChannel(str(tmp_path / "executions" / "1" / "spool.jsonl"), None, Silence())
    yield made
    made.close()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "executions" / "1" / "spool.jsonl").read_text().splitlines()]


# --- what is reported ---


def test_metrics_come_as_a_mapping_as_keywords_or_both(trial: Trial, channel: Listening) -> None:
    trial.report({"val/loss": 0.5}, step=1)
    trial.report(loss=1, step=2)
    trial.report({"validation:auc": 0.9}, loss=0.25, step=3)
    assert channel.heard == [(1, {"val/loss": 0.5}), (2, {"loss": 1.0}), (3, {"validation:auc": 0.9, "loss": 0.25})]


def test_steps_count_up_by_themselves_from_where_the_trial_goes_on(trial: Trial, channel: Listening) -> None:
    trial.report(loss=1.0)
    trial.report(loss=1.0, step=10)
    trial.report(loss=1.0)
    assert [step for step, _ in channel.heard] == [5, 10, 11]
    assert trial.step == 11


def test_a_mapping_that_changes_later_is_reported_as_it_was(trial: Trial, channel: Listening) -> None:
    metrics = {"loss": 1.0}
    trial.report(metrics)
    metrics["loss"] = 2.0
    assert channel.heard == [(5, {"loss": 1.0})]


class Tensor:
    """As much of a 0-d tensor as counts here."""

    ndim = 0

    def __float__(self) -> float:
        return 0.75


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 0.5), (np.int64(3), 3.0), (np.array(2.5), 2.5), (Tensor(), 0.75), (True, 1.0), (7, 7.0)],
)
def test_numbers_of_all_libraries_become_floats(trial: Trial, channel: Listening, value: Any, expected: float) -> None:
    trial.report(loss=value)
    ((_, metrics),) = channel.heard
    assert metrics == {"loss": expected}
    assert type(metrics["loss"]) is float


def test_values_that_are_not_finite_may_be_reported(trial: Trial, channel: Listening) -> None:
    trial.report(loss=math.nan, other=np.inf)
    assert math.isnan(channel.heard[0][1]["loss"])


@pytest.mark.parametrize("value", ["0.5", None, [1.0], np.array([1.0]), 1j, {"a": 1}, b"1", 10**400, object])
def test_what_is_no_number_is_refused(trial: Trial, channel: Listening, value: Any) -> None:
    with pytest.raises(ValueError, match="metric 'loss' must be a number; got"):
        trial.report(loss=value)
    assert channel.heard == []


@pytest.mark.parametrize("name", ["", 3, None, ("a",)])
def test_names_are_texts(trial: Trial, name: Any) -> None:
    with pytest.raises(ValueError, match="metric name must be a non-empty string; got"):
        trial.report({name: 1.0})


@pytest.mark.parametrize("step", [True, 1.0, "3", -1, np.float64(2), np.True_])
def test_steps_are_whole_numbers(trial: Trial, channel: Listening, step: Any) -> None:
    with pytest.raises(ValueError, match="step must be an integer of at least 0; got"):
        trial.report(loss=1.0, step=step)
    with pytest.raises(ValueError, match="step must be an integer"):
        trial.checkpoint(step=step)
    assert channel.heard == []


def test_whole_numbers_of_numpy_are_steps(trial: Trial, channel: Listening) -> None:
    trial.report(loss=1.0, step=np.int32(8))  # type: ignore[arg-type]
    assert channel.heard == [(8, {"loss": 1.0})]
    assert type(channel.heard[0][0]) is int


@pytest.mark.parametrize("metrics", [[("loss", 1.0)], 0.5, "loss"])
def test_metrics_are_a_mapping(trial: Trial, metrics: Any) -> None:
    with pytest.raises(ValueError, match="metrics must be a mapping of names to numbers; got"):
        trial.report(metrics)


def test_a_report_holds_something(trial: Trial) -> None:
    with pytest.raises(ValueError, match="metrics must hold at least one value"):
        trial.report(step=3)


# --- decisions ---


def test_only_decision_steps_ask(tmp_path: Path) -> None:
    channel = Listening(3, {"until": 5}, {"until": None})
    trial = Trial({}, channel, str(tmp_path))
    assert [trial.report(loss=1.0) for _ in range(8)] == ["continue"] * 8
    assert channel.asked == [3, 5]


def test_a_step_past_the_decision_step_asks_too(tmp_path: Path) -> None:
    channel = Listening(3, {"until": None})
    Trial({}, channel, str(tmp_path)).report(loss=1.0, step=10)
    assert channel.asked == [10]


def test_an_order_to_end_is_raised_again_and_again(tmp_path: Path) -> None:
    channel = Listening(1, {"halt": "stop", "reason": "worse than the median"})
    trial = Trial({}, channel, str(tmp_path))
    for _ in range(3):
        with pytest.raises(TrialInterrupted, match="stop: worse than the median") as caught:
            trial.report(loss=1.0)
        assert (caught.value.action, caught.value.reason) == ("stop", "worse than the median")
    assert channel.told == "raised"


def test_an_order_to_end_is_returned_when_asked_so(tmp_path: Path) -> None:
    channel = Listening(1, {"halt": "pause", "reason": "others first"})
    trial = Trial({}, channel, str(tmp_path))
    assert trial.report(loss=1.0, interrupt=False) == "pause"
    assert trial.report(loss=1.0, interrupt=False) == "pause"
    assert channel.told == "returned"


def test_interruption_passes_through_except_exception() -> None:
    assert not issubclass(TrialInterrupted, Exception)
    copy = pickle.loads(pickle.dumps(TrialInterrupted("stop", "enough")))
    assert (copy.action, copy.reason, str(copy)) == ("stop", "enough", "stop: enough")


# --- checkpoints ---


def test_a_checkpoint_appears_whole(trial: Trial, tmp_path: Path) -> None:
    final = tmp_path / "trial" / "checkpoints" / "step-5"
    assert trial.resume_dir is None
    with trial.checkpoint(step=5) as folder:
        (folder / "weights").write_text("1 2 3")
        assert not final.exists()
    assert (final / "weights").read_text() == "1 2 3"
    assert trial.resume_dir == final
    assert [path.name for path in final.parent.iterdir()] == ["step-5"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, TrialInterrupted])
def test_a_checkpoint_that_fails_leaves_nothing(trial: Trial, tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with trial.checkpoint(step=5) as folder:
            (folder / "weights").write_text("1 2")
            raise error("stop")

    with pytest.raises(error):
        write()
    assert [*(tmp_path / "trial" / "checkpoints").iterdir()] == []
    assert trial.resume_dir is None


def test_a_second_checkpoint_of_a_step_leaves_the_first_alone(trial: Trial) -> None:
    paths = []
    for text in ("first", "second", "third"):
        with trial.checkpoint(step=5) as folder:
            (folder / "weights").write_text(text)
        assert trial.resume_dir is not None
        paths.append(trial.resume_dir)
    assert [path.name for path in paths] == ["step-5", "step-5.2", "step-5.3"]
    assert [(path / "weights").read_text() for path in paths] == ["first", "second", "third"]


def test_leftovers_of_a_killed_attempt_do_not_get_into_a_checkpoint(trial: Trial, tmp_path: Path) -> None:
    partial = tmp_path / "trial" / "checkpoints" / ".step-5.1.partial"
    partial.mkdir(parents=True)
    (partial / "garbage").write_text("")
    with trial.checkpoint(step=5) as folder:
        (folder / "weights").write_text("1")
    assert trial.resume_dir is not None
    assert [path.name for path in trial.resume_dir.iterdir()] == ["weights"]


def test_artifacts_have_a_folder(trial: Trial, tmp_path: Path) -> None:
    assert trial.artifact_dir == tmp_path / "trial" / "artifacts"
    assert trial.artifact_dir.is_dir()


# --- the spool ---


def test_a_spool_holds_reports_checkpoints_and_the_end_in_order(spool: SpoolChannel, tmp_path: Path) -> None:
    trial = Trial({}, spool, str(tmp_path))
    trial.report({"loss": 0.1 + 0.2, "grad": math.nan, "up": math.inf, "down": -math.inf})
    with trial.checkpoint(step=1) as folder:
        (folder / "x").touch()
    spool.end({"outcome": "completed", "returned": math.nan, "failure": None})
    first, second, last = lines(tmp_path)
    assert (first["kind"], first["step"]) == ("report", 1)
    assert first["metrics"] == {"loss": 0.1 + 0.2, "grad": "NaN", "up": "Infinity", "down": "-Infinity"}
    assert second == {"kind": "checkpoint", "step": 1, "path": str(tmp_path / "checkpoints" / "step-1"), "at": second["at"]}
    assert (last["kind"], last["outcome"], last["returned"]) == ("end", "completed", "NaN")
    assert first["at"] <= second["at"] <= last["at"]


def test_reports_are_written_by_themselves(spool: SpoolChannel, tmp_path: Path) -> None:
    trial = Trial({}, spool, str(tmp_path))
    for batch in range(1, 4):
        trial.report(loss=1.0)
        end = time.monotonic() + 10
        while not (tmp_path / "executions").exists() or len(lines(tmp_path)) < batch:
            assert time.monotonic() < end, "nothing was written"
            time.sleep(0.01)


def test_the_reader_is_woken_after_each_write(tmp_path: Path) -> None:
    sizes: list[int] = []
    path = tmp_path / "spool.jsonl"
    channel = SpoolChannel(str(path), None, Silence(), lambda: sizes.append(path.stat().st_size))
    trial = Trial({}, channel, str(tmp_path))
    trial.report(loss=1.0)
    channel.flush()
    trial.report(loss=1.0)
    channel.close()
    channel.close()
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] == path.stat().st_size


def test_a_decision_is_asked_for_with_all_reports_written_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    seen: list[int] = []

    class Orders:
        def poll(self, timeout: float) -> list[dict[str, Any]]:
            if not timeout:
                return []
            seen.append(len(path.read_text().splitlines()))
            return [{"until": 4}] if len(seen) == 1 else [{"halt": "stop", "reason": "enough"}]

    channel = SpoolChannel(str(path), 2, Orders())
    trial = Trial({}, channel, str(tmp_path))
    for _ in range(3):
        trial.report(loss=1.0)
    with pytest.raises(TrialInterrupted):
        trial.report(loss=1.0)
    assert seen == [2, 4]
    channel.close()


def test_training_goes_on_when_no_decision_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = Silence()
    channel = SpoolChannel(str(tmp_path / "spool.jsonl"), 1, silence, wait=0.05)
    trial = Trial({}, channel, str(tmp_path))
    assert trial.report(loss=1.0) == "continue"
    assert "no decision at step 1 within 0.05 s; training goes on unasked" in capsys.readouterr().err
    waited = sum(silence.waits)
    assert trial.report(loss=1.0) == "continue"
    assert sum(silence.waits) == waited, "it doesn't wait again for one who doesn't answer"
    channel.close()


def test_an_urgent_order_is_seen_between_decision_steps(tmp_path: Path) -> None:
    orders = [{"halt": "stop", "reason": "a person asked"}]

    class Orders:
        def poll(self, timeout: float) -> list[dict[str, Any]]:
            return [orders.pop()] if orders and ready.is_set() else []

    ready = threading.Event()
    channel = SpoolChannel(str(tmp_path / "spool.jsonl"), None, Orders())
    trial = Trial({}, channel, str(tmp_path))
    trial.report(loss=1.0)
    ready.set()
    time.sleep(2 * reporting.INTERVAL)
    with pytest.raises(TrialInterrupted):
        trial.report(loss=1.0)
    channel.close()


def test_what_a_full_disk_refuses_is_written_later_and_in_order(
    spool: SpoolChannel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, [10, 0]

    def refuse(file: int, data: bytes) -> int:
        if room and (left := room.pop(0)) == 0:
            raise OSError(28, "No space left on device")
        return write(file, data[:left] if room else data)

    trial = Trial({}, spool, str(tmp_path))
    monkeypatch.setattr(os, "write", refuse)
    trial.report(loss=1.0)
    spool.flush()
    assert (tmp_path / "executions" / "1" / "spool.jsonl").stat().st_size == 10
    trial.report(loss=2.0)
    spool.flush()
    assert [line["metrics"] for line in lines(tmp_path)] == [{"loss": 1.0}, {"loss": 2.0}]


def test_an_end_that_cannot_be_written_is_told(spool: SpoolChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        spool.end({"outcome": "completed"})


def test_reports_of_several_threads_all_arrive(spool: SpoolChannel, tmp_path: Path) -> None:
    trial = Trial({}, spool, str(tmp_path))
    threads = [
        threading.Thread(target=lambda n=number: [trial.report({f"m{n}": float(i)}, step=i) for i in range(500)])
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    for number in range(4):
        mine = [line["metrics"][f"m{number}"] for line in lines(tmp_path) if f"m{number}" in line["metrics"]]
        assert mine == [float(i) for i in range(500)]


@pytest.mark.slow
def test_a_forked_child_does_not_write_its_parents_reports_again(tmp_path: Path) -> None:
    script = f"""
import os, time
from tunewright.report import OrderFile, SpoolChannel, Trial
channel = SpoolChannel({str(tmp_path / "executions" / "1" / "spool.jsonl")!r}, 2, OrderFile("nowhere"), wait=0.1)
trial = Trial({{}}, channel, {str(tmp_path)!r})
trial.report(loss=1.0)
child = os.fork()
if child == 0:
    trial.report(loss=7.0, step=2)
    channel.flush()
    os._exit(0)
os.waitpid(child, 0)
trial.report(loss=2.0, step=1)
channel.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert [line["metrics"]["loss"] for line in lines(tmp_path)] == [1.0, 2.0]


# --- orders in a file ---


def leave(path: Path, order: dict[str, Any]) -> None:
    (path.parent / "new").write_text(json.dumps(order))
    (path.parent / "new").replace(path)


def test_an_order_file_gives_each_order_once(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    orders = OrderFile(str(path))
    assert orders.poll(0) == []
    leave(path, {"number": 1, "until": 5})
    assert orders.poll(0) == [{"number": 1, "until": 5}]
    assert orders.poll(0) == []
    leave(path, {"number": 1, "until": 5})  # the same one written again
    assert orders.poll(0) == []
    leave(path, {"number": 2, "halt": "stop", "reason": "enough"})
    assert orders.poll(10.0) == [{"number": 2, "halt": "stop", "reason": "enough"}]


def test_an_order_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    timer = threading.Timer(0.05, lambda: leave(path, {"number": 1, "until": None}))
    timer.start()
    assert OrderFile(str(path)).poll(10.0) == [{"number": 1, "until": None}]
    timer.join()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"halt": "stop"}'])
def test_an_order_file_that_makes_no_sense_is_no_order(tmp_path: Path, text: str) -> None:
    path = tmp_path / "order.json"
    path.write_text(text)
    assert OrderFile(str(path)).poll(0) == []


# --- the current trial ---


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "_process", [])
    for name in [name for name in os.environ if name.startswith("TUNEWRIGHT_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("nobody")
def test_outside_of_a_trial_calls_are_checked_and_do_nothing() -> None:
    assert reporting.current_trial() is None
    assert reporting.report(loss=1.0) == "continue"
    with pytest.raises(ValueError, match="metric 'loss' must be a number"):
        reporting.report(loss="high")
    with reporting.checkpoint(step=1) as folder:
        (folder / "weights").write_text("1")
    assert not folder.exists()


@pytest.mark.usefixtures("nobody")
def test_a_trial_is_of_its_thread_or_of_the_process(trial: Trial) -> None:
    seen: list[Trial | None] = []

    def look() -> None:
        seen.append(reporting.current_trial())

    def in_thread() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert reporting.set_current_trial(trial) is None
    look()
    in_thread()
    assert reporting.set_current_trial(None) is trial
    reporting.set_current_trial(trial, process=True)
    in_thread()
    assert seen == [trial, None, trial]


def test_ranks_other_than_the_first_are_not_heard(tmp_path: Path) -> None:
    environment = {"TUNEWRIGHT_FOLDER": str(tmp_path), "TUNEWRIGHT_EXECUTION": "1", "TUNEWRIGHT_UNTIL_STEP": "2", "RANK": "1"}
    trial = reporting.trial_of_environment(environment)
    assert trial is not None
    assert trial.report(loss=1.0) == "continue"
    assert not [*tmp_path.rglob("spool.jsonl")]


# --- a file that stands alone ---


def test_the_file_imports_the_standard_library_only_and_is_python_3_8() -> None:
    source = Path(reporting.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


@pytest.mark.slow
def test_a_copy_of_the_file_works_without_tunewright(tmp_path: Path) -> None:
    (tmp_path / "reporting.py").write_text(Path(reporting.__file__).read_text())
    script = "import reporting; reporting.report(loss=0.5, step=3); print(reporting.current_trial().params)"
    environment = {
        "TUNEWRIGHT_FOLDER": str(tmp_path),
        "TUNEWRIGHT_EXECUTION": "1",
        "TUNEWRIGHT_PARAMS": '{"lr": 0.1}',
    }
    command = [sys.executable, "-S", "-E", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "{'lr': 0.1}\n"
    written = [line for line in lines(tmp_path) if line["kind"] == "report"]
    assert [(line["step"], line["metrics"]) for line in written] == [(3, {"loss": 0.5})]
