"""What a job says at its end: how it went, the best values, how much better they are, where it is, what shows more."""

from __future__ import annotations

from collections.abc import Mapping

from tunewright.objective import Objective
from tunewright.progress.board import Board
from tunewright.progress.formatting import align, counted, format_duration, format_location, format_number, format_value
from tunewright.records import Counts, JobState, Scalar, Status, Trial


def ending(board: Board) -> list[str]:
    """The lines that a job prints when it has ended."""
    brief = board.brief
    lines = ["", f"{outcome(board.state)} after {format_duration(board.elapsed)}: {tally(board.counts)}"]
    if board.best is None:
        lines.append("No trial has completed")
    else:
        lines += best_lines(board.best, brief.objectives, board.reference)
    if brief.location:
        lines.append(f"Stored in {format_location(brief.location)}")
    if brief.go_on and board.state.status is Status.STOPPED:
        lines.append(f"To go on: {brief.go_on}")
    if brief.more:
        lines.append(f"More: {brief.more}")
    return lines


def outcome(state: JobState) -> str:
    """How the job stands, with its reason: `Completed (max_trials reached)`."""
    return f"{state.status.value} ({state.reason})" if state.reason else state.status.value


def tally(counts: Counts) -> str:
    """How many trials ended how: `28 trials completed, 2 failed`."""
    parts = [f"{counted(counts.completed, 'trial')} completed"]
    for name in ("failed", "stopped", "paused"):
        number = getattr(counts, name)
        if number:
            parts.append(f"{number} {name}")
    return ", ".join(parts)


def best_lines(best: Trial, objectives: tuple[Objective, ...], reference: tuple[str, Trial] | None) -> list[str]:
    """The best trial's objective and values, and how much better it is than the reference."""
    assert best.objectives
    values = ", ".join(f"{o.metric} {format_number(v)}" for o, v in zip(objectives, best.objectives, strict=True))
    better = f", {improvement(best, objectives[0], *reference)}" if reference is not None else ""
    return [f"Best: {values} in trial {best.number}{better}", *param_lines(best.params)]


def param_lines(params: Mapping[str, Scalar]) -> list[str]:
    """A configuration, a parameter a line."""
    return align((name, format_value(value)) for name, value in params.items())


def improvement(best: Trial, objective: Objective, name: str, reference: Trial) -> str:
    """How much better the best trial is: `0.031 better than the default (0.951)`, with the share where it makes sense."""
    value, base = best.objective, reference.objective
    assert value is not None
    assert base is not None
    if best.number == reference.number:
        return f"which is {name} itself"
    gain = objective.sign * (base - value)
    if gain <= 0:
        return f"no better than {name} ({format_number(base)})"
    share = f" or {100 * gain / abs(base):.3g}%" if base else ""
    return f"{format_number(gain)}{share} better than {name} ({format_number(base)})"
