"""Ask and tell: the search without the running. The caller executes trials, in whatever way, and tells what came out."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple, overload

from tunewright.engine.book import Book, Live
from tunewright.engine.commands import Commands
from tunewright.engine.journal import Journal
from tunewright.engine.launching import Launcher
from tunewright.engine.lease import LeaseKeeper
from tunewright.engine.listener import Silent
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.recovery import recover
from tunewright.errors import InvalidInput, JobChanged, JobExists, SearchFinished
from tunewright.history import Ledger
from tunewright.interfaces import Checkpointed, Exited, Failure, Fence, Halt, New, Reported, Store
from tunewright.lifecycle.job import Job, StoredTrial
from tunewright.lifecycle.naming import check_name, free_name
from tunewright.lifecycle.outside import OVERDUE, Outside
from tunewright.lifecycle.request import choose, make_request
from tunewright.lifecycle.running import SystemClock, claim, stored_job
from tunewright.objective import Objective
from tunewright.queries import Jobs, Trials
from tunewright.records import TERMINAL, CommandHandled, FailureKind, Report, SpecChange, Status, TuningJob
from tunewright.report import as_number
from tunewright.resources import seconds
from tunewright.space import SearchSpace
from tunewright.spec import JobSpec, at_least
from tunewright.store import open_store


@dataclass(slots=True)
class AskedTrial:
    """A configuration to execute.

    `params` are as training code takes them (objects in place of labels); `step` is the last step that the trial has done: 0
    when it is new, more when a paused one goes on or when it has reported; `fidelity` is the full training's last step, None
    when there is none.
    """

    number: int
    params: dict[str, Any]
    seed: int
    step: int
    fidelity: float | None
    token: str


class Verdict(NamedTuple):
    """What becomes of a reporting trial: `action` is "continue", "pause" or "stop". After pause and stop it is out of the
    caller's hands.
    """

    action: str
    reason: str


class Tuner:
    """Proposes configurations and learns from what is told of them.

    In memory, unless a store is given: then the search survives its process, and a Tuner of the same name goes on with it.
    Not for several threads at once.

    Args:
        space: what may vary: a SearchSpace, or a dict of parameters.
        metric, goal: what is told; the metric's name may be left out when the goal is given.
        objective: an Objective or a list of them, in place of metric and goal.
        strategy, stopper, max_step, fixed, seed: as for `tune`.
        max_trials: after that many, `ask` raises SearchFinished; None: no such limit.
        store: a path or address, or a Store; None: in memory.
        name: the job's name in the store; None makes one.
        lease: how long an asked trial may go untold before it is released, in a store that outlives this process.

    Raises:
        InvalidInput: an argument breaks its rule. JobTaken: another living process has the job of that name.
        JobChanged: the stored job has another space, metric or goal.
    """

    def __init__(
        self,
        space: SearchSpace | Mapping[str, Any],
        *,
        metric: str | None = None,
        goal: str | None = None,
        objective: Objective | Sequence[Objective] | None = None,
        strategy: object = "auto",
        stopper: object = "auto",
        max_trials: int | None = None,
        max_step: int | None = None,
        fixed: Mapping[str, Any] | None = None,
        seed: int | None = None,
        store: str | Store | None = None,
        name: str | None = None,
        lease: float | str | timedelta = "10m",
    ) -> None:
        if metric is None and objective is None:
            if goal is None:
                raise InvalidInput("goal", "must be given, 'minimize' or 'maximize', when no metric is named")
            metric = "objective"
        clock, lasts = SystemClock(), seconds("lease", lease)
        spec = make_request(
            None, space, metric=metric, goal=goal, objective=objective, strategy=strategy, stopper=stopper,
            max_trials=max_trials, max_step=max_step, fixed=fixed, seed=seed, executor=Outside(clock, None), limited=False,
        ).spec  # fmt: skip
        self._store = open_store("memory" if store is None else store)
        name = _made(self._store, name, spec)
        fence = claim(self._store, name, spec.lease)
        try:
            record = stored_job(self._store, name)
            self._spec = spec = replace(spec, seed=int(record.spec["seed"]))
            self._job = Job(self._store, name)
            self._outside = Outside(clock, None if self._store.location is None else lasts)
            journal = Journal(self._store, fence, clock, record.event)
            ledger = Ledger(spec.space, spec.objectives)
            self._book = book = Book(spec, record.state, journal, ledger, clock, Silent(), str(self._job.folder))
            chosen, chosen_stopper = choose(spec, strategy, stopper)
            self._outcomes = Outcomes(name, book, self._outside, self._store, chosen_stopper, 0.0)
            self._commands = Commands(name, spec.space, self._store)
            self._launcher = Launcher(name, book, self._outcomes, self._commands, self._store, chosen, chosen_stopper)
            recover(name, book, self._store, self._outside, self._outcomes)
            self._begin(record)
        except BaseException:
            self._store.release(fence)
            raise
        self.close = _closer(self, self._store, fence)

    def _begin(self, record: TuningJob) -> None:
        self._go_on()
        if (stored := self._spec.to_json()) != record.spec:
            self._book.journal.put(SpecChange(stored))
        self._book.commit()

    def _go_on(self) -> None:
        """The job is in progress, again when it had ended."""
        state = self._book.state
        if state.status is not Status.IN_PROGRESS:
            started = state.started or self._book.clock.now()
            self._book.set_state(Status.IN_PROGRESS, reason_code=None, reason=None, started=started, ended=None)

    # --- asking ---

    @overload
    def ask(self) -> AskedTrial: ...

    @overload
    def ask(self, n: int) -> list[AskedTrial]: ...

    def ask(self, n: int | None = None) -> AskedTrial | list[AskedTrial]:
        """The next configuration to execute; with `n`, a list of at most `n`. Never blocks.

        Raises:
            SearchFinished: nothing is left, or, without `n`, nothing before a pending trial is told. With `n` the list is
                empty then.
        """
        if n is not None:
            at_least("n", n, 1)
        self._take_commands()
        for live in [*self._book.live.values()]:
            if self._outside.overdue(live.execution):
                self._release(live, OVERDUE)
        opened = self._launcher.next(n or 1)
        if opened:
            self._go_on()
        self._book.commit()
        if not opened:
            reason = self._finished()
            if n is None or not self._book.live:
                raise SearchFinished(reason)
        asked = [self._asked(live) for live in opened]
        return asked[0] if n is None else asked

    def _finished(self) -> str:
        """Why nothing can be asked. A search with nothing pending is over then, and stored so."""
        book = self._book
        code, reason = self._launcher.over() or ("waits", "a trial was released")
        if book.live:
            return f"nothing to propose before a pending trial is told: {reason}" if code == "waits" else reason
        if code == "waits":
            code, reason = "exhausted", f"the strategy waits, but no trial is pending: {reason}"
        if book.state.status is Status.IN_PROGRESS:
            status = Status.COMPLETED if book.counts[Status.COMPLETED] else Status.FAILED
            book.set_state(status, reason_code=code, reason=reason, ended=book.clock.now())
            book.commit()
        return reason

    def _asked(self, live: Live) -> AskedTrial:
        launch = self._book.launch_of(live)
        trial, execution = launch.trial, launch.execution
        params = self._spec.space.realize(trial.params)
        return AskedTrial(trial.number, params, trial.seed, execution.from_step, execution.fidelity, execution.token)

    def _take_commands(self) -> None:
        """Carries out what people left for this job in its store: configurations to try. There is nothing else to obey."""
        for command, wrong in self._commands.new():
            answer = f"refused: {wrong}" if wrong else f"refused: {command.kind} is up to whoever asks and tells"
            self._book.journal.put(CommandHandled(command.id, answer))

    # --- telling ---

    def tell(
        self, trial: AskedTrial | int, value: float | Mapping[str, float] | None = None, *, failed: str | None = None
    ) -> None:
        """What came out of a trial: the objective as a number, or metrics by name, or why it failed.

        Telling the same again does nothing. A value that isn't finite makes the trial a failed one.
        A trial that was released may be told as long as nobody has asked it again.

        Raises:
            InvalidInput: the trial was told something else before, was never asked, or neither or both were given; or an
                objective has no value, and then the trial stays pending.
        """
        if (value is None) == (failed is None):
            raise InvalidInput("value", "must be given, or failed= with the reason, and not both")
        if failed is not None and (not isinstance(failed, str) or not failed):
            raise InvalidInput("failed", "must be the reason, as text", failed)
        returned = None if value is None else self._told(value)
        live = self._live(trial) or self._taken_back(trial)
        if live is None:
            self._compare(trial, returned, failed)
            return
        if returned is not None:
            self._check_whole({**live.seen.metrics, **returned})
        now, token = self._book.clock.now(), live.token
        if failed is not None:
            self._outcomes.handle(Exited(token, "failed", now, failure=Failure(FailureKind.CRASH, failed)))
        else:
            self._outcomes.handle(Exited(token, "completed", now, returned))
        self._commit(token)

    def report(
        self, trial: AskedTrial | int, *, step: int, value: float | None = None, metrics: Mapping[str, float] | None = None
    ) -> Verdict:
        """A value on the way, and what becomes of the trial.

        At `max_step` the answer is "stop" and the trial is completed.

        Raises:
            InvalidInput: the trial isn't pending, or the step or value breaks its rule.
        """
        at_least("step", step, 1)
        if (value is None) == (metrics is None):
            raise InvalidInput("value", "must be given, or metrics=, and not both")
        told = self._told(value if value is not None else metrics)
        live = self._asked_last(trial)
        if step <= live.seen.step:
            raise InvalidInput("step", f"must be after step {live.seen.step}, the last one", step)
        now, token = self._book.clock.now(), live.token
        last = self._spec.max_step is not None and step >= self._spec.max_step
        if last:
            live.until = None  # what has come to its end isn't judged any more
        elif live.until is not None and step >= live.until:  # whoever asks can go on from here: that is a checkpoint
            self._outcomes.handle(Checkpointed(token, step, "", now))
        self._outcomes.handle(Reported(token, live.reports, (Report(step, told, now),)))
        if isinstance(trial, AskedTrial):
            trial.step = step
        order = self._outside.orders.get(token)
        verdict = Verdict("continue", "")
        if last:
            self._outcomes.handle(Exited(token, "completed", now))
            verdict = Verdict("stop", f"max_step {self._spec.max_step} was reached")
        elif isinstance(order, Halt):
            self._outcomes.handle(Exited(token, "paused" if order.action == "pause" else "stopped", now))
            verdict = Verdict(order.action, order.reason)
        self._commit(token)
        return verdict

    def add(self, params: Mapping[str, Any], value: float | Mapping[str, float]) -> AskedTrial:
        """A result that was never asked for. Raises InvalidInput when the configuration isn't one of the space."""
        told = self._told(value)
        self._check_whole(told)
        live = self._book.open_trial(New(self._spec.space.validate(params), "added"))
        self._go_on()
        asked = self._asked(live)
        self._outcomes.handle(Exited(live.token, "completed", self._book.clock.now(), told))
        self._commit(live.token)
        return asked

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Has a configuration asked before anything that the strategy proposes. Raises InvalidInput."""
        self._job.enqueue(params)

    def release(self, trial: AskedTrial | int) -> None:
        """Gives a pending trial back: the next `ask` hands it out again. Raises InvalidInput when it isn't pending."""
        live = self._asked_last(trial)
        self._release(live, Failure(FailureKind.LOST, "released"))
        self._commit(live.token)

    # --- results ---

    @property
    def best(self) -> StoredTrial:
        """The best completed trial. Raises NotFound when there is none."""
        return self._job.best

    @property
    def trials(self) -> Sequence[StoredTrial]:
        """All trials, by number."""
        return self._job.trials

    @property
    def job(self) -> Job:
        """The search as a job of its store."""
        return self._job

    # --- pending trials ---

    def _live(self, trial: AskedTrial | int) -> Live | None:
        """The pending execution of a trial, whoever asked it last."""
        number = _number(trial)
        return next((live for live in self._book.live.values() if live.number == number), None)

    def _asked_last(self, trial: AskedTrial | int) -> Live:
        """The pending execution of a trial, if this is it. Raises InvalidInput."""
        live = self._live(trial)
        if live is None or (isinstance(trial, AskedTrial) and trial.token != live.token):
            raise InvalidInput("trial", "must be pending; it was told, released, stopped or never asked", _number(trial))
        return live

    def _taken_back(self, trial: AskedTrial | int) -> Live | None:
        """A new execution of a trial that was released and that nobody has asked again."""
        for waiting in self._book.waiting:
            if waiting[0] == _number(trial):
                self._book.waiting.remove(waiting)
                return self._launcher.take_up(*waiting)
        return None

    def _compare(self, trial: AskedTrial | int, told: dict[str, float] | None, failed: str | None) -> None:
        """Accepts what was told before, refuses anything else."""
        number = _number(trial)
        for record in self._store.read(Trials(self._job.name, numbers=(number,))):
            if failed is not None and record.status is Status.FAILED and record.reason == failed:
                return
            if told is not None and all(_same(record.metrics.get(name), value) for name, value in told.items()):
                return
            rule = f"was told already and is {record.status.value}" if record.status in TERMINAL else "must be pending"
            raise InvalidInput(f"trial {number}", rule, failed if told is None else told)
        raise InvalidInput("trial", "must be one that was asked", number)

    def _release(self, live: Live, why: Failure) -> None:
        self._outcomes.handle(Exited(live.token, "released", self._book.clock.now(), failure=why))

    def _commit(self, token: str) -> None:
        """Stores what a call did; an execution that has ended needs its orders no more."""
        self._book.commit()
        if token not in self._book.live:
            self._outside.orders.pop(token, None)

    def _check_whole(self, told: Mapping[str, float]) -> None:
        """Checks that every objective has a value. Raises InvalidInput."""
        missing = [o.metric for o in self._spec.objectives if o.metric not in told]
        if missing:
            raise InvalidInput("value", f"must hold the metric {missing[0]!r}", dict(told))

    def _told(self, value: Any) -> dict[str, float]:
        """Metrics by name, as numbers. Raises InvalidInput."""
        objectives = self._spec.objectives
        if not isinstance(value, Mapping):
            if len(objectives) > 1:
                raise InvalidInput("value", f"must hold all of {[o.metric for o in objectives]} by name", value)
            value = {objectives[0].metric: value}
        told = {}
        for name, number in value.items():
            if not isinstance(name, str) or not name:
                raise InvalidInput("value", "must be a number, or numbers by the names of metrics", value)
            try:
                told[name] = as_number(name, number)
            except ValueError:
                raise InvalidInput(f"value of {name!r}", "must be a number", number) from None
        return told

    def __enter__(self) -> Tuner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _made(store: Store, name: str | None, spec: JobSpec) -> str:
    """The name of the job in the store, made when it is new. Raises JobChanged when it is another search."""
    if name is not None:
        check_name(name)
    while True:
        for job in store.read(Jobs(names=(name,))) if name is not None else ():
            if changed := spec.differences(job.spec):
                lines = "\n    ".join(changed)
                raise JobChanged("name", f"must keep the space, metric and goal of job {name!r}:\n    {lines}")
            return job.name
        chosen = name or free_name("tuner", {job.name for job in store.read(Jobs())})
        try:
            store.create(TuningJob(chosen, spec.to_json()))
        except JobExists:  # another process was quicker
            continue
        return chosen


def _closer(tuner: Tuner, store: Store, fence: Fence) -> Callable[[], object]:
    """Gives the job up when called, or when the tuner is gone; until then a stored job's lease is renewed."""
    keeper = LeaseKeeper(store, fence)
    if store.location is not None:
        keeper.start()

    def close() -> None:
        keeper.stop()
        store.release(fence)

    return weakref.finalize(tuner, close)


def _same(one: float | None, other: float) -> bool:
    return one is not None and (one == other or (math.isnan(one) and math.isnan(other)))


def _number(trial: AskedTrial | int) -> int:
    return trial.number if isinstance(trial, AskedTrial) else trial
