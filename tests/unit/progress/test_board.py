from __future__ import annotations

import pytest

from tests.unit.progress.jobs import DEFAULT, brief, completed, end, play, start, waits
from tunewright.objective import Objective
from tunewright.progress.board import Board
from tunewright.records import Counts, Status, Trial


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_board_follows_a_job() -> None:
    board = Board(brief())
    play(board)
    assert board.best is not None
    assert board.best.number == 3
    assert board.counts == Counts(completed=3, failed=1)
    assert board.running == {}
    assert board.state.status is Status.COMPLETED


def test_the_time_that_a_trial_waits_is_no_time_that_it_runs() -> None:
    clock = Hands()
    board = Board(brief(max_trials=2, max_parallel=1), clock=clock)
    start(board, 0)
    waits(board, 0, "waits for 1 GPU: why")
    assert board.running[0].waits == "waits for 1 GPU: why"
    clock.now += 1000
    waits(board, 0, None)
    assert board.running[0].waits is None
    clock.now += 10
    end(board, completed(0, 0.5), Counts(completed=1))
    waits(board, 9, "waits for 1 GPU: of a trial that has ended")
    assert board.time_left() == 10


def test_running_trials_show_their_last_step() -> None:
    board = Board(brief())
    start(board, 0)
    board.trial_reported(Trial(0, {}, seed=0), 3, 0.7)
    board.trial_reported(Trial(0, {}, seed=0), 4, None)
    assert (board.running[0].step, board.running[0].value) == (4, 0.7)
    board.trial_reported(Trial(9, {}, seed=0), 1, 0.5)  # a late report of a trial that has ended
    assert list(board.running) == [0]


def test_the_reference_is_the_default_or_the_first_trial() -> None:
    board = Board(brief())
    assert board.reference is None
    end(board, completed(1, 0.9), Counts(completed=1))
    assert board.reference is not None
    assert board.reference[0] == "the first trial"
    end(board, completed(0, 0.8, DEFAULT), Counts(completed=2))  # it ended later and was first
    assert board.reference[0] == "the default"
    assert board.reference[1].number == 0


def test_an_infeasible_trial_is_never_the_best() -> None:
    board = Board(brief(), [completed(0, 0.8), completed(1, 0.99, feasible=False)])
    assert board.best is not None
    assert board.best.number == 0


def test_small_is_best_when_minimized() -> None:
    board = Board(brief(objectives=(Objective("loss"),)), [completed(0, 0.8), completed(1, 0.3), completed(2, 0.5)])
    assert board.best is not None
    assert board.best.number == 1


def test_time_left_is_judged_by_trials_that_ended() -> None:
    clock = Hands()
    board = Board(brief(max_trials=10, max_parallel=2), clock=clock)
    start(board, 0)
    start(board, 1)
    assert board.time_left() is None
    clock.now += 10
    end(board, completed(0, 0.8), Counts(completed=1, in_progress=1))
    # 8 trials wait, 10 s each; trial 1 is as old as a trial lasts; two at a time
    assert board.time_left() == pytest.approx(8 * 10 / 2)


def test_time_left_never_exceeds_the_limit_on_time() -> None:
    clock = Hands()
    board = Board(brief(max_trials=None, max_time=60, elapsed=20), clock=clock)
    clock.now += 15
    assert board.elapsed == pytest.approx(35)
    assert board.time_left() == pytest.approx(25)
    clock.now += 100
    assert board.time_left() == 0
