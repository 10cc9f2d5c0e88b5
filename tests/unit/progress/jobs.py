"""A small job to show: its brief, its trials, and the events in their order."""

from __future__ import annotations

from tunewright.engine.listener import Listener
from tunewright.objective import Objective
from tunewright.progress import Brief
from tunewright.records import Counts, Execution, JobState, Params, Status, Trial

ACCURACY = Objective("accuracy")
DEFAULT: Params = {"depth": 2, "optimizer": "sgd"}


def brief(
    *,
    objectives: tuple[Objective, ...] = (ACCURACY,),
    max_trials: int | None = 4,
    max_time: float | None = None,
    max_parallel: int = 2,
    elapsed: float = 0.0,
    default: Params | None = DEFAULT,
) -> Brief:
    return Brief(
        name="digits-1",
        location="here/.tunewright/store.db",
        objectives=objectives,
        max_trials=max_trials,
        max_time=max_time,
        max_parallel=max_parallel,
        elapsed=elapsed,
        seed=7,
        default=default,
        more="tunewright show digits-1",
    )


def completed(number: int, value: float, params: Params | None = None, *, feasible: bool = True) -> Trial:
    return Trial(
        number,
        params if params is not None else {"depth": number + 2, "optimizer": "adam"},
        seed=number,
        status=Status.COMPLETED,
        objectives=(value,),
        feasible=feasible,
    )


def failed(number: int, reason: str) -> Trial:
    return Trial(number, {"depth": 1, "optimizer": "sgd"}, seed=number, status=Status.FAILED, reason=reason)


def start(listener: Listener, number: int) -> None:
    trial = Trial(number, {"depth": number + 2}, seed=number, status=Status.IN_PROGRESS)
    listener.trial_started(trial, Execution(number, 0, f"token-{number}"))


def waits(listener: Listener, number: int, reason: str | None) -> None:
    listener.trial_waits(Trial(number, {"depth": number + 2}, seed=number, status=Status.IN_PROGRESS), reason)


def end(listener: Listener, trial: Trial, counts: Counts) -> None:
    listener.trial_ended(trial)
    listener.state_changed(JobState(Status.IN_PROGRESS, counts=counts))


def play(listener: Listener) -> None:
    """Four trials: the default, a better one, a failure, the best; then the job's end."""
    for number in (0, 1):
        start(listener, number)
    listener.trial_reported(Trial(0, DEFAULT, seed=0), 3, 0.7)
    end(listener, completed(0, 0.8, DEFAULT), Counts(completed=1, in_progress=1))
    start(listener, 2)
    end(listener, completed(1, 0.9), Counts(completed=2, in_progress=1))
    start(listener, 3)
    end(listener, failed(2, "ValueError: no"), Counts(completed=2, failed=1, in_progress=1))
    end(listener, completed(3, 0.96), Counts(completed=3, failed=1))
    listener.state_changed(JobState(Status.COMPLETED, "max_trials", "all 4 trials are done", Counts(completed=3, failed=1)))
