"""How many trials run at once by the GPUs of the host, what is refused at once, and that trials are shown their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.gpus import GIBIBYTE, GpuHost
from tunewright.diagnosis import examine
from tunewright.errors import InvalidInput
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.lifecycle.request import make_request
from tunewright.slots.registry import Registry

SPACE = {"x": tw.Float(0.0, 1.0)}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "s.db")


def train(trial: tw.Trial) -> float:
    print(os.environ.get("CUDA_VISIBLE_DEVICES"))
    return float(trial.params["x"])


def parallel(gpus: float, **options: Any) -> int:
    resources = tw.Resources(gpus=gpus)
    return make_request(train, SPACE, metric="loss", resources=resources, **{"max_trials": 100, **options}).spec.max_parallel


@pytest.mark.parametrize(("gpus", "expected"), [(1, 4), (2, 2), (3, 1), (0.5, 8), (0.3, 12)])
def test_one_trial_a_gpu_or_as_many_as_share_it(gpu_host: GpuHost, gpus: float, expected: int) -> None:
    gpu_host.declares("4")
    assert parallel(gpus) == expected


def test_what_is_asked_for_may_be_less_but_not_more(gpu_host: GpuHost) -> None:
    gpu_host.declares("4")
    gpu_host.shows("1,2,3")
    assert parallel(1) == 3
    assert parallel(1, max_trials=2) == 2
    assert parallel(1, max_parallel=2) == 2
    assert parallel(1, executor="inline") == 1
    resources = tw.Resources(gpus=1)
    request = make_request(train, SPACE, metric="loss", max_trials=9, max_parallel=8, resources=resources)
    assert request.spec.max_parallel == 3
    assert "3 at a time and not 8, for want of GPUs" in request.notes


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_host_with_too_few_gpus_is_refused_at_once(gpu_host: GpuHost, store: str, executor: str) -> None:
    gpu_host.declares("2")
    with pytest.raises(InvalidInput, match=r"resources\.gpus must be at most 2, the number of GPUs .*; got 3"):
        tw.tune(
            train,
            SPACE,
            metric="loss",
            max_trials=1,
            resources=tw.Resources(gpus=3),
            executor=executor,
            store=store,
        )
    assert not Path(store).exists()


def test_a_script_is_refused_too(gpu_host: GpuHost) -> None:
    with pytest.raises(InvalidInput, match=r"must be at most 0.*Driver Not Loaded.*; got 1"):
        make_request(tw.Script(["true"]), SPACE, metric="loss", max_trials=1, resources=tw.Resources(gpus=1))


def test_an_executor_of_ones_own_sees_to_its_gpus_itself(gpu_host: GpuHost) -> None:
    executor = SimulatedExecutor(lambda params, seed: Curve((), (), (1.0,)), slots=7)
    assert parallel(16, executor=executor) == 7


def test_a_job_that_is_resumed_where_there_are_fewer_gpus_says_so(gpu_host: GpuHost, store: str) -> None:
    gpu_host.declares("2")
    options: dict[str, Any] = {"executor": "inline", "store": store, "progress": "none"}
    tw.tune(train, SPACE, metric="loss", max_trials=1, resources=tw.Resources(gpus=2), name="job", **options)
    gpu_host.declares("1")
    with pytest.raises(InvalidInput, match=r"resources\.gpus must be at most 1"):
        tw.resume("job", max_trials=2, store=store, progress="none")
    gpu_host.declares("2")
    assert len(tw.resume("job", max_trials=2, store=store, progress="none").trials) == 2
    assert Registry().living() == []


@pytest.mark.slow
@pytest.mark.parametrize("gpus", [1, 0.5])
def test_worker_processes_are_shown_their_gpus(gpu_host: GpuHost, store: str, gpus: float) -> None:
    gpu_host.tells({}, {})
    job = tw.tune(train, SPACE, metric="loss", max_trials=6, resources=tw.Resources(gpus=gpus), store=store, progress="none")
    assert {trial.log().strip() for trial in job.trials} <= {"GPU-0", "GPU-1"}
    assert job.record.spec["max_parallel"] == 2 / gpus
    assert Registry().living() == []


@pytest.mark.slow
def test_scripts_are_shown_their_gpus(gpu_host: GpuHost, store: str) -> None:
    gpu_host.declares("1,3")
    script = tw.Script(["bash", "-c", "echo $CUDA_VISIBLE_DEVICES; echo loss=1"], arguments=None, metrics={"loss": "loss=(.*)"})
    job = tw.tune(script, SPACE, metric="loss", max_trials=4, resources=tw.Resources(gpus=2), store=store, progress="none")
    assert [trial.log().splitlines()[1] for trial in job.trials] == ["1,3"] * 4
    assert Registry().living() == []


def test_without_gpus_nothing_is_hidden(gpu_host: GpuHost, store: str) -> None:
    gpu_host.tells({}, {})
    gpu_host.shows("1")
    shown: list[str | None] = []

    def look(trial: tw.Trial) -> float:
        shown.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        return 0.0

    tw.tune(look, SPACE, metric="loss", max_trials=1, executor="inline", store=store, progress="none")
    assert shown == ["1"]


def test_the_doctor_tells_of_gpus_and_who_uses_them(gpu_host: GpuHost, store: str) -> None:
    def found() -> list[tuple[str, str]]:
        return [(check.level, check.found) for check in examine(store) if check.name == "GPUs"]

    assert found()[0] == ("warning", "NVML says: Driver Not Loaded; nvidia-smi fails: it has failed")
    assert found()[1][0] == "ok"
    gpu_host.tells({"name": "NVIDIA H100"}, {"used": 40 * GIBIBYTE})
    unseen = "a process that can't be seen from here, which holds 40.0 of 80.0 GiB of its memory"
    assert found() == [
        ("ok", "GPU 0 NVIDIA H100, GPU 1 Fake 9000 (NVML)"),
        ("ok", f"GPU 1 is used by {unseen}; others wait for it"),
    ]
    gpu_host.declares("many")
    assert found() == [("ok", "GPU many (NVML, TUNEWRIGHT_GPUS=many)")]
    gpu_host.declares("1.5")
    assert found()[0][0] == "problem"
