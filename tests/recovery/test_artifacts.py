"""Checkpoints and artifacts in object storage: a job moves from host to host, and nothing torn is ever used."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tunewright as tw
from tests.recovery.moving import NAME, STEPS, TRIALS
from tests.recovery.test_controller_kills import environment
from tests.s3_server import SECRET, S3Server
from tunewright.artifacts.vault import is_address
from tunewright.queries import Checkpoints, Executions, Jobs
from tunewright.records import ExecutionStatus, Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HOSTS = 5


def _start(host: Path, address: str, witness: Path) -> subprocess.Popen[bytes]:
    """The controller in a folder of its own, with artifacts in the bucket."""
    host.mkdir()
    command = [sys.executable, "-m", "tests.recovery.moving", address, str(witness)]
    given = environment() | {"TUNEWRIGHT_ARTIFACTS": "s3://team/tests"}
    return subprocess.Popen(command, cwd=host, env=given, stderr=subprocess.PIPE)


def test_a_job_moves_from_host_to_host_with_its_checkpoints(
    postgresql: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, witness = random.Random(3), tmp_path / "witness"
    witness.touch()
    for number in range(HOSTS):
        host, before = tmp_path / f"host-{number}", witness.read_text().count("begin")
        controller = _start(host, postgresql, witness)
        end = time.monotonic() + 60
        while witness.read_text().count("begin") == before:
            assert time.monotonic() < end
            assert controller.poll() is None, "the job ended before it had moved often enough"
            time.sleep(0.02)
        time.sleep(chance.uniform(0.2, 0.9))
        controller.send_signal(signal.SIGKILL)
        controller.communicate()
        shutil.rmtree(host)  # nothing of this host is in reach of the next one
    controller = _start(tmp_path / "last-host", postgresql, witness)
    _, complaint = controller.communicate(timeout=300)
    assert controller.returncode == 0, complaint.decode()

    lines = [line.split() for line in witness.read_text().splitlines()]
    assert [line for line in lines if line[0] == "torn"] == []
    begun = {(int(trial), int(execution)): int(step) for _, trial, execution, step in lines}
    assert len(begun) == len(lines), "nothing was launched twice"
    monkeypatch.chdir(tmp_path)  # yet another host
    store = tw.open_store(postgresql)
    executions = [*store.read(Executions(NAME))]
    assert sum(execution.status is ExecutionStatus.LOST for execution in executions) >= HOSTS
    for execution in executions:
        if (execution.trial, execution.number) in begun:
            assert begun[execution.trial, execution.number] == execution.from_step
    assert max(execution.from_step for execution in executions) > 0, "no trial went on from a checkpoint"
    job = tw.job(NAME, store=store)
    assert [trial.status for trial in job.trials] == [Status.COMPLETED] * TRIALS
    _check_what_is_kept(job, s3)
    store.close()


def _check_what_is_kept(job: tw.Job, s3: S3Server) -> None:
    """Every trial's artifacts, and the checkpoints of the best two; seen from a host that executed none of them."""
    assert not job.folder.exists()
    ranked = sorted(job.trials, key=lambda trial: trial.objective or 0.0)
    for trial in ranked:
        assert trial.artifacts["model.txt"].read_text() == f"model of trial {trial.number}"
    for trial in ranked[:2]:
        assert trial.checkpoint is not None
        assert (trial.checkpoint / "facts").read_text().split()[0] == str(STEPS)
    assert [trial.checkpoint for trial in ranked[2:]] == [None] * (TRIALS - 2)
    kept = {int(key.split("/")[3]) for key in s3.objects() if "/checkpoints/" in key}
    assert kept == {trial.number for trial in ranked[:2]}


def _train(trial: tw.Trial) -> float:
    for step in (1, 2):
        with trial.checkpoint(step=step) as folder:
            (folder / "weights").write_text(f"{trial.number} {step}")
        trial.report(loss=float(trial.params["x"]), step=step)
    (trial.artifact_dir / "model.txt").write_text(str(trial.number))
    return float(trial.params["x"])


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["folder", "s3"])
def test_only_the_checkpoints_of_the_best_stay_and_that_is_said(
    tmp_path: Path, s3: S3Server, capsys: pytest.CaptureFixture[str], executor: str, elsewhere: bool
) -> None:
    job = tw.tune(
        _train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=8, seed=1, store=str(tmp_path / "store.db"), keep="top:3",
        executor=executor, progress="plain", strategy="random", max_parallel=1, name="kept",
        artifacts="s3://team/some/where" if elsewhere else None,
    )  # fmt: skip
    said = capsys.readouterr()
    text = said.out + said.err
    assert "keep='top:3': checkpoints of trials that end and aren't among the best 3 are removed" in text
    assert "keep='top:3': removed the checkpoints of 5 trials" in text
    ranked = sorted(job.trials, key=lambda trial: trial.objective or 0.0)
    for trial in ranked[:3]:
        assert trial.checkpoint is not None
        assert (trial.checkpoint / "weights").read_text() == f"{trial.number} 2"
    for trial in ranked[3:]:
        assert trial.checkpoint is None
        assert not (trial.folder / "checkpoints").exists()
    assert all(trial.artifacts["model.txt"].read_text() == str(trial.number) for trial in ranked), "artifacts all stay"
    kept = {key.split("/")[4] for key in s3.objects() if "/checkpoints/" in key}
    assert kept == ({f"{trial.number:05d}" for trial in ranked[:3]} if elsewhere else set())

    more = tw.resume("kept", max_trials=12, store=str(tmp_path / "store.db"), progress="none")
    best = sorted(more.trials, key=lambda trial: trial.objective or 0.0)[:3]
    assert {path.parent.name for path in more.folder.glob("trials/*/checkpoints")} == {f"{trial.number:05d}" for trial in best}


def test_a_job_says_where_it_keeps_things_and_takes_them_with_it(tmp_path: Path, s3: S3Server) -> None:
    store = tw.open_store(tmp_path / "store.db")
    for name in ("first", "second"):
        tw.tune(
            _train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=2, seed=1, store=store, executor="inline",
            progress="none", name=name, artifacts="s3://team/jobs",
        )  # fmt: skip
    roots = {job.name: job.record.spec["artifacts"] for job in tw.jobs(store=store)}
    assert roots["first"].startswith("s3://team/jobs/first-")
    facts = json.loads((s3.folder / roots["first"].removeprefix("s3://team/") / "job.json").read_text())
    assert facts["job"] == "first"
    assert all(is_address(checkpoint.path) for checkpoint in store.read(Checkpoints("first")))
    assert SECRET not in repr([*store.read(Jobs())])
    command = [sys.executable, "-m", "tunewright", "delete", "first", "--yes", "--store", str(tmp_path / "store.db")]
    subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    assert not [key for key in s3.objects() if key.startswith("jobs/first-")]
    assert [key for key in s3.objects() if key.startswith("jobs/second-")]
    store.close()


def test_an_address_that_can_not_be_written_to_is_said_before_anything_starts(tmp_path: Path, s3: S3Server) -> None:
    store = tw.open_store(tmp_path / "store.db")
    with pytest.raises(tw.StoreError, match=r"artifacts at s3://nosuch/.*bucket does not exist"):
        tw.tune(
            _train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=2, store=store, executor="inline", progress="none",
            artifacts="s3://nosuch/jobs",
        )  # fmt: skip
    assert tw.jobs(store=store) == []
    assert [*(tmp_path / "jobs").iterdir()] == []
    store.close()


def test_a_folder_that_hosts_share_will_do(tmp_path: Path) -> None:
    job = tw.tune(
        _train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=2, seed=1, store=str(tmp_path / "store.db"),
        executor="inline", progress="none", artifacts=tmp_path / "shared",
    )  # fmt: skip
    shutil.rmtree(job.folder)
    assert job.best.artifacts["model.txt"].read_text() == str(job.best.number)
    assert job.best.checkpoint is not None
    assert (job.best.checkpoint / "weights").exists()
