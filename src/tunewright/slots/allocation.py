"""Which GPUs and cores a trial gets, out of what others hold: arithmetic, no input or output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_TOLERANCE = 1e-6  # thirds and tenths add up to a whole one


def capacity(need: float, count: int) -> int:
    """How many trials that need so much of GPUs each (a whole number, or a share of one) `count` GPUs hold at once."""
    if need >= 1:
        return count // round(need)
    return count * math.floor(1 / need + _TOLERANCE)


def choose_gpus(need: float, free: Mapping[str, float]) -> dict[str, float] | None:
    """The GPUs for a trial, each with the share that it gets; None when there are not enough.

    A share goes to the fullest GPU that has room for it, so that whole ones stay whole for others.

    Args:
        need: how many GPUs, or a share of one; above 0.
        free: the free share of each GPU, in order of preference.
    """
    if need >= 1:
        whole = [gpu for gpu, share in free.items() if share >= 1 - _TOLERANCE]
        count = round(need)
        return dict.fromkeys(whole[:count], 1.0) if len(whole) >= count else None
    fitting = [gpu for gpu, share in free.items() if share >= need - _TOLERANCE]
    return {min(fitting, key=free.__getitem__): need} if fitting else None


def free_shares(gpus: Iterable[str], held: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """What is left of each GPU."""
    free = dict.fromkeys(gpus, 1.0)
    for shares in held:
        for gpu, share in shares.items():
            if gpu in free:
                free[gpu] = max(0.0, free[gpu] - share)
    return free


def set_aside(need: float, gpus: Iterable[str], free: dict[str, float]) -> list[str]:
    """Takes out of `free` what somebody who waits for longer is to get, and names those GPUs.

    When there isn't enough for them yet, the GPUs that are nearest to being free for them are kept from others, so that
    small trials don't keep a large one waiting for ever.

    Args:
        need: as in `choose_gpus`.
        gpus: those that they may use; what isn't in `free` can't be had at all, for now.
    """
    theirs = {gpu: free[gpu] for gpu in gpus if gpu in free}
    count = max(1, round(need))
    if len(theirs) < count:
        return []  # nothing of what jobs give back would be enough
    shares = choose_gpus(need, theirs)
    if shares is None:
        shares = dict.fromkeys(sorted(theirs, key=theirs.__getitem__, reverse=True)[:count], 1.0)
    for gpu, share in shares.items():
        free[gpu] = max(0.0, free[gpu] - share)
    return [*shares]


def exceeds(shares: Mapping[str, float], free: Mapping[str, float]) -> bool:
    """Whether shares are more than what is free."""
    return any(share > free.get(gpu, 0.0) + _TOLERANCE for gpu, share in shares.items())


def choose_cores(count: int, cores: Iterable[int], load: Mapping[int, int]) -> tuple[int, ...]:
    """The cores for a trial: those that the fewest others have, the first ones among equals; all when there aren't enough.

    Args:
        count: how many.
        cores: those that may be used.
        load: how many hold a core; 0 for those that aren't in it.
    """
    return tuple(sorted(sorted(cores, key=lambda core: (load.get(core, 0), core))[:count]))
