"""What must hold of a job's rows after it was killed and resumed, however often."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

import psutil

import tunewright as tw
from tests.recovery.searching import NAME, store_of
from tunewright.executors.leftovers import marked
from tunewright.queries import Events, Executions, Points, Trials
from tunewright.records import Execution, ExecutionStatus, Purpose, Status

ENDED = (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.LOST, ExecutionStatus.STOPPED)


def check_rows(folder: Path, trials: int) -> list[Execution]:
    """Every trial is recorded once and completed, was executed again only for a reason, and counters agree with rows."""
    store = tw.open_store(store_of(folder))
    job = tw.job(NAME, store=store)
    rows = [*store.read(Trials(NAME))]
    executions = [*store.read(Executions(NAME))]
    store_counts = job.record.state.counts
    assert [row.number for row in rows] == list(range(trials))
    assert all(row.status is Status.COMPLETED for row in rows), Counter(row.status for row in rows)
    assert job.status is Status.COMPLETED
    assert (store_counts.completed, store_counts.total) == (trials, trials)
    by_trial: dict[int, list[Execution]] = {number: [] for number in range(trials)}
    for execution in executions:
        by_trial[execution.trial].append(execution)
    for row in rows:
        launches = by_trial[row.number]
        assert [e.number for e in launches] == list(range(1, len(launches) + 1)) == list(range(1, row.executions + 1))
        assert launches[0].purpose is Purpose.SEARCH
        assert [e.status for e in launches].count(ExecutionStatus.COMPLETED) == 1
        assert launches[-1].status is ExecutionStatus.COMPLETED
        for before, after in itertools.pairwise(launches):
            again = Purpose.RETRY if before.status is ExecutionStatus.FAILED else Purpose.CONTINUE
            assert before.status in (ExecutionStatus.FAILED, ExecutionStatus.LOST)
            assert after.purpose is again
        assert row.objective == row.params["x"]
    assert len({e.token for e in executions}) == len(executions)
    _check_reports(store, executions)
    _check_events(store, job.record.event)
    return executions


def _check_reports(store: tw.Store, executions: list[Execution]) -> None:
    """A completed execution's reports are all there, each once."""
    seen = Counter((point.trial, point.execution, point.step) for point in store.read(Points(NAME)))
    assert max(seen.values()) == 1
    for execution in executions:
        steps = [step for trial, number, step in seen if (trial, number) == (execution.trial, execution.number)]
        assert execution.reports == len(steps)
        if execution.status is ExecutionStatus.COMPLETED:
            assert sorted(steps) == [1, 2, 3]


def _check_events(store: tw.Store, last: int) -> None:
    numbers = [event.number for event in store.read(Events(NAME))]
    assert numbers == list(range(1, last + 1))


def check_witness(folder: Path, executions: list[Execution]) -> None:
    """What training code saw agrees with what was recorded: nothing was launched twice under one number."""
    lines = [line.split() for line in (folder / "witness").read_text().splitlines()]
    begun = Counter((int(trial), int(number)) for word, trial, number in lines if word == "begin")
    ended = Counter((int(trial), int(number)) for word, trial, number in lines if word == "end")
    assert max(begun.values()) == 1
    assert max(ended.values()) == 1
    for execution in executions:
        key = execution.trial, execution.number
        if execution.status is ExecutionStatus.COMPLETED:
            assert ended[key] == 1, f"execution {key} is recorded as completed"
    recorded = {(execution.trial, execution.number) for execution in executions}
    assert set(begun) <= recorded


def check_no_process_left(folder: Path, patience: float = 10.0) -> None:
    """Nothing that worked for this folder runs any more."""
    end = time.monotonic() + patience
    while left := _working_for(folder):
        assert time.monotonic() < end, f"still there: {left}"
        time.sleep(0.1)


def _working_for(folder: Path) -> list[str]:
    found = []
    for mark, process in marked(lambda mark: True):
        try:
            if str(folder) in " ".join(process.cmdline()) or str(folder) in process.environ().get("PWD", ""):
                found.append(f"{process.pid} ({mark})")
        except psutil.Error:
            continue
    return found
