"""What a tuning job was asked to do, checked before anything starts, and its JSON as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tunewright.errors import InvalidInput
from tunewright.objective import Objective, Requirement
from tunewright.records import FailureKind
from tunewright.resources import Resources
from tunewright.space import SearchSpace

_MASK = (1 << 64) - 1


def at_least(field_name: str, value: Any, bound: int) -> None:
    """Checks a whole number. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or value < bound:
        raise InvalidInput(field_name, f"must be an integer of at least {bound}", value)


def kept_trials(keep: object) -> int | None:
    """How many of the best trials keep their checkpoints, by "all" or "top:N"; None: all. Raises InvalidInput."""
    if keep == "all":
        return None
    kind, _, number = keep.partition(":") if isinstance(keep, str) else ("", "", "")
    if kind != "top" or not number.isdecimal() or int(number) < 1:
        raise InvalidInput("keep", "must be 'all', or 'top:3' for the checkpoints of the best 3 trials", keep)
    return int(number)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a job ends at the latest, as totals over its life. `max_time` is in seconds; at least one is set."""

    max_trials: int | None = None
    max_time: float | None = None

    def __post_init__(self) -> None:
        if self.max_trials is not None:
            at_least("max_trials", self.max_trials, 1)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often one trial is executed again, by the class of its failure.

    An execution that was lost with its worker or controller is no failure of the training code: it goes on from its last
    whole checkpoint, `lost` times, uncharged. A value that isn't finite comes back the same with the same seed, so it isn't
    retried unless asked for.
    """

    crash: int = 0
    out_of_memory: int = 0
    timeout: int = 0
    not_finite: int = 0
    lost: int = 3

    def __post_init__(self) -> None:
        for name in ("crash", "out_of_memory", "timeout", "not_finite", "lost"):
            at_least(f"retries.{name}", getattr(self, name), 0)

    def allowed(self, kind: FailureKind) -> int:
        """How many more executions a trial may get for failures of this class; none for a metric that is missing."""
        if kind in (FailureKind.NOT_A_NUMBER, FailureKind.INFINITE):
            return self.not_finite
        return 0 if kind is FailureKind.MISSING_METRIC else int(getattr(self, kind.value))

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("crash", "out_of_memory", "timeout", "not_finite", "lost")}


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One tuning job's request.

    `strategy`, `stopper` and `executor` are names for people and for resuming; `function` is the training function's name,
    `fingerprint` tells whether it has changed since; `lease` is how long, in seconds, a controller may be silent before
    another may take its job over. `artifacts` is the address under which everything of this job is kept besides its folder,
    None for nowhere; `keep` whose checkpoints stay, "all" or "top:N".
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    limits: Limits
    seed: int
    function: str = ""
    fingerprint: str = ""
    requirements: tuple[Requirement, ...] = ()
    max_parallel: int = 1
    max_step: int | None = None
    strategy: str = "auto"
    stopper: str | None = None
    executor: str = "process"
    resources: Resources = field(default_factory=Resources)
    retries: Retries = Retries()
    tags: Mapping[str, str] = field(default_factory=dict)
    lease: float = 30.0
    artifacts: str | None = None
    keep: str = "all"

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {
            "space": self.space.to_json(),
            "objectives": [objective.to_json() for objective in self.objectives],
            "require": {r.metric: f"{r.operator} {r.bound!r}" for r in self.requirements},
            "max_trials": self.limits.max_trials,
            "max_time": self.limits.max_time,
            "seed": self.seed,
            "function": self.function,
            "fingerprint": self.fingerprint,
            "max_parallel": self.max_parallel,
            "max_step": self.max_step,
            "strategy": self.strategy,
            "stopper": self.stopper,
            "executor": self.executor,
            "resources": self.resources.to_json(),
            "retries": self.retries.to_json(),
            "tags": dict(self.tags),
            "artifacts": self.artifacts,
            "keep": self.keep,
        }

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """How the space, metrics and goals differ from a stored spec, one line each; empty when a job may go on."""
        lines = SearchSpace.from_json(stored["space"]).differences(self.space)
        mine, theirs = self.to_json(), stored
        for new, old in zip(mine["objectives"], theirs["objectives"], strict=False):
            lines += [
                f"{name} was {old[name]!r}, is now {new[name]!r}" for name in new if new[name] != old[name] and name != "target"
            ]
        if len(mine["objectives"]) != len(theirs["objectives"]):
            lines.append(f"there were {len(theirs['objectives'])} objectives, there are now {len(mine['objectives'])}")
        return lines


def trial_seed(seed: int, number: int, repeat: int = 0) -> int:
    """The seed of a trial, in [0, 2**31): differs per trial and repeat, and is the same on retry and continue.

    SplitMix64's finalizer (Steele, Lea, Flood 2014) over the job's seed, the trial's number and the repeat.
    """
    x = (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + repeat * 0x8CB92BA72F3D8DD7) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) >> 33
