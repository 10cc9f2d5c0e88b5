"""Does what a `Behaviour` says, as a script: `python behaving.py BEHAVIOUR`, which is its fields as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tunewright.report import checkpoint, current_trial, report


def main(behaviour: dict[str, Any]) -> None:
    trial = current_trial()
    assert trial is not None
    for step, value in enumerate(behaviour["values"], start=1):
        if step <= trial.step:
            continue
        time.sleep(behaviour["pause"])
        if behaviour["checkpoints"]:
            with checkpoint(step=step) as folder:
                (folder / "step.txt").write_text(str(step))
        report(loss=float(value), step=step)
    if behaviour["echo"]:
        report(x=trial.params["x"], seed=trial.seed)
    if behaviour["error"] is not None:
        raise RuntimeError(behaviour["error"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
