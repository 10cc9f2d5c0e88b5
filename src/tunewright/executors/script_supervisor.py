"""The supervisor of one script: a small process that starts it, takes its output, and writes down how it ended.

It is no child of the process that tunes, so it and its script go on when that one dies. All that they have to tell is in the
execution's folder (see `script_place`): reports and the end in the spool, output in the trial's log. The script is the leader
of a session. On Linux the supervisor is its subreaper, so everything that the script starts stays below the supervisor and
ends with the script. What a supervisor that is killed leaves behind, executors kill by the token in its environment.

A supervisor hears two signals: SIGTERM passes on to all processes of the script, SIGUSR1 kills them. Why is in the folder: an
order in `order.json`, an end in `end.json`. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tunewright.executors.guard import children_of, descendants_of, is_tracker, prctl
from tunewright.executors.process_identity import start_time, this_host
from tunewright.executors.script_log import BoundedLog
from tunewright.executors.script_metrics import MetricLines, PrintedMetrics
from tunewright.executors.script_place import Place
from tunewright.executors.script_spool import SpoolWriter

OUTCOMES = {"stop": "stopped", "pause": "paused"}
_BATCH = 0.01  # seconds that output is let gather, so that a script that prints lines one by one costs little
_LARGE = 16_384  # bytes; a block of this size isn't waited for
_LOOK, _RARE_LOOK = 0.1, 0.5  # seconds between looks at the file of metrics, and at one that was never written to
_TAIL_LINES, _TAIL_BYTES = 20, 8192
_LINGER = 10.0  # seconds that processes of a script get to end after SIGTERM when the script itself has ended
_TRACKER_GRACE = 2.0  # seconds: multiprocessing's resource trackers clean up and leave by themselves
_PATIENCE = 60.0  # seconds that killed processes get to vanish
_MEMORY = ("MemoryError", "OutOfMemoryError", "CUDA out of memory", "std::bad_alloc")
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """See the module.

    Args:
        request: `token`, `argv`, `env`, `cwd`, `folder` (the execution's), `log`, `log_limit`, `from_step`, `time` (the limit,
            in seconds, or None), `time_text`, `cores`, `slot`, `metrics`, `step`, `metrics_file`,
            `expected` (whether it is written to for sure), `port`, `shown` (the command for people), `portable`.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._place = Place(request["folder"])
        self._spool = SpoolWriter(str(self._place.folder / "spool.jsonl"))
        self._portable: bool = request["portable"]
        self._wakeup = _catch_signals(self._hear)
        self._terminate = self._kill = False
        self._terminated = self._killed = False
        self._timed_out = self._left = False
        self._linger_end = 0.0
        self._deadline: float | None = None
        self._streams: dict[int, int] = {}  # descriptors of the script's output that are open, as 1 and 2
        self._errors = bytearray()  # the latest of its standard error

    def run(self) -> None:
        """Runs the script to its end. Does nothing when its execution was given up before it began."""
        record = {"host": this_host(), "pid": os.getpid(), "start": start_time(os.getpid()), "slot": self._request["slot"]}
        if not self._place.claim({**record, "port": self._request["port"], "at": time.time()}):
            return
        if (end := self._place.decided_end()) is not None:
            self._spool.end(end)
            return
        self._log = BoundedLog(self._request["log"], self._request["log_limit"])
        self._printed = PrintedMetrics(self._request["metrics"], self._request["step"], self._request["from_step"])
        self._lines = MetricLines(self._request["metrics_file"], self._request["from_step"], self._request["expected"])
        self._log.note(f"$ {self._request['shown']}")
        try:
            self._start()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            text = f"the script could not be started: {error}"
            self._log.note(text)
            self._log.close()
            self._spool.end(_failed("crash", text, "start"))
            return
        try:
            self._follow()
        finally:
            self._kill_all()
        self._finish()

    # --- its start ---

    def _start(self) -> None:
        request = self._request
        if request["cores"] and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(OSError):  # cores may have been taken from us; better any core than no script
                os.sched_setaffinity(0, request["cores"])
        if not self._portable:
            prctl()(_PR_SET_CHILD_SUBREAPER, 1)
        if request["time"] is not None:
            self._deadline = time.monotonic() + request["time"]
        self._process = subprocess.Popen(
            request["argv"],
            env=request["env"],
            cwd=request["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        for number, pipe in ((1, self._process.stdout), (2, self._process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._streams[pipe.fileno()] = number

    # --- while it runs ---

    def _follow(self) -> None:
        """Takes output until the script has ended."""
        next_look = 0.0
        while not self._reap():
            self._obey()
            ready, _, _ = select.select([*self._streams, self._wakeup], [], [], self._patience())
            if self._wakeup in ready:
                self._drain_wakeups()
            largest = max([self._take(stream) for stream in ready if stream != self._wakeup], default=0)
            now = time.monotonic()
            if now >= next_look:
                self._spool.reports(self._lines.read())
                next_look = now + (_LOOK if self._lines.expected else _RARE_LOOK)
            self._spool.write()
            if 0 < largest < _LARGE and select.select([self._wakeup], [], [], _BATCH)[0]:
                self._drain_wakeups()

    def _patience(self) -> float:
        patience = _LOOK if self._lines.expected or self._spool.waiting else _RARE_LOOK
        if self._deadline is None or self._killed:
            return patience
        return max(0.0, min(patience, self._deadline - time.monotonic()))

    def _take(self, stream: int) -> int:
        """Takes a block of output; how many bytes it was."""
        try:
            block = os.read(stream, 65_536)
        except BlockingIOError:
            return 0
        number = self._streams[stream]
        if not block:
            del self._streams[stream]
            return 0
        self._log.write(block)
        if number == 2:
            self._errors += block
            del self._errors[:-_TAIL_BYTES]
        if self._printed.searches:
            self._spool.reports(self._printed.feed(number, block))
        return len(block)

    def _reap(self) -> bool:
        """Collects what has exited, orphans too; whether the script has. What was sent SIGTERM with it gets some time more."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                lingers = self._terminated and not self._killed and time.monotonic() < self._linger_end
                return self._process.returncode is not None and not lingers
            if pid == self._process.pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)

    # --- orders ---

    def _hear(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self._terminate = True
        elif number == signal.SIGUSR1:
            self._kill = True

    def _drain_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakeup, 4096)

    def _obey(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline and not self._killed:
            self._timed_out = self._kill = True
        if self._terminate and not self._terminated:
            self._terminated, self._linger_end = True, time.monotonic() + _LINGER
            self._signal(signal.SIGTERM)
        if self._kill and not self._killed:
            self._killed = True
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        if not self._portable:
            for pid in descendants_of(os.getpid()):
                _send(pid, number)

    # --- its end ---

    def _kill_all(self) -> None:
        """Kills what the script left, and waits for it."""
        if self._portable or self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        now, pause = time.monotonic(), 0.001
        end, spared = now + _PATIENCE, now + _TRACKER_GRACE
        while not self._portable and time.monotonic() < end:
            try:
                exited = os.waitpid(-1, os.WNOHANG)[0]
            except ChildProcessError:
                return
            if not exited:
                for child in children_of(os.getpid()):
                    tracker = is_tracker(child)
                    if not tracker or time.monotonic() > spared:
                        self._left = self._left or not tracker
                        _send(child, signal.SIGKILL)
                time.sleep(pause)
                pause = min(2 * pause, 0.05)

    def _finish(self) -> None:
        while sum(self._take(stream) for stream in [*self._streams]):
            pass
        self._spool.reports(self._printed.finish())
        self._spool.reports(self._lines.finish())
        if self._left and not (self._killed or self._terminated):
            self._log.note("the script left processes behind, which were killed")
        for name, lines in self._printed.unmatched.items():
            shown = " | ".join(lines) if lines else "there were none"
            self._log.note(f"no line of the output matched the regular expression of metric {name!r}; lines: {shown}")
        if self._printed.unmatched:
            self._spool.add({"kind": "unmatched", "metrics": self._printed.unmatched})
        end = self._end()
        if (failure := end.get("failure")) is not None:
            self._log.note(failure["message"])
        self._log.close()
        script = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = {"supervisor": time.process_time(), "script": script.ru_utime + script.ru_stime}
        self._spool.add({"kind": "used", **used})  # seconds of processor time
        self._spool.end(end)

    def _end(self) -> dict[str, Any]:
        code: int = self._process.returncode
        if self._timed_out:
            return _failed("timeout", f"ran longer than its limit of {self._request['time_text']}", "", self._tail())
        if self._killed and (end := self._place.decided_end()) is not None:
            return end
        order = self._place.last_order() or {}
        if order.get("halt") in OUTCOMES and (self._terminated or code != 0):
            return {"outcome": OUTCOMES[order["halt"]]}
        if code == 0:
            return {"outcome": "completed"}
        if self._terminated:
            return {**_failed("lost", "it was ended by a SIGTERM from elsewhere"), "outcome": "lost"}
        tail = self._tail()
        last = tail.strip().rpartition("\n")[2][:200]
        kind = "out_of_memory" if any(sign in last for sign in _MEMORY) else "crash"
        how = signal_text(-code) if code < 0 else f"exited with code {code}"
        where = f"signal {-code}" if code < 0 else f"exit code {code}"
        return _failed(kind, f"the script {how}" + (f": {last}" if last else ""), where, tail)

    def _tail(self) -> str:
        lines = self._errors.decode("utf-8", "replace").splitlines(keepends=True)
        return "".join(deque(lines, maxlen=_TAIL_LINES))


def supervise(request: dict[str, Any]) -> None:
    """Runs one script to its end, in a process that is there for nothing else."""
    Supervisor(request).run()


def signal_text(number: int) -> str:
    """How a signal ended a process, for people."""
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    hint = "; the system does that when memory runs out" if number == signal.SIGKILL else ""
    return f"was killed by signal {number}{name}{hint}"


def _failed(kind: str, message: str, where: str = "", tail: str = "") -> dict[str, Any]:
    return {"outcome": "failed", "failure": {"kind": kind, "message": message, "where": where, "traceback": tail}}


def _catch_signals(hear: Callable[[int, object], None]) -> int:
    """Has signals heard, and a descriptor readable when one came. Handlers, unlike ignored signals, end with an exec."""
    wakeup, wake = os.pipe()
    for end in (wakeup, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, hear)
    return wakeup


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
