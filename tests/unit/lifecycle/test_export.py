from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import SPACE, tuned
from tunewright.errors import InvalidInput, NotFound
from tunewright.interfaces import Store
from tunewright.lifecycle.export import export, format_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("export") / "s.db"
    tuned(store=path)
    space = {**SPACE, "depth": tw.Categorical([1, "auto", None])}
    tuned("mixed", path, lambda trial: {"loss": float(trial.number), "odd": math.inf}, space=space)
    opened = tw.open_store(str(path))
    yield opened
    opened.close()


def exported(store: Store, kind: str, name: str = "first", **options: Any) -> str:
    stream = io.StringIO()
    export(store, name, stream, kind, **options)
    return stream.getvalue()


def test_csv_has_a_row_per_trial(store: Store) -> None:
    text = exported(store, "csv")
    rows = [*csv.DictReader(io.StringIO(text))]
    job = tw.job("first", store=store)
    assert len(rows) == 8
    for row, trial in zip(rows, job.trials, strict=True):
        assert int(row["number"]) == trial.number
        assert row["status"] == trial.status.value
        assert float(row["params.lr"]) == trial.params["lr"]
        assert row["params.opt"] == trial.params["opt"]
        assert row["params.momentum"] == ("" if trial.params["opt"] == "adam" else repr(trial.params["momentum"]))
    assert (rows[3]["status"], rows[3]["loss"], rows[3]["reason"]) == ("Failed", "", "ValueError: no, data")
    assert float(rows[0]["loss"]) == job.trials[0].objective
    assert float(rows[0]["metrics.size"]) == job.trials[0].params["layers"]
    assert "\r" not in text


def test_csv_of_reports(store: Store) -> None:
    rows = [*csv.DictReader(io.StringIO(exported(store, "csv", reports=True)))]
    assert {row["metric"] for row in rows} == {"loss", "size"}
    assert len(rows) == 2 * 7
    assert [*rows[0]] == ["trial", "execution", "metric", "step", "value", "at"]


def test_json_is_the_whole_job(store: Store) -> None:
    document = json.loads(exported(store, "json", reports=True))
    assert document["name"] == "first"
    assert document["spec"]["seed"] == 1
    assert document["counts"]["completed"] == 7
    assert [trial["number"] for trial in document["trials"]] == list(range(8))
    assert document["trials"][0]["reports"][0]["metric"] == "loss"
    assert document["trials"][3]["reports"] == []
    assert "reports" not in json.loads(exported(store, "json"))["trials"][0]
    assert json.loads(exported(store, "json", "mixed"))["trials"][0]["metrics"]["odd"] == "Infinity"


def test_parquet_holds_the_same_and_mixed_choices_as_texts(store: Store, tmp_path: Path) -> None:
    export(store, "first", tmp_path / "t.parquet", "parquet")
    frame = pd.read_parquet(tmp_path / "t.parquet")
    job = tw.job("first", store=store)
    assert frame["params.lr"].tolist() == [trial.params["lr"] for trial in job.trials]
    assert frame["number"].tolist() == list(range(8))
    export(store, "mixed", tmp_path / "m.parquet", "parquet")
    mixed = pd.read_parquet(tmp_path / "m.parquet")
    expected = [None if v is None else str(v) for v in (t.params["depth"] for t in tw.job("mixed", store=store).trials)]
    assert [None if pd.isna(v) else v for v in mixed["params.depth"]] == expected
    assert mixed["metrics.odd"].tolist() == [math.inf] * 8


def test_parquet_without_its_libraries_says_what_to_install(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidInput, match=r"must be csv or json here: parquet needs pandas and pyarrow .*pip install"):
        export(store, "first", tmp_path / "t.parquet", "parquet")
    assert [*tmp_path.iterdir()] == []


def test_a_file_is_written_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("before")
    with pytest.raises(NotFound):
        export(store, "nothing", path, "csv")
    assert path.read_text() == "before"
    export(store, "first", path, "csv")
    assert path.read_text().startswith("number,status,")
    assert [found.name for found in tmp_path.iterdir()] == ["t.csv"]
    with pytest.raises(InvalidInput, match="output must be a file that can be written"):
        export(store, "first", tmp_path / "no" / "t.csv", "csv")


@pytest.mark.parametrize(
    ("path", "asked", "found"),
    [
        ("a.csv", None, "csv"),
        ("a.JSON", None, "json"),
        ("a.pq", None, "parquet"),
        ("a.csv", "json", "json"),
        ("a", None, "csv"),
    ],
)
def test_the_format_is_that_of_the_files_name(path: str, asked: str | None, found: str) -> None:
    assert format_of(Path(path), asked) == found
    assert format_of(None, asked) == (asked or "csv")


def test_unknown_formats() -> None:
    with pytest.raises(InvalidInput, match=r"output must end with .csv, .json or .parquet"):
        format_of(Path("a.xlsx"), None)
    with pytest.raises(InvalidInput, match=r"format must be csv, json or parquet"):
        format_of(None, "xlsx")
