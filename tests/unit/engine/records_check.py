"""What must hold of the rows and events of any job, whatever happened to it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tests.unit.engine.rig import JOB, Rig
from tunewright.queries import Events
from tunewright.records import EXECUTION_OPEN, JOB_MOVES, TRIAL_MOVES, ExecutionStatus, Status

_OPEN = {status.value for status in EXECUTION_OPEN}


def check_events(rig: Rig, *, ended: bool = True) -> None:
    """Statuses moved as they may; each execution ended at most once, and with `ended` each one has.

    A trial's status is told by its events, so one that ends and goes on would show, whatever its row says at last.
    """
    trials: dict[int, list[Status]] = {}
    jobs: list[Status] = [Status.PENDING]
    ends: Counter[tuple[int, int]] = Counter()
    numbers = []
    for event in rig.store.read(Events(JOB)):
        numbers.append(event.number)
        status = event.detail.partition(":")[0]
        if event.kind == "trial":
            assert event.trial is not None
            trials.setdefault(event.trial, [Status.PENDING]).append(Status(status))
        elif event.kind == "execution" and status not in _OPEN:
            assert event.trial is not None
            assert event.execution is not None
            ends[event.trial, event.execution] += 1
        elif event.kind == "job" and status in {status.value for status in Status}:
            jobs.append(Status(status))
    assert numbers == [*range(1, len(numbers) + 1)]
    for moves, histories in ((TRIAL_MOVES, [*trials.values()]), (JOB_MOVES, [jobs])):
        for history in histories:
            for before, after in pairwise(history):
                assert before is after or after in moves[before], history
    executions = rig.executions
    assert all(count == 1 for count in ends.values()), ends
    assert set(ends) == {(e.trial, e.number) for e in executions if not e.open}
    if ended:
        assert not any(execution.open for execution in executions)
        assert not any(trial.status in (Status.IN_PROGRESS, Status.STOPPING, Status.PENDING) for trial in rig.trials)
    assert len({execution.token for execution in executions}) == len(executions)
    per_trial = Counter(execution.trial for execution in executions)
    for trial in rig.trials:
        assert trial.executions == per_trial[trial.number]
        assert [e.number for e in executions if e.trial == trial.number] == [*range(1, trial.executions + 1)]
    reports = Counter((trial, execution) for trial, execution, _, _ in rig.points())
    for execution in executions:
        assert execution.reports == reports[execution.trial, execution.number]
        assert (execution.objectives is not None) == (execution.status is ExecutionStatus.COMPLETED)
