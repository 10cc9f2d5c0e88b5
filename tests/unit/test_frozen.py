"""Quick records behave as the frozen dataclasses that they are."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from tunewright import interfaces, records
from tunewright.frozen import changed, quick


@quick
@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 2.0
    notes: list[str] = field(default_factory=list)


@quick
@dataclass(frozen=True, slots=True)
class Positive:
    value: int

    def __post_init__(self) -> None:
        assert self.value > 0


QUICK = [
    kind for module in (records, interfaces) for kind in vars(module).values()
    if inspect.isclass(kind) and kind.__module__ == module.__name__ and hasattr(kind, "_copied")
]  # fmt: skip


def test_fields_come_by_position_by_name_and_by_default() -> None:
    assert (Point(1.0).x, Point(1.0).y, Point(1.0).notes) == (1.0, 2.0, [])
    assert Point(1.0, 3.0) == Point(x=1.0, y=3.0, notes=[])
    assert repr(Point(1.0)) == "Point(x=1.0, y=2.0, notes=[])"
    assert Point(1.0).notes is not Point(1.0).notes
    wrong: list[list[Any]] = [[], [1.0, 2.0, [], 4]]
    for given in wrong:
        with pytest.raises(TypeError, match="argument"):
            Point(*given)
    with pytest.raises(TypeError, match="z"):
        Point(1.0, z=3)  # type: ignore[call-arg]


def test_they_are_frozen_and_are_copied_pickled_and_replaced() -> None:
    point = Point(1.0, notes=["a"])
    with pytest.raises(FrozenInstanceError):
        point.x = 3.0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.deepcopy(point) == point
    assert replace(point, y=7.0) == Point(1.0, 7.0, ["a"])
    assert hash(Positive(3)) == hash(Positive(3))


def test_the_check_after_making_is_made() -> None:
    with pytest.raises(AssertionError):
        Positive(0)


def test_a_changed_record_is_another_one() -> None:
    point = Point(1.0, notes=["a"])
    other = changed(point, x=5.0)
    assert (point.x, other) == (1.0, Point(5.0, 2.0, ["a"]))
    assert type(other) is Point
    assert other.notes is point.notes
    with pytest.raises(KeyError):
        changed(point, z=1)


@pytest.mark.parametrize("kind", QUICK)
def test_signatures_are_those_of_the_dataclass(kind: Any) -> None:
    found = inspect.signature(kind).parameters
    assert [*found] == [f.name for f in fields(kind)]
    assert [str(p.annotation) for p in found.values()] == [str(f.type) for f in fields(kind)]


def test_the_records_of_every_trial_are_quick() -> None:
    assert {kind.__name__ for kind in QUICK} >= {
        "Trial",
        "Execution",
        "Report",
        "Reports",
        "JobState",
        "Counts",
        "Launch",
        "Exited",
    }
