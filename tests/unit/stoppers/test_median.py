"""The median rule."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.history import Ledger
from tunewright.records import Action, Decision, Status, Trial
from tunewright.stoppers.median import MedianStopper
from tunewright.testing.stoppers import curve_problem, ledger_with

NAN, INF = math.nan, math.inf
FIVE = [[3.0, 1.0], [4.0, 2.0], [5.0, 3.0], [6.0, 4.0], [7.0, 5.0]]  # running averages at step 2: 2, 3, 4, 5, 6


def decide(running: list[float], completed: list[list[float]] = FIVE, goal: Any = "minimize", **options: Any) -> Decision:
    problem = curve_problem(goal, options.pop("max_step", None))
    return MedianStopper(problem, **options).decide(ledger_with(problem, completed, running).view(), len(completed))


class TestRule:
    @pytest.mark.parametrize(
        ("running", "action"),
        [
            ([9.0, 4.1], Action.STOP),  # best 4.1, median 4
            ([9.0, 4.0], Action.RUN),  # strictly worse only
            ([3.9, 9.0], Action.RUN),  # the best so far counts
            ([9.0, 9.0], Action.STOP),
        ],
    )
    def test_best_so_far_against_the_median_of_running_averages(self, running: list[float], action: Action) -> None:
        assert decide(running).action is action

    def test_maximised(self) -> None:
        completed = [[-value for value in curve] for curve in FIVE]
        assert decide([-9.0, -4.1], completed, "maximize").action is Action.STOP
        assert decide([-9.0, -4.0], completed, "maximize").action is Action.RUN

    def test_the_reason_has_the_numbers(self) -> None:
        assert decide([9.0, 4.5]).reason == (
            "best value 4.5 by step 2 is worse than 4, the median of the running averages of 5 completed trials"
        )
        assert decide([9.0, 3.0]).reason.startswith("best value 3 by step 2 is not worse than 4, ")
        maximised = decide([-9.0, -4.5], [[-value for value in curve] for curve in FIVE], "maximize")
        assert "best value -4.5 by step 2 is worse than -4" in maximised.reason

    def test_an_even_number_of_trials_has_the_mean_of_the_middle_two(self) -> None:
        assert decide([9.0, 4.6], [*FIVE, [8.0, 6.0]]).action is Action.STOP
        assert decide([9.0, 4.5], [*FIVE, [8.0, 6.0]]).action is Action.RUN

    def test_the_last_value_counts_when_asked_for(self) -> None:
        assert decide([1.0, 9.0], compare="last").action is Action.STOP
        assert decide([9.0, 3.0], compare="last").action is Action.RUN
        assert decide([1.0, 9.0], compare="last").reason.startswith("last value 9 by step 2 is worse")

    def test_only_reports_up_to_the_step_count(self) -> None:
        """Later values of the completed trials are far better, and don't matter."""
        completed = [[*curve, -1000.0, -1000.0] for curve in FIVE]
        assert decide([9.0, 3.5], completed).action is Action.RUN

    def test_only_completed_trials_count(self) -> None:
        problem = curve_problem()
        ledger = ledger_with(problem, FIVE, [9.0, 4.5])
        for number, status in enumerate((Status.STOPPED, Status.FAILED, Status.IN_PROGRESS, Status.PAUSED), start=20):
            ledger.record(Trial(number, {"x": 0.5}, seed=0, status=status), ledger.event + 1)
            ledger.report(number, 1, -100.0)
        assert "5 completed trials" in MedianStopper(problem).decide(ledger.view(), 5).reason

    @given(
        st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=5), min_size=5, max_size=9),
        st.lists(st.floats(-10, 10), min_size=2, max_size=5),
    )
    def test_it_agrees_with_the_definition(self, completed: list[list[float]], running: list[float]) -> None:
        step = len(running)
        median = statistics.median(statistics.fmean(curve[:step]) for curve in completed)
        if abs(min(running) - median) > 1e-9:
            expected = Action.STOP if min(running) > median else Action.RUN
            assert decide(running, completed).action is expected


class TestSteps:
    @pytest.mark.parametrize(
        ("options", "untils"),
        [
            ({}, [2, 2, 3, 4, 5, 6]),
            ({"warmup_steps": 0}, [1, 2, 3, 4, 5, 6]),
            ({"warmup_steps": 4}, [5, 5, 5, 5, 5, 6]),
            ({"every": 3}, [3, 3, 3, 6, 6, 6]),
            ({"every": 3, "warmup_steps": 3}, [6, 6, 6, 6, 6, 6]),
            ({"max_step": 4}, [2, 2, 3, None, None, None]),
            ({"max_step": 40}, [5, 5, 5, 5, 5, 6]),
        ],
    )
    def test_when_it_wants_to_be_asked(self, options: dict[str, Any], untils: list[int | None]) -> None:
        assert [decide([0.0] * step, **options).until for step in range(6)] == untils

    def test_nothing_is_stopped_during_the_warm_up(self) -> None:
        assert decide([99.0], warmup_steps=1).action is Action.RUN
        assert decide([99.0, 99.0], warmup_steps=2).action is Action.RUN
        assert decide([99.0, 99.0, 99.0], warmup_steps=2).action is Action.STOP

    def test_nothing_is_stopped_at_its_end(self) -> None:
        assert decide([99.0] * 4, max_step=5).action is Action.STOP
        assert decide([99.0] * 5, max_step=5).action is Action.RUN

    @pytest.mark.parametrize(("min_trials", "action"), [(5, Action.STOP), (6, Action.RUN)])
    def test_it_waits_for_enough_trials(self, min_trials: int, action: Action) -> None:
        assert decide([99.0, 99.0], min_trials=min_trials).action is action

    def test_trials_without_reports_are_none_to_compare_with(self) -> None:
        problem = curve_problem()
        ledger = ledger_with(problem, FIVE[:4], [99.0, 99.0])
        ledger.record(Trial(9, {"x": 0.5}, seed=0, status=Status.COMPLETED, objectives=(0.0,)), 99)
        assert MedianStopper(problem).decide(ledger.view(), 4) == Decision(
            Action.RUN, "", until=3, trial=4, step=2, by="median"
        )


class TestHostileValues:
    def test_values_that_are_not_finite_are_left_out_of_averages(self) -> None:
        completed = [[NAN, curve[0], INF, curve[1]] for curve in FIVE]
        assert decide([9.0, 9.0, 9.0, 4.1], completed).action is Action.STOP
        assert decide([9.0, 9.0, 9.0, 4.0], completed).action is Action.RUN

    def test_a_trial_with_no_finite_value_is_worse_than_any(self) -> None:
        decision = decide([NAN, INF, NAN])
        assert decision.action is Action.STOP
        assert decision.reason.startswith("no finite value by step 3 is worse than 4")
        assert decide([1.0, NAN], compare="last").action is Action.STOP

    def test_one_nan_does_not_hide_a_good_value(self) -> None:
        assert decide([1.0, NAN, NAN]).action is Action.RUN

    def test_the_largest_floats_overflow_without_a_word(self) -> None:
        completed = [[1.7e308, 1.7e308]] * 6
        assert decide([1e308, 1e308], completed).action is Action.RUN


def test_completions_between_decisions_are_seen() -> None:
    """One stopper over a growing history decides as a fresh one does, at every step of every trial."""
    problem = curve_problem()
    ledger = Ledger(problem.space, problem.objectives)
    used = MedianStopper(problem, min_trials=2)
    rng = np.random.default_rng(4)
    stopped = 0
    for number in range(30):
        ledger.record(Trial(number, {"x": 0.5}, seed=0, status=Status.IN_PROGRESS), ledger.event + 1)
        end = Status.COMPLETED
        for step in range(1, 8):
            ledger.report(number, step, float(rng.normal()) + number % 5)
            decision = used.decide(ledger.view(), number)
            assert decision == MedianStopper(problem, min_trials=2).decide(ledger.view(), number)
            if decision.action is Action.STOP:
                stopped, end = stopped + 1, Status.STOPPED
                break
        ledger.record(Trial(number, {"x": 0.5}, seed=0, status=end, objectives=(0.0,)), ledger.event + 1)
    assert 3 < stopped < 27


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"warmup_steps": 1.5}, "warmup_steps"),
        ({"min_trials": 0}, "min_trials"),
        ({"min_trials": True}, "min_trials"),
        ({"every": 0}, "every"),
        ({"every": "2"}, "every"),
        ({"compare": "worst"}, "compare"),
    ],
)
def test_bad_options(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field} must be") as caught:
        MedianStopper(curve_problem(), **options)
    assert caught.value.field == field


def test_it_says_what_it_does() -> None:
    reason = MedianStopper(curve_problem(max_step=30), min_trials=4).reason
    assert reason.startswith("median rule: after step 3, once 4 trials have completed, a trial stops when its best value is")
