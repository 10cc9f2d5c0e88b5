"""A job's trials as a table, or the whole job as one document: CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tunewright.errors import InvalidInput, nearest
from tunewright.interfaces import Store
from tunewright.lifecycle.documents import job_document, objectives_of, plain, timestamp, trial_document
from tunewright.lifecycle.running import stored_job
from tunewright.queries import Points, Trials
from tunewright.records import Trial

FORMATS = ("csv", "json", "parquet")
_SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".pq": "parquet"}
_BEFORE = ("number", "status", "reason_code", "reason")
_AFTER = ("feasible", "step", "seed", "origin", "executions", "created", "started", "ended", "duration")
_REPORT = ("trial", "execution", "metric", "step", "value", "at")


def format_of(path: Path | None, asked: str | None) -> str:
    """The format that is asked for, or that a file's name tells; CSV when neither does.

    Raises:
        InvalidInput: it is none that is known.
    """
    if asked is not None:
        if asked not in FORMATS:
            raise InvalidInput("format", f"must be csv, json or parquet ({nearest(asked, FORMATS)})", asked)
        return asked
    if path is None or not path.suffix:
        return "csv"
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise InvalidInput("output", "must end with .csv, .json or .parquet, or have its --format named", str(path))
    return found


def export(store: Store, name: str, output: Path | TextIO, kind: str, *, reports: bool = False) -> None:
    """Writes a job's trials: a row each as CSV and Parquet, all that is known as JSON.

    Args:
        output: a file to write, whole or not at all, or a stream (not for Parquet).
        kind: "csv", "json" or "parquet".
        reports: the single reported values: in place of the trials as CSV and Parquet, with them as JSON.

    Raises:
        NotFound: there is no such job. InvalidInput: the file can't be written, or Parquet's libraries are missing.
    """
    stored_job(store, name)
    if kind == "parquet":
        if not isinstance(output, Path):
            raise InvalidInput("output", "must be a file for parquet")
        _write_parquet(store, name, output, reports=reports)
        return
    if isinstance(output, Path):
        with _whole(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            export(store, name, stream, kind, reports=reports)
    elif kind == "json":
        json.dump(plain(_document(store, name, reports=reports)), output, indent=1, ensure_ascii=False, allow_nan=False)
        output.write("\n")
    else:
        head, rows = _table(store, name, reports=reports)
        writer = csv.DictWriter(output, head, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def trial_row(trial: Trial, metrics: Sequence[str]) -> dict[str, Any]:
    """A trial as a flat row: `params.<name>` of active parameters, objectives by their metrics, `metrics.<name>` of the others.

    Args:
        metrics: those of the objectives, in their order.
    """
    row: dict[str, Any] = {name: getattr(trial, name) for name in _BEFORE} | {"status": trial.status.value}
    row |= dict(zip(metrics, trial.objectives or (), strict=False))
    row |= {f"params.{name}": value for name, value in trial.params.items()}
    row |= {f"metrics.{name}": value for name, value in trial.metrics.items() if name not in metrics}
    row |= {name: getattr(trial, name) for name in _AFTER if name != "duration"}
    row |= {name: timestamp(getattr(trial, name)) for name in ("created", "started", "ended")}
    row["duration"] = None if trial.started is None or trial.ended is None else trial.ended - trial.started
    return row


def _table(store: Store, name: str, *, reports: bool) -> tuple[Sequence[str], Iterable[Mapping[str, Any]]]:
    """The head of the table, and its rows."""
    if reports:
        points = store.read(Points(name))
        return _REPORT, ({**{key: getattr(point, key) for key in _REPORT}, "at": timestamp(point.at)} for point in points)
    job = stored_job(store, name)
    metrics = [objective.metric for objective in objectives_of(job)]
    names: dict[str, None] = dict.fromkeys(parameter["name"] for parameter in job.spec["space"]["parameters"])
    others: dict[str, None] = {}
    for trial in store.read(Trials(name)):
        others.update(dict.fromkeys(trial.metrics))
        names.update(dict.fromkeys(trial.params))
    head = [*_BEFORE, *metrics, *(f"params.{name}" for name in names)]
    head += [*(f"metrics.{metric}" for metric in others if metric not in metrics), *_AFTER]
    known = set(head)
    rows = (trial_row(trial, metrics) for trial in store.read(Trials(name)))
    return head, ({key: value for key, value in row.items() if key in known} for row in rows)


def _document(store: Store, name: str, *, reports: bool) -> dict[str, Any]:
    job = stored_job(store, name)
    trials = {trial.number: trial_document(trial) for trial in store.read(Trials(name))}
    if reports:
        for document in trials.values():
            document["reports"] = []
        for point in store.read(Points(name)):
            report = {key: getattr(point, key) for key in ("execution", "metric", "step", "value")}
            trials[point.trial]["reports"].append({**report, "at": timestamp(point.at)})
    return {**job_document(job), "spec": dict(job.spec), "trials": [*trials.values()], "counts": job_document(job)["trials"]}


def _write_parquet(store: Store, name: str, output: Path, *, reports: bool) -> None:
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        rule = f"must be csv or json here: parquet needs pandas and pyarrow ({error}); pip install pandas pyarrow"
        raise InvalidInput("format", rule) from None
    head, rows = _table(store, name, reports=reports)
    frame = pd.DataFrame([*rows], columns=[*head])
    for column in frame.columns:
        kinds = {type(value) for value in frame[column].dropna()}
        if frame[column].dtype == object and len(kinds) > 1 and not kinds <= {int, float}:
            # A column of Parquet has one type; choices such as 1 and "auto" become texts, as JSON has them.
            frame[column] = [None if value is None or value != value else _text(value) for value in frame[column]]
    with _whole(output) as temporary:
        frame.to_parquet(temporary, index=False)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place once it is whole."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InvalidInput("output", f"must be a file that can be written ({error.strerror})", str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)
