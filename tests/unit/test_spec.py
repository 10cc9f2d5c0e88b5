"""What a job was asked to do: limits, retries, seeds, and how two requests differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.objective import Objective, requirements
from tunewright.records import FailureKind
from tunewright.resources import Resources
from tunewright.space import Categorical, Float, Int, SearchSpace
from tunewright.spec import JobSpec, Limits, Retries, trial_seed

SPACE = SearchSpace({"x": Float(0.0, 1.0), "n": Int(1, 5)})
SPEC = JobSpec(SPACE, (Objective("loss"),), Limits(10), seed=1)


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_a_limit_of_trials_is_a_whole_number_of_at_least_1(value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"max_trials must be an integer of at least 1; got {value!r}"):
        Limits(max_trials=value)


@pytest.mark.parametrize("field", ["crash", "out_of_memory", "timeout", "not_finite", "lost"])
@pytest.mark.parametrize("value", [-1, 0.5, None, True])
def test_a_retry_budget_is_a_whole_number_of_at_least_0(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"retries\.{field} must be an integer of at least 0; got {value!r}"):
        Retries(**{field: value})


def test_each_kind_of_failure_has_its_budget() -> None:
    retries = Retries(crash=1, out_of_memory=2, timeout=3, not_finite=4, lost=5)
    assert {kind: retries.allowed(kind) for kind in FailureKind} == {
        FailureKind.CRASH: 1,
        FailureKind.OUT_OF_MEMORY: 2,
        FailureKind.TIMEOUT: 3,
        FailureKind.NOT_A_NUMBER: 4,
        FailureKind.INFINITE: 4,
        FailureKind.LOST: 5,
        FailureKind.MISSING_METRIC: 0,
    }
    assert Retries(**retries.to_json()) == retries


@given(st.integers(0, 2**80), st.integers(0, 10**6), st.integers(0, 100))
def test_a_trials_seed_is_one_that_every_library_takes(seed: int, number: int, repeat: int) -> None:
    found = trial_seed(seed, number, repeat)
    assert 0 <= found < 2**31
    assert found == trial_seed(seed, number, repeat)


def test_seeds_differ_by_job_trial_and_repeat() -> None:
    seeds = [trial_seed(seed, number, repeat) for seed in range(10) for number in range(100) for repeat in range(5)]
    # 5,000 draws of 2**31 values: 0.006 collisions are expected
    assert len(set(seeds)) >= len(seeds) - 1
    high_bits = [seed >> 28 for seed in seeds]
    assert {bits: high_bits.count(bits) > 450 for bits in range(8)} == dict.fromkeys(range(8), True)


def test_a_spec_is_json() -> None:
    spec = replace(
        SPEC, requirements=requirements({"latency": "<= 20"}), resources=Resources(memory="2GB", time="1h"), tags={"team": "a"},
        max_step=50, retries=Retries(crash=2), stopper="median",
    )  # fmt: skip
    stored = json.loads(json.dumps(spec.to_json()))
    assert stored["max_trials"] == 10
    assert stored["objectives"] == [spec.objectives[0].to_json()]
    assert SearchSpace.from_json(stored["space"]).to_json() == SPACE.to_json()
    assert requirements(stored["require"]) == spec.requirements
    assert Resources(**stored["resources"]) == spec.resources
    assert Retries(**stored["retries"]) == spec.retries
    assert (stored["max_step"], stored["stopper"], stored["tags"]) == (50, "median", {"team": "a"})


def test_a_job_may_go_on_with_other_limits_strategy_and_seed() -> None:
    other = replace(
        SPEC, limits=Limits(99, 3600.0), seed=2, strategy="sobol", max_parallel=8, executor="inline", function="other",
        objectives=(Objective("loss", target=0.1),), tags={"a": ""}, retries=Retries(crash=1),
    )  # fmt: skip
    assert other.differences(SPEC.to_json()) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"objectives": (Objective("mse"),)}, "metric was 'loss', is now 'mse'"),
        ({"objectives": (Objective("loss", "maximize"),)}, "goal was 'minimize', is now 'maximize'"),
        ({"objectives": (Objective("loss", which="best"),)}, "which was 'last', is now 'best'"),
        ({"objectives": (Objective("loss", aggregate="worst"),)}, "aggregate was 'mean', is now 'worst'"),
        ({"objectives": (Objective("loss"), Objective("mse"))}, "there were 1 objectives, there are now 2"),
    ],
)
def test_another_metric_or_goal_is_shown(changes: dict[str, Any], line: str) -> None:
    assert replace(SPEC, **changes).differences(SPEC.to_json()) == [line]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (SearchSpace({"x": Float(0.0, 2.0), "n": Int(1, 5)}), ("x", "1.0", "2.0")),
        (SearchSpace({"x": Float(0.0, 1.0)}), ("n",)),
        (SearchSpace({"x": Float(0.0, 1.0), "n": Int(1, 5), "c": Categorical(["a", "b"])}), ("c",)),
        (SearchSpace({"x": Float(0.0, 1.0), "n": Int(1, 5)}, constraints=["n * x <= 3"]), ("n * x <= 3",)),
        (SearchSpace({"x": Float(0.0, 1.0), "n": 3}), ("n",)),
    ],
)
def test_another_space_is_shown(space: SearchSpace, words: tuple[str, ...]) -> None:
    lines = replace(SPEC, space=space).differences(SPEC.to_json())
    assert lines
    for word in words:
        assert word in "\n".join(lines)
