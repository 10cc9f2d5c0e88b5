"""Ask and tell: the search without the running. The caller executes trials, in whatever way, and tells what came out."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, overload

from tunewright.engine.book import Book, Live
from tunewright.engine.journal import Journal
from tunewright.engine.lease import LeaseKeeper
from tunewright.engine.listener import Silent
from tunewright.engine.outcomes import Outcomes
from tunewright.engine.recovery import last_checkpoint, recover, seen_before
from tunewright.errors import InvalidInput, SearchFinished
from tunewright.history import Ledger
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Continue,
    Dead,
    ExecutorEvent,
    Exhausted,
    Exited,
    Failure,
    Halt,
    Launch,
    Measure,
    New,
    Order,
    Reported,
    Store,
    Wait,
)
from tunewright.lifecycle.job import Job, StoredTrial
from tunewright.lifecycle.naming import check_name, free_name
from tunewright.lifecycle.request import make_request
from tunewright.lifecycle.running import SystemClock, claim, stored_job
from tunewright.objective import Objective
from tunewright.queries import Jobs, Trials
from tunewright.records import FailureKind, Purpose, Report, Status, TuningJob, changed
from tunewright.resources import seconds
from tunewright.space import SearchSpace
from tunewright.spec import at_least


class AskedTrial(NamedTuple):
    """A configuration to execute.

    `params` are as training code takes them (objects in place of labels); `step` is the last step that the trial has done: 0
    when it is new, more when a paused one goes on; `fidelity` is the full training's last step, None when there is none.
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
        stopper: object = None,
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
        request = make_request(
            None, space, metric=metric, goal=goal, objective=objective, strategy=strategy, stopper=stopper,
            max_trials=max_trials, max_step=max_step, fixed=fixed, seed=seed, executor=_Outside(), limited=False,
        )  # fmt: skip
        self._spec, self._strategy, self._stopper = request.spec, request.strategy, request.stopper
        self._lease = seconds("lease", lease)
        self._outside = _Outside(self._lease)
        self._store, record = _stored(store, name, request.spec)
        self._job = Job(self._store, record.name)
        fence = claim(self._store, record.name, self._spec.lease)
        record = stored_job(self._store, record.name)
        clock = SystemClock()
        journal = Journal(self._store, fence, clock, record.event)
        ledger = Ledger(self._spec.space, self._spec.objectives)
        folder = f"{self._store.folder}/jobs/{record.name}"
        self._book = Book(self._spec, record.state, journal, ledger, clock, Silent(), folder)
        self._outcomes = Outcomes(record.name, self._book, self._outside, self._store, self._stopper, 0.0)
        self._queue: list[New] = []
        recover(record.name, self._book, self._store, self._outside, self._outcomes.handle)
        self._book.set_state(Status.IN_PROGRESS, reason_code=None, reason=None, started=record.state.started or clock.now())
        self._book.commit()
        self.close = _closer(self, self._store, fence)

    # --- asking ---

    @overload
    def ask(self) -> AskedTrial: ...

    @overload
    def ask(self, n: int) -> list[AskedTrial]: ...

    def ask(self, n: int | None = None) -> AskedTrial | list[AskedTrial]:
        """The next configuration to execute; with `n`, a list of at most `n`. Never blocks.

        Raises:
            SearchFinished: nothing is left, or, without `n`, nothing before a pending trial is told.
        """
        if n is not None:
            at_least("n", n, 1)
        self._release_overdue()
        found: list[AskedTrial] = []
        reason = ""
        while len(found) < (n or 1):
            launches = self._next((n or 1) - len(found))
            if isinstance(launches, str):
                reason = launches
                break
            self._book.commit()
            found += [self._asked(launch) for launch in launches]
        if not found and (n is None or not self._book.live):
            raise SearchFinished(reason)
        return found if n is not None else found[0]

    def _next(self, n: int) -> list[Launch] | str:
        """At most `n` launches, or why there are none."""
        book, limit = self._book, self._spec.limits.max_trials
        if book.waiting:
            number, purpose = book.waiting.popleft()
            return [self._again(number, purpose, None)]
        if limit is not None:
            n = min(n, limit - book.total)
            if n <= 0:
                return f"all {limit} trials were made"
        if self._queue:
            return [self._open(self._queue.pop(0))]
        answer = self._strategy.suggest(book.ledger.view(), n)
        if isinstance(answer, Exhausted):
            return answer.reason
        if isinstance(answer, Wait):
            return f"nothing to propose before a pending trial is told: {answer.reason}"
        launches = []
        for proposal in answer:
            if isinstance(proposal, Continue):
                launches.append(self._again(proposal.number, Purpose.CONTINUE, proposal.until))
            else:
                assert not isinstance(proposal, Measure), "ask and tell doesn't measure again"
                launches.append(self._open(proposal))
        return launches

    def _open(self, proposal: New) -> Launch:
        launch = self._book.open_trial(proposal)
        return self._with_until(launch) if proposal.until is None else launch

    def _again(self, number: int, purpose: Purpose, until: int | None) -> Launch:
        book, job = self._book, self._job.name
        trial = book.trials[number]
        book.commit()
        checkpoint = last_checkpoint(job, self._store, trial)
        seen = seen_before(job, book, self._store, trial, checkpoint.step if checkpoint else 0)
        launch = book.open_again(trial, purpose, until=until, seen=seen, checkpoint=checkpoint)
        return self._with_until(launch) if until is None else launch

    def _with_until(self, launch: Launch) -> Launch:
        if self._stopper is None:
            return launch
        execution = self._outcomes.set_first_until(self._book.live[launch.execution.token])
        return changed(launch, execution=execution)

    def _asked(self, launch: Launch) -> AskedTrial:
        trial, execution = launch.trial, launch.execution
        params = self._spec.space.realize(trial.params)
        return AskedTrial(trial.number, params, trial.seed, execution.from_step, execution.fidelity, execution.token)

    # --- telling ---

    def tell(
        self, trial: AskedTrial | int, value: float | Mapping[str, float] | None = None, *, failed: str | None = None
    ) -> None:
        """What came out of a trial: the objective as a number, or metrics by name, or why it failed.

        Telling the same again does nothing. A value that isn't finite, or misses an objective, makes the trial a failed one.

        Raises:
            InvalidInput: the trial was told something else before, was never asked, or neither or both were given.
        """
        if (value is None) == (failed is None):
            raise InvalidInput("value", "must be given, or failed= with the reason, and not both")
        returned = None if value is None else _told(value, self._spec.objectives)
        live = self._find(trial)
        if live is None:
            self._compare(trial, returned, failed)
            return
        now, token = self._book.clock.now(), live.execution.token
        if failed is not None:
            failure = Failure(FailureKind.CRASH, failed)
            self._outcomes.handle(Exited(token, "failed", now, failure=failure))
        else:
            self._outcomes.handle(Exited(token, "completed", now, returned))
        self._book.commit()

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
        told = _told(value if value is not None else metrics, self._spec.objectives)  # type: ignore[arg-type]
        live = self._find(trial)
        if live is None:
            raise InvalidInput("trial", "must be pending; it was told, released, stopped or never asked", _number(trial))
        now, token, until = self._book.clock.now(), live.execution.token, live.execution.until_step
        if until is not None and step >= until:  # whoever asks can go on from here: that is a checkpoint
            self._outcomes.handle(Checkpointed(token, step, "", now))
        self._outcomes.handle(Reported(token, live.reports, (Report(step, told, now),)))
        order = self._outside.orders.pop(token, None)
        verdict = Verdict("continue", "")
        if isinstance(order, Halt):
            outcome = "paused" if order.action == "pause" else "stopped"
            self._outcomes.handle(Exited(token, outcome, now))
            verdict = Verdict(order.action, order.reason)
        elif self._spec.max_step is not None and step >= self._spec.max_step:
            self._outcomes.handle(Exited(token, "completed", now))
            verdict = Verdict("stop", f"max_step {self._spec.max_step} was reached")
        self._book.commit()
        return verdict

    def add(self, params: Mapping[str, Any], value: float | Mapping[str, float]) -> AskedTrial:
        """A result that was never asked for. Raises InvalidInput when the configuration isn't one of the space."""
        told = _told(value, self._spec.objectives)
        launch = self._book.open_trial(New(self._spec.space.validate(params), "added"))
        asked = self._asked(launch)
        self.tell(asked, told)
        return asked

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Has a configuration asked before anything that the strategy proposes. Raises InvalidInput."""
        self._queue.append(New(self._spec.space.validate(params), "enqueued"))

    def release(self, trial: AskedTrial | int) -> None:
        """Gives a pending trial back: the next `ask` hands it out again. Raises InvalidInput when it isn't pending."""
        live = self._find(trial)
        if live is None:
            raise InvalidInput("trial", "must be pending", _number(trial))
        self._release(live, "released")
        self._book.commit()

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

    def _find(self, trial: AskedTrial | int) -> Live | None:
        if isinstance(trial, AskedTrial) and trial.token in self._book.live:
            return self._book.live[trial.token]
        number = _number(trial)
        return next((live for live in self._book.live.values() if live.trial.number == number), None)

    def _compare(self, trial: AskedTrial | int, told: dict[str, float] | None, failed: str | None) -> None:
        """Accepts what was told before, refuses anything else."""
        number = _number(trial)
        for record in self._store.read(Trials(self._job.name, numbers=(number,))):
            if failed is not None and record.status is Status.FAILED and record.reason == failed:
                return
            if told is not None and all(_same(record.metrics.get(name), value) for name, value in told.items()):
                return
            rule = f"was told already and is {record.status.value}"
            raise InvalidInput(f"trial {number}", rule, failed if told is None else told)
        raise InvalidInput("trial", "must be one that was asked", number)

    def _release(self, live: Live, why: str) -> None:
        token, now = live.execution.token, self._book.clock.now()
        self._outcomes.handle(Exited(token, "lost", now, failure=Failure(FailureKind.LOST, why)))

    def _release_overdue(self) -> None:
        """In a store that others see, an asked trial that nobody tells of is handed out again."""
        if self._store.location is None:
            return
        now = self._book.clock.now()
        for live in [*self._book.live.values()]:
            if (live.execution.started or now) + self._lease < now:
                self._release(live, "released: it was not told within its lease")

    def __enter__(self) -> Tuner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Outside:
    """The executor of ask and tell: the caller. It keeps the orders for the report that is being answered."""

    slots = 1

    def __init__(self, lease: float = 0.0) -> None:
        self.orders: dict[str, Order] = {}
        self._lease = lease

    def launch(self, launch: Launch) -> None:
        raise AssertionError("ask and tell launches nothing")

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        raise AssertionError("ask and tell polls nothing")

    def order(self, token: str, order: Order) -> None:
        self.orders[token] = order

    def adopt(self, launch: Launch) -> Adopted | Dead:
        """A trial asked by an earlier process is still pending while its lease lasts."""
        execution, now = launch.execution, SystemClock.now()
        if (execution.started or 0.0) + self._lease >= now:
            return Adopted()
        failure = Failure(FailureKind.LOST, "released: it was not told within its lease")
        return Dead((Exited(execution.token, "lost", now, failure=failure),))

    def close(self) -> None:
        pass


def _stored(store: str | Store | None, name: str | None, spec: Any) -> tuple[Store, TuningJob]:
    """The store and the job in it, made when it is new."""
    from tunewright.errors import JobChanged
    from tunewright.store import open_store

    opened = open_store("memory" if store is None else store)
    if name is not None:
        check_name(name)
        for job in opened.read(Jobs(names=(name,))):
            changed = spec.differences(job.spec)
            if changed:
                lines = "\n    ".join(changed)
                raise JobChanged("name", f"must keep the space, metric and goal of job {name!r}:\n    {lines}")
            return opened, job
    taken = {job.name for job in opened.read(Jobs())}
    job = TuningJob(name or free_name("tuner", taken), spec.to_json())
    opened.create(job)
    return opened, job


def _closer(tuner: Tuner, store: Store, fence: Any) -> Callable[[], object]:
    """Gives the job up when called, or when the tuner is gone; until then a stored job's lease is renewed."""
    keeper = LeaseKeeper(store, fence)
    if store.location is not None:
        keeper.start()

    def close() -> None:
        keeper.stop()
        store.release(fence)

    return weakref.finalize(tuner, close)


def _told(value: float | Mapping[str, float], objectives: Sequence[Objective]) -> dict[str, float]:
    """Metrics by name, as numbers. Raises InvalidInput."""
    given = value if isinstance(value, Mapping) else {objectives[0].metric: value}
    if not isinstance(value, Mapping) and len(objectives) > 1:
        raise InvalidInput("value", f"must hold all of {[o.metric for o in objectives]} by name", value)
    told = {}
    for name, number in given.items():
        try:
            told[name] = float(number)
        except (TypeError, ValueError):
            raise InvalidInput(f"value of {name!r}", "must be a number", number) from None
    return told


def _same(one: float | None, other: float) -> bool:
    return one is not None and (one == other or (math.isnan(one) and math.isnan(other)))


def _number(trial: AskedTrial | int) -> int:
    return trial.number if isinstance(trial, AskedTrial) else trial
