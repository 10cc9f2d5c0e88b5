"""Stores against a model that remembers every change and derives each answer from all of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tunewright.errors import InvalidInput, JobExists, LeaseLost, NotFound
from tunewright.interfaces import Fence, Store
from tunewright.queries import (
    AllSeries,
    Checkpoints,
    Commands,
    Decisions,
    Events,
    Executions,
    Jobs,
    Point,
    Points,
    Series,
    Trials,
)
from tunewright.records import (
    Action,
    Change,
    Checkpoint,
    Command,
    CommandHandled,
    Counts,
    Decision,
    Execution,
    ExecutionStatus,
    JobState,
    Report,
    Reports,
    SpecChange,
    Status,
    Trial,
    TuningJob,
    Wanted,
)
from tunewright.store.memory import MemoryStore
from tunewright.store.sql.store import open_sqlite

# --- what is written ---

NAMES = st.sampled_from(["a", "b"])
OWNERS = st.sampled_from(["x", "y"])
TRIALS = st.sampled_from([0, 0, 1, 1, 2])
NUMBERS = st.sampled_from([1, 1, 1, 2])
STEPS = st.integers(0, 9)
TIMES = st.floats(1, 2**31)
FLOATS = st.floats().map(lambda value: value + 0.0)  # no -0.0: a database may drop the sign of a zero
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)  # PostgreSQL takes no \0
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXTS
METRICS = st.dictionaries(st.sampled_from(["loss", "auc", "é"]), FLOATS, max_size=2)
OBJECTIVES = st.none() | st.lists(FLOATS, min_size=1, max_size=2).map(tuple)

TRIAL = st.builds(
    Trial,
    number=TRIALS,
    params=st.dictionaries(TEXTS, SCALARS, max_size=3),
    seed=st.integers(0, 2**63 - 1),
    origin=TEXTS,
    status=st.sampled_from(Status),
    reason=st.none() | TEXTS,
    objectives=OBJECTIVES,
    metrics=METRICS,
    feasible=st.booleans(),
    step=STEPS,
    ended=st.none() | TIMES,
)
EXECUTION = st.builds(
    Execution,
    trial=TRIALS,
    number=NUMBERS,
    token=TEXTS,
    fidelity=st.none() | st.floats(0, 1),
    status=st.sampled_from(ExecutionStatus),
    objectives=OBJECTIVES,
    reports=STEPS,
    charged=st.booleans(),
)
REPORTS = st.builds(
    Reports,
    trial=TRIALS,
    execution=NUMBERS,
    first=st.just(0) | st.integers(0, 4),
    reports=st.lists(st.builds(Report, step=STEPS, metrics=METRICS, at=TIMES), max_size=4),
)
CHECKPOINT = st.builds(Checkpoint, trial=TRIALS, execution=NUMBERS, step=STEPS, path=TEXTS, at=TIMES)
DECISION = st.builds(
    Decision, action=st.sampled_from(Action), reason=TEXTS.filter(bool), trial=st.just(-1) | TRIALS, step=STEPS, at=TIMES
)
HANDLED = st.builds(CommandHandled, id=st.integers(1, 3), answer=TEXTS)
STATE = st.builds(
    JobState,
    status=st.sampled_from(Status),
    counts=st.builds(Counts, pending=STEPS, failed=STEPS),
    best_objectives=OBJECTIVES,
    elapsed=TIMES,
)
SPEC = st.builds(SpecChange, spec=st.dictionaries(TEXTS, SCALARS, max_size=2))
CHANGES = st.lists(TRIAL | EXECUTION | REPORTS | CHECKPOINT | DECISION | HANDLED | STATE | SPEC, max_size=4)

# --- the model ---


@dataclass
class Model:
    """A job as a list of everything that was committed, and how queries follow from it."""

    job: TuningJob
    changes: list[tuple[int, Change]] = field(default_factory=list)  # with their event numbers
    commands: list[Command] = field(default_factory=list)
    lease_lasts: bool = False

    def problem(self, changes: Sequence[Change]) -> type[Exception] | None:
        """The error that a commit of these must raise; of two it may be either, and NotFound is an InvalidInput."""
        every = [change for _, change in self.changes] + list(changes)
        trials = {-1} | {change.number for change in every if isinstance(change, Trial)}
        executions = {(change.trial, change.number) for change in every if isinstance(change, Execution)}
        commands = {command.id for command in self.commands}
        held = {key: self.held(*key) for key in executions}
        kinds: set[type[Exception]] = set()
        for change in changes:
            lacks_trial = isinstance(change, (Execution, Reports, Checkpoint, Decision)) and change.trial not in trials
            if lacks_trial or (isinstance(change, CommandHandled) and change.id not in commands):
                kinds.add(NotFound)
            elif isinstance(change, Reports):
                key = (change.trial, change.execution)
                if key not in executions:
                    kinds.add(NotFound)
                elif change.first > held[key]:
                    kinds.add(InvalidInput)
                else:
                    held[key] = max(held[key], change.first + len(change.reports))
        return None if not kinds else kinds.pop() if len(kinds) == 1 else InvalidInput

    def commit(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self.job = replace(self.job, event=self.job.event + 1)
            self.changes.append((self.job.event, change))
            if isinstance(change, JobState):
                self.job = replace(self.job, state=change)
            elif isinstance(change, SpecChange):
                self.job = replace(self.job, spec=change.spec)
            elif isinstance(change, CommandHandled):
                self.commands = [
                    replace(command, handled=True, answer=change.answer) if command.id == change.id else command
                    for command in self.commands
                ]

    def of(self, kind: type) -> list[Any]:
        return [change for _, change in self.changes if isinstance(change, kind)]

    def held(self, trial: int, execution: int) -> int:
        return len(self.reports(trial, execution))

    def reports(self, trial: int, execution: int) -> list[Report]:
        """The reports of an execution, each position once."""
        found: list[Report] = []
        for change in self.of(Reports):
            if (change.trial, change.execution) == (trial, execution):
                found += change.reports[len(found) - change.first :]
        return found

    def trials(self, since: int = 0) -> list[Trial]:
        last = {trial.number: (event, trial) for event, trial in self.changes if isinstance(trial, Trial)}
        return [trial for _, (event, trial) in sorted(last.items()) if event > since]

    def executions(self) -> list[Execution]:
        last = {(execution.trial, execution.number): execution for execution in self.of(Execution)}
        return [replace(execution, reports=self.held(*key)) for key, execution in sorted(last.items())]

    def points(self) -> list[Point]:
        return [
            Point(execution.trial, execution.number, metric, report.step, report.metrics[metric], report.at)
            for execution in self.executions()
            for metric in sorted(
                {metric for report in self.reports(execution.trial, execution.number) for metric in report.metrics}
            )
            for report in self.reports(execution.trial, execution.number)
            if metric in report.metrics
        ]

    def series(self) -> list[Series]:
        """From the values in the order in which they were stored, over all executions of a trial."""
        stored: dict[tuple[int, str], list[tuple[int, float]]] = {}
        held: dict[tuple[int, int], int] = {}
        for change in self.of(Reports):
            key = (change.trial, change.execution)
            for report in change.reports[held.get(key, 0) - change.first :]:
                held[key] = held.get(key, 0) + 1
                for metric, value in report.metrics.items():
                    stored.setdefault((change.trial, metric), []).append((report.step, value))
        answer = []
        for (trial, metric), values in sorted(stored.items()):
            known = [value for _, value in values if value == value] or [float("nan")]
            answer.append(Series(trial, metric, len(values), values[-1][1], min(known), max(known), values[-1][0]))
        return answer

    def checkpoints(self) -> list[Checkpoint]:
        last: dict[Any, Checkpoint] = {}
        for checkpoint in self.of(Checkpoint):
            last[checkpoint.trial, checkpoint.execution, checkpoint.step] = checkpoint
        return sorted(last.values(), key=lambda checkpoint: checkpoint.trial)


# --- both, side by side ---


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to the model, and looks at everything after each step."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, Model] = {}
        self.fences: list[Fence] = []

    @initialize()
    def begin(self) -> None:
        """A job with two trials, for the rest to be about."""
        self.create("a", {}, Wanted.RUN)
        self.take("a", "x", lasting=True, evict=None)
        begun: list[Change] = [Trial(0, {"x": 1}, 0), Trial(1, {"x": 2}, 1)]
        self.write(self.fences[0], [*begun, Execution(0, 1, "token-0"), Execution(1, 1, "token-1")])

    @rule(name=NAMES, spec=st.dictionaries(TEXTS, SCALARS, max_size=3), wanted=st.sampled_from(Wanted))
    def create(self, name: str, spec: dict[str, Any], wanted: Wanted) -> None:
        job = TuningJob(name, spec, wanted=wanted, created=1.0, folder=f"/jobs/{name}")
        if name in self.models:
            with pytest.raises(JobExists):
                self.store.create(job)
        else:
            self.store.create(job)
            self.models[name] = Model(replace(job, event=1))

    @precondition(lambda self: self.models)
    @rule(data=st.data(), owner=OWNERS, lasting=st.booleans(), evict=st.none() | OWNERS)
    def claim(self, data: st.DataObject, owner: str, lasting: bool, evict: str | None) -> None:
        self.take(data.draw(st.sampled_from(sorted(self.models))), owner, lasting=lasting, evict=evict)

    def take(self, name: str, owner: str, *, lasting: bool, evict: str | None) -> None:
        model = self.models[name]
        fence = self.store.claim(name, owner, 10_000.0 if lasting else 0.0, evict=evict)
        job = model.job
        if job.owner is not None and model.lease_lasts and job.owner != evict:
            assert fence is None
            return
        assert fence is not None
        assert fence.number > job.fence
        model.job = replace(job, owner=owner, fence=fence.number, event=job.event + 1)
        model.lease_lasts = lasting
        self.fences.append(fence)

    @precondition(lambda self: self.fences)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from(self.fences))
        self.store.release(fence)
        job = self.models[fence.job].job
        if job.owner is not None and job.fence == fence.number:
            self.models[fence.job].job = replace(job, owner=None, event=job.event + 1)

    @precondition(lambda self: self.models)
    @rule(data=st.data(), kind=st.sampled_from(["stop", "pause", "resume", "enqueue"]), payload=st.dictionaries(TEXTS, SCALARS))
    def request(self, data: st.DataObject, kind: str, payload: dict[str, Any]) -> None:
        name = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[name]
        number = self.store.request(name, Command(kind, payload, "me"))
        assert all(number > command.id for command in model.commands)
        model.commands.append(Command(kind, payload, "me", number))
        wanted = {"stop": Wanted.STOP, "pause": Wanted.PAUSE, "resume": Wanted.RUN}.get(kind, model.job.wanted)
        model.job = replace(model.job, event=model.job.event + 1, wanted=wanted)

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), changes=CHANGES)
    def commit(self, data: st.DataObject, changes: list[Change]) -> None:
        newest = {fence.job: fence for fence in self.fences}
        self.write(data.draw(st.sampled_from([*newest.values()]) | st.sampled_from(self.fences)), changes)

    @precondition(lambda self: self.fences)
    @rule(data=st.data(), reports=st.lists(REPORTS, min_size=1, max_size=3))
    def report(self, data: st.DataObject, reports: list[Reports]) -> None:
        self.write(data.draw(st.sampled_from(self.fences)), [*reports])

    def write(self, fence: Fence, changes: list[Change]) -> None:
        model = self.models[fence.job]
        if model.job.owner is None or model.job.fence != fence.number:
            with pytest.raises(LeaseLost):
                self.store.commit(changes, fence)
            return
        problem = model.problem(changes)
        if problem is not None:
            with pytest.raises(problem):
                self.store.commit(changes, fence)
            return
        last = self.store.commit(changes, fence)
        model.commit(changes)
        model.lease_lasts = fence.ttl > 0
        assert last == model.job.event

    @invariant()
    def everything_agrees(self) -> None:
        read = self.store.read
        assert [job.name for job in read(Jobs())] == [*reversed(self.models)]
        for job in read(Jobs()):
            model = self.models[job.name]
            same(replace(job, lease_until=None), model.job)
            same([*read(Trials(job.name))], model.trials())
            middle = model.job.event // 2
            same([*read(Trials(job.name, since=middle))], model.trials(middle))
            same([*read(Executions(job.name))], model.executions())
            same([*read(Points(job.name))], model.points())
            same([*read(AllSeries(job.name))], model.series())
            same([*read(Checkpoints(job.name))], model.checkpoints())
            same([*read(Decisions(job.name))], model.of(Decision))
            commands = [replace(command, at=0.0) for command in read(Commands(job.name, unhandled_only=False))]
            same(commands, model.commands)
            events = [*read(Events(job.name))]
            assert [event.number for event in events] == [*range(1, model.job.event + 1)]
            assert all(events[number - 1].kind == KINDS[type(change)] for number, change in model.changes)

    def teardown(self) -> None:
        self.store.close()


KINDS: dict[type, str] = {
    Trial: "trial",
    Execution: "execution",
    Reports: "reports",
    Checkpoint: "checkpoint",
    Decision: "decision",
    CommandHandled: "command",
    JobState: "job",
    SpecChange: "job",
}


def same(found: object, expected: object) -> None:
    """Equal to the last bit and type; NaN is NaN."""
    assert repr(found) == repr(expected)


class MemoryMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()


class SqliteMachine(StoreMachine):
    """One file for all runs would let them see each other; making the tables anew each time is slow: a copy of an empty one."""

    empty: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tunewright-test-"))
        path = self.folder / "store.db"
        shutil.copy(self.empty, path)
        self.store = open_sqlite(path)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module", autouse=True)
def _empty(tmp_path_factory: pytest.TempPathFactory) -> None:
    SqliteMachine.empty = tmp_path_factory.mktemp("empty") / "store.db"
    open_sqlite(SqliteMachine.empty).close()


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
