"""The command `compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunewright.cli import options

if TYPE_CHECKING:
    from tunewright.lifecycle.comparison import Compared, Comparison


def compare(names: options.JobNames, store: options.Store = None, as_json: options.Json = False) -> None:
    """Shows jobs beside each other: how they went, their best values, and what differs in what was asked."""
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.comparison import compare as compared
    from tunewright.store import open_store

    comparison = compared(open_store(store), names)
    if as_json:
        print_json(_document(comparison))
    else:
        _print(comparison)


def _print(comparison: Comparison) -> None:
    from tunewright.cli.output import print_table
    from tunewright.progress.formatting import format_duration, format_number, format_value

    jobs = comparison.jobs

    def row(head: str, cell: Any) -> list[str]:
        return [head, *(cell(one) for one in jobs)]

    def best(one: Compared) -> str:
        values = () if one.best is None else one.best.objectives or ()
        return ", ".join(f"{o.metric} {format_number(v)}" for o, v in zip(one.objectives, values, strict=False)) or "none"

    rows = [
        row("status", lambda one: one.job.status.value),
        row("best", best),
        row("in trial", lambda one: "" if one.best is None else str(one.best.number)),
        row("trials ended", lambda one: str(one.job.state.counts.ended)),
        row("failed", lambda one: str(one.job.state.counts.failed)),
        row("ran for", lambda one: format_duration(one.job.state.elapsed)),
        row("strategy", lambda one: str(one.job.spec.get("strategy"))),
        row("seed", lambda one: str(one.job.spec.get("seed"))),
    ]
    for name in comparison.parameters:

        def value(one: Compared, name: str = name) -> str:
            params = {} if one.best is None else one.best.params
            return format_value(params[name]) if name in params else ""

        rows.append(row(name, value))
    print_table(["", *(one.job.name for one in jobs)], rows)
    print()
    leading = comparison.leading
    print(f"Best: {leading}" if leading else "Nothing to rank: nothing has completed, or what is optimised differs")
    for one, lines in zip(jobs, comparison.differences, strict=True):
        if lines:
            print(f"{one.job.name} differs from {jobs[0].job.name}:")
            print("\n".join(f"    {line}" for line in lines))


def _document(comparison: Comparison) -> dict[str, Any]:
    from tunewright.lifecycle.documents import job_document, trial_document

    documents = [
        {
            **job_document(one.job),
            "strategy": one.job.spec.get("strategy"),
            "seed": one.job.spec.get("seed"),
            "best_trial": None if one.best is None else trial_document(one.best),
            "differences": list(lines),
        }
        for one, lines in zip(comparison.jobs, comparison.differences, strict=True)
    ]
    return {"leading": comparison.leading, "jobs": documents}
