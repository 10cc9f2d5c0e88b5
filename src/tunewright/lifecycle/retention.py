"""`keep="top:3"`: removes the checkpoints of trials that have ended and aren't among the best, and says so."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from tunewright.artifacts.background import Background
from tunewright.artifacts.keeping import trial_key
from tunewright.artifacts.vault import Vault
from tunewright.engine.listener import Listener
from tunewright.errors import StoreError
from tunewright.lifecycle.deleting import size_of
from tunewright.lifecycle.job import Job
from tunewright.lifecycle.listeners import Passing
from tunewright.progress.formatting import counted
from tunewright.records import TERMINAL, JobState, Status, Trial
from tunewright.resources import size_text
from tunewright.spec import JobSpec, kept_trials

_PATIENCE = 60.0  # seconds that removals get when the job ends


def retaining(following: Listener, job: Job, spec: JobSpec, earlier: Iterable[Trial]) -> Listener:
    """A listener that keeps to what a spec says is kept, in front of another one.

    Args:
        earlier: the trials that there are already.
    """
    most = kept_trials(spec.keep)
    return following if most is None else Retention(following, job, spec, most, earlier)


class Retention(Passing):
    """See the module. A trial that is paused or runs keeps its checkpoints: it may go on from them.

    What a vault refuses to remove stays, and is tried again when the job is resumed.

    Args:
        most: how many trials keep their checkpoints.
    """

    def __init__(self, following: Listener, job: Job, spec: JobSpec, most: int, earlier: Iterable[Trial]) -> None:
        super().__init__(following)
        self._job, self._spec, self._most = job, spec, most
        self._best: list[Trial] = []  # the best first
        self._out = {out.number for trial in earlier if trial.status in TERMINAL and (out := self._place(trial)) is not None}
        self._background = Background(1, "tunewright-retention")
        self._under_way: list[Future[None]] = []
        self._removed: dict[int, int] = {}  # bytes by trial
        self._lock = threading.Lock()
        self._begun = self._told = self._summed = False

    def trial_ended(self, trial: Trial) -> None:
        super().trial_ended(trial)
        if trial.status not in TERMINAL or (out := self._place(trial)) is None:
            return
        number = out.number
        if not self._told and self._checkpoints(number).is_dir():
            self._told = True
            text = (
                f"keep={self._spec.keep!r}: checkpoints of trials that end and aren't among the best {self._most} are removed"
            )
            self.message(text)
        self._do(lambda: self._remove(number))

    def state_changed(self, state: JobState) -> None:
        super().state_changed(state)
        if not self._begun:  # the job is this process's now
            self._begun = True
            if self._out:
                self._do(self._sweep)
        if state.status in TERMINAL and not self._summed:
            self._summed = True
            wait(self._under_way, _PATIENCE)
            with self._lock:
                number, size = len(self._removed), sum(self._removed.values())
            if number:
                text = f"removed the checkpoints of {counted(number, 'trial')}, {size_text(size)}"
                self.message(f"keep={self._spec.keep!r}: {text}")

    def _place(self, trial: Trial) -> Trial | None:
        """Finds a trial that has ended its place among the best, and gives the one that has none now."""
        self._best = [other for other in self._best if other.number != trial.number]
        if trial.status is not Status.COMPLETED or trial.objective is None or not trial.feasible:
            return trial
        place = len(self._best)
        while place and self._better(trial, self._best[place - 1]):
            place -= 1
        self._best.insert(place, trial)
        return self._best.pop() if len(self._best) > self._most else None

    def _better(self, one: Trial, other: Trial) -> bool:
        assert one.objective is not None
        assert other.objective is not None
        return self._spec.objectives[0].better(one.objective, other.objective)

    # --- removing, in a thread of its own ---

    def _do(self, call: Callable[[], None]) -> None:
        self._under_way = [future for future in self._under_way if not future.done()]
        self._under_way.append(self._background.submit(call))

    @cached_property
    def _folder(self) -> Path:
        return self._job.folder

    @cached_property
    def _vault(self) -> Vault | None:
        return Vault(self._spec.artifacts) if self._spec.artifacts else None

    def _checkpoints(self, number: int) -> Path:
        return self._folder / "trials" / f"{number:05d}" / "checkpoints"

    def _remove(self, number: int) -> None:
        folder = self._checkpoints(number)
        size = size_of(folder)
        with suppress(StoreError):
            if self._vault is not None:
                self._vault.remove(f"{trial_key(folder.parent)}/checkpoints")
        shutil.rmtree(folder, ignore_errors=True)
        if size:
            with self._lock:
                self._removed[number] = size

    def _sweep(self) -> None:
        """Removes what was to be removed by an earlier run of the job, or wasn't to be kept only since now."""
        left = {path.parent.name for path in self._folder.glob("trials/*/checkpoints")}
        with suppress(StoreError):
            keys = [key.split("/") for key in self._vault.keys("trials")] if self._vault is not None else []
            left |= {parts[1] for parts in keys if len(parts) > 2 and parts[2] == "checkpoints"}
        for number in sorted(self._out):
            if f"{number:05d}" in left:
                self._remove(number)
