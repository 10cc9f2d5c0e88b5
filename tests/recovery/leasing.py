"""A job that leases GPUs, to be raced and killed: `python -m tests.recovery.leasing FOLDER NAME KIND TRIALS GPUS`.

Each trial writes into $WITNESS when it begins and ends, with the GPUs that it was shown and its process. A trial of KIND "hold"
or "script" goes on until there is a file `go` in the folder.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import tunewright as tw

SPACE = tw.SearchSpace({"x": tw.Float(0.0, 1.0)})
SCRIPT = """
echo begin $CUDA_VISIBLE_DEVICES $0 $TUNEWRIGHT_NUMBER $$ >> $WITNESS
while [ ! -e go ]; do sleep 0.05; done
echo end $CUDA_VISIBLE_DEVICES $0 $TUNEWRIGHT_NUMBER $$ >> $WITNESS
echo loss=$TUNEWRIGHT_PARAM_x
"""


def witness(word: str, name: str, trial: tw.Trial) -> None:
    """Adds a line, whole: `word gpus job trial process`."""
    line = f"{word} {os.environ['CUDA_VISIBLE_DEVICES']} {name} {trial.number} {os.getpid()}\n"
    with Path(os.environ["WITNESS"]).open("a", buffering=1) as file:
        file.write(line)


def run(folder: Path, name: str, kind: str, trials: int, gpus: float) -> tw.Job:
    """Makes the job, or goes on with it, to its end."""

    def train(trial: tw.Trial) -> float:
        witness("begin", name, trial)
        if kind == "hold":
            while not (folder / "go").exists():
                time.sleep(0.05)
        else:
            time.sleep(0.01 + 0.03 * float(trial.params["x"]))
        witness("end", name, trial)
        return float(trial.params["x"])

    script = tw.Script(["bash", "-c", SCRIPT, name], arguments=None, cwd=folder, metrics={"loss": "loss=(.*)"})
    return tw.tune(
        script if kind == "script" else train, SPACE, metric="loss", max_trials=trials, strategy="random", stopper=None, seed=3,
        resources=tw.Resources(gpus=gpus), name=name, store=f"sqlite:///{folder}/{name}.db", resume=True,
        retries=tw.Retries(lost=50), progress="plain",
    )  # fmt: skip


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
