"""Starts jobs and takes them up again: the way from a request to a running controller, for every door."""

from __future__ import annotations

import atexit
import shutil
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tunewright.engine.listener import Listener
from tunewright.errors import InvalidInput, JobChanged, JobExists
from tunewright.interfaces import Executor, Store
from tunewright.lifecycle import saved
from tunewright.lifecycle.artifact_root import keeping, open_root, with_own_root
from tunewright.lifecycle.briefs import brief_of
from tunewright.lifecycle.channels import addresses, read_channels
from tunewright.lifecycle.folders import job_folder, new_folder
from tunewright.lifecycle.host_slots import leasing
from tunewright.lifecycle.job import Job
from tunewright.lifecycle.listeners import CallsOnTrial, OnTrial
from tunewright.lifecycle.naming import check_name, free_name
from tunewright.lifecycle.request import Request, choose
from tunewright.lifecycle.retention import retaining
from tunewright.lifecycle.running import Run, signals, stored_job
from tunewright.lifecycle.work import described, executor_of, pack, unpack
from tunewright.progress.board import Board
from tunewright.progress.opening import Progress, open_progress
from tunewright.queries import Jobs, Trials
from tunewright.records import Command, TuningJob, Wanted
from tunewright.spec import Limits

if TYPE_CHECKING:
    from tunewright.lifecycle.notices import Notices


class _Audience(NamedTuple):
    """Who hears of a job: what people see, the first in the line of listeners, and what is sent to them."""

    display: Progress
    listener: Listener
    notices: Notices | None


class Prepared:
    """A job that is in its store and ready to run in this process.

    Args:
        on_claim: called once the job is this process's, before it is read again: brings its files up to date.
    """

    def __init__(self, store: Store, name: str, request: Request, on_claim: Callable[[], None] | None = None) -> None:
        self.job, self._store, self._request = Job(store, name), store, request
        self._on_claim = on_claim or (lambda: None)

    def run(self, progress: str | bool | None, on_trial: OnTrial | None) -> Job:
        """Runs the job to its end in this thread; Ctrl-C ends it in an orderly way."""
        audience = self._audience(progress, on_trial)
        run = self._claimed(audience)
        with signals(run.interrupt, run.in_training):
            self._watch(audience, run)
        return self.job

    def start(self, progress: str | bool | None, on_trial: OnTrial | None) -> Job:
        """Runs the job in a background thread of this process."""
        audience = self._audience(progress, on_trial)
        run = self._claimed(audience)
        job = self.job

        def work() -> None:
            try:
                self._watch(audience, run)
            except BaseException as error:
                job._error = error

        def leave() -> None:
            run.interrupt()
            thread.join(timeout=30)

        thread = job._thread = threading.Thread(target=work, name=f"tunewright-{job.name}", daemon=True)
        thread.start()
        # Interpreters end daemon threads anywhere; this one is asked to leave its job in order first.
        atexit.register(leave)
        return job

    def _claimed(self, audience: _Audience) -> Run:
        def make_executor(folder: Path) -> Executor:
            request, tell = self._request, audience.display.message
            executor = request.executor
            if executor is None:

                def make(folder: Path) -> Executor:
                    return executor_of(request.function, request.spec, folder)

                executor = leasing(make, request.spec, folder, job=self.job.name, tell=tell)
            return keeping(executor, request.spec, tell)

        return Run(self._store, self.job.name, self._request, audience.listener, self._on_claim, make_executor)

    def _watch(self, audience: _Audience, run: Run) -> None:
        """Runs to the end before an audience. Raises what a failed job means."""
        with audience.display, audience.notices or nullcontext():
            for note in (*self._request.notes, self._request.strategy_note):
                if note is not None:
                    audience.display.message(note)
            state = run()
            audience.display.finish()
        run.raise_failure(state)

    def _audience(self, progress: str | bool | None, on_trial: OnTrial | None) -> _Audience:
        channels = read_channels(self._request.notify)
        spec, earlier = self._request.spec, [*self._store.read(Trials(self.job.name))]
        brief = brief_of(self._store, self.job.record, spec.to_json(), spec.space.default())
        display = open_progress(progress, brief, earlier)
        listener = retaining(display, self.job, spec, earlier)
        listener = listener if on_trial is None else CallsOnTrial(listener, on_trial, self.job)
        if not channels:
            return _Audience(display, listener, None)
        from tunewright.lifecycle.notices import Notices

        notices = Notices(listener, channels, Board(brief, earlier))
        return _Audience(display, notices, notices)


def prepare(
    store: Store, request: Request, *, name: str | None, resume: bool, strategy: object = "auto", stopper: object = "auto"
) -> Prepared:
    """Puts a new job into its store, or brings an existing one's limits up to date.

    Args:
        name: None makes one of the function's name and the date.
        resume: goes on with the job of that name if there is one.
        strategy, stopper: as they were given, to be kept for a resume from elsewhere.

    Raises:
        JobExists: the name is taken, and `resume` is False.
        JobChanged: a job is resumed with another space, metric or goal.
        UnpicklableFunction: the function can't travel to worker processes.
    """
    if name is not None:
        check_name(name)
        for found in store.read(Jobs(names=(name,))):
            if not resume:
                raise _taken(name)
            return _again(store, found, request, strategy, stopper)
    request = _with_function(request)
    taken = {job.name for job in store.read(Jobs())} if name is None else set()
    while True:
        chosen = name or free_name(request.spec.function, taken)
        made = with_own_root(request, chosen)
        try:
            _create(store, chosen, made, strategy, stopper)
        except JobExists:  # another process was quicker
            if name is not None and not resume:
                raise _taken(name) from None
            if name is not None:
                return prepare(store, request, name=name, resume=True, strategy=strategy, stopper=stopper)
            taken.add(chosen)
            continue
        break
    default = request.spec.space.default()
    if default is not None and request.spec.strategy != "grid":
        store.request(chosen, Command("enqueue", {"params": default, "reason": "the space's default"}))
    return Prepared(store, chosen, made)


def _create(store: Store, name: str, request: Request, strategy: object, stopper: object) -> None:
    """Saves what a job needs in a new folder, then adds it to its store; leaves nothing behind when either fails."""
    folder = new_folder(store, name)
    try:
        open_root(request.spec, name)
        _save(store, request, strategy, stopper, folder)
        store.create(TuningJob(name, request.spec.to_json(), folder=str(folder)))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _taken(name: str) -> JobExists:
    rule = f"is taken; choose another name, or go on with that job by resume=True (tunewright resume {name})"
    return JobExists("name", rule, name)


def take_up(store: Store, name: str, given: Limits, notify: object = None) -> Prepared:
    """Takes up a job by what was saved with it.

    Args:
        given: new totals; those that are None stay as they were.
        notify: who is told how it goes; None: those who were.

    Raises:
        NotFound: there is no such job. InvalidInput: nothing was saved with it.
    """
    job = stored_job(store, name)
    kept = saved.load(job_folder(store, job), name)
    spec = kept.spec
    stored = Limits(job.spec.get("max_trials"), job.spec.get("max_time"))
    spec = replace(
        spec,
        limits=Limits(
            stored.max_trials if given.max_trials is None else given.max_trials,
            stored.max_time if given.max_time is None else given.max_time,
        ),
    )
    chosen, stopper = choose(spec, kept.strategy, kept.stopper)
    function = unpack(spec.executor, job_folder(store, job))
    told = getattr(kept, "notify", ()) if notify is None else addresses(notify)  # one that was saved before there were any
    request = Request(function, spec, chosen, stopper, None, notify=told)
    return Prepared(store, name, request, lambda: _ask_to_run(store, name))


def _again(store: Store, job: TuningJob, request: Request, strategy: object, stopper: object) -> Prepared:
    changed = request.spec.differences(job.spec)
    if changed:
        lines = "\n    ".join(changed)
        raise JobChanged("resume", f"must keep the space, metric and goal of job {job.name!r}:\n    {lines}")
    request = _with_function(request)
    if job.spec["fingerprint"] not in ("", request.spec.fingerprint):
        warnings.warn(f"the function of job {job.name!r} has changed since its earlier trials", stacklevel=4)
    spec = replace(request.spec, seed=int(job.spec["seed"]), artifacts=job.spec.get("artifacts"))
    chosen, chosen_stopper = choose(spec, strategy, stopper)
    request = replace(request, spec=spec, strategy=chosen, stopper=chosen_stopper)

    def on_claim() -> None:
        _save(store, request, strategy, stopper, job_folder(store, job))
        _ask_to_run(store, job.name)

    return Prepared(store, job.name, request, on_claim)


def _ask_to_run(store: Store, name: str) -> None:
    """Overrules a stop or pause that nobody obeyed, or that ended the job."""
    if stored_job(store, name).wanted is not Wanted.RUN:
        store.request(name, Command("resume"))


def _with_function(request: Request) -> Request:
    if request.function is None:
        return request
    name, mark = described(request.function)
    return replace(request, spec=replace(request.spec, function=name, fingerprint=mark))


def _save(store: Store, request: Request, strategy: object, stopper: object, folder: Path) -> None:
    """Keeps what a worker and a later resume need. An inline job in memory needs neither."""
    inline = request.spec.executor == "inline"
    if request.executor is not None or request.function is None or (inline and store.location is None):
        return
    try:
        pack(request.function, request.spec.space, folder)
        saved.save(request, strategy, stopper, folder)
    except InvalidInput:
        if not inline:  # an inline job runs all the same; only a resume from another process needs the files
            raise
