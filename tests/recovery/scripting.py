"""A controller of scripts to be killed: `python -m tests.recovery.scripting FOLDER TRIALS` runs or resumes one job there.

The script writes its begin and its end to a witness file, so a test can tell what was really executed from what was
recorded. Its last value is that of its parameter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tunewright as tw

NAME, WORKERS, STEPS = "scripted", 3, 5
SPACE = tw.SearchSpace({"x": tw.Int(0, 1000)})
CODE = """
echo begin $TUNEWRIGHT_NUMBER $TUNEWRIGHT_EXECUTION >> witness
for step in 1 2 3 4 5; do
  sleep 0.2
  echo "step $step of trial $TUNEWRIGHT_NUMBER: loss=$((x + 5 - step))"
done
echo end $TUNEWRIGHT_NUMBER $TUNEWRIGHT_EXECUTION >> witness
"""


def store_of(folder: Path) -> str:
    return f"sqlite:///{folder}/store.db"


def run(folder: Path, trials: int) -> tw.Job:
    """Makes the job, or goes on with it, to its end."""
    script = tw.Script(["bash", "-c", CODE], arguments=None, env={"x": "{x}"}, cwd=folder, metrics={"loss": "loss=(.*)"})
    return tw.tune(
        script, SPACE, metric="loss", max_trials=trials, max_parallel=WORKERS, strategy="random", stopper=None, seed=7,
        retries=tw.Retries(lost=50), name=NAME, store=store_of(folder), resume=True, progress="none",
    )  # fmt: skip


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), int(sys.argv[2])), flush=True)
