from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import SPACE, loss
from tunewright.api import rehearse
from tunewright.lifecycle.rehearsal import Rehearsal


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNEWRIGHT_STORE", raising=False)
    return tmp_path


def rehearsed(work: Any = loss, space: Any = SPACE, **options: Any) -> Rehearsal:
    return rehearse(work, space, **{"metric": "loss", "max_trials": 5, "seed": 3, **options})


@pytest.mark.parametrize("strategy", ["random", "sobol", "bayesian", "auto"])
def test_the_configurations_are_those_that_the_job_tries_first(here: Path, strategy: str) -> None:
    rehearsal = rehearsed(strategy=strategy, max_parallel=1)
    job = tw.tune(
        lambda trial: 1.0, SPACE, metric="loss", max_trials=5, seed=3, strategy=strategy, executor="inline", progress="none"
    )
    assert [dict(params) for params in rehearsal.configurations] == [dict(trial.params) for trial in job.trials[:3]]


def test_nothing_is_written(here: Path) -> None:
    rehearsal = rehearsed()
    assert [*here.iterdir()] == []
    assert rehearsal.store == str(here / ".tunewright" / "store.db")
    assert rehearsal.store_exists is False
    assert rehearsal.commands == ()


def test_a_scripts_commands_are_those_that_run(here: Path) -> None:
    script = tw.Script(["bash", "-c", "echo loss={x} {metrics_file} $0", "{args}"], metrics={"loss": "loss=([0-9]+)"})
    options = {"strategy": "random", "max_parallel": 1, "name": "first"}
    rehearsal = rehearsed(script, {"x": tw.Int(0, 9)}, **options)
    assert len(rehearsal.commands) == 3
    assert rehearsal.cwd == str(here)
    job = tw.tune(
        script, {"x": tw.Int(0, 9)}, metric="loss", max_trials=5, seed=3, progress="none", **options  # type: ignore[arg-type]
    )  # fmt: skip
    for command, trial in zip(rehearsal.commands, job.trials, strict=False):
        x = trial.params["x"]
        assert command[:2] == ("bash", "-c")
        assert command[3] == f"--x={x}"
        assert command[2] in trial.log()


@pytest.mark.parametrize(
    ("space", "size"),
    [({"a": [1, 2], "b": tw.Int(1, 3)}, 6), ({"a": tw.Float(0, 1)}, float("inf")), ({"a": [1, 2], "b": 7}, 2)],
)
def test_the_size_of_the_space(space: Any, size: float) -> None:
    assert rehearsed(space=space).size == size


def test_a_space_smaller_than_what_is_shown() -> None:
    assert len(rehearsed(space={"a": [1, 2]}).configurations) == 2


def test_where_it_would_be_stored(here: Path) -> None:
    assert rehearsed(store="memory").store is None
    on_server = rehearsed(store="postgresql://ann:s3cr3t@host/db")
    assert on_server.store == "postgresql://ann:***@host/db"
    assert on_server.store_exists is None
    tw.open_store("there.db").close()
    assert rehearsed(store="there.db").store_exists is True


@pytest.mark.parametrize("options", [{"max_trials": 0}, {"metric": "what"}, {"strategy": "sobl"}, {"store": "http://x"}])
def test_what_tune_refuses_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(tw.InvalidInput):
        rehearsed(**options)


def test_a_grid_is_shown_from_its_first_point() -> None:
    rehearsal = rehearsed(space={"a": [1, 2], "b": tw.Categorical(["x", "y"], default="y")}, strategy="grid")
    assert [dict(params) for params in rehearsal.configurations] == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"},
    ]  # fmt: skip
