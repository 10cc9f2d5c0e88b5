"""How a job is announced, by what its store holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunewright.errors import InvalidSpace
from tunewright.interfaces import Store
from tunewright.objective import Objective
from tunewright.progress.brief import Brief
from tunewright.records import Params, TuningJob
from tunewright.store import default_location


def brief_of(store: Store, job: TuningJob, spec: Mapping[str, Any], default: Params | None) -> Brief:
    """The announcement of a job.

    Args:
        spec: what it is asked to do, which may be more than what is stored yet.
        default: its space's default configuration.
    """
    where = f" --store {store.location}" if store.location and store.location != str(default_location()) else ""
    return Brief(
        job.name,
        store.location,
        tuple(Objective(**stored) for stored in spec["objectives"]),
        spec["max_trials"],
        spec["max_time"],
        spec["max_parallel"],
        job.state.elapsed,
        spec["seed"],
        default,
        f"tunewright show {job.name}{where}" if store.location else None,
    )


def stored_default(spec: Mapping[str, Any]) -> Params | None:
    """The default configuration of a stored job's space; None when it has none, or a function decides on it."""
    from tunewright.space import SearchSpace

    try:
        return SearchSpace.from_json(spec["space"]).default()
    except InvalidSpace:
        return None
