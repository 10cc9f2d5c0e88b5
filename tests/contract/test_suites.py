"""The shipped contract suites find what they are there to find: each broken implementation fails the test that is named."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

STRATEGIES = """
import random
import numpy as np
import pytest
from tunewright.errors import InfeasibleSpace
from tunewright.interfaces import Exhausted, New
from tunewright.strategies.random import RandomStrategy
from tunewright.testing.strategies import StrategyContract

class Base(RandomStrategy):
    def __init__(self, problem):
        super().__init__(problem)
        self.problem, self.space, self.calls, self.longest = problem, problem.space, 0, 0

    def suggest(self, history, n):
        self.calls += 1
        self.longest = max(self.longest, len(history))
        return self.broken(super().suggest(history, n), history, n)

    def drawn(self, *seed, n=1):
        return [New(self.space.sample(np.random.default_rng([*seed, k])), "drawn") for k in range(n)]

    def broken(self, answer, history, n):
        return answer
"""

STRATEGY = """
class Broken{index}(Base):
    def {signature}:
        return {body}

class Test{index}(StrategyContract):
    @pytest.fixture
    def make(self):
        return Broken{index}
"""

STRATEGY_FAULTS = {
    "test_suggestions_are_valid_feasible_and_have_reasons": [
        "[New({**p.params, 'extra': 1}, p.reason) for p in answer]",
        "[New(p.params, ' ') for p in answer]",
        "[New({k: str(v) for k, v in p.params.items()}, p.reason) for p in answer]",
        "[New(dict(reversed(p.params.items())), p.reason) for p in answer]",
        "[New(self.space.decode(np.random.default_rng(len(history)).random(len(self.space.names))), 'unconstrained')]",
        "[]",
    ],
    "test_at_most_as_many_as_asked_for": ["[*answer, *self.drawn(len(history))]"],
    "test_it_leaves_global_random_states_alone": ["np.random.random() and answer", "random.random() and answer"],
    "test_the_same_history_gives_the_same_proposals": ["self.drawn(self.calls, n=n)"],
    "test_histories_that_come_in_turns_do_not_disturb_each_other": ["self.drawn(self.longest, n=n)"],
    "test_another_process_proposes_the_same": ["self.drawn(hash('salt') % 2**31, n=n)"],
    "test_maximising_negated_values_proposes_the_same": [
        "self.drawn(int(1e6 * abs(np.nansum(history.values) + 1)) % 2**31)",
    ],
    "test_a_finite_space_is_tried_to_its_last_point": [
        "self.drawn(len(history), n=n) if len(history) < 90 else Exhausted('repeated itself')",
        "answer if len(history) < 23 else Exhausted('one too early')",
    ],
    "test_one_batch_never_holds_a_point_twice": ["[*answer, answer[0]]"],
    "test_points_that_others_added_are_not_tried_again": [
        "[New(list(self.space.grid())[len(history)], 'x')] if len(history) < self.space.size() else Exhausted('x')",
    ],
    "test_a_space_of_one_point": ["self.drawn(len(history))", "Exhausted('nothing to search')"],
    "test_one_hostile_value_among_others": ["answer if np.isfinite(history.values).all() else 1 / 0"],
    "test_nothing_but_one_hostile_value": ["answer if np.nanmax(history.values) < 1e299 else 1 / 0"],
    "test_trials_without_a_value": ["[] if np.isnan(history.losses).all() else answer"],
    "test_a_space_without_a_feasible_point_is_an_error": ["[New({'x': 0.0, 'y': 0.0}, 'not feasible')]"],
}

STOPPERS = """
import numpy as np
import pytest
from tunewright.records import Action, Decision
from tunewright.stoppers.median import MedianStopper
from tunewright.testing.stoppers import StopperContract

class Base(MedianStopper):
    calls, total = 0, 0.0

    def decide(self, history, number):
        self.calls += 1
        self.total += history.curve(number)[1].sum()
        return self.broken(super().decide(history, number), *history.curve(number))

    def broken(self, answer, steps, values):
        return answer
"""

STOPPER = """
class Broken{index}(Base):
    def broken(self, answer, steps, values):
        return {body}

class Test{index}(StopperContract):
    @pytest.fixture
    def make(self):
        return Broken{index}
"""

STOPPER_FAULTS = {
    "test_before_its_launch_a_trial_runs": ["Decision(Action.STOP, 'at once')", "Decision(Action.RUN, '', until=0)"],
    "test_every_decision_is_a_whole_one": ["Decision(Action.RUN, '', until=1)"],
    "test_the_same_history_gives_the_same_decision": ["Decision(Action.RUN, '', until=99 + self.calls)"],
    "test_histories_that_come_in_turns_do_not_disturb_each_other": ["Decision(Action.RUN, str(self.total), until=99)"],
    "test_maximising_negated_values_decides_the_same": [
        "Decision(Action.STOP, 'low') if values[-1] < 0.5 else Decision(Action.RUN, '')",
    ],
    "test_hostile_values_are_survived": ["Decision(Action.RUN, '', until=int(steps[-1] + 1 + 0 * int(values[-1])))"],
    "test_it_leaves_global_random_states_alone": ["np.random.random() and answer"],
}
# Where the sound implementation raises, the broken one takes its place.
REPLACED = "test_a_space_without_a_feasible_point_is_an_error"

SUITES = {
    "strategies:StrategyContract": (STRATEGIES, STRATEGY, STRATEGY_FAULTS),
    "stoppers:StopperContract": (STOPPERS, STOPPER, STOPPER_FAULTS),
}


@pytest.mark.parametrize("suite", SUITES)
def test_every_test_of_a_suite_has_its_fault(suite: str) -> None:
    module, _, name = suite.partition(":")
    contract = getattr(import_module(f"tunewright.testing.{module}"), name)
    assert set(SUITES[suite][2]) == {test for test in vars(contract) if test.startswith("test_")}


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_every_fault_is_found_and_nothing_else(pytester: pytest.Pytester, suite: str) -> None:
    head, template, faults = SUITES[suite]
    numbered = [(test, body) for test, bodies in faults.items() for body in bodies]
    source = [head]
    for index, (test, body) in enumerate(numbered):
        signature = f"{'suggest' if test == REPLACED else 'broken'}(self, {'' if test == REPLACED else 'answer, '}history, n)"
        source.append(template.format(index=index, body=body, signature=signature))
    source.append(template.format(index="Sound", body="answer", signature="broken(self, answer, history, n)"))
    pytester.makeini("[pytest]\nmarkers =\n    slow: starts processes")
    path = pytester.makepyfile(test_broken="\n".join(source))
    chosen = [f"{path}::Test{index}::{test}" for index, (test, _) in enumerate(numbered)]
    result = pytester.runpytest_subprocess("-q", "-W", "error", "-rf", "--tb=no", *chosen, f"{path}::TestSound")
    failed = {
        re.sub(r"\[.*", "", line.split("::", 1)[1].split(" ")[0]) for line in result.outlines if line.startswith("FAILED")
    }
    assert failed == {f"Test{index}::{test}" for index, (test, _) in enumerate(numbered)}
    assert "errors" not in result.parseoutcomes()
