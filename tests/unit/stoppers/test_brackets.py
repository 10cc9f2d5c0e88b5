from __future__ import annotations

import math

import pytest

from tunewright.errors import InvalidInput
from tunewright.records import Action, Status, Trial
from tunewright.stoppers.brackets import BracketStopper
from tunewright.testing.stoppers import curve_problem, ledger_with

PROBLEM = curve_problem()


@pytest.mark.parametrize(
    ("options", "brackets"),
    [
        ({"min_iter": 3}, [3, 9, 27, 81]),
        ({"min_iter": 3, "eta": 2}, [3, 6, 12, 24]),
        ({"max_iter": 27, "s": 2}, [3, 9]),
        ({"max_iter": 27, "s": 9}, [1, 3, 9]),
        ({"max_iter": 5, "s": 2, "eta": 2}, [1, 2]),
        ({}, [1, 3, 9, 27]),
    ],
)
def test_where_the_brackets_are(options: dict[str, int], brackets: list[int]) -> None:
    assert BracketStopper(PROBLEM, **options).brackets[:4] == brackets  # type: ignore[arg-type]


def test_no_bracket_lies_at_the_last_step_or_after_it() -> None:
    assert BracketStopper(curve_problem(max_step=9), min_iter=3).brackets == [3]
    with pytest.raises(InvalidInput, match=r"min_iter must leave a bracket .* the last step \(9\); got 9"):
        BracketStopper(curve_problem(max_step=9), min_iter=9)


@pytest.mark.parametrize("options", [{"eta": 1}, {"min_iter": 0}, {"s": 0, "max_iter": 9}, {"max_iter": 2, "s": 1}])
def test_options_that_break_their_rule_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        BracketStopper(PROBLEM, **options)  # type: ignore[arg-type]


def test_only_the_best_share_goes_on_from_a_bracket() -> None:
    stopper = BracketStopper(PROBLEM, min_iter=2, eta=2)
    completed = [[9.0, 1.0], [9.0, 2.0], [9.0, 3.0], [9.0]]  # the last one never came to the bracket
    good = stopper.decide(ledger_with(PROBLEM, completed, [9.0, 2.5]).view(), 4)
    assert (good.action, good.until) == (Action.RUN, 4)
    poor = stopper.decide(ledger_with(PROBLEM, completed, [9.0, 2.6, 2.9]).view(), 4)
    assert poor.action is Action.RUN  # its value at the bracket counts, however it went on
    poor = stopper.decide(ledger_with(PROBLEM, completed, [9.0, 3.5]).view(), 4)
    assert poor.action is Action.STOP
    assert (
        poor.reason
        == "best value 3.5 by step 2 is worse than 3, the limit of the best 1 of 2 of the 4 trials that reached step 2"
    )


def test_before_the_first_bracket_a_trial_runs_up_to_it() -> None:
    decision = BracketStopper(PROBLEM, min_iter=4).decide(ledger_with(PROBLEM, [], [1.0]).view(), 0)
    assert (decision.action, decision.until, decision.reason) == (Action.RUN, 4, "")


def test_strict_compares_the_value_at_the_bracket_and_else_the_best() -> None:
    completed = [[5.0, 3.0], [5.0, 4.0], [5.0, 4.0]]
    view = ledger_with(PROBLEM, completed, [2.0, 6.0]).view()
    assert BracketStopper(PROBLEM, min_iter=2, eta=2).decide(view, 3).action is Action.RUN
    assert BracketStopper(PROBLEM, min_iter=2, eta=2, strict=True).decide(view, 3).action is Action.STOP


def test_trials_that_have_not_reported_do_not_count() -> None:
    ledger = ledger_with(PROBLEM, [], [1.0])
    ledger.record(Trial(1, {"x": 0.5}, seed=1, status=Status.IN_PROGRESS), ledger.event + 1)
    decision = BracketStopper(PROBLEM).decide(ledger.view(), 0)
    assert decision.action is Action.RUN
    assert "of the 1 trials that reached step 1" in decision.reason


def test_large_is_good_when_maximised() -> None:
    problem = curve_problem("maximize")
    stopper, completed = BracketStopper(problem, min_iter=1, eta=2), [[1.0], [2.0], [3.0]]
    assert stopper.decide(ledger_with(problem, completed, [2.5]).view(), 3).action is Action.RUN
    stopped = stopper.decide(ledger_with(problem, completed, [0.5]).view(), 3)
    assert stopped.action is Action.STOP
    assert "best value 0.5 by step 1 is worse than 1," in stopped.reason


def test_a_trial_without_a_finite_value_stops_at_its_bracket() -> None:
    view = ledger_with(PROBLEM, [[1.0], [2.0]], [math.nan]).view()
    assert BracketStopper(PROBLEM).decide(view, 2).action is Action.STOP
