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
        "LeaseLost", "NotFound", "SearchFinished", "StoreBusy", "StoreDamaged", "StoreError", "StoreFull",
        "StoreUnreachable", "StoreVersion", "TrialsFailed", "TunewrightError", "UnpicklableFunction",
    ),
    "tunewright.interfaces": ("Continue", "Executor", "Exhausted", "Measure", "New", "Stopper", "Store", "Strategy", "Wait"),
    "tunewright.executors.script_task": ("Script",),
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


if TYPE_CHECKING:
    from tunewright.api import job as job
    from tunewright.api import jobs as jobs
    from tunewright.api import resume as resume
    from tunewright.api import start as start
    from tunewright.api import tune as tune
    from tunewright.errors import InfeasibleSpace as InfeasibleSpace
    from tunewright.errors import InvalidExpression as InvalidExpression
    from tunewright.errors import InvalidInput as InvalidInput
    from tunewright.errors import InvalidSpace as InvalidSpace
    from tunewright.errors import JobChanged as JobChanged
    from tunewright.errors import JobExists as JobExists
    from tunewright.errors import JobTaken as JobTaken
    from tunewright.errors import LeaseLost as LeaseLost
    from tunewright.errors import NotFound as NotFound
    from tunewright.errors import SearchFinished as SearchFinished
    from tunewright.errors import StoreBusy as StoreBusy
    from tunewright.errors import StoreDamaged as StoreDamaged
    from tunewright.errors import StoreError as StoreError
    from tunewright.errors import StoreFull as StoreFull
    from tunewright.errors import StoreUnreachable as StoreUnreachable
    from tunewright.errors import StoreVersion as StoreVersion
    from tunewright.errors import TrialsFailed as TrialsFailed
    from tunewright.errors import TunewrightError as TunewrightError
    from tunewright.errors import UnpicklableFunction as UnpicklableFunction
    from tunewright.executors.script_task import Script as Script
    from tunewright.history import History as History
    from tunewright.interfaces import Continue as Continue
    from tunewright.interfaces import Executor as Executor
    from tunewright.interfaces import Exhausted as Exhausted
    from tunewright.interfaces import Measure as Measure
    from tunewright.interfaces import New as New
    from tunewright.interfaces import Stopper as Stopper
    from tunewright.interfaces import Store as Store
    from tunewright.interfaces import Strategy as Strategy
    from tunewright.interfaces import Wait as Wait
    from tunewright.lifecycle.job import Job as Job
    from tunewright.lifecycle.job import Recommendation as Recommendation
    from tunewright.lifecycle.tuner import Tuner as Tuner
    from tunewright.objective import Objective as Objective
    from tunewright.records import Action as Action
    from tunewright.records import Decision as Decision
    from tunewright.records import FailureKind as FailureKind
    from tunewright.records import Status as Status
    from tunewright.report import Trial as Trial
    from tunewright.report import TrialInterrupted as TrialInterrupted
    from tunewright.report import checkpoint as checkpoint
    from tunewright.report import current_trial as current_trial
    from tunewright.resources import Resources as Resources
    from tunewright.space import Categorical as Categorical
    from tunewright.space import Float as Float
    from tunewright.space import Int as Int
    from tunewright.space import SearchSpace as SearchSpace
    from tunewright.spec import Retries as Retries
    from tunewright.store import open_store as open_store


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tunewright' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME_OF, "__version__"])
