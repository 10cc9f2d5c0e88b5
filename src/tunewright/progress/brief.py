"""What a progress display has to know of a job before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from tunewright.objective import Objective
from tunewright.progress.formatting import counted, format_duration, format_location
from tunewright.records import Params


@dataclass(frozen=True, slots=True)
class Brief:
    """A job as it is announced.

    Args:
        name: the job's name.
        location: where it is stored, for people: a path, or an address without its password; None when only in memory.
        objectives: what is optimised.
        max_trials, max_time: its limits over its life; `max_time` is in seconds.
        max_parallel: how many trials run at once.
        elapsed: seconds that the job has run before, when it is resumed.
        seed: the job's seed.
        default: the space's default configuration, when it has one.
        more: the command that shows more of the job.
    """

    name: str
    location: str | None
    objectives: tuple[Objective, ...]
    max_trials: int | None = None
    max_time: float | None = None
    max_parallel: int = 1
    elapsed: float = 0.0
    seed: int | None = None
    default: Params | None = None
    more: str | None = None

    def announcement(self) -> str:
        """Where the job is stored and what it does, in one line."""
        goals = " and ".join(f"{o.goal} {o.metric}" for o in self.objectives)
        limits = [counted(self.max_trials, "trial")] if self.max_trials is not None else []
        if self.max_time is not None:
            limits.append(format_duration(self.max_time))
        at_most = f"at most {' or '.join(limits)}, " if limits else ""
        seed = "" if self.seed is None else f", seed {self.seed}"
        where = f"stored in {format_location(self.location)}" if self.location else "in memory only"
        return f"Job {self.name}, {where}: {goals}, {at_most}{self.max_parallel} at a time{seed}"

    @property
    def go_on(self) -> str | None:
        """The command that resumes the job, where it is stored."""
        return None if self.more is None else self.more.replace("tunewright show", "tunewright resume", 1)
