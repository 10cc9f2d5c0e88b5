"""The contract of `Strategy` as tests.

class TestMine(StrategyContract):
    @pytest.fixture
    def make(self):
        return MyStrategy          # or lambda problem: MyStrategy(problem, option=3)

Tests that start processes or take seconds carry the mark `slow`, which your pytest configuration has to know.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cloudpickle
import numpy as np
import pytest

from tunewright.errors import InfeasibleSpace
from tunewright.history import History, Ledger
from tunewright.interfaces import Exhausted, New, Problem, Strategy
from tunewright.records import Params, Status, Trial
from tunewright.space import Float, SearchSpace
from tunewright.testing.problems import (
    AnalyticProblem,
    branin,
    constrained,
    lattice,
    mixed,
    one_point,
    rosenbrock,
)

Make = Callable[[Problem], Strategy]

HOSTILE = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 0.0, 5.0)

_ELSEWHERE = """
import sys, cloudpickle
make, problem, trials, n = cloudpickle.load(sys.stdin.buffer)
from tunewright.testing.strategies import ledger_of
result = make(problem).suggest(ledger_of(problem, trials).view(), n)
sys.stdout.buffer.write(cloudpickle.dumps(result))
"""


def ledger_of(problem: Problem, trials: Iterable[Trial]) -> Ledger:
    """A ledger that holds the trials, one event each."""
    ledger = Ledger(problem.space, problem.objectives)
    for event, trial in enumerate(trials, start=1):
        ledger.record(trial, event)
    return ledger


def completed(number: int, params: Params, value: float) -> Trial:
    """A trial that has ended with a value."""
    return Trial(number, params, seed=number, status=Status.COMPLETED, objectives=(value,))


def random_trials(case: AnalyticProblem, size: int, seed: int = 0) -> list[Trial]:
    """Completed trials of a problem at distinct random points."""
    rng = np.random.default_rng(seed)
    points: dict[Any, Params] = {}
    while len(points) < size:
        params = case.space.sample(rng)
        points[case.space.key(params)] = params
    return [completed(number, params, case.function(params)) for number, params in enumerate(points.values())]


def play(
    strategy: Strategy, case: AnalyticProblem, problem: Problem, trials: int, *, n: int = 1, ledger: Ledger | None = None
) -> Ledger:
    """Plays a job: asks for up to `n` proposals, records them as pending, then all as completed, until `trials` are there.

    It ends early when the strategy has nothing more.

    Args:
        strategy: what is asked.
        case: what computes the losses; they are negated when the problem's goal is to maximise.
        problem: what the strategy was made for.
        trials: how many trials the ledger holds at the end.
        n: how many run at once.
        ledger: goes on from there.
    """
    ledger = Ledger(problem.space, problem.objectives) if ledger is None else ledger
    sign = problem.objectives[0].sign
    while len(ledger) < trials:
        proposals = strategy.suggest(ledger.view(), min(n, trials - len(ledger)))
        if isinstance(proposals, Exhausted) or not isinstance(proposals, Sequence):
            break
        first = ledger.view().next_number
        batch = [(first + i, proposal) for i, proposal in enumerate(proposals)]
        for number, proposal in batch:
            assert isinstance(proposal, New)
            ledger.record(Trial(number, proposal.params, seed=number), ledger.event + 1)
        for number, proposal in batch:
            assert isinstance(proposal, New)
            ledger.record(completed(number, proposal.params, sign * case.function(proposal.params)), ledger.event + 1)
    return ledger


def configurations(history: History) -> list[Any]:
    """The keys of all trials' configurations."""
    return [history.space.key(history.params(row)) for row in range(len(history))]


class StrategyContract:
    """What every strategy keeps. Override `make`; set `trials` lower for a slow strategy.

    Attributes:
        trials: how long the jobs are that are played.
    """

    trials = 24

    @pytest.fixture
    def make(self) -> Make:
        """Makes a fresh strategy for a problem."""
        raise NotImplementedError("override the fixture `make`")

    @pytest.fixture(params=[branin, rosenbrock, mixed, constrained, lattice], ids=lambda case: case.__name__)
    def case(self, request: pytest.FixtureRequest) -> AnalyticProblem:
        """The problems that the tests run on."""
        found: AnalyticProblem = request.param()
        return found

    # --- what it proposes ---

    @pytest.mark.parametrize("n", [1, 4])
    def test_suggestions_are_valid_feasible_and_have_reasons(self, make: Make, case: AnalyticProblem, n: int) -> None:
        problem = case.problem(seed=3)
        strategy, ledger = make(problem), Ledger(case.space, problem.objectives)
        while len(ledger) < self.trials:
            proposals = strategy.suggest(ledger.view(), n)
            if isinstance(proposals, Exhausted):
                break
            assert_proposals(proposals, case.space, n)
            play(strategy, case, problem, len(ledger) + n, n=n, ledger=ledger)
        assert len(ledger) >= min(self.trials, case.space.size())

    @pytest.mark.parametrize("n", [1, 2, 5, 64])
    def test_at_most_as_many_as_asked_for(self, make: Make, case: AnalyticProblem, n: int) -> None:
        problem = case.problem()
        ledger = ledger_of(problem, random_trials(case, 7))
        assert_proposals(make(problem).suggest(ledger.view(), n), case.space, n)

    def test_it_leaves_global_random_states_alone(self, make: Make, case: AnalyticProblem) -> None:
        before, before_numpy = random.getstate(), np.random.get_state(legacy=False)
        problem = case.problem()
        play(make(problem), case, problem, 8, n=2)
        assert random.getstate() == before
        np.testing.assert_equal(np.random.get_state(legacy=False), before_numpy)

    # --- a function of the history ---

    def test_the_same_history_gives_the_same_proposals(self, make: Make, case: AnalyticProblem) -> None:
        problem = case.problem(seed=11)
        strategy, ledger = make(problem), Ledger(case.space, problem.objectives)
        for size in range(1, self.trials, 3):
            play(strategy, case, problem, size, n=2, ledger=ledger)
            used = strategy.suggest(ledger.view(), 3)
            assert strategy.suggest(ledger.view(), 3) == used
            assert make(problem).suggest(ledger.view(), 3) == used
            assert make(problem).suggest(ledger.view().freeze(), 3) == used

    def test_histories_that_come_in_turns_do_not_disturb_each_other(self, make: Make, case: AnalyticProblem) -> None:
        problem = case.problem(seed=5)
        strategy = make(problem)
        short, long = (ledger_of(problem, random_trials(case, size, seed=size)) for size in (5, 13))
        expected = [make(problem).suggest(ledger.view(), 2) for ledger in (short, long)]
        for _ in range(2):
            assert [strategy.suggest(ledger.view(), 2) for ledger in (short, long)] == expected

    @pytest.mark.slow
    def test_another_process_proposes_the_same(self, make: Make, case: AnalyticProblem) -> None:
        problem = case.problem(seed=7)
        trials = random_trials(case, 9)
        here = make(problem).suggest(ledger_of(problem, trials).view(), 3)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "4711"}
        sent = cloudpickle.dumps((make, problem, trials, 3))
        command = [sys.executable, "-c", _ELSEWHERE]
        done = subprocess.run(command, input=sent, env=environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert cloudpickle.loads(done.stdout) == here

    def test_maximising_negated_values_proposes_the_same(self, make: Make, case: AnalyticProblem) -> None:
        low, high = case.problem(seed=2), case.problem(seed=2, goal="maximize")
        ledgers = [play(make(problem), case, problem, 15, n=2) for problem in (low, high)]
        assert configurations(ledgers[0].view()) == configurations(ledgers[1].view())

    # --- finite spaces ---

    @pytest.mark.parametrize("n", [1, 5, 64])
    def test_a_finite_space_is_tried_to_its_last_point(self, make: Make, n: int) -> None:
        case = lattice()
        problem = case.problem(seed=1)
        strategy = make(problem)
        ledger = play(strategy, case, problem, 100, n=n)
        tried = configurations(ledger.view())
        assert len(set(tried)) == len(tried) == case.space.size()
        assert_exhausted(strategy.suggest(ledger.view(), n))
        assert_exhausted(make(problem).suggest(ledger.view(), n))

    def test_one_batch_never_holds_a_point_twice(self, make: Make) -> None:
        case = lattice()
        proposals = make(case.problem()).suggest(Ledger(case.space, case.problem().objectives).view(), 64)
        keys = [case.space.key(proposal.params) for proposal in _news(proposals)]
        assert len(set(keys)) == len(keys)

    def test_points_that_others_added_are_not_tried_again(self, make: Make) -> None:
        case = lattice()
        problem = case.problem()
        added = list(case.space.grid())[::2]
        statuses = [Status.PENDING, Status.IN_PROGRESS, Status.FAILED, Status.STOPPED]
        trials = [Trial(10 * i, params, seed=i, status=statuses[i % 4]) for i, params in enumerate(added)]
        ledger = play(make(problem), case, problem, 100, ledger=ledger_of(problem, trials))
        tried = configurations(ledger.view())
        assert len(set(tried)) == len(tried) == case.space.size()

    def test_a_space_of_one_point(self, make: Make) -> None:
        case = one_point()
        problem = case.problem()
        strategy, ledger = make(problem), Ledger(case.space, problem.objectives)
        (only,) = _news(strategy.suggest(ledger.view(), 3))
        assert only.params == {"kind": "a"}
        ledger.record(Trial(0, only.params, seed=0), 1)
        assert_exhausted(strategy.suggest(ledger.view(), 3))

    # --- what it survives ---

    @pytest.mark.parametrize("value", HOSTILE, ids=str)
    def test_one_hostile_value_among_others(self, make: Make, case: AnalyticProblem, value: float) -> None:
        problem = case.problem()
        trials = random_trials(case, 11)
        for i in (3, 5):
            trials[i] = completed(i, trials[i].params, value)
        assert_proposals(make(problem).suggest(ledger_of(problem, trials).view(), 2), case.space, 2)

    @pytest.mark.parametrize("value", HOSTILE, ids=str)
    @pytest.mark.parametrize("size", [1, 9])
    def test_nothing_but_one_hostile_value(self, make: Make, case: AnalyticProblem, value: float, size: int) -> None:
        problem = case.problem()
        trials = [completed(trial.number, trial.params, value) for trial in random_trials(case, size)]
        assert_proposals(make(problem).suggest(ledger_of(problem, trials).view(), 2), case.space, 2)

    @pytest.mark.parametrize("status", [s for s in Status if s is not Status.COMPLETED])
    def test_trials_without_a_value(self, make: Make, case: AnalyticProblem, status: Status) -> None:
        problem = case.problem()
        trials = random_trials(case, 9)
        for i in (0, 4, 8):
            trials[i] = Trial(i, trials[i].params, seed=i, status=status)
        assert_proposals(make(problem).suggest(ledger_of(problem, trials).view(), 2), case.space, 2)
        trials = [Trial(t.number, t.params, seed=0, status=status) for t in trials]
        assert_proposals(make(problem).suggest(ledger_of(problem, trials).view(), 2), case.space, 2)

    @pytest.mark.slow
    def test_a_space_without_a_feasible_point_is_an_error(self, make: Make) -> None:
        space = SearchSpace({"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}, constraints=["x + y > 2.5"])
        problem = AnalyticProblem("infeasible", space, lambda _: 0.0, math.nan).problem()
        with pytest.raises(InfeasibleSpace):
            make(problem).suggest(Ledger(space, problem.objectives).view(), 1)


def assert_proposals(proposals: object, space: SearchSpace, n: int) -> None:
    """One to `n` proposals, each with its reason; new configurations exactly as the space stores them, and feasible."""
    assert isinstance(proposals, Sequence), proposals
    assert 1 <= len(proposals) <= n
    for proposal in proposals:
        assert proposal.reason.strip()
        if isinstance(proposal, New):
            assert space.key(space.validate(proposal.params)) == space.key(proposal.params)
            assert list(space.validate(proposal.params)) == list(proposal.params)
            assert space.feasible(proposal.params)


def assert_exhausted(answer: object) -> None:
    """Nothing is left, and it says why."""
    assert isinstance(answer, Exhausted), answer
    assert answer.reason.strip()


def _news(proposals: object) -> list[New]:
    assert isinstance(proposals, Sequence), proposals
    news = [proposal for proposal in proposals if isinstance(proposal, New)]
    assert len(news) == len(proposals)
    return news
