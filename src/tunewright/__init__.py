"""Tunewright tunes models: parallel search that survives being killed, on one machine or a cluster.

    import tunewright as tw

Everything here is loaded when it is first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "tunewright.api": ("job", "jobs", "resume", "start", "tune"),
    "tunewright.errors": (
        "InfeasibleSpace", "InvalidExpression", "InvalidInput", "InvalidSpace", "JobChanged", "JobExists", "JobTaken",
        "LeaseLost", "NotFound", "SearchFinished", "StoreBusy", "StoreDamaged", "StoreError", "StoreFull", "StoreVersion",
        "TrialsFailed", "TunewrightError", "UnpicklableFunction",
    ),
    "tunewright.interfaces": ("Continue", "Executor", "Exhausted", "Measure", "New", "Stopper", "Store", "Strategy", "Wait"),
    "tunewright.history": ("History",),
    "tunewright.lifecycle.job": ("Job", "Recommendation"),
    "tunewright.objective": ("Objective",),
    "tunewright.records": ("Action", "Decision", "FailureKind", "Status"),
    "tunewright.report": ("Trial", "TrialInterrupted", "checkpoint", "current_trial"),
    "tunewright.resources": ("Resources",),
    "tunewright.space": ("Categorical", "Float", "Int", "SearchSpace"),
    "tunewright.spec": ("Retries",),
    "tunewright.store": ("open_store",),
    "tunewright.lifecycle.tuner": ("Tuner",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])

if TYPE_CHECKING:
    from tunewright.api import job, jobs, resume, start, tune
    from tunewright.errors import (
        InfeasibleSpace,
        InvalidExpression,
        InvalidInput,
        InvalidSpace,
        JobChanged,
        JobExists,
        JobTaken,
        LeaseLost,
        NotFound,
        SearchFinished,
        StoreBusy,
        StoreDamaged,
        StoreError,
        StoreFull,
        StoreVersion,
        TrialsFailed,
        TunewrightError,
        UnpicklableFunction,
    )
    from tunewright.history import History
    from tunewright.interfaces import Continue, Executor, Exhausted, Measure, New, Stopper, Store, Strategy, Wait
    from tunewright.lifecycle.job import Job, Recommendation
    from tunewright.lifecycle.tuner import Tuner
    from tunewright.objective import Objective
    from tunewright.records import Action, Decision, FailureKind, Status
    from tunewright.report import Trial, TrialInterrupted, checkpoint, current_trial
    from tunewright.resources import Resources
    from tunewright.space import Categorical, Float, Int, SearchSpace
    from tunewright.spec import Retries
    from tunewright.store import open_store


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tunewright' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
