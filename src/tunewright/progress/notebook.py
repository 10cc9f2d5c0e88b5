"""A job as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from tunewright.objective import Objective
from tunewright.progress.ending import outcome, tally
from tunewright.progress.formatting import format_location, format_number, format_value
from tunewright.records import JobState, Trial

SHOWN = 10  # trials in the table


def job_html(name: str, state: JobState, objectives: Sequence[Objective], trials: Iterable[Trial], location: str | None) -> str:
    """HTML with the job's state and its best trials, best first.

    Args:
        location: where it is stored; None when only in memory.
    """
    first = objectives[0]
    scored = [t for t in trials if t.objectives is not None and t.feasible]
    scored.sort(key=lambda t: first.sign * t.objectives[0])  # type: ignore[index]
    scored = scored[:SHOWN]
    names = list(dict.fromkeys(name for trial in scored for name in trial.params))
    head = _row("th", ["trial", *(o.metric for o in objectives), "status", *names])
    rows = [
        _row(
            "td",
            [
                str(trial.number),
                *(format_number(value) for value in trial.objectives or ()),
                trial.status.value,
                *(format_value(trial.params[n]) if n in trial.params else "" for n in names),
            ],
        )
        for trial in scored
    ]
    stored = f"<p>Stored in <code>{escape(format_location(location))}</code></p>" if location else ""
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else "<p>No trial has a value yet</p>"
    return f"<p><b>{escape(name)}</b>: {escape(outcome(state))}, {escape(tally(state.counts))}</p>{table}{stored}"


def _row(cell: str, values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(value)}</{cell}>' for value in values)}</tr>"
