"""The host as a job's executor sees it: what a trial gets of it, and why it gets nothing yet.

Nobody rules over the leases. Who wants a GPU looks at the files of the others, publishes a lease, and looks again: when two
did so at the same moment, at least one of them sees that it is too much, and withdraws. So a process that was stopped in the
middle holds what it holds and hinders nobody else.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tunewright.interfaces import Placement
from tunewright.resources import Resources
from tunewright.slots.allocation import choose_cores, choose_gpus, exceeds, free_shares, set_aside
from tunewright.slots.drivers import Usage
from tunewright.slots.inventory import VISIBLE, Gpu, Inventory
from tunewright.slots.occupancy import Occupancy
from tunewright.slots.registry import Entry, Published, Registry

HELD = "TUNEWRIGHT_HELD"  # in the environment of a trial with GPUs: the leases that it is part of, which it may use itself
_ATTEMPTS = 4
_SHOWN = 4  # GPUs that a reason tells of one by one
_STALE = 0.5  # seconds that the driver's answer serves for a look that decides nothing


class Lease:
    """What a trial holds of the host.

    Attributes:
        name: it, among all leases.
        placement: what it holds, as an executor takes it.
        gpus: the shares, by the GPU's id.
        shared: whether others had some of its cores when it was made.
        before: how the GPUs that it has alone were used when it was made, as far as anybody told.
        made: when, of the monotonic clock in seconds.
    """

    def __init__(self, published: Published, gpus: Mapping[str, float], placement: Placement) -> None:
        self._published, self.name = published, published.name
        self.gpus, self.placement = gpus, placement
        self.shared = False
        self.before: Mapping[str, Usage] = {}
        self.made = time.monotonic()

    def touch(self) -> None:
        """Keeps it from being cleaned up for its age."""
        self._published.touch()

    def release(self) -> None:
        """Gives it back. Idempotent."""
        self._published.withdraw()

    def let_go(self) -> None:
        """Leaves it to the processes that inherited it; without any it is given back. Idempotent."""
        self._published.let_go()


@dataclass(frozen=True, slots=True)
class _Survey:
    """The host at one moment: what is free by the GPU's id, how many hold a core, and why GPUs can't be had."""

    free: dict[str, float]
    load: Counter[int]
    reasons: Mapping[str, str]


class Host:
    """See the module.

    Args:
        resources: what each trial needs.
        inventory: the GPUs that may be used.
        registry: the leases of the host.
        cores: those that may be used.
        job: its name, for others who wait.

    Raises:
        InvalidInput: the inventory is smaller than one trial needs.
    """

    def __init__(
        self, resources: Resources, inventory: Inventory, registry: Registry, cores: tuple[int, ...], job: str
    ) -> None:
        self.need = resources.gpus
        self._cpus, self._inventory, self._registry = resources.cpus, inventory, registry
        self._cores, self._job = cores, job
        self._ids = [gpu.id for gpu in inventory.gpus]
        self.capacity = inventory.trials(self.need) if self.need else 0
        self._occupancy = Occupancy(inventory)
        self._mine = frozenset(filter(None, os.environ.get(HELD, "").split(",")))

    @property
    def need_text(self) -> str:
        """What a trial needs, for people: `1 GPU`, `0.5 of a GPU`."""
        if self.need < 1:
            return f"{self.need:g} of a GPU"
        return "1 GPU" if self.need == 1 else f"{self.need:g} GPUs"

    def free(self) -> int:
        """How many trials could get their GPUs at this moment."""
        free, count = dict(self._survey(None, _STALE).free), 0
        while (shares := choose_gpus(self.need, free)) is not None:
            count += 1
            for gpu, share in shares.items():
                free[gpu] -= share
        return count

    def taken(self) -> list[str]:
        """Why GPUs can't be had at this moment, each in a sentence."""
        return [*self._survey(None, 0.0).reasons.values()]

    def take(self, trial: int, wish: Published | None = None) -> Lease | str:
        """A lease of GPUs and cores for a trial, or why there is none yet. Cores are always had, shared if need be.

        Args:
            trial: its number, for others who wait.
            wish: the place in the line of those who wait.

        Raises:
            OSError: the lease can't be written.
        """
        for attempt in range(_ATTEMPTS):
            age = 0.0 if wish is None else _STALE  # who waits asks often, and the driver isn't asked each time
            survey = self._survey(wish, age)
            shares = self._choose(survey)
            if shares and age and self._inventory.driver is not None:
                survey = self._survey(wish, 0.0)
                shares = self._choose(survey)
            if shares is None:
                break
            lease = self._publish(trial, shares, choose_cores(self._cpus, self._cores, survey.load))
            try:
                if self._may_stay(lease, wish, last=attempt + 1 == _ATTEMPTS):
                    return lease
            except BaseException:
                lease.release()
                raise
            lease.release()
            time.sleep(random.uniform(0.0, 0.002))  # two that do the same at the same moment shouldn't do so again
        reasons = [*survey.reasons.values()]
        more = [f"and {len(reasons) - _SHOWN} more are taken"] if len(reasons) > _SHOWN + 1 else []
        return "; ".join([*reasons[: _SHOWN if more else None], *more]) or "others take what is free at this very moment"

    def wait_in_line(self, trial: int) -> Published:
        """A place in the line of those who wait for GPUs; it counts as long as it is touched every second or so.

        Raises:
            OSError: it can't be written.
        """
        wish = {"job": self._job, "trial": trial, "need": self.need, "among": self._ids}
        return self._registry.publish(wish, waits=True)

    def settled(self, lease: Lease) -> bool:
        """Whether the memory of a lease's GPUs is back, now that its trial has ended."""
        if not lease.before:
            return True
        alone = [gpu for gpu in lease.before if sum(gpu in entry.gpus for entry in self._registry.living()) <= 1]
        return self._occupancy.settled(alone, lease.before)

    def sweep(self) -> None:
        """Removes leases that nobody holds any more."""
        self._registry.living()

    def labels(self, lease: Lease) -> str:
        """The GPUs of a lease, for people."""
        return ", ".join(gpu.label for gpu in self._inventory.gpus if gpu.id in lease.gpus)

    def close(self) -> None:
        """Frees the driver. Idempotent."""
        self._inventory.close()

    # --- taking ---

    def _choose(self, survey: _Survey) -> dict[str, float] | None:
        return choose_gpus(self.need, survey.free) if self.need else {}

    def _publish(self, trial: int, shares: Mapping[str, float], cores: tuple[int, ...]) -> Lease:
        entry = {"job": self._job, "trial": trial, "gpus": shares, "cores": cores}
        published = self._registry.publish(entry)
        environment = {}
        if shares:
            environment = {VISIBLE: ",".join(shares), HELD: ",".join(sorted({*self._mine, published.name}))}
        return Lease(published, shares, Placement(cores, environment, published.descriptor))

    def _may_stay(self, lease: Lease, wish: Published | None, *, last: bool) -> bool:
        """Whether a lease that was just published takes nothing from anybody; at last, others may share its cores."""
        after, cores = self._survey(wish, _STALE, lease), lease.placement.cores
        lease.shared = any(after.load[core] for core in cores)
        idle = any(not after.load[core] for core in self._cores if core not in cores)
        if self.need:
            usage = self._occupancy.usage(_STALE)
            lease.before = {gpu: usage[gpu] for gpu, share in lease.gpus.items() if gpu in usage and after.free.get(gpu) == 1.0}
        return not exceeds(lease.gpus, after.free) and not (lease.shared and idle and not last)

    # --- how it stands ---

    def _survey(self, wish: Published | None, age: float, without: Lease | None = None) -> _Survey:
        """The host but for one's own lease, and for all that those are to get who wait for longer.

        Args:
            age: how old the driver's answer may be, in seconds.
        """
        entries = self._registry.living()
        leases = [entry for entry in entries if not entry.waits and (without is None or entry.name != without.name)]
        held = [entry for entry in leases if entry.name not in self._mine]
        load = Counter(core for entry in held for core in entry.cores)
        if not self.need:
            return _Survey({}, load, {})
        reasons = self._occupancy.taken(leases, age)
        free = free_shares([gpu for gpu in self._ids if gpu not in reasons], [entry.gpus for entry in held])
        for gpu in self._inventory.gpus:
            if gpu.id not in reasons and (holders := [entry for entry in held if gpu.id in entry.gpus]):
                reasons[gpu.id] = self._used(gpu, holders)
        for other in self._earlier(entries, wish):
            for kept in set_aside(other.need, other.among, free):
                reasons.setdefault(kept, f"{self._label(kept)} is kept for {self._who(other)}, which waits for longer")
        return _Survey(free, load, {gpu: reasons[gpu] for gpu in self._ids if gpu in reasons})

    def _earlier(self, entries: list[Entry], wish: Published | None) -> list[Entry]:
        """Those who wait for longer than this one does, in their order."""
        waiting = sorted((entry for entry in entries if entry.waits), key=lambda entry: (entry.since, entry.name))
        names = [entry.name for entry in waiting]
        before = waiting if wish is None or wish.name not in names else waiting[: names.index(wish.name)]
        return [entry for entry in before if entry.fresh and entry.name != (wish and wish.name)]

    # --- for people ---

    def _label(self, id: str) -> str:
        return next(gpu.label for gpu in self._inventory.gpus if gpu.id == id)

    def _used(self, gpu: Gpu, holders: list[Entry]) -> str:
        share = sum(entry.gpus[gpu.id] for entry in holders)
        part = "" if share > 0.999 else f"{share:.3g} of "
        return f"{part}{gpu.label} is used by {' and '.join(dict.fromkeys(self._who(entry) for entry in holders))}"

    def _who(self, entry: Entry) -> str:
        if entry.pid == os.getpid() and entry.job == self._job:
            return f"trial {entry.trial} of this job"
        user = f"of {_user(entry.uid)}"
        return f"job {entry.job} ({f'process {entry.pid} ' if _lives(entry.pid) else ''}{user})"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _lives(pid: int) -> bool:
    """Whether a process runs, as far as can be seen from here. One that ended may have left its lease to a script."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
