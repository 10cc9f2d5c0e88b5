"""Small jobs in a store, made at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tunewright as tw

SPACE = {
    "lr": tw.Float(1e-4, 1.0, scale="log", default=0.1),
    "layers": tw.Int(1, 6, default=5),
    "opt": tw.Categorical(["sgd", "adam"], default="sgd"),
    "momentum": tw.Float(0.0, 0.9, when={"opt": ["sgd"]}, default=0.5),
}


def loss(trial: Any) -> dict[str, float]:
    """Fails in trial 3, and reports."""
    if trial.number == 3:
        raise ValueError("no, data\n")
    value = abs(math.log10(trial.params["lr"]) + 2) + trial.params["layers"] / 10
    trial.report(loss=value + 1, size=trial.params["layers"])
    return {"loss": value}


def tuned(name: str = "first", store: str | Path = "s.db", train: Any = loss, **options: Any) -> tw.Job:
    """A finished job in a store of the current folder."""
    given = {
        "metric": "loss", "max_trials": 8, "executor": "inline", "seed": 1, "strategy": "random", "progress": "none", **options,
    }  # fmt: skip
    return tw.tune(train, given.pop("space", SPACE), name=name, store=str(store), **given)
