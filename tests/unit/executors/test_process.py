"""What worker processes give to training code; kills are in tests/recovery/test_workers.py."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tunewright.errors import InvalidInput, UnpicklableFunction
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import LARGE, pack_function
from tunewright.executors.task import Task
from tunewright.interfaces import ExecutorEvent, Exited, Failure, Reported, Started
from tunewright.records import FailureKind
from tunewright.report import Trial, current_trial
from tunewright.resources import Resources
from tunewright.testing.executors import Watched, follow, launch

Start = Callable[..., ProcessExecutor]
slow = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[ProcessExecutor] = []

    def make(function: Callable[[Trial], Any], slots: int = 1, **options: Any) -> ProcessExecutor:
        pack_function(Task(function), tmp_path)
        made.append(ProcessExecutor(tmp_path, slots=slots, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def run(executor: ProcessExecutor, folder: Path, number: int = 0, **fields: Any) -> Watched:
    item = launch(folder / "trials", number, **fields)
    return follow(executor, [item])[item.execution.token]


def returned(seen: Watched) -> dict[str, float]:
    assert isinstance(seen.exited.returned, dict), seen.exited
    return seen.exited.returned


def failure_of(seen: Watched) -> Failure:
    assert seen.exited.failure is not None
    return seen.exited.failure


def log(folder: Path, number: int = 0) -> str:
    return (folder / "trials" / f"{number:05d}" / "log.txt").read_text()


# --- where training code runs ---


@slow
def test_search_path_working_directory_arguments_and_environment_are_carried_over(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("VALUE = 42.0\n")
    (tmp_path / "work").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OF_MINE", "7")
    monkeypatch.setattr(sys, "argv", ["train.py", "--fast"])

    def train(trial: Trial) -> dict[str, float]:
        import only_here  # type: ignore[import-not-found]

        print(Path.cwd(), sys.argv)
        return {"module": only_here.VALUE, "variable": float(os.environ["OF_MINE"])}

    assert returned(run(start(train), tmp_path)) == {"module": 42.0, "variable": 7.0}
    assert log(tmp_path) == f"{tmp_path / 'work'} ['train.py', '--fast']\n"


@slow
def test_the_trial_is_the_current_one_of_the_process(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> dict[str, float]:
        return {
            "current": float(current_trial() is trial),
            "seed": trial.seed,
            "number": trial.number,
            "fold": trial.fold,
            "repeat": trial.repeat,
            "fidelity": trial.fidelity or 0.0,
            "step": trial.step,
            "execution": trial.execution,
        }

    seen = run(start(train), tmp_path, 3, fold=1, repeat=2, fidelity=9.0, from_step=4)
    assert returned(seen) == {
        "current": 1.0,
        "seed": 103,
        "number": 3,
        "fold": 1,
        "repeat": 2,
        "fidelity": 9.0,
        "step": 4,
        "execution": 1,
    }


@slow
def test_a_trial_that_goes_elsewhere_does_not_take_the_next_one_along(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> dict[str, float]:
        before = Path.cwd()
        os.chdir("/")
        return {"worker": os.getpid(), "root": float(before == Path("/"))}

    executor = start(train)
    first, second = returned(run(executor, tmp_path, 0)), returned(run(executor, tmp_path, 1))
    assert first == second
    assert first["root"] == 0.0


@slow
@pytest.mark.parametrize("how", ["breakpoint()", "__import__('pdb').set_trace()"])
def test_a_debugger_without_a_terminal_is_a_failure(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)

    def train(trial: Trial) -> None:
        exec(how)

    seen = run(start(train), tmp_path)
    assert seen.exited.outcome == "failed"
    assert failure_of(seen).message.startswith("BdbQuit" if "pdb" in how else "RuntimeError: breakpoint() needs a terminal")


@slow
def test_functions_of_main_need_no_guard_around_the_script(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tunewright.executors.process import ProcessExecutor
from tunewright.executors.shipping import pack_function
from tunewright.executors.task import Task
from tunewright.testing.executors import follow, launch

FACTOR = 2.0
class Model:
    def fit(self, x):
        return FACTOR * x

def train(trial):
    return Model().fit(trial.params["x"])

folder = Path({str(tmp_path)!r})
pack_function(Task(train), folder)
executor = ProcessExecutor(folder, slots=1)
(seen,) = follow(executor, [launch(folder / "trials", 2)]).values()
print(seen.exited.returned)
executor.close()
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "1.0\n"


@slow
def test_what_is_printed_goes_to_the_trials_log_whoever_prints_it(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        print("from Python", "ä", "\ud800")
        print("an error", file=sys.stderr)
        ctypes.CDLL(None).printf(b"from C\n")
        subprocess.run(["echo", "from a child"], check=True)
        os.write(1, b"from below\n")
        if trial.number == 1:
            raise LookupError("lost the thread")
        return float(len((Path(trial.artifact_dir.parent) / "log.txt").read_text().splitlines()))

    executor = start(train)
    assert run(executor, tmp_path, 0).exited.returned == 5.0, "it is written line by line"
    failure = failure_of(run(executor, tmp_path, 1))
    assert log(tmp_path, 0).splitlines() == ["from Python ä \\ud800", "an error", "from C", "from a child", "from below"]
    assert log(tmp_path, 1).splitlines()[:5] == log(tmp_path, 0).splitlines()
    assert log(tmp_path, 1).endswith(failure.traceback)
    assert failure.traceback.splitlines()[-1] == "LookupError: lost the thread"
    assert failure.exception is None


@slow
def test_large_data_is_one_copy_for_all_workers(start: Start, tmp_path: Path) -> None:
    data = np.ones(200_000_000 // 8)

    def train(trial: Trial) -> dict[str, float]:
        total = float(data.sum())
        me = psutil.Process()
        trial.report(ready=1.0)
        time.sleep(1.0)  # until all of them have it
        maps = [m for m in me.memory_maps() if m.path.endswith("function.data")]
        return {"sum": total, "mine": float(sum(m.private_dirty for m in maps)), "mapped": float(sum(m.rss for m in maps))}

    executor = start(train, slots=3)
    items = [launch(tmp_path / "trials", number) for number in range(3)]
    for seen in follow(executor, items).values():
        result = returned(seen)
        assert result["sum"] == len(data)
        assert result["mapped"] >= data.nbytes
        assert result["mine"] < LARGE


# --- cores ---


@slow
def test_slots_have_cores_of_their_own(start: Start, tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("missing a second core")

    def train(trial: Trial) -> dict[str, float]:
        time.sleep(0.3)
        mine = sorted(os.sched_getaffinity(0))
        return {"count": len(mine), "core": mine[0]}

    executor = start(train, slots=2)
    items = [launch(tmp_path / "trials", number) for number in range(2)]
    results = [returned(seen) for seen in follow(executor, items).values()]
    assert [result["count"] for result in results] == [1, 1]
    assert len({result["core"] for result in results}) == 2


def busy_threads(work: Callable[[], object]) -> int:
    """How many threads of this process and its children used a core while something ran."""

    def used() -> dict[int, float]:
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        return {thread.id: thread.user_time for process in processes for thread in process.threads()}

    before = used()
    work()
    return sum(time > before.get(thread, 0.0) + 0.02 for thread, time in used().items())


def pool_threads(work: Callable[[], object]) -> int:
    """How many worker threads of thread pools there were at once while something ran."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            most[0] = max(most[0], sum("(worker)" in thread.name for thread in threading.enumerate()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    over.set()
    watcher.join()
    return most[0]


@slow
@pytest.mark.parametrize("cpus", [1, 2])
def test_libraries_use_the_share_when_told_to_use_all_cores(start: Start, tmp_path: Path, cpus: int) -> None:
    pytest.importorskip("lightgbm", reason="missing lightgbm")
    pytest.importorskip("sklearn", reason="missing scikit-learn")
    if len(os.sched_getaffinity(0)) < cpus:
        pytest.skip(f"missing {cpus} cores")

    def train(trial: Trial) -> dict[str, float]:
        import joblib  # type: ignore[import-untyped]
        import lightgbm
        import threadpoolctl
        from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

        rng = np.random.default_rng(0)
        data = rng.normal(size=(20_000, 40))
        target = (data[:, 0] + rng.normal(size=20_000) > 0).astype(int)
        booster = lightgbm.LGBMClassifier(n_estimators=60, n_jobs=-1, verbose=-1)
        forest = RandomForestClassifier(20, n_jobs=-1)
        histogram = HistGradientBoostingClassifier(max_iter=40)
        return {
            "jobs": joblib.effective_n_jobs(-1),
            "lightgbm": busy_threads(lambda: booster.fit(data, target)),
            "forest": pool_threads(lambda: forest.fit(data, target)),
            "histogram": busy_threads(lambda: histogram.fit(data, target)),
            "pools": max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()),
        }

    result = returned(run(start(train, resources=Resources(cpus=cpus)), tmp_path))
    assert result["jobs"] == result["pools"] == cpus
    assert 1 <= result["lightgbm"] <= cpus
    assert result["forest"] == (0 if cpus == 1 else cpus)
    assert 1 <= result["histogram"] <= cpus


@slow
def test_pools_of_loky_do_not_outlive_their_trial_and_the_worker_stays(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("joblib", reason="missing joblib")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("missing a second core")

    def train(trial: Trial) -> dict[str, float]:
        import joblib

        pids = joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(4))
        return {"worker": os.getpid(), "helper": next(pid for pid in pids if pid != os.getpid())}

    executor = start(train, resources=Resources(cpus=2))
    first = returned(run(executor, tmp_path, 0))
    assert not psutil.pid_exists(int(first["helper"]))
    second = returned(run(executor, tmp_path, 1))
    assert first["worker"] == second["worker"]


# --- a worker that shouldn't be used again, or can't be used at all ---


@slow
def test_a_worker_that_used_a_gpu_is_gone_when_the_end_of_its_trial_is_told(start: Start, tmp_path: Path) -> None:
    device = tmp_path / "nvidia0"
    device.touch()
    held: list[Any] = []

    def train(trial: Trial) -> float:
        if trial.number == 0:
            held.append(device.open())
        return float(os.getpid())

    executor = start(train, devices=[str(tmp_path / "nvidia")])
    events: list[tuple[ExecutorEvent, bool]] = []
    pid = 0
    executor.launch(launch(tmp_path / "trials", 0))

    def deliver(event: ExecutorEvent) -> None:
        nonlocal pid
        if isinstance(event, Started):
            pid = int(event.handle.rpartition("/")[2])
        events.append((event, psutil.pid_exists(pid)))

    while not (events and isinstance(events[-1][0], Exited)):
        executor.poll(1.0, deliver)
    last, lives = events[-1]
    assert isinstance(last, Exited)
    assert (last.outcome, last.returned, lives) == ("completed", float(pid), False)
    second, third = run(executor, tmp_path, 1), run(executor, tmp_path, 2)
    assert second.exited.returned == third.exited.returned != float(pid)


@slow
def test_a_function_that_cannot_be_loaded_fails_its_trials_and_says_why(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vanishing.py").write_text("def train(trial):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing  # type: ignore[import-not-found]

    executor = start(vanishing.train)
    (tmp_path / "vanishing.py").unlink()
    for number in (0, 1):
        seen = run(executor, tmp_path, number)
        assert seen.exited.outcome == "failed"
        assert failure_of(seen).kind is FailureKind.CRASH
        assert failure_of(seen).message == "ModuleNotFoundError: No module named 'vanishing'"


@slow
def test_a_worker_that_dies_while_it_starts_tells_its_last_words(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text('#!/bin/sh\ncase "$*" in *guard.py*) exec "$PYTHON" "$@";; esac\necho "no libpython" >&2\nexit 3\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PYTHON", sys.executable)
    monkeypatch.setattr(sys, "executable", str(broken))
    failure = failure_of(run(start(lambda trial: 0.0), tmp_path))
    assert failure.message == "a worker process exited with code 3 while it started"
    assert failure.traceback == "no libpython\n"
    assert failure.where == "start"


@slow
def test_a_worker_that_cannot_be_started_is_a_failure(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    executor = start(lambda trial: 0.0)
    (tmp_path / "gone").rmdir()
    monkeypatch.chdir(tmp_path)
    seen = run(executor, tmp_path)
    assert seen.exited.outcome == "failed"
    assert "no worker process could be started: " in failure_of(seen).message
    assert "gone" in failure_of(seen).message


@slow
def test_a_trial_whose_folder_cannot_be_written_is_lost_not_failed(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: 1.0)
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "00000").write_text("in the way")
    seen = run(executor, tmp_path, 0)
    assert seen.exited.outcome == "lost"
    assert failure_of(seen).kind is FailureKind.LOST
    assert "can't be written to" in failure_of(seen).message
    assert run(executor, tmp_path, 1).exited.outcome == "completed"


# --- many ---


@slow
def test_many_executions_with_many_reports(start: Start, tmp_path: Path) -> None:
    def train(trial: Trial) -> float:
        for step in range(1, 2001):
            trial.report(loss=1.0 / step, other=float(step), step=step)
        return float(trial.number)

    executor = start(train, slots=3)
    items = [launch(tmp_path / "trials", number) for number in range(12)]
    seen = follow(executor, items)
    for number, item in enumerate(items):
        watched = seen[item.execution.token]
        assert [report.step for report in watched.reports] == list(range(1, 2001))
        assert watched.exited.returned == number
        assert sum(isinstance(event, Reported) for event in watched.events) < 200, "they come in batches"


@slow
def test_an_idle_executor_costs_nothing(start: Start, tmp_path: Path) -> None:
    executor = start(lambda trial: time.sleep(1.0))
    run(executor, tmp_path, 0)
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    before = sum(sum(process.cpu_times()[:2]) for process in family)
    executor.launch(launch(tmp_path / "trials", 1))
    executor.poll(5.0, lambda event: None)
    polls = 0
    events: list[ExecutorEvent] = []
    while not (events and isinstance(events[-1], Exited)):
        executor.poll(5.0, events.append)
        polls += 1
    assert polls <= 3, "it wakes only when something has happened"
    assert sum(sum(process.cpu_times()[:2]) for process in family) - before < 0.5


# --- bad input ---


def test_what_cannot_be_pickled_is_refused_before_anything_starts(start: Start, tmp_path: Path) -> None:
    lock = threading.Lock()
    with pytest.raises(UnpicklableFunction, match="closure variable 'lock'"):
        start(lambda trial: lock)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("slots", [0, 1.5, True])
def test_slots_are_whole_numbers(tmp_path: Path, slots: Any) -> None:
    with pytest.raises(InvalidInput, match="slots must be an integer of at least 1; got"):
        ProcessExecutor(tmp_path, slots=slots)
