"""From the arguments of a door to a checked request: everything that can be refused is refused here, before any work."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from tunewright import catalog
from tunewright.artifacts.vault import check_root
from tunewright.errors import InvalidInput, nearest
from tunewright.interfaces import Executor, Problem, Stopper, Strategy
from tunewright.lifecycle.channels import addresses, read_channels
from tunewright.lifecycle.host_slots import trials_by_gpus
from tunewright.lifecycle.work import checked
from tunewright.objective import Objective, objectives, requirements
from tunewright.resources import Resources, seconds
from tunewright.space import SearchSpace
from tunewright.spec import JobSpec, Limits, Retries, at_least, kept_trials

if TYPE_CHECKING:
    from tunewright.lifecycle.work import Work

Given = TypeVar("Given")
NOT_YET = ("warm_start", "cost", "fidelity")


@dataclass(frozen=True, slots=True)
class Request:
    """A job that can start: what was asked for, and the parts that were chosen for it.

    `executor` is None when one is to be made by its name; `notes` are lines that a person should read before it starts;
    `notify` are the addresses of those who are told how it goes.
    """

    function: Work | None
    spec: JobSpec
    strategy: Strategy
    stopper: Stopper | None
    executor: Executor | None
    notes: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()

    @property
    def strategy_note(self) -> str | None:
        """Which strategy it is, or which one "auto" chose and why; None when the strategy doesn't say."""
        reason = getattr(self.strategy, "reason", None)
        return f"strategy {reason}" if isinstance(reason, str) else None


def make_request(
    function: Work | None,
    space: SearchSpace | Mapping[str, Any] | None,
    *,
    metric: str | None = None,
    goal: str | None = None,
    objective: Objective | Sequence[Objective] | None = None,
    max_trials: int | None = None,
    max_time: float | str | timedelta | None = None,
    max_parallel: int | str = "auto",
    strategy: object = "auto",
    stopper: object = "auto",
    max_step: int | None = None,
    require: Mapping[str, str] | None = None,
    resources: Resources | None = None,
    retries: Retries | None = None,
    fixed: Mapping[str, Any] | None = None,
    seed: int | None = None,
    tags: Mapping[str, str] | Sequence[str] | None = None,
    executor: object = "process",
    notify: object = None,
    artifacts: object = None,
    keep: str = "all",
    limited: bool = True,
    **not_yet: object,
) -> Request:
    """Checks the arguments of `tw.tune`; see there.

    Args:
        limited: at least one limit must be given.

    Raises:
        InvalidInput: the first argument that breaks its rule.
    """
    _refuse_unknown(not_yet)
    searched = _space(space, fixed)
    function, executor = checked(function, searched, executor)
    goals = objectives(metric, goal, objective)
    notes = _goal_notes(goals, goal_given=goal is not None or objective is not None)
    if limited and max_trials is None and max_time is None and not any(o.target is not None for o in goals):
        raise InvalidInput("limits", "must hold at least one of max_trials, max_time, or an objective's target")
    limits = Limits(max_trials, None if max_time is None else seconds("max_time", max_time))
    if seed is None:
        seed = secrets.randbits(31)
    at_least("seed", seed, 0)
    if max_step is not None:
        at_least("max_step", max_step, 1)
    resources = _of_class("resources", resources, Resources)
    retries = _of_class("retries", retries, Retries)
    inline = executor == "inline"
    if inline:
        from tunewright.executors.inline import refuse_limits

        refuse_limits(resources)
    made = _executor(executor)
    by_gpus = trials_by_gpus(executor, resources)
    parallel = _parallel(max_parallel, resources, limits, inline=inline, by_gpus=by_gpus)
    if made is not None:
        parallel = made.slots
    if by_gpus is not None and parallel > by_gpus:
        notes.append(f"{by_gpus} at a time and not {parallel}, for want of GPUs")
        parallel = by_gpus
    spec = JobSpec(
        searched, goals, limits, seed,
        requirements=requirements(require), max_parallel=parallel, max_step=max_step,
        strategy=_label(strategy), stopper=None if stopper in (None, "auto") else _label(stopper),
        executor=_label(executor), resources=resources, retries=retries, tags=_tags(tags),
        lease=seconds("TUNEWRIGHT_LEASE", os.environ.get("TUNEWRIGHT_LEASE", "30")),
        artifacts=None if artifacts is None else check_root(artifacts), keep=keep,
    )  # fmt: skip
    chosen, chosen_stopper = choose(spec, strategy, stopper)
    kept_trials(keep)
    told = addresses(notify)
    read_channels(told)
    return Request(function, spec, chosen, chosen_stopper, made, tuple(notes), told)


def choose(spec: JobSpec, strategy: object, stopper: object) -> tuple[Strategy, Stopper | None]:
    """The strategy and the stopper for a spec. A strategy that decides by itself takes no other stopper.

    Raises:
        InvalidInput: an unknown name, or a stopper beside a strategy that is one itself.
    """
    problem = Problem(spec.space, spec.objectives, spec.seed, spec.limits.max_trials, spec.max_parallel, spec.max_step)
    chosen = catalog.strategy(strategy, problem)
    decides = callable(getattr(chosen, "decide", None))
    if stopper is None or stopper == "auto":
        return chosen, chosen if decides else None  # type: ignore[return-value]
    if decides:
        raise InvalidInput("stopper", f"must be left out, for the strategy {spec.strategy!r} stops trials itself", stopper)
    return chosen, catalog.stopper(stopper, problem)


def visible_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse_unknown(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if name not in NOT_YET:
            raise InvalidInput(name, f"is no argument of tune ({nearest(name, make_request.__kwdefaults__ or {})})", value)
        if value is not None:
            raise InvalidInput(name, "is not there yet in this version and must be left out", value)


def _space(space: SearchSpace | Mapping[str, Any] | None, fixed: Mapping[str, Any] | None) -> SearchSpace:
    if space is None:
        raise InvalidInput("space", "must be given: a SearchSpace or a dict of parameters")
    if not isinstance(space, (SearchSpace, Mapping)):
        raise InvalidInput("space", "must be a SearchSpace or a dict of parameters", space)
    found = space if isinstance(space, SearchSpace) else SearchSpace(space)
    return found.with_fixed(fixed) if fixed else found


def _goal_notes(goals: Sequence[Objective], *, goal_given: bool) -> list[str]:
    notes = []
    for objective in goals:
        if not goal_given:
            notes.append(f"goal: {objective.goal} {objective.metric}, as its name tells")
        elif objective.contradicts_name:
            text = f"goal {objective.goal!r} is the opposite of what the name {objective.metric!r} asks for"
            warnings.warn(text, stacklevel=5)
    return notes


def _parallel(max_parallel: int | str, resources: Resources, limits: Limits, *, inline: bool, by_gpus: int | None) -> int:
    if max_parallel != "auto":
        at_least("max_parallel", max_parallel, 1)
        assert isinstance(max_parallel, int)
        if inline and max_parallel > 1:
            raise InvalidInput("max_parallel", "must be 1 with executor='inline', which runs in this process", max_parallel)
        return max_parallel
    if inline:
        return 1
    most = max(1, visible_cores() // resources.cpus) if by_gpus is None else by_gpus
    return most if limits.max_trials is None else min(most, limits.max_trials)


def _executor(executor: object) -> Executor | None:
    """An executor that was given as an object; None for a name. Raises InvalidInput."""
    if isinstance(executor, str):
        if executor == "simulated":
            raise InvalidInput("executor", "must be a SimulatedExecutor object, for it needs what to simulate", executor)
        catalog.load("executors", executor)
        return None
    if not all(callable(getattr(executor, name, None)) for name in ("launch", "poll", "order", "adopt", "close")):
        raise InvalidInput("executor", f"must be a name ({', '.join(catalog.names('executors'))}) or an Executor", executor)
    return executor  # type: ignore[return-value]


def _of_class(field: str, given: object, kind: type[Given]) -> Given:
    """An options object, or the default one for None. Raises InvalidInput."""
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise InvalidInput(field, f"must be a tunewright.{kind.__name__}", given)
    return given


def _label(given: object) -> str:
    """A name for people and the store: the name itself, or the class of an object."""
    if isinstance(given, str):
        return given
    return given.__name__ if isinstance(given, type) else type(given).__name__


def _tags(tags: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    if tags is None:
        return {}
    if not isinstance(tags, (Mapping, Sequence)) or isinstance(tags, str):
        raise InvalidInput("tags", "must be a dict of texts, or a list of words", tags)
    pairs = tags.items() if isinstance(tags, Mapping) else ((tag, "") for tag in tags)
    found = {}
    for key, value in pairs:
        if not isinstance(key, str) or not key or not isinstance(value, str):
            raise InvalidInput("tags", "must be a dict of texts, or a list of words", tags)
        found[key] = value
    return found
