"""What is gathered for a commit, and when it is due."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tunewright.engine.journal import DELAY, Journal
from tunewright.errors import StoreBusy
from tunewright.frozen import changed
from tunewright.interfaces import Fence
from tunewright.records import Action, Change, Decision, Execution, JobState, Report, Reports, Status, Trial
from tunewright.testing.clock import FakeClock

FENCE = Fence("job", 1, 30.0)


class Kept:
    """A store that keeps what it is given; event numbers count changes."""

    location = folder = None

    def __init__(self) -> None:
        self.commits: list[list[Change]] = []
        self.busy = False

    def commit(self, changes: Sequence[Change], fence: Fence) -> int:
        if self.busy:
            raise StoreBusy("locked")
        self.commits.append([*changes])
        return sum(len(commit) for commit in self.commits)


class Draft:
    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def record(self) -> Execution:
        return self.execution


@pytest.fixture
def store() -> Kept:
    return Kept()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(store: Kept, clock: FakeClock) -> Journal:
    return Journal(store, FENCE, clock, 0)  # type: ignore[arg-type]


def test_nothing_is_due_and_nothing_is_committed_when_nothing_waits(journal: Journal, store: Kept, clock: FakeClock) -> None:
    assert journal.due_in(clock.now()) is None
    assert journal.commit() == 0
    assert store.commits == []


def test_the_last_record_of_a_trial_an_execution_and_the_state_is_committed(journal: Journal, store: Kept) -> None:
    trial, execution = Trial(0, {}, 1), Execution(0, 1, "t")
    for step in range(3):
        journal.put(changed(trial, step=step))
        journal.put(changed(execution, step=step))
        journal.put(JobState(elapsed=float(step)))
    journal.put(Trial(1, {}, 1))
    assert journal.next_event == 4
    assert journal.commit() == 4
    assert store.commits == [
        [changed(trial, step=2), changed(execution, step=2), JobState(elapsed=2.0), Trial(1, {}, 1)]
    ]  # fmt: skip


def test_reports_and_decisions_are_all_kept_in_their_order(journal: Journal, store: Kept) -> None:
    draft = Draft(Execution(0, 1, "t"))
    batches = [Reports(0, 1, first, [Report(first + 1, {"loss": 1.0}, 0.0)]) for first in range(3)]
    for batch in batches:
        journal.put_draft("t", draft, batch)
        journal.put(Decision(Action.STOP, f"after {batch.first}"))
    journal.commit()
    (commit,) = store.commits
    assert [change for change in commit if isinstance(change, Reports)] == batches
    assert [change.reason for change in commit if isinstance(change, Decision)] == ["after 0", "after 1", "after 2"]
    assert commit[-1] == draft.execution


def test_a_draft_is_taken_as_it_is_at_the_commit_and_gives_way_to_the_final_record(journal: Journal, store: Kept) -> None:
    draft = Draft(Execution(0, 1, "t"))
    journal.put_draft("t", draft)
    draft.execution = changed(draft.execution, step=7)
    journal.commit()
    journal.put_draft("t", draft)
    journal.put(changed(draft.execution, step=9))
    journal.commit()
    assert [[change.step for change in commit if isinstance(change, Execution)] for commit in store.commits] == [[7], [9]]


def test_what_is_urgent_is_due_at_once_and_reports_after_the_delay(journal: Journal, clock: FakeClock) -> None:
    draft = Draft(Execution(0, 1, "t"))
    journal.put_draft("t", draft)
    assert journal.due_in(clock.now()) == pytest.approx(DELAY)
    clock.advance(DELAY / 2)
    journal.put_draft("t", draft)  # the oldest counts
    assert journal.due_in(clock.now()) == pytest.approx(DELAY / 2)
    clock.advance(DELAY)
    assert journal.due_in(clock.now()) == 0.0
    journal.commit()
    assert journal.due_in(clock.now()) is None
    journal.put(Trial(0, {}, 1, status=Status.IN_PROGRESS))
    assert journal.due_in(clock.now()) == 0.0


def test_what_a_store_refused_waits_for_the_next_commit(journal: Journal, store: Kept, clock: FakeClock) -> None:
    journal.put(Trial(0, {}, 1))
    store.busy = True
    with pytest.raises(StoreBusy):
        journal.commit()
    assert journal.due_in(clock.now()) == 0.0
    store.busy = False
    assert journal.commit() == 1
    assert store.commits == [[Trial(0, {}, 1)]]
