"""What training code calls: report metrics, write checkpoints, be told to pause or to stop.

This file stands alone. It needs nothing but the standard library (Python 3.8 or newer), so it can be copied into a
training image. A function that is tuned gets a `Trial`; a script asks for its own:

    trial = current_trial()                         # None when nobody tunes this process
    report(loss=0.3, step=epoch)                    # checks its arguments and does nothing more when nobody does
    with checkpoint(step=epoch) as folder: ...      # a throw-away folder when nobody does

A stop or a pause is `TrialInterrupted`, raised by `report`. It is a BaseException, so that `except Exception` doesn't
swallow it; whoever swallows it all the same gets it again at the next report. `report(..., interrupt=False)` returns the
decision instead: "continue", "pause" or "stop".

What a script finds in its environment:

    TUNEWRIGHT_FOLDER, TUNEWRIGHT_EXECUTION     the trial's folder; the execution's number. Without both there is no trial
    TUNEWRIGHT_PARAMS                           the parameters, as a JSON object
    TUNEWRIGHT_NUMBER, TUNEWRIGHT_SEED          the trial's number and seed
    TUNEWRIGHT_FOLD, TUNEWRIGHT_REPEAT          0 when not given
    TUNEWRIGHT_FIDELITY                         how much of the full training; empty when there is no such thing
    TUNEWRIGHT_FROM_STEP, TUNEWRIGHT_UNTIL_STEP     the last step done before; the next decision step, empty for none
    TUNEWRIGHT_CHECKPOINT                       the folder to go on from; empty for none
    TUNEWRIGHT_WAIT                             the longest wait at a decision step, in seconds (600)
    RANK, LOCAL_RANK, OMPI_COMM_WORLD_RANK      of a distributed training, the first that is set. What ranks other than 0
                                                report is dropped; they get rank 0's decisions, at the same steps

What is written: `<folder>/executions/<n>/spool.jsonl`, a line per report, checkpoint and end, each a JSON object with its
"kind"; values that JSON has no number for are the strings "NaN", "Infinity" and "-Infinity". A script also says there that
it reads orders ("attached"), and that it was told to end ("told"). What is read: `order.json` beside it, replaced whole:
{"number": n, "until": step or null} or {"number": n, "halt": "pause" or "stop", "reason": text}. Ranks agree in `ranks`.
"""

# pathlib is loaded only when a folder is asked for, so that a script starts quickly.
# ruff: noqa: PTH103, PTH104, PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

WAIT = 600.0  # seconds that report() waits at a decision step before it goes on unasked
INTERVAL = 0.05  # seconds between writes of a spool, and between looks for orders
_MARGIN = 5.0  # seconds that other ranks wait longer than rank 0
_NEVER = float("inf")


class TrialInterrupted(BaseException):
    """The trial is to end here, and its training code with it.

    Attributes:
        action: "pause" or "stop".
        reason: why, for people.
    """

    def __init__(self, action: str, reason: str = "") -> None:
        self.action, self.reason = action, reason
        super().__init__(action, reason)

    def __str__(self) -> str:
        return f"{self.action}: {self.reason}" if self.reason else self.action


class Trial:
    """One execution of a configuration, as its training code sees it.

    Attributes:
        params: the configuration, by name.
        number, seed: of the trial.
        fidelity: how much of the full training is asked for (such as a number of epochs); None when nothing is.
        fold, repeat: which part of the data is held out, and which repetition this is.
        step: the last step done, 0 before the first one; a trial that goes on begins above 0.
    """

    __slots__ = (
        "_channel",
        "_folder",
        "_resume",
        "execution",
        "fidelity",
        "fold",
        "number",
        "params",
        "repeat",
        "seed",
        "step",
    )

    def __init__(
        self,
        params: dict[str, Any],
        channel: Channel,
        folder: str,
        *,
        number: int = 0,
        seed: int = 0,
        fidelity: float | None = None,
        fold: int = 0,
        repeat: int = 0,
        execution: int = 1,
        step: int = 0,
        resume: str | None = None,
    ) -> None:
        self.params, self.number, self.seed, self.fidelity = params, number, seed, fidelity
        self.fold, self.repeat, self.execution, self.step = fold, repeat, execution, step
        self._channel, self._folder, self._resume = channel, folder, resume

    def report(
        self, metrics: Mapping[str, Any] | None = None, *, step: int | None = None, interrupt: bool = True, **values: Any
    ) -> str:
        """Reports metrics of a step. Returns at once, except at a decision step, where it waits for the decision.

        Args:
            metrics, values: numbers by name, as a mapping, as keywords, or both.
            step: which step they belong to; None counts up from the last one.
            interrupt: False returns a pause or stop instead of raising it.

        Returns:
            "continue", or "pause" or "stop" when `interrupt` is False.

        Raises:
            TrialInterrupted: the trial is to pause or to stop.
            ValueError: a name, a value or the step breaks its rule.
        """
        found = values if metrics is None else _merged(metrics, values)
        for name, value in found.items():
            if type(value) is not float or type(name) is not str or not name:
                found = _checked(found)
                break
        if not found:
            raise ValueError("metrics must hold at least one value; got {}")
        if step is None:
            step = self.step + 1
        elif type(step) is not int or step < 0:
            step = _whole("step", step)
        self.step = step
        channel = self._channel
        channel.add(step, found)
        if step >= channel.until:
            channel.ask()
        if channel.halt is None:
            return "continue"
        return channel.obey(interrupt)

    def checkpoint(self, step: int) -> CheckpointWriter:
        """A folder to write a checkpoint of `step` to, as a context manager: it becomes one whole, or not at all.

        What an exception or a kill cuts short leaves nothing behind. Raises ValueError when the step breaks its rule.
        """
        return CheckpointWriter(self, _whole("step", step))

    @property
    def resume_dir(self) -> Path | None:
        """The folder of the last whole checkpoint, to go on from; None when there is none."""
        from pathlib import Path

        return None if self._resume is None else Path(self._resume)

    @property
    def artifact_dir(self) -> Path:
        """A folder whose files are kept with the trial; made on first use."""
        from pathlib import Path

        folder = Path(self._folder, "artifacts")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def __repr__(self) -> str:
        return f"Trial(number={self.number}, params={self.params!r}, step={self.step})"


class CheckpointWriter:
    """Writes into a temporary sibling that is renamed at the end, so a checkpoint is never half there."""

    def __init__(self, trial: Trial | None, step: int) -> None:
        self._trial, self._step = trial, step
        self._temporary = ""

    def __enter__(self) -> Path:
        from pathlib import Path

        if self._trial is None:
            from tempfile import mkdtemp

            self._temporary = mkdtemp(prefix="checkpoint-")
        else:
            parent = os.path.join(self._trial._folder, "checkpoints")
            self._temporary = os.path.join(parent, f".step-{self._step}.{self._trial.execution}.partial")
            _remove(self._temporary)  # what an earlier attempt in this execution left
            os.makedirs(self._temporary)
        return Path(self._temporary)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None or self._trial is None:
            _remove(self._temporary)
            return
        final = base = os.path.join(os.path.dirname(self._temporary), f"step-{self._step}")
        attempt = 1
        # A checkpoint that exists is never touched: a second one of the same step gets a name of its own.
        while True:
            try:
                os.rename(self._temporary, final)
                break
            except OSError as problem:
                if problem.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    _remove(self._temporary)
                    raise
            attempt += 1
            final = f"{base}.{attempt}"
        self._trial._resume = final
        self._trial._channel.checkpointed(self._step, final)


# --- how reports travel ---


class Channel:
    """Takes reports away and brings orders. This one drops everything: for ranks that aren't heard.

    Attributes:
        until: the next decision step; infinite when there is none.
        halt: the ordered end, (action, reason), once there is one.
        told: how training code learned of it: "raised", "returned", or None as long as it hasn't.
    """

    __slots__ = ("halt", "told", "until")

    def __init__(self, until: float | None = None) -> None:
        self.until: float = _NEVER if until is None else until
        self.halt: tuple[str, str] | None = None
        self.told: str | None = None

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Takes one report."""

    def ask(self) -> None:
        """Hands over all reports and waits for the decision."""

    def checkpointed(self, step: int, path: str) -> None:
        """Takes word of a whole checkpoint."""

    def take(self, order: Mapping[str, Any]) -> None:
        """Keeps an order in mind: {"until": step or None}, or {"halt": "pause" or "stop", "reason": text}."""
        if order.get("halt"):
            self.halt = (str(order["halt"]), str(order.get("reason", "")))
        else:
            self.until = _NEVER if order.get("until") is None else order["until"]

    def obey(self, interrupt: bool) -> str:
        """Passes the ordered end on to training code."""
        assert self.halt is not None
        action, reason = self.halt
        if interrupt:
            self.told = "raised"
            raise TrialInterrupted(action, reason)
        self.told = self.told or "returned"
        return action


class OrderFile:
    """Reads the orders that are left in a file, which is replaced whole for each."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._number = 0

    def poll(self, timeout: float) -> list[dict[str, Any]]:
        """Orders that came since the last call, waiting at most `timeout` seconds for one."""
        end, pause = time.monotonic() + timeout, 0.001
        while True:
            order = self._look()
            left = end - time.monotonic()
            if order is not None or left <= 0:
                return [] if order is None else [order]
            time.sleep(min(pause, left))
            pause = min(2 * pause, INTERVAL)

    def _look(self) -> dict[str, Any] | None:
        import json

        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return None
            with open(self._path, encoding="utf-8") as file:
                order = json.load(file)
        except (OSError, ValueError):
            return None
        self._stamp = stamp
        if not isinstance(order, dict) or order.get("number", 0) <= self._number:
            return None
        self._number = order["number"]
        return order


class SpoolChannel(Channel):
    """Writes reports to a spool file from a thread of its own, so that training code never waits for a disk.

    Args:
        path: the spool.
        until: the first decision step, or None.
        orders: where orders come from: `poll(timeout)` returns new ones.
        notify: called after each write, to wake the reader.
        wait: the longest wait at a decision step, in seconds.
    """

    __slots__ = (
        "_answering", "_awake", "_backlog", "_buffer", "_closed", "_encode", "_file", "_looked", "_notify", "_orders",
        "_path", "_pid", "_problem", "_step", "_unanswered", "_wait", "_wake", "_writing",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        until: float | None,
        orders: Any,
        notify: Callable[[], None] | None = None,
        wait: float = WAIT,
    ) -> None:
        super().__init__(until)
        from json import JSONEncoder

        self._path, self._orders, self._notify, self._wait = path, orders, notify, wait
        self._encode = JSONEncoder(allow_nan=False, separators=(",", ":")).encode
        self._buffer: deque[Any] = deque()
        self._backlog = bytearray()  # encoded, and not accepted by the file system yet
        self._file = -1
        self._problem: OSError | None = None
        self._writing, self._answering = threading.Lock(), threading.Lock()
        self._wake: threading.Event | None = None
        self._awake, self._closed, self._unanswered = False, False, False
        self._step, self._looked = 0, 0.0
        self._pid = os.getpid()

    def add(self, step: int, metrics: dict[str, float]) -> None:
        self._buffer.append((step, metrics, time.time()))
        self._step = step
        if not self._awake:
            self._awake = True
            self._start()
        now = time.monotonic()
        if now - self._looked >= INTERVAL:
            self._looked = now
            self._look()

    def ask(self) -> None:
        self.flush()
        if os.getpid() != self._pid:
            return
        with self._answering:
            self._take(0.0)
            end = time.monotonic() + self._wait
            while self._step >= self.until and self.halt is None and not self._unanswered:
                left = end - time.monotonic()
                if left <= 0:
                    self._unanswered = True
                    text = f"tunewright: no decision at step {self._step} within {self._wait:g} s; training goes on unasked"
                    print(text, file=sys.stderr, flush=True)
                elif self._take(left):
                    return

    def checkpointed(self, step: int, path: str) -> None:
        self._buffer.append({"kind": "checkpoint", "step": step, "path": path, "at": time.time()})
        self.flush()

    def end(self, record: Mapping[str, Any]) -> None:
        """Writes the last line and closes the spool. Raises OSError when it can't be written whole."""
        self._buffer.append({"kind": "end", "at": time.time(), **record})
        self.close()
        if self._backlog:
            raise self._problem or OSError("the spool was closed")

    def close(self) -> None:
        """Writes what is left, and ends the thread. Idempotent."""
        self.flush()
        with self._writing:
            self._closed = True
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        if self._wake is not None:
            self._wake.set()

    def flush(self) -> None:
        """Writes what was reported so far, now."""
        if os.getpid() != self._pid:  # a forked child: what is in the buffer is its parent's to write
            self._buffer.clear()
            return
        with self._writing:
            wrote = self._write()
        if wrote and self._notify is not None:
            self._notify()

    # --- orders ---

    def _look(self) -> None:
        if self._answering.acquire(blocking=False):
            try:
                self._take(0.0)
            finally:
                self._answering.release()

    def _take(self, timeout: float) -> bool:
        orders = self._orders.poll(timeout)
        for order in orders:
            self.take(order)
            self._unanswered = False
        return bool(orders)

    # --- writing ---

    def _start(self) -> None:
        if self._wake is None:
            self._wake = threading.Event()
            threading.Thread(target=self._run, args=(self._wake,), name="tunewright-spool", daemon=True).start()
        self._wake.set()

    def _run(self, wake: threading.Event) -> None:
        while not self._closed:
            wake.wait()
            wake.clear()
            if self._closed:
                return
            time.sleep(INTERVAL)
            self._awake = False  # before the write: what is added during it wakes this thread again
            self.flush()

    def _write(self) -> bool:
        """Writes the buffer; what the file system refuses waits for the next time. Whether anything was written."""
        buffer = self._buffer
        for _ in range(len(buffer)):  # not what is added meanwhile: a fast training loop would keep this going for ever
            self._backlog += self._line(buffer.popleft())
        if not self._backlog or self._closed:
            return False
        try:
            if self._file < 0:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            while self._backlog:
                del self._backlog[: os.write(self._file, self._backlog)]
        except OSError as problem:
            self._problem = problem
            return False
        return True

    def _line(self, entry: Any) -> bytes:
        if type(entry) is tuple:
            entry = {"kind": "report", "step": entry[0], "at": entry[2], "metrics": entry[1]}
        try:
            return (self._encode(entry) + "\n").encode("ascii")
        except ValueError:
            return (self._encode(_without_nan(entry)) + "\n").encode("ascii")


# --- scripts, and their ranks ---


class ScriptChannel(SpoolChannel):
    """The channel of a script's first rank: says that it was told to end, and shares what is decided with other ranks.

    Args:
        place: the execution's folder.
        until, wait: as for SpoolChannel.
    """

    __slots__ = ("_agreement", "_pending")

    def __init__(self, place: str, until: int | None, wait: float) -> None:
        super().__init__(os.path.join(place, "spool.jsonl"), until, OrderFile(os.path.join(place, "order.json")), wait=wait)
        self._agreement = Agreement(os.path.join(place, "ranks"), until)
        self._pending: tuple[int, str, str] | None = None
        self._buffer.append({"kind": "attached", "at": time.time()})

    def ask(self) -> None:
        if self._pending is not None and self._step >= self._pending[0]:
            self.halt = self._pending[1:]
        before = self._unanswered
        super().ask()
        if self._unanswered and not before:
            self._agreement.go_on(None)  # it goes on unasked, and the others with it

    def take(self, order: Mapping[str, Any]) -> None:
        if not order.get("halt"):
            super().take(order)
            if self._pending is not None:
                self.until = min(self.until, self._pending[0])
            self._agreement.go_on(order.get("until"))
            return
        action, reason = str(order["halt"]), str(order.get("reason", ""))
        step = self._agreement.halt(self._step, action, reason)
        if step <= self._step:
            super().take(order)
        else:  # another rank has passed this step already: all of them end at the next one that none has passed
            self._pending = (step, action, reason)
            self.until = min(self.until, step)

    def obey(self, interrupt: bool) -> str:
        assert self.halt is not None
        if self.told is None:
            self._buffer.append({"kind": "told", "action": self.halt[0], "at": time.time()})
            self.flush()
        return super().obey(interrupt)


class RankChannel(Channel):
    """The channel of another rank of a distributed script: its reports are dropped, and it ends where rank 0 does.

    Args:
        place: the execution's folder.
        rank: from 1.
        until, wait: as for SpoolChannel.
    """

    __slots__ = ("_agreement", "_alone", "_rank", "_step", "_wait")

    def __init__(self, place: str, rank: int, until: int | None, wait: float) -> None:
        super().__init__(-_NEVER)  # every step is looked at
        self._agreement = Agreement(os.path.join(place, "ranks"), until)
        self._rank, self._wait, self._alone, self._step = rank, wait, False, 0

    def add(self, step: int, metrics: dict[str, float]) -> None:
        self._step = step

    def ask(self) -> None:
        if self.halt is not None:
            return
        end, pause = time.monotonic() + self._wait + _MARGIN, 0.001
        while True:
            answer = self._agreement.arrive(self._rank, self._step, patient=not self._alone)
            if answer != "wait":
                break
            if time.monotonic() >= end:
                self._alone = True
                text = f"tunewright: rank 0 told rank {self._rank} no decision at step {self._step}; it goes on unasked"
                print(text, file=sys.stderr, flush=True)
            time.sleep(pause)
            pause = min(2 * pause, INTERVAL)
        if answer != "pass":
            action, _, reason = answer.partition(":")
            self.halt = (action, reason)


class Agreement:
    """What the ranks of one execution share, in a file under a lock, so that all of them end at the same step.

    It holds the next decision step, the step at which to end and why, and per rank the last step that it has passed. A rank
    notes a step before it goes on, so rank 0 can choose an end that nobody has passed. On a file system that can't lock, or
    doesn't take the file, ranks go their own ways.
    """

    _HEAD = "<qq512s"

    def __init__(self, path: str, until: int | None) -> None:
        self._path, self._first, self._file = path, until, -1

    def go_on(self, until: int | None) -> None:
        """Rank 0: the next decision is at step `until`, or there is none."""
        self._locked(lambda: self._write(until, *self._read()[1:]))

    def halt(self, step: int, action: str, reason: str) -> int:
        """Rank 0, which has done `step`: end there, or at the first later step that no rank has passed, which is returned."""

        def choose() -> int:
            until, before, text = self._read()
            chosen = max([step, *self._not_passed()]) if before is None else before
            self._write(until, chosen, text or f"{action}:{reason}")
            return chosen

        found = self._locked(choose)
        return step if found is None else found

    def arrive(self, rank: int, step: int, patient: bool = True) -> str:
        """Another rank, which has done `step`: "pass", "wait" for rank 0, or the action and the reason for its end."""

        def look() -> str:
            until, end, text = self._read()
            if end is not None and step >= end:
                return text
            if patient and until is not None and step >= until:
                return "wait"
            os.pwrite(self._file, (step + 1).to_bytes(8, "little"), self._size() + 8 * rank)
            return "pass"

        return self._locked(look) or "pass"

    def _locked(self, act: Callable[[], Any]) -> Any:
        try:
            import fcntl

            if self._file < 0:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                return act()
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except (ImportError, OSError):
            return None

    def _size(self) -> int:
        import struct

        return struct.calcsize(self._HEAD)

    def _read(self) -> tuple[int | None, int | None, str]:
        import struct

        data = os.pread(self._file, self._size(), 0)
        if len(data) < self._size():
            self._write(self._first, None, "")
            return self._first, None, ""
        until, end, text = struct.unpack(self._HEAD, data)
        return _known(until), _known(end), text.rstrip(b"\0").decode("utf-8", "ignore")

    def _write(self, until: int | None, end: int | None, text: str) -> None:
        import struct

        numbers = (-1 if number is None else number for number in (until, end))
        os.pwrite(self._file, struct.pack(self._HEAD, *numbers, text.encode("utf-8", "replace")), 0)

    def _not_passed(self) -> list[int]:
        """Per rank, the first step that it has not passed."""
        data = os.pread(self._file, 8 * 65536, self._size())
        return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


def _known(number: int) -> int | None:
    return None if number < 0 else number


def _rank(environment: Mapping[str, str]) -> int:
    for name in ("RANK", "OMPI_COMM_WORLD_RANK", "LOCAL_RANK"):
        if environment.get(name, "").isdigit():
            return int(environment[name])
    return 0


def _end_quietly() -> None:
    """Makes a TrialInterrupted that a script doesn't catch one line of output, in place of a traceback."""
    shown = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, TrialInterrupted):
            print(f"tunewright: {error}", file=sys.stderr, flush=True)
        else:
            shown(kind, error, trace)

    sys.excepthook = hook


# --- the trial of this thread or process ---

_here = threading.local()
_process: list[Trial | None] = []  # empty until the environment was read


def current_trial() -> Trial | None:
    """The trial that this code runs in: of this thread, else of this process; None when nobody tunes it."""
    trial: Trial | None = getattr(_here, "trial", None)
    if trial is not None:
        return trial
    if not _process:
        _process.append(trial_of_environment(os.environ))
        if _process[0] is not None:
            _end_quietly()
    return _process[0]


def set_current_trial(trial: Trial | None, *, process: bool = False) -> Trial | None:
    """Makes a trial the current one, of this thread or of the whole process; returns the one before. For executors."""
    if process:
        before = _process[0] if _process else None
        _process[:] = [trial]
    else:
        before = getattr(_here, "trial", None)
        _here.trial = trial
    return before


def report(metrics: Mapping[str, Any] | None = None, *, step: int | None = None, interrupt: bool = True, **values: Any) -> str:
    """`Trial.report` of the current trial. Outside of one it checks its arguments and returns "continue"."""
    trial = current_trial() or Trial({}, Channel(), "")
    return trial.report(metrics, step=step, interrupt=interrupt, **values)


def checkpoint(step: int) -> CheckpointWriter:
    """`Trial.checkpoint` of the current trial. Outside of one, what is written is thrown away."""
    return CheckpointWriter(current_trial(), _whole("step", step))


def trial_of_environment(environment: Mapping[str, str]) -> Trial | None:
    """The trial that a script was started for, by its environment (see the module); None when there is none."""
    folder, execution = environment.get("TUNEWRIGHT_FOLDER"), environment.get("TUNEWRIGHT_EXECUTION")
    if not folder or not execution:
        return None
    import atexit
    import json

    def number(name: str) -> int:
        return int(environment.get(name) or 0)

    place = os.path.join(folder, "executions", execution)
    given, fidelity = environment.get("TUNEWRIGHT_UNTIL_STEP"), environment.get("TUNEWRIGHT_FIDELITY")
    until, wait = int(given) if given else None, float(environment.get("TUNEWRIGHT_WAIT") or WAIT)
    rank = _rank(environment)
    if rank:
        channel: Channel = RankChannel(place, rank, until, wait)
    else:
        channel = spool = ScriptChannel(place, until, wait)
        atexit.register(spool.close)
    return Trial(
        json.loads(environment.get("TUNEWRIGHT_PARAMS") or "{}"),
        channel,
        folder,
        number=number("TUNEWRIGHT_NUMBER"),
        seed=number("TUNEWRIGHT_SEED"),
        fidelity=float(fidelity) if fidelity else None,
        fold=number("TUNEWRIGHT_FOLD"),
        repeat=number("TUNEWRIGHT_REPEAT"),
        execution=int(execution),
        step=number("TUNEWRIGHT_FROM_STEP"),
        resume=environment.get("TUNEWRIGHT_CHECKPOINT") or None,
    )


# --- rules ---


def _merged(metrics: Any, values: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(metrics, Mapping):
        raise ValueError(f"metrics must be a mapping of names to numbers; got {metrics!r}")
    return {**metrics, **values}


def _checked(metrics: Mapping[Any, Any]) -> dict[str, float]:
    for name in metrics:
        if not isinstance(name, str) or not name:
            raise ValueError(f"metric name must be a non-empty string; got {name!r}")
    return {str(name): as_number(f"metric {name!r}", value) for name, value in metrics.items()}


def as_number(field: str, value: Any) -> float:
    """A number of any library (NumPy scalars, 0-d tensors) as a float. Raises ValueError, which names `field`."""
    if not isinstance(value, (str, bytes, bytearray)) and getattr(value, "ndim", 0) == 0 and hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            pass
    shown = repr(value)
    raise ValueError(f"{field} must be a number; got {shown if len(shown) <= 200 else shown[:200] + '...'}")


def _whole(field: str, value: Any) -> int:
    from operator import index

    try:
        if isinstance(value, bool):
            raise TypeError
        found = index(value)
    except TypeError:
        found = -1
    if found < 0:
        raise ValueError(f"{field} must be an integer of at least 0; got {value!r}")
    return found


def _without_nan(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {key: _without_nan(value) for key, value in entry.items()}
    if isinstance(entry, float) and entry - entry != 0.0:
        return "NaN" if entry != entry else "Infinity" if entry > 0 else "-Infinity"
    return entry


def _remove(folder: str) -> None:
    from shutil import rmtree

    rmtree(folder, ignore_errors=True)
