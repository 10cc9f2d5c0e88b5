"""The command `export`."""

from __future__ import annotations

from tunewright.cli import options
from tunewright.errors import InvalidInput


def export(
    name: options.JobName,
    output: options.Output = None,
    kind: options.Format = None,
    reports: options.Reports = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Writes a job's trials as CSV, JSON or Parquet."""
    import sys

    from tunewright.lifecycle.export import export as write
    from tunewright.lifecycle.export import format_of
    from tunewright.store import open_store

    if as_json and kind not in (None, "json"):
        raise InvalidInput("--format", "must be json, or left out, with --json", kind)
    write(open_store(store), name, output or sys.stdout, format_of(output, "json" if as_json else kind), reports=reports)
