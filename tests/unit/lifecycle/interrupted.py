"""A job whose controller is gone while a trial runs."""

from __future__ import annotations

import time

import tunewright as tw
from tunewright.interfaces import Store
from tunewright.lifecycle.request import make_request
from tunewright.records import Counts, Execution, ExecutionStatus, JobState, Status, Trial, TuningJob


def interrupted(store: Store) -> float:
    """Puts the job "left" into a store, and gives the time at which its running trial was started."""
    spec = make_request(lambda trial: 0.0, {"x": tw.Float(0, 1)}, metric="loss", max_trials=4, seed=0).spec
    store.create(TuningJob("left", spec.to_json()))
    fence = store.claim("left", "nobody", 60.0)
    assert fence is not None
    now = time.time()
    trial = Trial(0, {"x": 0.5}, seed=1, status=Status.IN_PROGRESS, started=now)
    execution = Execution(0, 1, "token", status=ExecutionStatus.RUNNING, started=now)
    store.commit([trial, execution, JobState(Status.IN_PROGRESS, counts=Counts(in_progress=1), started=now)], fence)
    store.release(fence)
    return now
