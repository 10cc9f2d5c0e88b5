"""Which cores each slot has, and the environment that keeps libraries to them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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


class Cores:
    """The cores that an executor places its slots on, preferring those that no other executor of this user has.

    Two jobs side by side would otherwise meet on the first cores while the others are idle. A claim is a lock on a file, so
    it ends with the process that holds it, and where claims are taken or impossible, cores are shared.

    Args:
        wanted: how many cores all slots together would like.
        cores: those that may be used; by default those of this process.
        folder: of the lock files; by default one per user in the system's temporary folder.
    """

    def __init__(self, wanted: int, cores: tuple[int, ...] | None = None, folder: Path | None = None) -> None:
        self._claims: list[int] = []
        cores = own_cores() if cores is None else cores
        folder = folder or Path(tempfile.gettempdir(), f"tunewright-{os.getuid()}", "cores")
        claimed: list[int] = []
        for core in cores:
            if len(claimed) < wanted and self._claim(folder, core):
                claimed.append(core)
        others = [core for core in cores if core not in claimed]
        self._cores = (*claimed, *others[: max(0, wanted - len(claimed))])

    def of(self, slot: int, cpus: int) -> tuple[int, ...]:
        """The cores of a slot; see `cores_of`."""
        return cores_of(slot, cpus, self._cores)

    def close(self) -> None:
        """Gives the cores back. Idempotent."""
        while self._claims:
            os.close(self._claims.pop())

    def _claim(self, folder: Path, core: int) -> bool:
        import fcntl

        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(folder / f"{core}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
                return False
            self._claims.append(file)
            return True
        return False


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
