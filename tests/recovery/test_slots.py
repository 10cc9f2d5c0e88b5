"""Controllers side by side, each with a store of its own, on one host with two GPUs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

import tunewright as tw
from tests.gpus import GpuHost
from tests.recovery.checks import check_no_process_left
from tunewright.records import Status
from tunewright.slots.registry import Registry

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Line(NamedTuple):
    """What a trial wrote."""

    word: str
    gpus: tuple[str, ...]
    job: str
    trial: int
    pid: int


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(gpu_host: GpuHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a controller; see `leasing`."""
    gpu_host.declares("2")
    monkeypatch.setenv("WITNESS", str(tmp_path / "witness"))
    (tmp_path / "witness").touch()
    made: list[subprocess.Popen[str]] = []

    def make(name: str, kind: str = "short", trials: int = 2, gpus: float = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.recovery.leasing", str(tmp_path), name, kind, str(trials), str(gpus)]
        with (tmp_path / f"{name}.out").open("a") as output:
            made.append(subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, text=True))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        process.wait()


def lines(folder: Path) -> list[Line]:
    found = []
    for line in (folder / "witness").read_text().splitlines():
        word, gpus, job, trial, pid = line.split()
        found.append(Line(word, tuple(gpus.split(",")), job, int(trial), int(pid)))
    return found


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for a condition, for long enough on a busy machine."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def begun(folder: Path, job: str) -> list[Line]:
    return [line for line in lines(folder) if line.job == job and line.word == "begin"]


def job_of(folder: Path, name: str) -> tw.Job:
    return tw.job(name, store=f"sqlite:///{folder}/{name}.db")


def waiting(folder: Path, name: str) -> list[str]:
    """For what trials of a job wait, as its store tells."""
    try:
        trials = job_of(folder, name).trials
    except tw.TunewrightError:  # it isn't there yet
        return []
    return [trial.reason or "" for trial in trials if (trial.reason or "").startswith("waits for ")]


def most_at_once(seen: list[Line], share: float) -> dict[str, float]:
    """The largest part of each GPU that was in use at any moment."""
    used, most = defaultdict[str, float](float), defaultdict[str, float](float)
    for line in seen:
        for gpu in line.gpus:
            used[gpu] += share if line.word == "begin" else -share
            most[gpu] = max(most[gpu], used[gpu])
    return most


def test_jobs_that_race_for_gpus_never_meet_on_one(start: Start, tmp_path: Path) -> None:
    first, second = start("first", trials=40), start("second", trials=40)
    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0), (tmp_path / "second.out").read_text()
    seen = lines(tmp_path)
    assert len(seen) == 160
    assert most_at_once(seen, 1) == {"0": 1, "1": 1}
    for name in ("first", "second"):
        job = job_of(tmp_path, name)
        assert [trial.status for trial in job.trials] == [Status.COMPLETED] * 40
        assert {trial.reason for trial in job.trials} == {None}
        others = [line for line in seen if line.job != name]
        assert begun(tmp_path, name)[20] in seen[: seen.index(others[-1])], "none had to wait until the other was done"
    assert Registry().living() == []


def test_jobs_that_race_for_shares_never_take_more_than_there_is(start: Start, tmp_path: Path) -> None:
    processes = [start(name, trials=20, gpus=0.4) for name in ("first", "second", "third")]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    most = most_at_once(lines(tmp_path), 0.4)
    assert [*sorted(most)] == ["0", "1"]
    assert all(part <= 0.8 + 1e-9 for part in most.values()), "0.4 three times is more than one"
    assert max(most.values()) > 0.5, "two did share one"


def test_shares_that_are_more_than_half_never_meet(start: Start, tmp_path: Path) -> None:
    processes = [start(name, trials=15, gpus=0.6) for name in ("first", "second")]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0]
    assert all(part == pytest.approx(0.6) for part in most_at_once(lines(tmp_path), 0.6).values())


def test_a_job_says_who_has_the_gpus_and_gets_them_when_that_one_is_killed(start: Start, tmp_path: Path) -> None:
    holder = start("holder", "hold")
    until(lambda: len(begun(tmp_path, "holder")) == 2, "the first job begins")
    heir = start("heir")
    until(lambda: waiting(tmp_path, "heir"), "the second job waits")
    (reason,) = waiting(tmp_path, "heir")
    who = f"is used by job holder (process {holder.pid} of "
    assert reason.startswith(f"waits for 1 GPU: GPU 0 {who}")
    assert f"; GPU 1 {who}" in reason
    shown = _command("show", "heir", tmp_path / "heir.db")
    assert f"waiting    trial 0 {reason}" in shown
    assert f"trial 0 {reason}" in (tmp_path / "heir.out").read_text()
    holder.kill()
    assert heir.wait(PATIENCE) == 0
    assert len(begun(tmp_path, "heir")) == 2
    assert {trial.reason for trial in job_of(tmp_path, "heir").trials} == {None}
    assert not any(psutil.pid_exists(line.pid) for line in begun(tmp_path, "holder"))
    check_no_process_left(tmp_path)


def test_a_gpu_of_a_foreign_process_is_not_used_until_that_is_gone(start: Start, tmp_path: Path, gpu_host: GpuHost) -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    gpu_host.declares("1,")
    gpu_host.tells({}, {"compute": [stranger.pid]})
    job = start("job")
    until(lambda: waiting(tmp_path, "job"), "the job waits")
    (reason,) = waiting(tmp_path, "job")
    assert reason.startswith(f"waits for 1 GPU: GPU 1 is used by process {stranger.pid} (sleep) of ")
    stranger.kill()
    stranger.wait()
    gpu_host.tells({}, {})
    assert job.wait(PATIENCE) == 0
    assert {line.gpus for line in begun(tmp_path, "job")} == {("GPU-1",)}


def test_gpus_of_a_killed_job_are_free_only_when_its_workers_are_gone(start: Start, tmp_path: Path) -> None:
    holder = start("holder", "hold")
    until(lambda: len(begun(tmp_path, "holder")) == 2, "the job begins")
    workers = [line.pid for line in begun(tmp_path, "holder")]
    guards = [psutil.Process(pid).ppid() for pid in workers]
    os.kill(guards[0], signal.SIGSTOP)  # as a host that is very slow in cleaning up
    holder.kill()
    holder.wait()
    assert all(psutil.pid_exists(pid) for pid in workers)
    assert len(Registry().living()) == 2
    os.kill(guards[0], signal.SIGCONT)
    until(lambda: not Registry().living(), "the leases end")
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_a_script_that_outlives_its_controller_keeps_its_gpu(start: Start, tmp_path: Path) -> None:
    holder = start("holder", "script")
    until(lambda: len(begun(tmp_path, "holder")) == 2, "the scripts begin")
    assert {line.gpus for line in begun(tmp_path, "holder")} == {("0",), ("1",)}
    holder.kill()
    holder.wait()
    heir = start("heir", trials=4)
    until(lambda: waiting(tmp_path, "heir"), "the other job waits")
    (reason,) = waiting(tmp_path, "heir")
    assert reason.startswith("waits for 1 GPU: GPU 0 is used by job holder (of "), "its process is gone, its script isn't"
    again = start("holder", "script", trials=3)
    until(lambda: f"|{again.pid}|" in str(job_of(tmp_path, "holder").record.owner), "the first job goes on")
    assert begun(tmp_path, "heir") == []
    (tmp_path / "go").touch()
    assert (heir.wait(PATIENCE), again.wait(PATIENCE)) == (0, 0)
    seen = lines(tmp_path)
    assert most_at_once(seen, 1) == {"0": 1, "1": 1}
    assert [line.trial for line in seen if line.job == "holder" and line.word == "end"].count(0) == 1, "it was adopted"
    until(lambda: not Registry().living(), "the leases end")
    check_no_process_left(tmp_path)


def test_a_job_that_was_stopped_while_it_waits_keeps_nobody_from_a_gpu(start: Start, tmp_path: Path) -> None:
    start("holder", "hold")
    until(lambda: len(begun(tmp_path, "holder")) == 2, "the first job begins")
    stopped = start("stopped")
    until(lambda: waiting(tmp_path, "stopped"), "the second job waits")
    os.kill(stopped.pid, signal.SIGSTOP)
    heir = start("heir")
    until(lambda: waiting(tmp_path, "heir"), "the third job waits")
    (tmp_path / "go").touch()
    assert heir.wait(PATIENCE) == 0
    assert begun(tmp_path, "stopped") == []
    os.kill(stopped.pid, signal.SIGCONT)
    assert stopped.wait(PATIENCE) == 0


def test_stopping_a_job_ends_a_trial_that_waits(start: Start, tmp_path: Path) -> None:
    start("holder", "hold")
    until(lambda: len(begun(tmp_path, "holder")) == 2, "the first job begins")
    second = start("second")
    until(lambda: waiting(tmp_path, "second"), "the second job waits")
    _command("stop", "second", tmp_path / "second.db")
    assert second.wait(PATIENCE) == 0
    (trial,) = job_of(tmp_path, "second").trials
    assert (trial.status, trial.reason) == (Status.STOPPED, "the job was stopped")
    assert begun(tmp_path, "second") == []


def _command(name: str, job: str, store: Path) -> str:
    command = [sys.executable, "-m", "tunewright", name, job, "--store", f"sqlite:///{store}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
