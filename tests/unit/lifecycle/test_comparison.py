from __future__ import annotations

from pathlib import Path

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import SPACE, tuned
from tunewright.errors import InvalidInput, NotFound
from tunewright.interfaces import Store
from tunewright.lifecycle.comparison import compare


@pytest.fixture
def store(tmp_path: Path) -> Store:
    path = tmp_path / "s.db"
    tuned("first", path)
    tuned("second", path, max_trials=3, strategy="sobol", space={**SPACE, "layers": tw.Int(1, 2, default=2)})
    tuned("accurate", path, lambda trial: trial.params["lr"], metric="accuracy")
    return tw.open_store(str(path))


def test_jobs_beside_each_other(store: Store) -> None:
    comparison = compare(store, ["first", "second"])
    assert [one.job.name for one in comparison.jobs] == ["first", "second"]
    values = {one.job.name: one.best.objective for one in comparison.jobs if one.best is not None}
    assert comparison.leading == min(values, key=lambda name: values[name] or 0.0)
    assert comparison.parameters == ("lr", "layers", "opt", "momentum")
    same, lines = comparison.differences
    assert same == ()
    assert lines == (
        "layers: Int(1, 6, scale='linear', default=5) became Int(1, 2, scale='linear', default=2)",
        "max_trials is 3, not 8",
        "strategy is 'sobol', not 'random'",
    )


def test_the_larger_value_leads_when_it_is_maximised(store: Store, tmp_path: Path) -> None:
    tuned("better", tmp_path / "s.db", lambda trial: 2.0, metric="accuracy")
    assert compare(store, ["accurate", "better"]).leading == "better"


def test_jobs_with_other_goals_have_no_order(store: Store) -> None:
    comparison = compare(store, ["first", "accurate"])
    assert comparison.leading is None
    assert any(line.startswith("objectives is ") for line in comparison.differences[1])
    assert any(line == "it tunes lambda, not loss" for line in comparison.differences[1])


def test_what_cannot_be_compared(store: Store) -> None:
    with pytest.raises(InvalidInput, match="jobs must be two or more different ones"):
        compare(store, ["first"])
    with pytest.raises(InvalidInput, match="jobs must be two or more different ones"):
        compare(store, ["first", "first"])
    with pytest.raises(NotFound):
        compare(store, ["first", "third"])
