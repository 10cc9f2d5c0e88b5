"""A job as people handle it: read back from its store at any time, waited for, stopped, given more to try."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tunewright.artifacts.keeping import fetched, trial_key
from tunewright.artifacts.vault import Vault, is_address
from tunewright.errors import InvalidInput, NotFound
from tunewright.interfaces import Store
from tunewright.lifecycle import ownership
from tunewright.lifecycle.folders import job_folder
from tunewright.lifecycle.running import stored_job
from tunewright.objective import Objective
from tunewright.queries import Checkpoints, Executions, Point, Points, Trials
from tunewright.records import (
    TERMINAL,
    Command,
    Execution,
    Params,
    Status,
    Trial,
    TuningJob,
)
from tunewright.space import SearchSpace

if TYPE_CHECKING:
    from tunewright.strategies.loss_model import LossModel


class StoredTrial:
    """One trial of a job, as of the moment when it was read."""

    def __init__(self, record: Trial, job: Job) -> None:
        self.record, self._job = record, job

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def params(self) -> Params:
        """The configuration, fixed values included; a categorical parameter over objects shows its label."""
        return self.record.params

    @property
    def objective(self) -> float | None:
        """The value of the first objective; None when there is none."""
        return self.record.objective

    @property
    def objectives(self) -> tuple[float, ...] | None:
        """The values of all objectives, in their order."""
        return self.record.objectives

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last value of every metric."""
        return self.record.metrics

    @property
    def status(self) -> Status:
        return self.record.status

    @property
    def reason(self) -> str | None:
        """Why it ended as it did; None when it completed."""
        return self.record.reason

    @property
    def reason_code(self) -> str | None:
        """The same as one word: crash, timeout, early_stopped, stopped, interrupted ..."""
        return self.record.reason_code

    @property
    def origin(self) -> str:
        """Why it was proposed."""
        return self.record.origin

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def step(self) -> int:
        """The last step that it has done."""
        return self.record.step

    @property
    def duration(self) -> float | None:
        """Seconds from its start to its end."""
        start, end = self.record.started, self.record.ended
        return None if start is None or end is None else end - start

    @property
    def folder(self) -> Path:
        """Its logs, checkpoints and artifacts."""
        return self._job.folder / "trials" / f"{self.number:05d}"

    @property
    def artifacts(self) -> dict[str, Path]:
        """The files that its training code left in `artifact_dir`, by their path there; fetched when they are elsewhere."""
        root = self.folder / "artifacts"
        vault = self._job._vault()
        if vault is not None and not root.is_dir():
            key = f"{trial_key(self.folder)}/artifacts"
            if vault.holds(f"{vault.root}/{key}"):
                root.parent.mkdir(parents=True, exist_ok=True)
                vault.fetch(f"{vault.root}/{key}", root)
        return {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}

    @property
    def checkpoint(self) -> Path | None:
        """The folder of its last whole checkpoint that is still there, fetched when it is elsewhere; None without one."""
        vault = self._job._vault()
        for checkpoint in reversed([*self._job._store.read(Checkpoints(self._job.name, trial=self.number))]):
            if not is_address(checkpoint.path):
                if checkpoint.path and Path(checkpoint.path).is_dir():
                    return Path(checkpoint.path)
            elif vault is not None and vault.holds(checkpoint.path):
                return fetched(vault, self.folder, checkpoint.path)
        return None

    @property
    def executions(self) -> list[Execution]:
        """Its launches, in their order."""
        return [*self._job._store.read(Executions(self._job.name, trial=self.number))]

    @property
    def reports(self) -> list[Point]:
        """What it reported, in the order in which it was stored."""
        return [*self._job._store.read(Points(self._job.name, trial=self.number))]

    def log(self) -> str:
        """What its training code printed."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def __repr__(self) -> str:
        return (
            f"Trial(number={self.number}, status={self.status.value}, objective={self.objective}, params={dict(self.params)})"
        )


class Recommendation(NamedTuple):
    """What to use: a trial, the estimate of its objective, an interval around it (None when unknown), and why this one."""

    trial: StoredTrial
    estimate: float
    interval: tuple[float, float] | None
    why: str


class Job:
    """A handle on one job of a store; `tw.tune`, `tw.start` and `tw.job` give it. Every attribute is read afresh.

    A job that runs in this process's background (by `tw.start`) is waited for by `wait`.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self.name = store, name
        self._thread: threading.Thread | None = None
        self._vaults: list[Vault] = []
        self._error: BaseException | None = None
        self._model: tuple[int, LossModel] | None = None

    @property
    def record(self) -> TuningJob:
        """The job as stored."""
        return stored_job(self._store, self.name)

    @property
    def status(self) -> Status:
        return self.record.status

    @property
    def reason(self) -> str | None:
        """Why the job stands as it does, for people."""
        return self.record.state.reason

    @property
    def reason_code(self) -> str | None:
        """The same as one word: max_trials, max_time, target_reached, exhausted, stopped, interrupted ..."""
        return self.record.state.reason_code

    @property
    def seed(self) -> int:
        return int(self.record.spec["seed"])

    @property
    def space(self) -> SearchSpace:
        return SearchSpace.from_json(self.record.spec["space"])

    @property
    def folder(self) -> Path:
        """Where the job's files are: a folder per trial."""
        return job_folder(self._store, self.record)

    def _vault(self) -> Vault | None:
        """What keeps its checkpoints and artifacts besides its folder; None when nothing does."""
        if not self._vaults and (root := self.record.spec.get("artifacts")):
            self._vaults.append(Vault(root))
        return self._vaults[0] if self._vaults else None

    @property
    def location(self) -> str | None:
        """The store that holds it; None when it is only in memory."""
        return self._store.location

    @property
    def best(self) -> StoredTrial:
        """The best completed trial that keeps all required limits. Raises NotFound when there is none."""
        number = self.record.state.best
        if number is None:
            raise NotFound("best", f"must be of a completed trial; job {self.name!r} has none")
        return self.trial(number)

    @property
    def recommended(self) -> Recommendation:
        """What to use: the trial that the model believes best, which needn't be the one with the luckiest value.

        Without a model (fewer than 4 values, several objectives, or required limits on other metrics) it is the best trial.

        Raises:
            NotFound: no trial completed.
        """
        best, spec = self.best, self.record.spec
        assert best.objective is not None
        if len(spec["objectives"]) == 1 and not spec["require"]:
            with contextlib.suppress(InvalidInput):
                found = self.model.recommended()
                return Recommendation(self.trial(found.number), found.estimate, found.interval, found.reason)
        return Recommendation(best, best.objective, None, "the best value observed")

    @property
    def model(self) -> LossModel:
        """A model of the first objective over the space, fitted to the trials so far: predictions with intervals, partial
        dependence, importance of parameters.

        Raises:
            InvalidInput: fewer than 4 trials have a value.
        """
        from tunewright.history import Ledger
        from tunewright.interfaces import Problem
        from tunewright.strategies.loss_model import LossModel

        record = self.record
        if self._model is None or self._model[0] != record.event:
            objectives = tuple(Objective(**objective) for objective in record.spec["objectives"])
            ledger = Ledger(self.space, objectives)
            for trial in self._store.read(Trials(self.name)):
                ledger.record(trial, record.event)
            problem = Problem(ledger.space, objectives, self.seed)
            self._model = record.event, LossModel(problem, ledger.view())
        return self._model[1]

    @property
    def trials(self) -> Sequence[StoredTrial]:
        """All trials, by number."""
        return [StoredTrial(trial, self) for trial in self._store.read(Trials(self.name))]

    def trial(self, number: int) -> StoredTrial:
        """One trial. Raises NotFound."""
        for trial in self._store.read(Trials(self.name, numbers=(number,))):
            return StoredTrial(trial, self)
        raise NotFound("trial", f"must be one of the {self.record.state.counts.total} trials of job {self.name!r}", number)

    def to_pandas(self) -> Any:
        """A pandas DataFrame with a row per trial: number, status, params.*, metrics.*, objectives, times in seconds."""
        import pandas as pd

        metrics = [objective["metric"] for objective in self.record.spec["objectives"]]
        return pd.DataFrame([_row(trial.record, metrics) for trial in self.trials]).set_index("number", drop=False)

    def plot(self, kind: str = "all", *, metric: str | None = None) -> Any:
        """A figure of matplotlib's: how the search went, and what the parameters have to do with it.

        Args:
            kind: "history" (values over trials), "slices" (values over each parameter), "parallel" (each trial as a line
                through all parameters), or "all". `tunewright show NAME --plot KIND` shows the same as text.
            metric: of the objective that is shown; None: the first one.

        Raises:
            InvalidInput: an argument breaks its rule, no trial has completed, or matplotlib isn't installed.
        """
        from tunewright.lifecycle.plots.figures import draw
        from tunewright.lifecycle.plots.picture import check_kind, make_picture

        objectives = [Objective(**objective) for objective in self.record.spec["objectives"]]
        trials = [*self._store.read(Trials(self.name))]
        return draw(make_picture(self.name, self.space, objectives, trials, metric), check_kind(kind))

    @property
    def suggestions(self) -> dict[str, int]:
        """How many trials the model proposed to exploit what is known, how many to explore, and how many came otherwise."""
        found = {"exploiting": 0, "exploring": 0, "others": 0}
        for trial in self._store.read(Trials(self.name)):
            kind = next((kind for kind in ("exploiting", "exploring") if f"; {kind}" in trial.origin), "others")
            found[kind] += 1
        return found

    # --- what can be asked of it ---

    def stop(self, *, wait: bool = False) -> str:
        """Ends the job: what runs is stopped, results remain.

        Args:
            wait: until it has ended; else this returns at once.

        Returns:
            What will happen, for people.
        """
        record = self.record
        if record.status in TERMINAL:
            return f"job {self.name} has ended already: {record.status.value} ({record.state.reason})"
        self._request("stop")
        if record.owner is None or ownership.is_dead(record.owner):
            return f"no process runs job {self.name}; it stays as it is until it is resumed"
        if wait:
            self.wait()
            return f"job {self.name} has stopped"
        return f"job {self.name} is being stopped"

    def pause(self) -> None:
        """Starts nothing new until `resume`; what runs goes on."""
        self._request("pause")

    def resume(self) -> None:
        """Takes a pause back. A job that no process runs any more is taken up by `tw.resume(name)`."""
        record = self.record
        if record.status in TERMINAL or record.owner is None:
            rule = f"must be controlled by a process; take it up by tw.resume({self.name!r}) or tunewright resume {self.name}"
            raise InvalidInput(f"job {self.name!r}", rule)
        self._request("resume")

    def stop_trial(self, number: int) -> None:
        """Ends one running trial. Returns at once. Raises NotFound."""
        if self.trial(number).status in TERMINAL:
            raise InvalidInput("trial", "must be running", number)
        self._request("stop_trial", {"trial": number})

    def enqueue(self, params: Mapping[str, Any], reason: str = "enqueued") -> None:
        """Has a configuration tried before anything that the strategy proposes. Raises InvalidInput when it isn't valid."""
        self._request("enqueue", {"params": self.space.validate(params), "reason": reason})

    def wait(self, timeout: float | None = None) -> Job:
        """Waits for the job's end, at most `timeout` seconds, and returns this handle.

        Nothing is waited for when no process runs the job any more; then its status isn't an end.

        Raises:
            TrialsFailed, StoreError, InvalidInput: what ended the job, when it runs in this process.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._error is not None and not self._thread.is_alive():
                raise self._error
            return self
        end = None if timeout is None else time.monotonic() + timeout
        while (record := self.record).status not in TERMINAL:
            left = 1.0 if end is None else min(1.0, end - time.monotonic())
            abandoned = record.owner is None or ownership.is_dead(record.owner)
            if left <= 0 or (abandoned and record.status is not Status.PENDING):
                break
            self._store.wait(self.name, record.event, left)
        return self

    def _request(self, kind: str, payload: Mapping[str, Any] | None = None) -> None:
        self._store.request(self.name, Command(kind, payload or {}))

    def __repr__(self) -> str:
        record = self.record
        state = record.state
        best = ""
        if state.best_objectives is not None:
            metric = record.spec["objectives"][0]["metric"]
            best = f", best {metric}={state.best_objectives[0]:.6g} (trial {state.best})"
        return f"Job({self.name!r}, {state.status.value}, {state.counts.ended} of {_limit(record)} trials ended{best})"

    def _repr_html_(self) -> str:
        from tunewright.progress.notebook import job_html

        record = self.record
        objectives = [Objective(**objective) for objective in record.spec["objectives"]]
        return job_html(self.name, record.state, objectives, self._store.read(Trials(self.name)), self.location)


def _limit(record: TuningJob) -> str:
    limit = record.spec.get("max_trials")
    return str(limit) if limit else str(record.state.counts.total)


def _row(trial: Trial, metrics: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"number": trial.number, "status": trial.status.value}
    row |= {f"params.{name}": value for name, value in trial.params.items()}
    row |= dict(zip(metrics, trial.objectives or [None] * len(metrics), strict=False))
    row |= {f"metrics.{name}": value for name, value in trial.metrics.items() if name not in metrics}
    duration = None if trial.started is None or trial.ended is None else trial.ended - trial.started
    return row | {"step": trial.step, "duration": duration, "reason": trial.reason, "origin": trial.origin}
