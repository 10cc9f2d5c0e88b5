"""Jobs and trials as JSON documents: what `--json` prints and what is exported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tunewright.objective import Objective
from tunewright.queries import Series
from tunewright.records import Checkpoint, Decision, Execution, Trial, TuningJob


def plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def timestamp(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def objectives_of(job: TuningJob) -> tuple[Objective, ...]:
    """What a stored job optimises."""
    return tuple(Objective(**stored) for stored in job.spec.get("objectives", ()))


def job_document(job: TuningJob) -> dict[str, Any]:
    """A job without its trials. Times are ISO 8601 in UTC, `elapsed` is in seconds."""
    state = job.state
    return {
        "name": job.name,
        "status": state.status.value,
        "wanted": job.wanted.value,
        "reason_code": state.reason_code,
        "reason": state.reason,
        "objectives": list(job.spec.get("objectives", ())),
        "trials": asdict(state.counts),
        "best": None if state.best is None else {"trial": state.best, "objectives": list(state.best_objectives or ())},
        "created": timestamp(job.created),
        "started": timestamp(state.started),
        "ended": timestamp(state.ended),
        "elapsed": state.elapsed,
        "folder": job.folder,
    }


def trial_document(trial: Trial) -> dict[str, Any]:
    """A trial without its reports."""
    return {
        "number": trial.number,
        "status": trial.status.value,
        "reason_code": trial.reason_code,
        "reason": trial.reason,
        "params": dict(trial.params),
        "objectives": None if trial.objectives is None else list(trial.objectives),
        "metrics": dict(trial.metrics),
        "feasible": trial.feasible,
        "step": trial.step,
        "seed": trial.seed,
        "origin": trial.origin,
        "executions": trial.executions,
        "created": timestamp(trial.created),
        "started": timestamp(trial.started),
        "ended": timestamp(trial.ended),
    }


def trial_details(
    trial: Trial,
    executions: Sequence[Execution],
    series: Sequence[Series],
    decisions: Sequence[Decision],
    checkpoints: Sequence[Checkpoint],
) -> dict[str, Any]:
    """A trial with all that is stored of it, save its single reports."""
    return {
        **trial_document(trial),
        "executions": [
            {**asdict(execution), "started": timestamp(execution.started), "ended": timestamp(execution.ended)}
            for execution in executions
        ],
        "series": [asdict(one) for one in series],
        "decisions": [{**asdict(decision), "at": timestamp(decision.at)} for decision in decisions],
        "checkpoints": [{**asdict(checkpoint), "at": timestamp(checkpoint.at)} for checkpoint in checkpoints],
    }
