"""`import tunewright as tw`: what people type, whole jobs in memory."""

from __future__ import annotations

import inspect
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.lifecycle.request import make_request
from tunewright.records import Action, Counts, Purpose, Status

QUICK: dict[str, Any] = {"executor": "inline", "store": "memory", "progress": "none"}


def train(trial: tw.Trial) -> float:
    return (float(trial.params["x"]) - 0.3) ** 2


def test_the_example_that_people_see_first() -> None:
    space = tw.SearchSpace(
        {
            "learning_rate": tw.Float(1e-5, 1e-1, scale="log"),
            "width": tw.Int(8, 1024, scale="log"),
            "dropout": tw.Float(0.0, 0.5, step=0.05),
            "activation": tw.Categorical(["relu", "tanh"]),
            "optimizer": tw.Categorical(["sgd", "adam"]),
            "momentum": tw.Float(0.0, 0.99, when={"optimizer": ["sgd"]}),
            "depth": tw.Categorical([1, 2, 4, 8], ordered=True),
        },
        constraints=["width * depth <= 4096"],
    )

    def trains(trial: tw.Trial) -> dict[str, float]:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "sgd")
        for epoch in range(1, 4):
            trial.report({"val/loss": 1.0 / epoch}, step=epoch)
        return {"loss": abs(math.log10(trial.params["learning_rate"]) + 3)}

    job = tw.tune(trains, space, metric="loss", max_trials=20, strategy="random", seed=0, **QUICK)
    assert job.status is Status.COMPLETED
    assert job.best.objective == min(trial.objective for trial in job.trials if trial.objective is not None)
    assert all(trial.params["width"] * trial.params["depth"] <= 4096 for trial in job.trials)  # type: ignore[operator]
    assert job.best.metrics["val/loss"] == pytest.approx(1 / 3)


def test_plain_values_make_a_space() -> None:
    job = tw.tune(lambda trial: float(trial.params["x"]), {"x": [3, 1, 2], "k": 7}, metric="loss", max_trials=9, **QUICK)
    assert job.reason_code == "exhausted"
    assert sorted(trial.params["x"] for trial in job.trials) == [1, 2, 3]  # type: ignore[type-var]
    assert {trial.params["k"] for trial in job.trials} == {7}


@pytest.mark.parametrize("seed", [None, 3])
def test_the_seed_is_kept_and_makes_the_search_repeatable(seed: int | None) -> None:
    first = tw.tune(train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=5, strategy="random", seed=seed, **QUICK)
    again = tw.tune(train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=5, strategy="random", seed=first.seed, **QUICK)
    assert [trial.params for trial in first.trials] == [trial.params for trial in again.trials]
    assert [trial.seed for trial in first.trials] == [trial.seed for trial in again.trials]


def test_a_default_is_tried_first() -> None:
    space = {"x": tw.Float(0.0, 1.0, default=0.25), "n": tw.Int(1, 9, default=4)}
    job = tw.tune(train, space, metric="loss", max_trials=3, strategy="random", **QUICK)
    assert job.trials[0].params == {"x": 0.25, "n": 4}
    assert job.trials[0].origin == "the space's default"
    assert job.trials[1].origin != "the space's default"


def test_max_step_is_the_fidelity() -> None:
    seen: list[float | None] = []

    def trains(trial: tw.Trial) -> float:
        seen.append(trial.fidelity)
        return 1.0

    tw.tune(trains, {"x": [1, 2]}, metric="loss", max_trials=2, max_step=50, **QUICK)
    assert seen == [50, 50]


def test_training_code_sees_its_trial() -> None:
    seen: list[tuple[int, int, bool]] = []

    def trains(trial: tw.Trial) -> float:
        seen.append((trial.number, trial.seed, tw.current_trial() is trial))
        return 1.0

    job = tw.tune(trains, {"x": [1, 2]}, metric="loss", max_trials=2, seed=1, **QUICK)
    assert seen == [(trial.number, trial.seed, True) for trial in job.trials]
    assert tw.current_trial() is None


def test_a_stop_is_an_exception_that_except_exception_does_not_swallow() -> None:
    from tests.unit.engine.rig import Judge, run_on

    ends: list[str] = []

    def trains(trial: tw.Trial) -> float:
        try:
            for step in range(1, 9):
                try:
                    trial.report(loss=float(step), step=step)
                except Exception:
                    ends.append("swallowed")
        except tw.TrialInterrupted as order:
            ends.append(f"{order.action}: {order.reason}")
            raise
        return 1.0

    def rule(number: int, step: int) -> tw.Decision:
        if number:
            return run_on()
        return run_on(2) if step < 2 else tw.Decision(Action.STOP, "poor")

    judge = Judge(rule)
    job = tw.tune(trains, {"x": [1, 2]}, metric="loss", max_trials=2, stopper=judge, **QUICK)
    assert ends == ["stop: poor"]
    assert [trial.status for trial in job.trials] == [Status.STOPPED, Status.COMPLETED]
    assert (job.trials[0].step, job.trials[0].reason) == (2, "poor")


def test_a_pause_with_checkpoints_and_a_strategy_that_goes_on() -> None:
    from tests.unit.lifecycle.test_tuner import Rungs

    steps: list[tuple[int, int, str | None]] = []

    def trains(trial: tw.Trial) -> None:
        resumed = (trial.resume_dir / "w.txt").read_text(encoding="utf-8") if trial.resume_dir else None
        steps.append((trial.number, trial.step, resumed))
        for step in range(trial.step + 1, 5):
            with trial.checkpoint(step=step) as folder:
                (folder / "w.txt").write_text(f"{trial.number}@{step}", encoding="utf-8")
            trial.report(loss=1.0 / (step + trial.number), step=step)

    job = tw.tune(trains, {"x": tw.Float(0.0, 5.0)}, metric="loss", max_trials=2, strategy=Rungs(), **QUICK)
    assert steps == [(0, 0, None), (1, 0, None), (1, 2, "1@2")]
    assert job.record.state.counts == Counts(completed=1, stopped=1)
    assert [execution.purpose for execution in job.trials[1].executions] == [Purpose.SEARCH, Purpose.CONTINUE]
    assert [point.step for point in job.trials[1].reports] == [1, 2, 3, 4]


def test_a_week_of_training_in_virtual_time() -> None:
    def simulate(params: Any, seed: int) -> Curve:
        losses = [{"loss": 1.0 / step + params["x"]} for step in range(1, 8)]
        return Curve(range(1, 8), losses, [86_400.0] * 7)

    executor = SimulatedExecutor(simulate, slots=4)
    job = tw.tune(
        train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=8, strategy="random", executor=executor, store="memory",
        progress="none",
    )  # fmt: skip
    assert job.record.state.counts == Counts(completed=8)
    assert executor.now() == pytest.approx(2 * 7 * 86_400.0, rel=1e-3)
    assert job.record.state.elapsed == pytest.approx(executor.now(), rel=1e-3)


def test_start_takes_the_arguments_of_tune_and_so_does_the_request() -> None:
    tune = inspect.signature(tw.tune).parameters
    request = inspect.signature(make_request).parameters
    doors = {"name", "store", "resume", "on_trial", "progress", "train", "space"}
    not_yet = {"fidelity", "warm_start", "cost"}
    assert set(tune) - doors - not_yet == set(request) - {"function", "space", "limited", "not_yet"}
    for name in set(tune) & set(request) - {"space"}:
        assert tune[name].default == request[name].default, name
        assert tune[name].kind is inspect.Parameter.KEYWORD_ONLY
    with pytest.raises(tw.InvalidInput, match=r"max_trails is no argument of tune \(did you mean 'max_trials'"):
        tw.start(train, {"x": [1]}, metric="loss", max_trails=3, **QUICK)


def test_a_store_in_the_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_STORE", str(tmp_path / "mine.db"))
    options = {**QUICK, "store": None}
    job = tw.tune(train, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=1, name="mine", **options)
    assert job.location == str(tmp_path / "mine.db")
    assert [found.name for found in tw.jobs()] == ["mine"]
    assert tw.job("mine").best.number == 0


def test_importing_is_light() -> None:
    """Only numpy is loaded; everything else when it is first used."""
    code = (
        "import sys; import tunewright as tw; "
        "print([m for m in ('scipy', 'sqlalchemy', 'lark', 'pydantic', 'psutil', 'cloudpickle', 'rich', 'typer', 'pandas', "
        "'sklearn', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"


def test_all_names_are_there() -> None:
    for name in dir(tw):
        assert getattr(tw, name) is not None
    with pytest.raises(AttributeError, match="tun"):
        _ = tw.tun


def test_a_required_metric_that_is_never_reported_ends_the_job_at_its_first_trial() -> None:
    with pytest.raises(tw.InvalidInput, match=r"'latency' must be reported or returned"):
        tw.tune(
            lambda trial: {"loss": trial.params["x"]}, {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=5,
            require={"latency": "<= 3"}, executor="inline", store="memory", progress="none",
        )  # fmt: skip


def test_tags_of_a_wrong_kind_are_refused() -> None:
    with pytest.raises(tw.InvalidInput, match="tags must be a dict of texts, or a list of words; got 3"):
        tw.tune(lambda trial: 1.0, {"x": [1, 2]}, metric="loss", max_trials=1, store="memory", tags=3)  # type: ignore[arg-type]
