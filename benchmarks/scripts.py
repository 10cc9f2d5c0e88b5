"""What scripts cost the controller: processor time per trial, with much output, and with many scripts at once."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import tunewright as tw
from benchmarks.table import show

SPACE = tw.SearchSpace({"x": tw.Float(0.0, 1.0)})
BARE = [sys.executable, "-I", "-S", "-c", "print('loss=1')"]
LINES, SECONDS = 1250, 8  # per script and second
PRINTING = f"""
import sys, time
began, every = time.monotonic(), int(sys.argv[1])
for line in range({LINES * SECONDS}):
    if line % 25 == 0:
        time.sleep(max(0.0, began + line / {LINES} - time.monotonic()))
    print("loss=0.5" if line % every == 0 else "nothing to see in this line", flush=True)
"""
REPORTING = """
import os, sys, time
from tunewright.report import TrialInterrupted, report
began = time.monotonic()
try:
    while True:
        report(loss=0.5)
        time.sleep(0.1)
except TrialInterrupted:
    with open(os.path.join(sys.argv[1], os.environ["TUNEWRIGHT_NUMBER"]), "w") as file:
        file.write(repr(time.time()))
"""


@contextmanager
def running(script: tw.Script, trials: int, parallel: int) -> Iterator[tw.Job]:
    """A job of scripts in the background, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield tw.start(
            script, SPACE, metric="loss", max_trials=trials, max_parallel=parallel, strategy="random", stopper=None, seed=0,
            store=f"sqlite:///{folder}/store.db",
        )  # fmt: skip


def own_time() -> float:
    """Seconds of a core that this process has used."""
    return time.process_time()


def child_time() -> float:
    """Those of its children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used(job: tw.Job) -> tuple[float, float]:
    """Seconds of a core that all supervisors of a job have used, and all scripts."""
    records = [
        record
        for spool in Path(job.folder).glob("trials/*/executions/*/spool.jsonl")
        for line in spool.read_text().splitlines()
        if '"used"' in line and (record := json.loads(line))["kind"] == "used"
    ]
    return sum(record["supervisor"] for record in records), sum(record["script"] for record in records)


def cost_per_trial(trials: int = 200) -> dict[str, float]:
    """Milliseconds of a core per trial, by who uses them; "bare" is the command alone."""
    before = child_time()
    for _ in range(trials):
        subprocess.run(BARE, stdout=subprocess.DEVNULL, check=True)
    bare = child_time() - before
    totals = []
    for count in (20, 20 + trials):  # what is used once per job is told apart by a shorter run
        own, children = own_time(), child_time()
        with running(tw.Script(BARE, arguments=None, metrics={"loss": "loss=(.*)"}), count, 2) as job:
            job.wait()
            supervisors, scripts = used(job)
        totals.append((own_time() - own, child_time() - children, supervisors, scripts))
    short, long = totals
    controller, launcher, supervisor, script = (1000 * (b - a) / trials for a, b in zip(short, long, strict=True))
    beyond = script - 1000 * bare / trials
    return {"controller": controller, "launcher": launcher, "supervisor": supervisor, "script beyond the bare command": beyond}


def much_output(every: int) -> tuple[float, float, int]:
    """Shares of a core that the controller and all supervisors use while 8 scripts print; how many metrics were lost.

    Args:
        every: one line of how many carries a metric.
    """
    script = tw.Script([sys.executable, "-c", PRINTING, str(every)], arguments=None, metrics={"loss": "loss=(.*)"})
    with running(script, 8, 8) as job:
        _until(lambda: job.record.state.counts.in_progress == 8)
        own, began = own_time(), time.monotonic()
        job.wait()
        took = time.monotonic() - began
        share = (own_time() - own) / took
        printed = 8 * -(-LINES * SECONDS // every)
        lost = printed - sum(len(trial.reports) for trial in job.trials)
        return share, used(job)[0] / took, lost


def many_scripts(scripts: int = 64, seconds: float = 10.0) -> tuple[float, float]:
    """The share of a core that the controller uses while scripts report ten times a second, and how long a stop takes.

    The second is the longest time, in seconds, from the request that stops the job until a script has it.
    """
    with tempfile.TemporaryDirectory() as place:
        script = tw.Script([sys.executable, "-c", REPORTING, place], arguments=None)
        with running(script, scripts, scripts) as job:
            _until(lambda: all(trial.reports for trial in job.trials) and len(job.trials) == scripts)
            own, began = own_time(), time.monotonic()
            time.sleep(seconds)
            share = (own_time() - own) / (time.monotonic() - began)
            asked = time.time()
            job.stop()
            with suppress(tw.TrialsFailed):  # nothing completed: all were stopped
                job.wait(60)
        told = [float(path.read_text()) for path in Path(place).iterdir()]
        assert len(told) == scripts
        return share, max(told) - asked


def _until(condition: Callable[[], bool], patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


def main() -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join([path for path in sys.path if path])
    cost = cost_per_trial()
    show(
        ("per trial beyond the bare command", "ms of a core", "asked"),
        [*((who, value, "") for who, value in cost.items()), ("together", sum(cost.values()), "at most 15")],
    )
    print()
    rows = []
    for every in (100, 1):
        share, supervisors, lost = much_output(every)
        rows += [
            (
                f"controller, a metric in every {every} lines" if every > 1 else "controller, a metric in every line",
                share,
                "at most 0.5",
            ),
            ("the 8 supervisors together", supervisors, ""),
            ("metrics lost", lost, "0"),
        ]
    show(("8 scripts that print 10,000 lines a second together", "cores", "asked"), rows)
    print()
    share, latency = many_scripts()
    show(
        ("64 scripts that report ten times a second", "", "asked"),
        [("controller, cores", share, "at most 0.5"), ("longest way of a stop, s", latency, "at most 1")],
    )


if __name__ == "__main__":
    main()
