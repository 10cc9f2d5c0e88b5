"""The address under which a job keeps checkpoints and artifacts: its own part of the root that was asked for."""

from __future__ import annotations

import getpass
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from tunewright.artifacts.keeping import KeepingExecutor
from tunewright.artifacts.vault import Vault
from tunewright.interfaces import Executor
from tunewright.lifecycle.request import Request
from tunewright.spec import JobSpec


def with_own_root(request: Request, name: str) -> Request:
    """A request whose artifacts go to a place that no other job has, be it one of the same name in another store."""
    spec = request.spec
    if spec.artifacts is None:
        return request
    return replace(request, spec=replace(spec, artifacts=f"{spec.artifacts}/{name}-{secrets.token_hex(4)}"))


def open_root(spec: JobSpec, name: str) -> None:
    """Writes whose files these are. Raises StoreError when the address can't be written to."""
    if spec.artifacts is not None:
        facts = {"job": name, "host": socket.gethostname(), "created": time.time()}
        with suppress(KeyError, OSError):  # a user without a name
            facts["user"] = getpass.getuser()
        Vault(spec.artifacts, pauses=(0.5,)).describe(facts)


def keeping(executor: Executor, spec: JobSpec, tell: Callable[[str], None]) -> Executor:
    """An executor that keeps checkpoints and artifacts where a spec says.

    Args:
        tell: is called with a line for people when something could not be kept.
    """
    if spec.artifacts is None:
        return executor
    at_once = spec.executor not in ("process", "script")  # training code may run in the controller's own thread
    return KeepingExecutor(executor, Vault(spec.artifacts), tell, at_once=at_once)
