"""A clock that tests move by hand."""

from __future__ import annotations


class FakeClock:
    """Seconds since the epoch that pass only when told to.

    Args:
        start: the first moment.
    """

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """The present moment, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Lets time pass, and returns the new moment. Time doesn't run backwards: raises ValueError for less than 0."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0; got {seconds!r}")
        self._now += seconds
        return self._now
