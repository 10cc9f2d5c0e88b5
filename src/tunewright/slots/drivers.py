"""What a driver tells of a host's GPUs: which there are, how much of their memory is used, and by which processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or an instance of one that was divided (MIG).

    `index` is the driver's number of it, for an instance with its own number after a dot; `uuid` names it for CUDA.
    """

    index: str
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """How a GPU is used at this moment.

    `used` and `total` memory are in bytes; `pids` are the processes that compute on it, as far as they can be seen from here;
    `desktop` is whether something is drawn by it, which uses memory, too.
    """

    used: int
    total: int
    pids: tuple[int, ...] = ()
    desktop: bool = False


class Driver(Protocol):
    """Where the knowledge comes from; `name` is for people."""

    name: str
    devices: tuple[Device, ...]

    def usage(self) -> Mapping[str, Usage]:
        """The usage by the GPUs' UUIDs, of those of which it is known. Takes milliseconds to a second."""
        ...

    def close(self) -> None:
        """Frees what it holds. Idempotent."""
        ...


class NoDriver(Exception):
    """There is none, or it doesn't work; the text says why, and is empty where simply nothing is installed."""


def open_driver() -> Driver:
    """NVIDIA's library when the package nvidia-ml-py is installed, else NVIDIA's command.

    Raises:
        NoDriver: neither tells of any GPU.
    """
    from tunewright.slots.nvidia_smi import NvidiaSmi
    from tunewright.slots.nvml import Nvml

    reasons = []
    for kind in (Nvml, NvidiaSmi):
        try:
            return kind()
        except NoDriver as reason:
            reasons.append(str(reason))
    raise NoDriver("; ".join(filter(None, reasons)))
