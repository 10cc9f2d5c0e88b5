"""Arguments of the doors that break a rule: the error names the field, the rule and the value, and nothing is begun."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.errors import InfeasibleSpace, InvalidInput, UnpicklableFunction
from tunewright.executors.simulated import Curve, SimulatedExecutor
from tunewright.lifecycle import request
from tunewright.lifecycle.request import make_request
from tunewright.queries import Jobs


def train(trial: tw.Trial) -> float:
    raise AssertionError("nothing may be started")


SPACE = {"x": tw.Float(0.0, 1.0)}
GIVEN: dict[str, Any] = {"metric": "loss", "max_trials": 3, "executor": "inline", "progress": "none"}


class NoStrategy:
    pass


BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_trials": None}, "limits must hold at least one of max_trials, max_time, or an objective's target"),
    ({"max_trials": 0}, "max_trials must be an integer of at least 1; got 0"),
    ({"max_trials": 2.5}, "max_trials must be an integer of at least 1; got 2.5"),
    ({"max_time": "soon"}, "max_time must be a duration above 0.*; got 'soon'"),
    ({"max_time": 0}, "max_time must be a duration above 0.*; got 0"),
    ({"max_time": timedelta(seconds=-1)}, "max_time must be a duration above 0.*; got datetime.timedelta"),
    ({"max_parallel": 0}, "max_parallel must be an integer of at least 1; got 0"),
    ({"max_parallel": -2, "executor": "process"}, "max_parallel must be an integer of at least 1; got -2"),
    ({"max_parallel": "many"}, "max_parallel must be an integer of at least 1; got 'many'"),
    ({"max_parallel": 2}, "max_parallel must be 1 with executor='inline'.*; got 2"),
    ({"strategy": "bayesean"}, "strategy must be a known name \\(did you mean 'bayesian'\\?\\); got 'bayesean'"),
    ({"strategy": "gird"}, "strategy must be a known name \\(did you mean 'grid'"),
    ({"strategy": NoStrategy()}, r"strategy must be a name, an object with suggest\(history, n\).*; got <.*NoStrategy"),
    ({"strategy": 7}, "strategy must be a name.*; got 7"),
    ({"stopper": "medain"}, "stopper must be a known name \\(did you mean 'median'\\?\\); got 'medain'"),
    ({"goal": "minimise"}, "goal must be 'minimize' or 'maximize' \\(did you mean 'minimize'.*\\); got 'minimise'"),
    ({"goal": "up"}, "goal must be 'minimize' or 'maximize'; got 'up'"),
    ({"metric": None}, "metric must name what to optimise"),
    ({"metric": "my_thing"}, "goal must be given for the metric 'my_thing'"),
    ({"metric": ""}, "metric must be a metric's name; got ''"),
    ({"objective": tw.Objective("loss")}, "objective can't be combined with metric= or goal="),
    ({"metric": None, "objective": []}, "objective must hold at least one Objective; got \\[\\]"),
    ({"metric": None, "objective": "loss"}, "objective must be an Objective or a list of them; got 'loss'"),
    ({"seed": -1}, "seed must be an integer of at least 0; got -1"),
    ({"seed": "x"}, "seed must be an integer of at least 0; got 'x'"),
    ({"max_step": 0}, "max_step must be an integer of at least 1; got 0"),
    ({"require": {"latency": "20"}}, r"require\['latency'\] must be an operator and a number.*; got '20'"),
    ({"resources": {"cpus": 1}}, r"resources must be a tunewright.Resources; got {'cpus': 1}"),
    ({"retries": 3}, "retries must be a tunewright.Retries; got 3"),
    ({"tags": "word"}, "tags must be a dict of texts, or a list of words; got 'word'"),
    ({"tags": {"a": 1}}, "tags must be a dict of texts"),
    ({"executor": "proces"}, "executor must be a known name \\(did you mean 'process'\\?\\); got 'proces'"),
    ({"executor": 3}, "executor must be a name \\(.*\\) or an Executor; got 3"),
    ({"executor": "simulated"}, "executor must be a SimulatedExecutor object"),
    ({"resources": tw.Resources(time="1h")}, r"resources\.time can't be enforced by the inline executor"),
    ({"progress": "lively"}, "progress must be one of .*did you mean 'live'.*; got 'lively'"),
    ({"on_trial": "print"}, "on_trial must be callable with a trial; got 'print'"),
    ({"name": "a/b"}, "name must be 1 to 128 letters.*; got 'a/b'"),
    ({"name": ""}, "name must be 1 to 128 letters.*; got ''"),
    ({"fixed": {"x": 5.0}}, "x must be .*; got 5.0"),
    ({"warm_start": "other"}, "warm_start is not there yet in this version and must be left out; got 'other'"),
    ({"max_trails": 3}, "max_trails is no argument of tune \\(did you mean 'max_trials'.*\\); got 3"),
]
SPACES: list[tuple[Any, str]] = [
    (None, "space must be given"),
    (3, "space must be a SearchSpace or a dict of parameters; got 3"),
    ({}, "space must"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tw.Store]:
    opened = tw.open_store(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.mark.parametrize(("options", "message"), BAD)
def test_a_bad_argument_is_refused_and_nothing_is_stored(
    options: dict[str, Any], message: str, store: tw.Store, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}"):
        tw.start(train, SPACE, **{**GIVEN, "store": store, **options})
    assert [*store.read(Jobs())] == []
    assert not [*tmp_path.glob("jobs/*")]


@pytest.mark.parametrize(("space", "message"), SPACES)
def test_a_bad_space_is_refused(space: Any, message: str, store: tw.Store) -> None:
    with pytest.raises(InvalidInput, match=f"^{message}"):
        tw.tune(train, space, store=store, **GIVEN)
    assert [*store.read(Jobs())] == []


@pytest.mark.parametrize("function", [None, 3, "train.py:train"])
def test_what_is_tuned_must_be_callable(function: Any, store: tw.Store) -> None:
    with pytest.raises(InvalidInput, match=f"train must be callable with a trial.*; got {function!r}"):
        tw.tune(function, SPACE, store=store, **GIVEN)
    assert [*store.read(Jobs())] == []


def test_a_store_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="store must be a path, an address or a Store; got 3"):
        tw.tune(train, SPACE, **GIVEN, store=3)  # type: ignore[arg-type]
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 200, encoding="utf-8")
    with pytest.raises(tw.StoreDamaged):
        tw.tune(train, SPACE, store=str(path), **GIVEN)
    assert path.read_text(encoding="utf-8").startswith("not a database")


def test_a_function_that_can_not_travel_is_refused_before_anything_is_stored(store: tw.Store, tmp_path: Path) -> None:
    file = (tmp_path / "open").open("w")  # a thing that can't be pickled

    def holds(trial: tw.Trial) -> float:
        return float(file.fileno())

    with file, pytest.raises(UnpicklableFunction, match="file"):
        tw.tune(holds, SPACE, store=store, metric="loss", max_trials=3, executor="process", progress="none", name="job")
    assert [*store.read(Jobs())] == []
    assert not [*tmp_path.glob("jobs/*")]


def test_an_infeasible_constraint_is_told_in_bounded_time_and_the_job_left_in_order(store: tw.Store) -> None:
    space = tw.SearchSpace({"x": tw.Float(0.0, 1.0)}, constraints=["x > 0.2 and x < 0.1999"])
    with pytest.raises(InfeasibleSpace, match="constraint"):
        tw.tune(train, space, store=store, strategy="random", **GIVEN)
    for job in store.read(Jobs()):
        assert job.owner is None
        assert job.status is tw.Status.FAILED


def test_a_goal_against_a_well_known_name_warns() -> None:
    with pytest.warns(UserWarning, match="goal 'minimize' is the opposite of what the name 'accuracy' asks for"):
        make_request(train, SPACE, metric="accuracy", goal="minimize", max_trials=1)


def test_a_goal_that_a_name_tells_is_said() -> None:
    assert make_request(train, SPACE, metric="val/accuracy", max_trials=1).notes == (
        "goal: maximize val/accuracy, as its name tells",
    )
    assert make_request(train, SPACE, metric="val/accuracy", goal="maximize", max_trials=1).notes == ()


def test_as_many_run_at_once_as_there_are_cores_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "visible_cores", lambda: 12)

    def parallel(**options: Any) -> int:
        return make_request(train, SPACE, metric="loss", **{"max_trials": 100, **options}).spec.max_parallel

    assert parallel() == 12
    assert parallel(resources=tw.Resources(cpus=5)) == 2
    assert parallel(resources=tw.Resources(cpus=50)) == 1
    assert parallel(max_trials=3) == 3
    assert parallel(executor="inline") == 1
    assert parallel(max_parallel=30) == 30
    executor = SimulatedExecutor(lambda params, seed: Curve((), (), (1.0,)), slots=7)
    assert parallel(executor=executor) == 7


def test_a_target_is_a_limit() -> None:
    spec = make_request(train, SPACE, objective=tw.Objective("loss", target=0.1)).spec
    assert spec.limits.max_trials is None
    assert spec.limits.max_time is None


def test_durations_are_read_as_people_write_them() -> None:
    for value in ("1h30m", 5400, timedelta(minutes=90)):
        assert make_request(train, SPACE, metric="loss", max_time=value).spec.limits.max_time == 5400.0


def test_a_seed_is_drawn_when_none_is_given() -> None:
    seeds = {make_request(train, SPACE, metric="loss", max_trials=1).spec.seed for _ in range(3)}
    assert len(seeds) == 3
    assert make_request(train, SPACE, metric="loss", max_trials=1, seed=5).spec.seed == 5


def test_tags_may_be_words() -> None:
    assert make_request(train, SPACE, metric="loss", max_trials=1, tags=["a", "b"]).spec.tags == {"a": "", "b": ""}


def test_a_stopper_beside_a_strategy_that_stops_trials_itself_is_refused() -> None:
    class Both:
        def suggest(self, history: object, n: int) -> object: ...

        def decide(self, history: object, number: int) -> object: ...

    both = Both()
    made = make_request(train, SPACE, metric="loss", max_trials=1, strategy=both)
    chosen: list[object] = [made.strategy, made.stopper]
    assert chosen == [both, both]
    with pytest.raises(
        InvalidInput, match="stopper must be left out, for the strategy 'Both' stops trials itself; got 'median'"
    ):
        make_request(train, SPACE, metric="loss", max_trials=1, strategy=both, stopper="median")


@pytest.mark.parametrize("value", ["never", "-1", "0"])
def test_a_lease_in_the_environment_is_checked(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_LEASE", value)
    with pytest.raises(InvalidInput, match=f"TUNEWRIGHT_LEASE must be a duration above 0.*; got '{value}'"):
        make_request(train, SPACE, metric="loss", max_trials=1)
