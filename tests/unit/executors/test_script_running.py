"""Scripts run, get their configuration, print metrics and end, each in its own way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.executors.scripts import LOSS, bash, executor_of, launch, left_of, log_of, python, run
from tunewright import report as reporting
from tunewright.errors import InvalidInput
from tunewright.executors.script import ScriptExecutor
from tunewright.executors.script_task import Script
from tunewright.interfaces import Failure
from tunewright.records import FailureKind
from tunewright.resources import Resources
from tunewright.testing.executors import Watched, follow

pytestmark = pytest.mark.slow


def failure_of(seen: Watched) -> Failure:
    assert seen.exited.outcome == "failed", seen.exited
    assert seen.exited.failure is not None
    return seen.exited.failure


@pytest.mark.parametrize("slots", [0, True, 1.5])
def test_slots_are_a_whole_number(tmp_path: Path, slots: object) -> None:
    with pytest.raises(InvalidInput, match="slots must be an integer of at least 1"):
        ScriptExecutor(Script("true"), tmp_path, slots=slots)  # type: ignore[arg-type]


# --- metrics ---


def test_metrics_are_read_from_both_streams_and_output_goes_to_the_log(tmp_path: Path) -> None:
    seen = run(
        bash(
            "echo start; echo loss=2; echo 'loss=1.5 acc=0.5' >&2; sleep 0.2; printf loss=1",
            metrics={**LOSS, "acc": "acc=(.*)"},
        ),
        tmp_path,
    )
    assert seen.exited.outcome == "completed"
    assert sorted(report.metrics["loss"] for report in seen.reports) == [1.0, 1.5, 2.0]
    assert [report.metrics["acc"] for report in seen.reports if "acc" in report.metrics] == [0.5]
    first, *lines = log_of(tmp_path).splitlines()
    assert first.startswith("tunewright: $ bash -c 'echo start;")
    assert sorted(lines) == ["loss=1", "loss=1.5 acc=0.5", "loss=2", "start"]


def test_a_value_that_is_not_a_number_arrives_as_such(tmp_path: Path) -> None:
    seen = run(python("print('loss=nan'); print('loss=-inf')", metrics=LOSS), tmp_path)
    assert [str(report.metrics["loss"]) for report in seen.reports] == ["nan", "-inf"]
    assert seen.exited.outcome == "completed"


def test_metrics_arrive_while_the_script_runs_even_from_a_program_that_would_buffer_them(tmp_path: Path) -> None:
    code = "import time; print('loss=1'); time.sleep(60)"
    with executor_of(python(code, metrics=LOSS), tmp_path) as executor:
        executor.launch(launch(tmp_path))
        seen = Watched()
        while not seen.reports:
            executor.poll(5.0, seen.events.append)
        assert seen.reports[0].metrics == {"loss": 1.0}


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ('echo "{\\"step\\": 3, \\"loss\\": 0.5}" > $TUNEWRIGHT_METRICS_FILE', {}),
        ('echo "{\\"step\\": 3, \\"loss\\": 0.5}" > {metrics_file}', {}),
        ('echo "{\\"step\\": 3, \\"loss\\": 0.5}" > out-0-1.jsonl', {"metrics_file": "out-{number}-{x}.jsonl"}),
        ('echo "{\\"step\\": 3, \\"loss\\": 0.5}" > $OUT', {"env": {"OUT": "{metrics_file}"}}),
    ],
)
def test_metrics_may_be_written_as_json_lines(tmp_path: Path, code: str, options: dict[str, str]) -> None:
    seen = run(bash(code, cwd=tmp_path, **options), tmp_path, params={"x": 1}, names=["x"])
    assert [(report.step, report.metrics) for report in seen.reports] == [(3, {"loss": 0.5})]


def test_a_metric_that_was_to_be_printed_and_never_was_is_named_with_lines_of_the_output(tmp_path: Path) -> None:
    script = bash("echo loss: 3; echo done", metrics={**LOSS, "acc": "acc=(.*)"})
    failure = failure_of(run(script, tmp_path, required=["loss"]))
    assert failure.kind is FailureKind.MISSING_METRIC
    assert failure.message.startswith("metric 'loss' was never found: its regular expression matched no line")
    assert failure.message.endswith("lines: loss: 3")
    assert "matched the regular expression of metric 'acc'; lines: loss: 3 | done" in log_of(tmp_path)


def test_a_metric_that_is_reported_in_another_way_need_not_be_printed(tmp_path: Path) -> None:
    code = "from tunewright.report import report; report(loss=1.0)"
    assert run(python(code, metrics=LOSS), tmp_path, required=["loss"]).exited.outcome == "completed"


def test_the_copied_file_works_alone(tmp_path: Path) -> None:
    (tmp_path / "reporting.py").write_text(Path(reporting.__file__).read_text())
    code = "import sys; sys.path.insert(0, '.'); import reporting; reporting.report(loss=0.5, step=4)"
    seen = run(Script([sys.executable, "-I", "-S", "-c", code], arguments=None, cwd=tmp_path), tmp_path)
    assert [(report.step, report.metrics) for report in seen.reports] == [(4, {"loss": 0.5})]


def test_a_compiled_program_is_tuned_like_any_other(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler on this machine")
    source = """#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { printf("%s\\nloss=%g\\n", argv[1], 2 * atof(getenv("TUNEWRIGHT_PARAM_x"))); return 0; }
"""
    (tmp_path / "train.c").write_text(source)
    subprocess.run([compiler, "-o", tmp_path / "train", tmp_path / "train.c"], check=True)
    seen = run(Script(["./train"], cwd=tmp_path, metrics=LOSS), tmp_path, params={"x": 0.75})
    assert seen.reports[0].metrics == {"loss": 1.5}
    assert "--x=0.75\n" in log_of(tmp_path)


# --- configuration ---


def test_a_script_finds_its_configuration_on_its_command_line_in_a_file_and_in_its_environment(tmp_path: Path) -> None:
    code = (
        "import json, os, sys; print(json.dumps([sys.argv[1:], json.load(open(sys.argv[-1])), dict(os.environ), os.getcwd()]))"
    )
    params = {"lr": 1e-05, "a/b": "x y", "flag": True, "a.c": 1, "a_c": 2}
    (tmp_path / "here").mkdir()
    script = Script(
        [sys.executable, "-c", code, "{args}", "{number}", "{seed}", "--literal={{lr}}", "{params_file}"],
        env={"RATE": "{lr}", "PYTHONUNBUFFERED": ""},
        cwd=tmp_path / "here",
    )
    run(script, tmp_path, params=params, names=[*params])
    arguments, file, environment, folder = json.loads(log_of(tmp_path).splitlines()[1])
    assert arguments[:-1] == ["--lr=1e-05", "--a/b=x y", "--flag=True", "--a.c=1", "--a_c=2", "0", "7", "--literal={lr}"]
    assert file == json.loads(environment["TUNEWRIGHT_PARAMS"]) == params
    assert environment["TUNEWRIGHT_PARAM_lr"] == environment["RATE"] == "1e-05"
    assert environment["TUNEWRIGHT_PARAM_a_b"] == "x y"
    assert "TUNEWRIGHT_PARAM_a_c" not in environment
    assert environment["PYTHONUNBUFFERED"] == ""
    assert folder == str(tmp_path / "here")


def test_scripts_side_by_side_have_ports_and_cores_of_their_own(tmp_path: Path) -> None:
    code = "import os; print(os.environ['MASTER_PORT'], os.environ['PET_MASTER_PORT'], os.environ['OMP_NUM_THREADS'], '{port}')"
    with executor_of(python(code), tmp_path, slots=3, resources=Resources(cpus=1)) as executor:
        follow(executor, [launch(tmp_path, number) for number in range(3)])
    ports = set()
    for number in range(3):
        master, torchrun, threads, placed = log_of(tmp_path, number).splitlines()[1].split()
        assert master == torchrun == placed
        assert threads == "1"
        ports.add(master)
    assert len(ports) == 3


def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert run(bash("read line || echo loss=1", metrics=LOSS), tmp_path).reports[0].metrics == {"loss": 1.0}


def test_a_value_with_a_line_break_fails_its_trial_and_not_the_job(tmp_path: Path) -> None:
    failure = failure_of(run(Script("true"), tmp_path, params={"x": "a\nb"}))
    assert "value of x must not hold a line break" in failure.message


# --- failures ---


def test_a_failure_tells_the_exit_code_and_the_last_lines_of_standard_error(tmp_path: Path) -> None:
    code = "for i in $(seq 30); do echo line $i >&2; done; echo 'no, this is output'; exit 3"
    failure = failure_of(run(bash(code), tmp_path))
    assert (failure.kind, failure.where) == (FailureKind.CRASH, "exit code 3")
    assert failure.message == "the script exited with code 3: line 30"
    assert failure.traceback.splitlines() == [f"line {number}" for number in range(11, 31)]


def test_a_script_that_is_killed_by_a_signal_says_which(tmp_path: Path) -> None:
    failure = failure_of(run(bash("kill -SEGV $$"), tmp_path))
    assert failure.where == "signal 11"
    assert "was killed by signal 11 (SIGSEGV)" in failure.message


def test_running_out_of_memory_is_told_from_other_crashes(tmp_path: Path) -> None:
    failure = failure_of(run(python("raise MemoryError('too large')"), tmp_path))
    assert failure.kind is FailureKind.OUT_OF_MEMORY


def test_a_program_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    failure = failure_of(run(Script("./missing.sh", cwd=tmp_path), tmp_path))
    assert failure.message.startswith("the script could not be started: [Errno 2] No such file or directory")
    assert failure.where == "start"


def test_a_script_over_its_time_is_killed(tmp_path: Path) -> None:
    failure = failure_of(run(bash("sleep 60 & sleep 60"), tmp_path, resources=Resources(time=0.5)))
    assert (failure.kind, failure.message) == (FailureKind.TIMEOUT, "ran longer than its limit of 0.5 s")
    assert left_of(tmp_path) == []


def test_a_script_over_its_memory_is_killed_with_its_whole_tree(tmp_path: Path) -> None:
    hungry = f"{sys.executable} -c 'import time; x = bytearray(200_000_000); time.sleep(60)'"
    failure = failure_of(run(bash(f"{hungry}; true"), tmp_path, resources=Resources(memory="100MB")))
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "over its limit of 100 MB" in failure.message
    assert left_of(tmp_path) == []


# --- odd scripts ---


def test_a_script_that_closes_its_output_and_lives_on_is_waited_for(tmp_path: Path) -> None:
    code = "echo loss=1; exec 1>&- 2>&-; sleep 0.5; echo over > over"
    seen = run(bash(code, metrics=LOSS, cwd=tmp_path), tmp_path)
    assert (seen.exited.outcome, len(seen.reports)) == ("completed", 1)
    assert (tmp_path / "over").read_text() == "over\n"


def test_a_daemon_ends_with_its_script(tmp_path: Path) -> None:
    code = "setsid sh -c 'trap \"\" TERM; sleep 300' > /dev/null 2>&1 & echo loss=1; sleep 0.2"
    seen = run(bash(code, metrics=LOSS), tmp_path)
    assert seen.exited.outcome == "completed"
    assert left_of(tmp_path) == []
    assert "the script left processes behind, which were killed" in log_of(tmp_path)


def test_where_nothing_but_posix_is_known_a_daemon_ends_with_its_script_too(tmp_path: Path) -> None:
    seen = run(bash("setsid sleep 300 & sleep 300 & echo loss=1; sleep 0.2", metrics=LOSS), tmp_path, portable=True)
    assert (seen.exited.outcome, len(seen.reports)) == ("completed", 1)
    assert left_of(tmp_path) == []


def test_signals_are_as_in_a_shell(tmp_path: Path) -> None:
    run(bash("grep -E 'Sig(Ign|Blk)' /proc/self/status"), tmp_path)
    masks = [int(line.split()[1], 16) for line in log_of(tmp_path).splitlines()[1:]]
    assert len(masks) == 2
    # Signals 32 and 33 are the C library's own; some programs, make among them, leave them ignored.
    assert all(mask & ~(0b11 << 31) == 0 for mask in masks)


def test_a_daemon_that_holds_the_output_open_delays_nothing(tmp_path: Path) -> None:
    seen = run(bash("setsid sleep 300 & echo loss=1; sleep 0.2", metrics=LOSS), tmp_path)
    assert (seen.exited.outcome, len(seen.reports)) == ("completed", 1)
    assert left_of(tmp_path) == []


def test_a_log_is_bounded_and_metrics_are_read_all_the_same(tmp_path: Path) -> None:
    code = "for i in range(100_000): print('x' * 50)\nprint('loss=4')"
    seen = run(python(code, metrics=LOSS, log_limit="200kB"), tmp_path)
    assert seen.reports[-1].metrics == {"loss": 4.0}
    text = log_of(tmp_path)
    assert len(text) < 202_000
    assert "the log has reached its limit of 200,000 bytes" in text
    assert text.endswith("loss=4\n")


def test_output_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000 + b'\\nloss=1\\n')"
    seen = run(python(code, metrics=LOSS), tmp_path)
    assert seen.reports[-1].metrics == {"loss": 1.0}


def test_many_lines_are_all_read(tmp_path: Path) -> None:
    code = "for i in range(20_000): print(f'loss={i}')"
    seen = run(python(code, metrics=LOSS), tmp_path)
    assert [report.metrics["loss"] for report in seen.reports] == [float(i) for i in range(20_000)]
    assert [report.step for report in seen.reports] == [*range(1, 20_001)]
