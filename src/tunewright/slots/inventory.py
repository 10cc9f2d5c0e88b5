"""Which GPUs of this host trials may use: those that the driver tells of, or that were declared, as far as they are visible."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunewright.errors import InvalidInput
from tunewright.slots.allocation import capacity
from tunewright.slots.drivers import Driver, NoDriver, open_driver

DECLARED = "TUNEWRIGHT_GPUS"
VISIBLE = "CUDA_VISIBLE_DEVICES"
_NAME = r"\d+|(GPU|MIG)-[\w/-]+"  # of a GPU, as CUDA takes it
_DECLARED_NAME = r"\d+(\.\d+)?|[A-Za-z][\w:/-]*"  # an index, a part's, or any name


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that trials may use.

    Attributes:
        id: tells it from every other one of the host, and shows it to CUDA: the driver's UUID where that is known.
        index: its short name.
        name: its model; empty when it isn't known.
    """

    id: str
    index: str
    name: str = ""

    @property
    def label(self) -> str:
        """It for people: `GPU 0`."""
        return f"GPU {self.index}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The GPUs that trials may use.

    Attributes:
        source: where that is known from, for people.
        driver: who tells how they are used; None: nobody.
        problem: what a driver that doesn't work says; empty when there is none at all.
    """

    gpus: tuple[Gpu, ...]
    source: str
    driver: Driver | None = None
    problem: str = ""

    def trials(self, need: float) -> int:
        """How many trials they hold at once that need so many GPUs, or such a share of one.

        Raises:
            InvalidInput: not even one.
        """
        count = capacity(need, len(self.gpus))
        if count < 1:
            rule = f"must be at most {len(self.gpus)}, the number of GPUs that trials may use on this host ({self.source})"
            raise InvalidInput("resources.gpus", rule, need)
        return count

    def close(self) -> None:
        """Frees the driver. Idempotent."""
        if self.driver is not None:
            self.driver.close()


def find_gpus(environment: Mapping[str, str] | None = None) -> Inventory:
    """The GPUs that this process, and so its trials, may use.

    By the variables TUNEWRIGHT_GPUS (a number, or indices and UUIDs with commas between them) and CUDA_VISIBLE_DEVICES (as CUDA
    reads it; indices are the driver's), and by the driver.

    Args:
        environment: this process's by default.

    Raises:
        InvalidInput: TUNEWRIGHT_GPUS says nothing of the kind.
    """
    environment = os.environ if environment is None else environment
    declared = _declared(environment.get(DECLARED))
    driver, problem = None, ""
    try:
        driver = open_driver()
    except NoDriver as error:
        problem = str(error)
    known = [Gpu(device.uuid, device.index, device.name) for device in driver.devices] if driver is not None else []
    shown, sources = environment.get(VISIBLE), [driver.name] if driver is not None else []
    if isinstance(declared, list):
        named = [gpu for name in declared for gpu in _matching(name, known) or [Gpu(name, name)]]
        known = [*dict.fromkeys(named)]
    visible = known if shown is None else _shown(shown, known, any_name=not known)
    if isinstance(declared, int):
        taken = {gpu.index for gpu in visible}
        more = (str(number) for number in range(declared + len(taken)) if str(number) not in taken)
        if shown is None:
            visible = [*visible, *(Gpu(name, name) for name in more)]
        visible = visible[:declared]
    sources += [f"{DECLARED}={environment[DECLARED]}"] if declared is not None else []
    sources += [f"{VISIBLE}={shown}"] if shown is not None else []
    sources += [problem] if problem else []
    return Inventory(tuple(visible), ", ".join(sources) or f"no driver tells of any, and {DECLARED} isn't set", driver, problem)


def _declared(text: str | None) -> int | list[str] | None:
    """What was declared: a number of GPUs, or which ones; None: nothing."""
    if text is None or not text.strip():
        return None
    if text.strip().isdecimal():
        return int(text)
    names = [name.strip() for name in text.split(",") if name.strip()]
    number = re.fullmatch(r"[\d.+-]+", text.strip()) is not None  # one that isn't whole, or no index
    if not names or number or len(set(names)) < len(names) or not all(re.fullmatch(_DECLARED_NAME, name) for name in names):
        rule = "must be a number of GPUs, or their indices or UUIDs with commas between them ('0,2', or '0,' for the first one)"
        raise InvalidInput(DECLARED, rule, text)
    return names


def _shown(text: str, known: Sequence[Gpu], *, any_name: bool) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES shows, in its order. As for CUDA, what follows the first unknown name isn't seen.

    Args:
        any_name: nothing is known of GPUs, so names are taken for what they are.
    """
    found: list[Gpu] = []
    for name in (part.strip() for part in text.split(",")):
        matching = [Gpu(name, name)] if any_name and re.fullmatch(_NAME, name) else _matching(name, known)
        if not matching:
            break
        found += [gpu for gpu in matching if gpu not in found]
    return found


def _matching(name: str, known: Sequence[Gpu]) -> list[Gpu]:
    """The GPU of an index, or of a UUID or its beginning; for the index of a divided GPU all of its instances."""
    exact = [gpu for gpu in known if name in (gpu.index, gpu.id)]
    if exact or not name:
        return exact
    parts = [gpu for gpu in known if gpu.index.startswith(f"{name}.")]
    beginning = [gpu for gpu in known if gpu.id.startswith(name)] if name.startswith(("GPU-", "MIG-")) else []
    return parts or (beginning if len(beginning) == 1 else [])
