"""The ledger's columns and the views on them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tunewright.history import STATUS_CODES, Ledger
from tunewright.objective import Objective
from tunewright.records import TERMINAL, Params, Status, Trial
from tunewright.space import Categorical, Float, Int, SearchSpace

SPACE = SearchSpace({"x": Float(0.0, 1.0), "kind": Categorical(["a", "b"]), "n": Int(1, 4, when={"kind": ["b"]})})
LOSS = (Objective("loss"),)


def trial(number: int, params: Params | None = None, status: Status = Status.PENDING, *objectives: float) -> Trial:
    params = {"x": number / 100, "kind": "a"} if params is None else params
    return Trial(number, params, seed=0, status=status, objectives=objectives or None)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(SPACE, LOSS)


class TestColumns:
    def test_an_empty_history(self, ledger: Ledger) -> None:
        view = ledger.view()
        assert len(view) == len(ledger) == view.event == view.next_number == 0
        assert view.points.shape == (0, 3)
        assert view.values.shape == (0, 1)
        assert view.losses.shape == view.codes.shape == view.pending.shape == (0,)
        assert {"x": 0.5, "kind": "a"} not in view

    def test_a_trial_keeps_its_row_and_shows_its_last_state(self, ledger: Ledger) -> None:
        ledger.record(trial(0), 1)
        ledger.record(trial(1), 2)
        ledger.record(trial(0, None, Status.COMPLETED, 0.25), 3)
        view = ledger.view()
        assert view.numbers.tolist() == [0, 1]
        assert view.codes.tolist() == [STATUS_CODES[Status.COMPLETED], STATUS_CODES[Status.PENDING]]
        assert view.values[0, 0] == 0.25
        assert np.isnan(view.values[1, 0])
        assert view.event == 3
        assert view.status(0) is Status.COMPLETED
        assert view.params(1) == {"x": 0.01, "kind": "a"}

    @pytest.mark.parametrize("status", Status)
    def test_every_status_comes_back(self, ledger: Ledger, status: Status) -> None:
        ledger.record(trial(7, None, status), 1)
        view = ledger.view()
        assert view.status(7) is status
        assert view.mask(status).tolist() == [True]
        assert view.mask(*(set(Status) - {status})).tolist() == [False]
        assert view.pending.tolist() == [status not in TERMINAL]

    def test_mask_of_several_statuses(self, ledger: Ledger) -> None:
        for number, status in enumerate(Status):
            ledger.record(trial(number, None, status), number)
        found = ledger.view().mask(Status.FAILED, Status.PENDING)
        assert [s for s, among in zip(Status, found, strict=True) if among] == [Status.PENDING, Status.FAILED]

    def test_numbers_need_neither_order_nor_density(self, ledger: Ledger) -> None:
        for event, number in enumerate((5, 2, 900), start=1):
            ledger.record(trial(number), event)
        view = ledger.view()
        assert view.numbers.tolist() == [5, 2, 900]
        assert view.next_number == 901
        assert [view.row(number) for number in (5, 2, 900)] == [0, 1, 2]

    def test_the_event_never_goes_back(self, ledger: Ledger) -> None:
        ledger.record(trial(0), 9)
        ledger.record(trial(1), 4)
        assert ledger.view().event == 9

    def test_columns_grow_beyond_any_first_size(self, ledger: Ledger) -> None:
        for number in range(1000):
            ledger.record(trial(number, {"x": number / 1000, "kind": "a"}, Status.COMPLETED, float(number)), number)
            if number in (3, 15, 16, 500):
                assert ledger.view().points[number, 0] == pytest.approx(number / 1000)
        view = ledger.view()
        np.testing.assert_array_equal(view.numbers, np.arange(1000))
        np.testing.assert_array_equal(view.losses, np.arange(1000.0))
        np.testing.assert_allclose(view.points[:, 0], np.arange(1000) / 1000)

    def test_points_are_encoded_with_nan_where_inactive(self, ledger: Ledger) -> None:
        params: list[Params] = [{"x": 0.25, "kind": "a"}, {"x": 1.0, "kind": "b", "n": 2}]
        for number, point in enumerate(params):
            ledger.record(trial(number, point), number)
        np.testing.assert_array_equal(ledger.view().points, [SPACE.encode(point) for point in params])
        assert np.isnan(ledger.view().points[0, 2])

    @pytest.mark.parametrize("column", ["numbers", "codes", "values", "points"])
    def test_columns_are_read_only(self, ledger: Ledger, column: str) -> None:
        ledger.record(trial(0), 1)
        with pytest.raises(ValueError, match="read-only"):
            getattr(ledger.view(), column)[0] = 1

    def test_several_objectives(self) -> None:
        ledger = Ledger(SPACE, (Objective("loss"), Objective("auc")))
        ledger.record(trial(0, None, Status.COMPLETED, 0.5, 0.9), 1)
        ledger.record(trial(1), 2)
        np.testing.assert_array_equal(ledger.view().values, [[0.5, 0.9], [np.nan, np.nan]])


class TestLosses:
    def test_only_completed_trials_count(self, ledger: Ledger) -> None:
        for number, status in enumerate(Status):
            ledger.record(trial(number, None, status, 1.5), number)
        losses = ledger.view().losses
        assert losses[list(Status).index(Status.COMPLETED)] == 1.5
        assert np.isnan(losses).sum() == len(Status) - 1

    def test_maximised_values_are_negated(self) -> None:
        ledger = Ledger(SPACE, (Objective("auc"),))
        ledger.record(trial(0, None, Status.COMPLETED, 0.9), 1)
        assert ledger.view().losses.tolist() == [-0.9]
        assert ledger.view().values.tolist() == [[0.9]]


class TestContains:
    def test_it_is_by_configuration(self, ledger: Ledger) -> None:
        ledger.record(trial(0, {"x": 0.5, "kind": "b", "n": 3}), 1)
        view = ledger.view()
        assert {"x": 0.5, "kind": "b", "n": 3} in view
        assert {"x": 0.5, "kind": "b", "n": 4} not in view
        assert {"x": 0.5, "kind": "a"} not in view

    def test_types_are_kept_apart(self) -> None:
        space = SearchSpace({"c": Categorical([1, True, 1.0, "1"])})
        ledger = Ledger(space, LOSS)
        ledger.record(trial(0, {"c": True}), 1)
        values: list[Any] = [1, True, 1.0, "1"]
        assert [{"c": value} in ledger.view() for value in values] == [False, True, False, False]

    def test_an_older_view_does_not_hold_what_came_later(self, ledger: Ledger) -> None:
        ledger.record(trial(0), 1)
        old = ledger.view()
        ledger.record(trial(1), 2)
        assert trial(1).params in ledger.view()
        assert trial(1).params not in old

    def test_a_repeated_configuration_is_found_by_its_first_row(self, ledger: Ledger) -> None:
        ledger.record(trial(0, {"x": 0.5, "kind": "a"}), 1)
        old = ledger.view()
        ledger.record(trial(1, {"x": 0.5, "kind": "a"}), 2)
        assert {"x": 0.5, "kind": "a"} in ledger.view()
        assert {"x": 0.5, "kind": "a"} in old

    def test_configurations_whose_hashes_clash_are_kept_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Clashing(tuple[Any, ...]):
            def __hash__(self) -> int:
                return 4711

        key = SearchSpace.key
        monkeypatch.setattr(SearchSpace, "key", lambda space, params: Clashing(key(space, params)))
        ledger = Ledger(SPACE, LOSS)
        for number in (0, 1, 0, 2, 1):
            ledger.record(trial(ledger.view().next_number, trial(number).params), number)
        old = ledger.view()
        ledger.record(trial(9, trial(3).params), 9)
        assert [trial(number).params in ledger.view() for number in range(5)] == [True] * 4 + [False]
        assert [trial(number).params in old for number in range(5)] == [True] * 3 + [False] * 2


class TestCurves:
    def test_reports_become_a_curve(self, ledger: Ledger) -> None:
        for step, value in ((1, 0.5), (4, 0.25)):
            ledger.report(3, step, value)
        steps, values = ledger.view().curve(3)
        assert steps.tolist() == [1, 4]
        assert values.tolist() == [0.5, 0.25]
        assert steps.dtype == np.int64

    def test_no_reports(self, ledger: Ledger) -> None:
        steps, values = ledger.view().curve(3)
        assert len(steps) == len(values) == 0

    @pytest.mark.parametrize(("step", "expected"), [(3, [1, 2, 3]), (2, [1, 2]), (1, [1]), (0, [0]), (9, [1, 2, 3, 9])])
    def test_an_earlier_step_cuts_the_curve_back(self, ledger: Ledger, step: int, expected: list[int]) -> None:
        for at in (1, 2, 3):
            ledger.report(0, at, 0.5)
        ledger.report(0, step, 0.125)
        steps, values = ledger.view().curve(0)
        assert steps.tolist() == expected
        assert values[-1] == 0.125
        assert len(values) == len(expected)

    def test_a_curve_that_was_read_does_not_change(self, ledger: Ledger) -> None:
        ledger.report(0, 1, 0.5)
        steps, _ = ledger.view().curve(0)
        ledger.report(0, 2, 0.25)
        assert steps.tolist() == [1]


class TestFreeze:
    def test_later_changes_do_not_show(self, ledger: Ledger) -> None:
        for number in range(20):
            ledger.record(trial(number), number)
        ledger.report(0, 1, 0.5)
        frozen = ledger.view().freeze()
        ledger.record(trial(0, None, Status.COMPLETED, 0.5), 50)
        ledger.record(trial(20), 51)
        ledger.report(0, 2, 0.25)
        assert len(frozen) == frozen.next_number == 20
        assert frozen.event == 19
        assert frozen.status(0) is Status.PENDING
        assert np.isnan(frozen.losses).all()
        assert frozen.curve(0)[0].tolist() == [1]
        assert trial(20).params not in frozen
        assert trial(19).params in frozen
        np.testing.assert_array_equal(frozen.points, ledger.view().points[:20])

    def test_it_begins_a_lineage_of_its_own(self, ledger: Ledger) -> None:
        view = ledger.view()
        assert view.freeze().lineage is not view.lineage
        ledger.record(trial(0), 1)
        assert ledger.view().lineage is view.lineage
        assert Ledger(SPACE, LOSS).view().lineage is not view.lineage


def test_a_trial_takes_little_memory() -> None:
    """At most 1 KB a trial with five parameters, its configuration included, once points and keys were asked for."""
    space = SearchSpace({f"x{i}": Float(0.0, 1.0) for i in range(5)})
    ledger = Ledger(space, LOSS)
    rng = np.random.default_rng(0)
    template = trial(0, space.sample(rng), Status.COMPLETED, 0.5)
    ledger.record(template, 0)
    tracemalloc.start()
    try:
        for number in range(1, 4000):
            ledger.record(replace(template, number=number, params=space.sample(rng)), number)
        assert tracemalloc.get_traced_memory()[0] / 4000 <= 600
        assert template.params in ledger.view()
        assert ledger.view().points.shape == (4000, 5)
        assert tracemalloc.get_traced_memory()[0] / 4000 <= 1000
    finally:
        tracemalloc.stop()
