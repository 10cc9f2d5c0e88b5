"""Workers and controllers are really killed here; nothing of them may stay, and no result may get lost."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tunewright.executors.guard import MARK
from tunewright.executors.leftovers import marked, new_mark
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import pack_function
from tunewright.executors.task import Task
from tunewright.interfaces import Dead, ExecutorEvent, Exited, Failure, Halt, Order, Reported
from tunewright.records import FailureKind
from tunewright.report import Trial, TrialInterrupted
from tunewright.resources import Resources
from tunewright.testing.executors import Answer, Watched, follow, launch

pytestmark = pytest.mark.slow

Start = Callable[..., ProcessExecutor]


@pytest.fixture(params=[False, True], ids=["linux", "portable"])
def portable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Packs a function and makes an executor of it, which is closed in the end; afterwards nothing of it is left."""
    made: list[ProcessExecutor] = []

    def make(function: Callable[[Trial], Any], slots: int = 1, **options: Any) -> ProcessExecutor:
        pack_function(Task(function), tmp_path)
        made.append(ProcessExecutor(tmp_path, slots=slots, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.close()
    assert living(tmp_path) == []


def living(folder: Path) -> list[int]:
    """Processes of any executor that works in a folder."""
    return [process.pid for _, process in marked(lambda mark: mark.partition("-")[0] == family(folder))]


def family(folder: Path) -> str:
    return new_mark(folder).partition("-")[0]


def run(executor: ProcessExecutor, folder: Path, number: int = 0, answer: Answer | None = None, **fields: Any) -> Watched:
    item = launch(folder / "trials", number, **fields)
    return follow(executor, [item], answer)[item.execution.token]


def failure_of(seen: Watched) -> Failure:
    assert seen.exited.outcome == "failed"
    assert seen.exited.failure is not None
    return seen.exited.failure


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't come true in time"
        time.sleep(0.02)


# --- a worker dies ---


@pytest.mark.parametrize(
    ("how", "message", "where"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its process was killed by signal 9 (SIGKILL)", "signal 9"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "its process was killed by signal 15 (SIGTERM)", "signal 15"),
        (lambda: os._exit(7), "its process exited with code 7", "exit code 7"),
        (lambda: os._exit(0), "its process exited with code 0", "exit code 0"),
    ],
)
def test_a_dead_worker_is_a_crash_and_its_slot_gets_a_new_one(
    start: Start, tmp_path: Path, how: Callable[[], None], message: str, where: str
) -> None:
    def train(trial: Trial) -> float:
        trial.report(loss=1.0)
        if trial.number == 0:
            time.sleep(0.2)  # the report is written meanwhile
            how()
        return float(os.getpid())

    executor = start(train)
    dead = run(executor, tmp_path, 0)
    failure = failure_of(dead)
    assert failure.kind is FailureKind.CRASH
    assert failure.message.startswith(message)
    assert failure.where == where
    assert len(dead.reports) == 1
    again = run(executor, tmp_path, 1)
    assert again.exited.outcome == "completed"


def test_a_crash_in_native_code_shows_where_it_was(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        ctypes.string_at(0)

    failure = failure_of(run(start(train), tmp_path))
    assert failure.where == "signal 11"
    assert "in train" in failure.traceback


def test_what_a_killed_worker_had_started_is_gone_when_its_end_is_told(start: Start, tmp_path: Path, portable: bool) -> None:
    def train(trial: Trial) -> None:
        own = subprocess.Popen(["sleep", "1000"])
        session = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        forked = os.fork()
        if forked == 0:
            os.setsid()
            time.sleep(1000)
        trial.report(own=own.pid, session=session.pid, forked=forked)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)

    seen = run(start(train, portable=portable), tmp_path)
    pids = [int(pid) for pid in seen.reports[0].metrics.values()]
    assert len(pids) == 3
    assert all(is_gone(pid) for pid in pids)
    assert failure_of(seen).where == "signal 9"


def test_what_training_code_left_behind_is_gone_when_its_end_is_told(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        if trial.number == 0:
            # A daemon by the book: its parent has exited, its session is its own, its environment is empty.
            daemon = (
                "import os, sys, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(1000)"
            )
            child = subprocess.Popen([sys.executable, "-c", daemon], env={}, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            trial.report(daemon=int(child.stdout.readline()))
            child.wait()
        return float(os.getpid())

    executor = start(train)
    first, second = run(executor, tmp_path, 0), run(executor, tmp_path, 1)
    assert first.exited.outcome == "completed"
    assert is_gone(int(first.reports[0].metrics["daemon"]))
    assert first.exited.returned != second.exited.returned, "the worker had to be replaced"


def test_a_worker_is_kept_when_all_is_well(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: float(os.getpid()))
    assert run(executor, tmp_path, 0).exited.returned == run(executor, tmp_path, 1).exited.returned


def test_an_idle_worker_that_dies_is_replaced(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: float(os.getpid()))
    returned = run(executor, tmp_path, 0).exited.returned
    assert isinstance(returned, float)
    os.kill(int(returned), signal.SIGKILL)
    wait_until(lambda: is_gone(int(returned)))
    executor.poll(0.5, lambda event: None)
    assert run(executor, tmp_path, 1).exited.outcome == "completed"


def test_an_execution_given_to_a_worker_that_just_died_is_lost_not_failed(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: float(os.getpid()))
    returned = run(executor, tmp_path, 0).exited.returned
    assert isinstance(returned, float)
    os.kill(int(returned), signal.SIGKILL)
    wait_until(lambda: is_gone(int(returned)))
    lost = run(executor, tmp_path, 1)  # no poll in between: the executor can't know yet
    assert lost.exited.outcome == "lost"
    assert run(executor, tmp_path, 2).exited.outcome == "completed"


def test_when_the_guard_is_killed_executions_are_lost_and_new_ones_run(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        if trial.number == 0:
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            trial.report(guard=os.getppid(), child=child.pid)
            time.sleep(1000)
        return 1.0

    def kill_guard(event: ExecutorEvent) -> Order | None:
        if isinstance(event, Reported):
            os.kill(int(event.reports[0].metrics["guard"]), signal.SIGKILL)
        return None

    executor = start(train)
    lost = run(executor, tmp_path, 0, kill_guard)
    assert lost.exited.outcome == "lost"
    assert lost.exited.failure is not None
    assert lost.exited.failure.kind is FailureKind.LOST
    assert is_gone(int(lost.reports[0].metrics["child"]))
    assert run(executor, tmp_path, 1).exited.outcome == "completed"


# --- limits and orders ---


def test_the_time_limit_kills_the_whole_tree(start: Start, tmp_path: Path, portable: bool) -> None:
    def train(trial: Trial) -> None:
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        trial.report(child=child.pid)
        while True:
            try:
                time.sleep(1000)
            except BaseException:
                continue

    executor = start(train, resources=Resources(time="0.5s"), portable=portable)
    seen = run(executor, tmp_path)
    assert failure_of(seen).kind is FailureKind.TIMEOUT
    assert failure_of(seen).message == "ran longer than its limit of 0.5 s"
    assert is_gone(int(seen.reports[0].metrics["child"]))


def test_the_memory_limit_counts_the_whole_tree(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        if trial.number == 0:
            return 1.0
        script = "import time; data = bytearray(300_000_000); time.sleep(1000)"
        subprocess.run([sys.executable, "-c", script], check=True)
        return 1.0

    executor = start(train, resources=Resources(memory="250MB"))
    assert run(executor, tmp_path, 0).exited.outcome == "completed"
    failure = failure_of(run(executor, tmp_path, 1))
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert failure.message.endswith("over its limit of 250 MB")


def test_a_memory_error_is_told_from_other_failures(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> None:
        bytearray(1 << 60)

    assert failure_of(run(start(train), tmp_path)).kind is FailureKind.OUT_OF_MEMORY


@pytest.mark.parametrize(("action", "outcome"), [("stop", "stopped"), ("pause", "paused")])
def test_training_code_that_ignores_an_order_is_killed_after_its_grace(
    start: Start, tmp_path: Path, action: str, outcome: str
) -> None:
    def train(trial: Trial) -> float:
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        while True:
            try:
                trial.report(child=child.pid)
                time.sleep(0.05)
            except TrialInterrupted:
                continue

    def answer(event: ExecutorEvent) -> Order | None:
        return Halt(action, "enough", grace=0.5) if isinstance(event, Reported) and event.first == 0 else None

    seen = run(start(train), tmp_path, 0, answer)
    assert seen.exited.outcome == outcome
    assert is_gone(int(seen.reports[0].metrics["child"]))


def test_an_urgent_order_reaches_training_code_at_its_next_report(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        for step in range(1, 10_000):
            trial.report(loss=1.0, step=step)
            time.sleep(0.05)
        return 1.0

    def answer(event: ExecutorEvent) -> Order | None:
        return Halt("stop", "a person asked", grace=60.0) if isinstance(event, Reported) and event.first == 0 else None

    seen = run(start(train), tmp_path, 0, answer)
    assert seen.exited.outcome == "stopped"
    assert len(seen.reports) < 100


def test_what_is_returned_after_a_swallowed_order_does_not_count(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        try:
            trial.report(loss=1.0)
        except TrialInterrupted:
            return 0.0
        return 2.0

    def answer(event: ExecutorEvent) -> Order | None:
        return Halt("stop", "enough") if isinstance(event, Reported) else None

    seen = run(start(train), tmp_path, 0, answer, until_step=1)
    assert (seen.exited.outcome, seen.exited.returned) == ("stopped", None)


def test_training_code_that_asks_for_the_decision_gets_it(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> dict[str, float]:
        heard = trial.report(loss=1.0, interrupt=False)
        return {"loss": 0.5, "heard": float(heard == "stop")}

    def answer(event: ExecutorEvent) -> Order | None:
        return Halt("stop", "enough") if isinstance(event, Reported) else None

    seen = run(start(train), tmp_path, 0, answer, until_step=1)
    assert (seen.exited.outcome, seen.exited.returned) == ("stopped", {"loss": 0.5, "heard": 1.0})


# --- the controller dies ---

CONTROLLER = """
import os, subprocess, sys, time
from pathlib import Path
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import pack_function
from tunewright.executors.task import Task
from tunewright.testing.executors import launch

folder, portable = Path(sys.argv[1]), sys.argv[2] == "portable"

def train(trial):
    trial.report(loss=1.0)
    own = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    bare = subprocess.Popen(["sleep", "1000"], start_new_session=True, env=None if portable else {})
    (folder / f"pids-{trial.number}").write_text(f"{os.getppid()} {os.getpid()} {own.pid} {bare.pid}")
    if trial.number == 1:
        return 0.5
    time.sleep(1000)

pack_function(Task(train), folder)
executor = ProcessExecutor(folder, slots=2, portable=portable)
executor.launch(launch(folder / "trials", 0))
executor.launch(launch(folder / "trials", 1))
if "fork" in sys.argv:
    child = os.fork()
    if child == 0:
        time.sleep(1000)
    (folder / "fork").write_text(str(child))
while True:
    executor.poll(0.1, lambda event: print(event, flush=True))
"""


def run_controller(
    folder: Path, portable: bool, until: Callable[[], bool], *options: str
) -> tuple[subprocess.Popen[str], list[int]]:
    """A controller of another process, once `until` holds, and the processes of its trials and its guard."""
    script = folder / "controller.py"
    script.write_text(CONTROLLER)
    arguments = [sys.executable, str(script), str(folder), "portable" if portable else "linux", *options]
    with (folder / "events").open("w") as events:
        controller = subprocess.Popen(arguments, stdout=events, text=True)
    files = [folder / "pids-0", folder / "pids-1"]
    wait_until(lambda: all(file.exists() and len(file.read_text().split()) == 4 for file in files) and until())
    pids = [int(pid) for file in files for pid in file.read_text().split()]
    assert not is_gone(pids[2])
    return controller, pids


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_nothing_outlives_a_killed_controller(tmp_path: Path, portable: bool) -> None:
    controller, pids = run_controller(tmp_path, portable, lambda: True)
    assert living(tmp_path)
    end(controller)
    wait_until(lambda: all(is_gone(pid) for pid in pids))
    assert living(tmp_path) == []


def test_a_fork_of_the_controller_does_not_keep_its_workers_alive(tmp_path: Path, portable: bool) -> None:
    controller, pids = run_controller(tmp_path, portable, lambda: True, "fork")
    fork = int((tmp_path / "fork").read_text())
    end(controller)
    assert not is_gone(fork), "it has a copy of all that the controller had open"
    wait_until(lambda: all(is_gone(pid) for pid in pids))
    os.kill(fork, signal.SIGKILL)


def test_workers_outlive_the_thread_that_started_them(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: time.sleep(1.0))
    item = launch(tmp_path / "trials")

    def begin() -> None:
        executor.launch(item)
        executor.poll(0.0, lambda event: None)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    events: list[ExecutorEvent] = []
    while not (events and isinstance(events[-1], Exited)):
        executor.poll(1.0, events.append)
    assert isinstance(events[-1], Exited)
    assert events[-1].outcome == "completed"


def test_what_a_killed_controller_had_not_seen_is_harvested(tmp_path: Path) -> None:
    spools = [tmp_path / "trials" / number / "executions" / "1" / "spool.jsonl" for number in ("00000", "00001")]

    def written() -> bool:
        return all(spool.exists() for spool in spools) and "report" in spools[0].read_text() and "end" in spools[1].read_text()

    controller, _ = run_controller(tmp_path, False, written)
    end(controller)
    executor = ProcessExecutor(tmp_path, slots=1)
    running, finished = (executor.adopt(launch(tmp_path / "trials", number)) for number in (0, 1))
    assert living(tmp_path) == []
    assert isinstance(running, Dead)
    assert [type(event) for event in running.harvest] == [Reported]
    assert isinstance(finished, Dead)
    assert [type(event) for event in finished.harvest] == [Reported, Exited]
    last = finished.harvest[-1]
    assert isinstance(last, Exited)
    assert (last.outcome, last.returned) == ("completed", 0.5)
    executor.close()


def test_adoption_ends_what_a_stopped_controller_still_runs(tmp_path: Path, portable: bool) -> None:
    controller, pids = run_controller(tmp_path, portable, lambda: True)
    controller.send_signal(signal.SIGSTOP)
    executor = ProcessExecutor(tmp_path, slots=1, portable=portable)
    answer = executor.adopt(launch(tmp_path / "trials", 0))
    assert isinstance(answer, Dead)
    assert all(is_gone(pid) for pid in pids)
    assert living(tmp_path) == []
    executor.close()
    end(controller)


def test_adoption_finds_what_is_left_when_controller_and_guard_are_killed_at_once(tmp_path: Path) -> None:
    controller, pids = run_controller(tmp_path, True, lambda: True)
    for pid in (pids[0], controller.pid):
        os.kill(pid, signal.SIGSTOP)
    os.kill(pids[0], signal.SIGKILL)
    end(controller)
    assert not is_gone(pids[2]), "there should be something to find"
    executor = ProcessExecutor(tmp_path, slots=1)
    executor.adopt(launch(tmp_path / "trials", 0))
    assert all(is_gone(pid) for pid in pids)
    executor.close()


def test_the_mark_is_in_the_environment_of_all_that_runs(start: Start, tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    def train(trial: Trial) -> None:
        output = subprocess.run(["env"], stdout=subprocess.PIPE, text=True, check=True).stdout
        print(output)

    run(start(train), tmp_path, 3)
    for line in (tmp_path / "trials" / "00003" / "log.txt").read_text().splitlines():
        name, _, value = line.partition("=")
        seen[name] = value
    assert seen[MARK].startswith(family(tmp_path))
    assert seen["TUNEWRIGHT_TOKEN"] == launch(tmp_path / "trials", 3).execution.token
