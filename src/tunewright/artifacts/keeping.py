"""An executor around another one, whose trials' checkpoints and artifacts are kept in a vault.

Training code writes and reads folders on its own disk, as ever. A checkpoint is told of once it is in the vault, with its
address there; a trial ends once its artifacts are. Events of one execution stay in their order, so a trial is paused only
with a checkpoint that every host can reach. Checkpoints that come faster than they can be stored are passed over, but for
the newest. An execution that goes on from one that isn't on this host is launched once it was fetched.

Beside a checkpoint's folder on this host, `<folder>.address` tells where it is in the vault.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunewright.artifacts.background import Background
from tunewright.artifacts.vault import Vault, is_address
from tunewright.errors import StoreError
from tunewright.interfaces import (
    Adopted,
    Checkpointed,
    Dead,
    Executor,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Kill,
    Launch,
    Order,
)
from tunewright.records import FailureKind

_THREADS = 4
_LOOK = 0.02  # seconds between looks at what is under way
_PATIENCE = 30.0  # seconds that what is under way gets at the end
_OUTCOMES = {"stop": "stopped", "pause": "paused"}


class KeepingExecutor:
    """See the module.

    Args:
        executor: runs the executions.
        vault: keeps their checkpoints and artifacts.
        tell: is called in `poll` with a line for people, the first time that something could not be kept.
        at_once: store and fetch in the caller's thread: for an executor whose training code runs in it.
    """

    def __init__(self, executor: Executor, vault: Vault, tell: Callable[[str], None], *, at_once: bool = False) -> None:
        self._executor, self._vault, self._tell, self._at_once = executor, vault, tell, at_once
        self._background = Background(_THREADS, "tunewright-artifacts")
        self._launches: dict[str, Launch] = {}
        self._waiting: dict[str, deque[_Held]] = {}  # events by execution, in their order
        self._fetching: dict[str, Future[Launch]] = {}
        self._ends: dict[str, str] = {}  # outcomes of executions that were ordered to end before they were launched
        self._complaints: deque[str] = deque(maxlen=1)  # of a vault that is away, each would say the same
        self._complained = False

    @property
    def slots(self) -> int:
        return self._executor.slots

    def __getattr__(self, name: str) -> Any:
        """Whatever else the executor has, such as a clock of its own."""
        return getattr(self._executor, name)

    def launch(self, launch: Launch) -> None:
        token = launch.execution.token
        self._launches[token] = launch
        if launch.checkpoint is None or not is_address(launch.checkpoint):
            self._executor.launch(launch)
        elif (known := local_copy(Path(launch.folder), launch.checkpoint)) is not None:
            self._executor.launch(replace(launch, checkpoint=str(known)))
        else:
            self._fetching[token] = self._do(lambda: self._fetched(launch))

    def poll(self, timeout: float, deliver: Callable[[ExecutorEvent], None]) -> None:
        end = time.monotonic() + timeout
        while self._complaints and not self._complained:
            self._complained = True
            self._tell(self._complaints.popleft())
        while True:
            self._launch_fetched(deliver)
            told = self._deliver_held(deliver)
            left = 0.0 if told else max(0.0, end - time.monotonic())
            heard = False

            def hear(event: ExecutorEvent) -> None:
                nonlocal heard
                heard = True
                self._hear(event, deliver)

            busy = bool(self._waiting or self._fetching)
            self._executor.poll(min(left, _LOOK) if busy else left, hear)
            if told or heard or not busy or left <= _LOOK:
                self._deliver_held(deliver)
                return

    def order(self, token: str, order: Order) -> None:
        if token in self._fetching and isinstance(order, (Halt, Kill)):
            self._ends[token] = _OUTCOMES[order.action] if isinstance(order, Halt) else "stopped"
        else:
            self._executor.order(token, order)

    def adopt(self, launch: Launch) -> Adopted | Dead:
        self._launches[launch.execution.token] = launch
        answer = self._executor.adopt(launch)
        if isinstance(answer, Adopted):
            return answer
        kept: list[ExecutorEvent] = []
        last = max((n for n, event in enumerate(answer.harvest) if isinstance(event, Checkpointed)), default=-1)
        for number, event in enumerate(answer.harvest):
            if isinstance(event, Checkpointed):
                stored = self._stored(event) if number == last or self._address_of(event) else None
                kept += [] if stored is None else [stored]
            else:
                if isinstance(event, Exited):
                    self._store_artifacts(launch)
                kept.append(event)
        del self._launches[launch.execution.token]
        return Dead(kept)

    def holds(self, path: str) -> bool:
        """Whether a checkpoint is still there, and in reach of this host."""
        return self._vault.holds(path) if is_address(path) else not path or Path(path).is_dir()

    def close(self) -> None:
        """Kills what runs. What is being stored at this moment is waited for, for a while."""
        self._executor.close()
        self._background.close(_PATIENCE)

    # --- what happens ---

    def _hear(self, event: ExecutorEvent, deliver: Callable[[ExecutorEvent], None]) -> None:
        held = self._waiting.get(event.token)
        if isinstance(event, Checkpointed):
            self._hold(event, lambda: self._stored_if_newest(event))
        elif isinstance(event, Exited) and (launch := self._launches.pop(event.token, None)) is not None:
            self._hold(event, lambda: self._with_artifacts(event, launch))
        elif held is not None:
            held.append(_Held(event, None))
        else:
            deliver(event)
            return
        if self._at_once:
            self._deliver_held(deliver)

    def _hold(self, event: ExecutorEvent, call: Callable[[], ExecutorEvent | None]) -> None:
        self._waiting.setdefault(event.token, deque()).append(_Held(event, self._do(call)))

    def _do(self, call: Callable[[], Any]) -> Future[Any]:
        if not self._at_once:
            return self._background.submit(call)
        done: Future[Any] = Future()
        done.set_result(call())
        return done

    def _deliver_held(self, deliver: Callable[[ExecutorEvent], None]) -> bool:
        """Hands over what waits for nothing any more; whether there was something."""
        told = False
        for token, held in [*self._waiting.items()]:
            while held and (held[0].future is None or held[0].future.done()):
                first = held.popleft()
                event = first.event if first.future is None else first.future.result()
                if not held:
                    self._waiting.pop(token, None)
                if event is not None:
                    told = True
                    deliver(event)
        return told

    def _launch_fetched(self, deliver: Callable[[ExecutorEvent], None]) -> None:
        for token, future in [*self._fetching.items()]:
            if not future.done():
                continue
            del self._fetching[token]
            outcome = self._ends.pop(token, None)
            if outcome is not None:
                deliver(Exited(token, outcome, time.time()))
            elif (error := future.exception()) is not None:
                failure = Failure(FailureKind.CRASH, f"its checkpoint could not be fetched: {error}", "checkpoint")
                deliver(Exited(token, "failed", time.time(), None, failure))
            else:
                self._executor.launch(future.result())

    # --- what is stored and fetched, in whatever thread ---

    def _fetched(self, launch: Launch) -> Launch:
        assert launch.checkpoint is not None
        return replace(launch, checkpoint=str(fetched(self._vault, Path(launch.folder), launch.checkpoint)))

    def _stored_if_newest(self, event: Checkpointed) -> ExecutorEvent | None:
        held = [*self._waiting.get(event.token, ())]
        newest = max((each.event.step for each in held if isinstance(each.event, Checkpointed)), default=event.step)
        return self._stored(event) if event.step >= newest else None

    def _stored(self, event: Checkpointed) -> Checkpointed | None:
        """The event with the address in the vault; None when it couldn't be stored, or is gone."""
        folder = Path(event.path)
        address = self._address_of(event)
        if address is None:
            try:
                address = self._vault.put_new(folder, f"{trial_key(folder.parent.parent)}/checkpoints/{folder.name}")
                _note(folder, address)
            except (StoreError, OSError) as error:
                self._complaints.append(f"a checkpoint could not be stored, so no trial goes on from it: {error}")
                return None
        return replace(event, path=address)

    def _address_of(self, event: Checkpointed) -> str | None:
        try:
            return _sidecar(Path(event.path)).read_text(encoding="utf-8")
        except OSError:
            return None

    def _with_artifacts(self, event: Exited, launch: Launch) -> ExecutorEvent:
        self._store_artifacts(launch)
        return event

    def _store_artifacts(self, launch: Launch) -> None:
        folder = Path(launch.folder, "artifacts")
        if not folder.is_dir():
            return
        try:
            self._vault.put(folder, f"{trial_key(Path(launch.folder))}/artifacts")
        except (StoreError, OSError) as error:
            number = launch.trial.number
            self._complaints.append(f"the artifacts of trial {number} could not be stored, and stay in {folder}: {error}")


class _Held:
    """An event that waits for those before it, and for what has to be done first."""

    __slots__ = ("event", "future")

    def __init__(self, event: ExecutorEvent, future: Future[ExecutorEvent | None] | None) -> None:
        self.event, self.future = event, future


def trial_key(folder: Path) -> str:
    """The key under which everything of a trial is kept; `folder` is the trial's."""
    return f"trials/{folder.name}"


def fetched(vault: Vault, folder: Path, address: str) -> Path:
    """A folder on this host that holds a checkpoint of a trial, whose own folder is `folder`; fetched when there is none.

    Raises:
        StoreError: the vault can't be reached, or doesn't hold it.
    """
    known = local_copy(folder, address)
    if known is not None:
        return known
    made = folder / "checkpoints" / f"fetched-{address.rpartition('/')[2]}"
    if made.is_dir():  # fetched whole, and the process ended before that was written down
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    vault.fetch(address, made)
    _note(made, address)
    return made


def local_copy(folder: Path, address: str) -> Path | None:
    """The folder on this host that holds a trial's checkpoint of this address; None when there is none."""
    for sidecar in (folder / "checkpoints").glob("*.address"):
        held = sidecar.with_suffix("")
        if held.is_dir() and sidecar.read_text(encoding="utf-8") == address:
            return held
    return None


def _sidecar(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.address")


def _note(folder: Path, address: str) -> None:
    """Writes down where a folder is in the vault."""
    temporary = folder.with_name(f".{folder.name}.address")
    temporary.write_text(address, encoding="utf-8")
    temporary.replace(_sidecar(folder))
