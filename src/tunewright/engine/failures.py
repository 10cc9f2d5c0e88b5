"""When failures end the whole job."""

from __future__ import annotations

from collections import Counter

from tunewright.interfaces import Failure
from tunewright.records import FailureKind

SAME_FAILURES = 3  # that many first trials with one and the same error end the job


class FailureWatch:
    """Tells when the first trials all fail in the same way. Once a trial has completed, failures end no job any more.

    Attributes:
        last: the last failure that ended a trial.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self.last: Failure | None = None

    def failed(self, failure: Failure, *, completed: bool) -> str | None:
        """Why the job has to end after a trial failed in this way, or None.

        Args:
            completed: whether any trial of the job has completed.
        """
        self.last = failure
        if completed:
            return None
        if failure.kind is FailureKind.MISSING_METRIC:
            return failure.message
        signature = (failure.kind, failure.message.split(":")[0], failure.where)
        self._seen[signature] += 1
        if self._seen[signature] < SAME_FAILURES:
            return None
        return f"the first {SAME_FAILURES} trials failed with the same error: {failure.message}"
