"""The records and their tables of legal status changes."""

from __future__ import annotations

import dataclasses
import itertools
import pickle

import pytest

from tunewright.records import (
    JOB_MOVES,
    TERMINAL,
    TRIAL_MOVES,
    Action,
    Counts,
    Decision,
    Execution,
    ExecutionStatus,
    JobState,
    Status,
    Trial,
    TuningJob,
)


def trial(status: Status = Status.PENDING) -> Trial:
    return Trial(0, {"x": 1}, seed=7, status=status)


class TestMoves:
    @pytest.mark.parametrize(("old", "new"), [*itertools.product(Status, Status)])
    def test_a_trial_moves_by_its_table(self, old: Status, new: Status) -> None:
        if new in TRIAL_MOVES[old]:
            assert trial(old).to(new).status is new
        else:
            with pytest.raises(AssertionError, match=f"trial 0: {old} -> {new}"):
                trial(old).to(new)

    @pytest.mark.parametrize(("old", "new"), [*itertools.product(Status, Status)])
    def test_a_job_moves_by_its_table(self, old: Status, new: Status) -> None:
        if new in JOB_MOVES[old]:
            assert JobState(status=old).to(new).status is new
        else:
            with pytest.raises(AssertionError, match=f"job: {old} -> {new}"):
                JobState(status=old).to(new)

    def test_an_ended_trial_is_never_reopened(self) -> None:
        assert all(not TRIAL_MOVES[status] for status in TERMINAL)

    def test_an_ended_job_goes_on_when_resumed(self) -> None:
        assert all(JOB_MOVES[status] == {Status.IN_PROGRESS} for status in TERMINAL)

    @pytest.mark.parametrize("moves", [TRIAL_MOVES, JOB_MOVES])
    def test_every_status_is_reached_and_leads_to_an_end(self, moves: dict[Status, frozenset[Status]]) -> None:
        assert set(moves) == set(Status)
        reached, frontier = set[Status](), {Status.PENDING}
        while frontier:
            reached |= frontier
            frontier = set().union(*(moves[status] for status in frontier)) - reached
        assert reached == set(Status)
        assert all(moves[status] & TERMINAL for status in set(Status) - TERMINAL)

    def test_a_move_changes_other_fields_too(self) -> None:
        ended = trial(Status.IN_PROGRESS).to(Status.COMPLETED, objectives=(0.5,), ended=3.0)
        assert (ended.status, ended.objective, ended.ended) == (Status.COMPLETED, 0.5, 3.0)
        assert ended.done


class TestRecords:
    def test_a_new_trial_has_no_objective_and_is_not_done(self) -> None:
        assert trial().objective is None
        assert not trial().done

    def test_the_first_objective_is_the_objective(self) -> None:
        assert dataclasses.replace(trial(), objectives=(0.0, 2.0)).objective == 0.0

    def test_records_are_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            trial().status = Status.FAILED  # type: ignore[misc]

    @pytest.mark.parametrize("record", [trial(), Execution(0, 0, "t"), TuningJob("j", {}), Decision(Action.RUN, "")])
    def test_records_travel(self, record: object) -> None:
        assert pickle.loads(pickle.dumps(record)) == record

    def test_two_trials_share_no_metrics(self) -> None:
        assert trial().metrics is not trial().metrics

    @pytest.mark.parametrize("status", ExecutionStatus)
    def test_an_execution_is_open_until_it_has_ended(self, status: ExecutionStatus) -> None:
        opened = status in (ExecutionStatus.LAUNCHING, ExecutionStatus.RUNNING)
        assert Execution(0, 0, "t", status=status).open is opened

    @pytest.mark.parametrize("action", [Action.PAUSE, Action.STOP])
    def test_what_ends_a_trial_needs_a_reason(self, action: Action) -> None:
        with pytest.raises(AssertionError, match="reason"):
            Decision(action, "")
        assert Decision(action, "worse than the median").reason

    def test_counts_add_up(self) -> None:
        counts = Counts(1, 2, 4, 8, 16, 32, 64)
        assert counts.ended == 112
        assert counts.total == 127

    def test_a_job_shows_its_state(self) -> None:
        assert TuningJob("j", {}, JobState(status=Status.PAUSED)).status is Status.PAUSED
