"""Which cores an execution has, and the environment that keeps libraries to them."""

from __future__ import annotations

import os
from collections.abc import Mapping

# Read once, when a library loads: so they must be set before a worker starts.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def own_cores() -> tuple[int, ...]:
    """The cores that this process may use; numbered from 0 where the system doesn't tell."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def cores_of(slot: int, cpus: int, cores: tuple[int, ...]) -> tuple[int, ...]:
    """The cores of a slot.

    Slots get consecutive cores; when there are more slots than the cores suffice for, they begin again at the first core.

    Args:
        slot: from 0.
        cpus: cores per slot; more than there are means all.
        cores: those that may be used.
    """
    first = slot * cpus
    return tuple(sorted({cores[(first + index) % len(cores)] for index in range(min(cpus, len(cores)))}))


def thread_environment(share: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep thread pools to `share` threads; a lower number that a person has set stays."""
    return {name: str(min(share, _whole(environment.get(name), share))) for name in _THREAD_VARIABLES}


def _whole(text: str | None, default: int) -> int:
    try:
        value = int(text or "")
    except ValueError:
        return default
    return value if value >= 1 else default
