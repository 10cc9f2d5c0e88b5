from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.lifecycle.stored_jobs import tuned
from tunewright.errors import InvalidInput
from tunewright.lifecycle.plots.picture import Picture, check_kind, make_picture
from tunewright.lifecycle.plots.text import lines_of
from tunewright.records import Status, Trial

SPACE = tw.SearchSpace(
    {
        "lr": tw.Float(1e-4, 1.0, scale="log"),
        "layers": tw.Int(1, 3),
        "opt": tw.Categorical(["sgd", "adam"]),
        "momentum": tw.Float(0.0, 1.0, when={"opt": ["sgd"]}),
    }
)
LOSS, ACCURACY = tw.Objective("loss"), tw.Objective("accuracy")


def trial(number: int, lr: float, layers: int, opt: str, values: Sequence[float], **more: Any) -> Trial:
    params: dict[str, Any] = {"lr": lr, "layers": layers, "opt": opt, **({"momentum": 0.5} if opt == "sgd" else {})}
    return Trial(number, params, seed=0, **{"status": Status.COMPLETED, "objectives": tuple(values), **more})


TRIALS = [
    trial(0, 1.0, 3, "sgd", (4.0, 0.1)),
    trial(1, 1e-2, 1, "adam", (1.0, 0.9)),
    trial(2, 1e-4, 2, "sgd", (2.0, 0.5)),
    trial(3, 1e-3, 1, "adam", (0.5, 0.7), feasible=False),
    trial(4, 1e-3, 1, "adam", (), status=Status.FAILED, objectives=None),
    trial(5, 1e-1, 2, "sgd", (3.0, 0.8)),
]


def picture(metric: str | None = None) -> Picture:
    return make_picture("first", SPACE, (LOSS, ACCURACY), TRIALS, metric)


def test_what_a_picture_holds() -> None:
    shown = picture()
    assert shown.values == [4.0, 1.0, 2.0, 0.5, 3.0]
    assert shown.best == [4.0, 1.0, 1.0, 1.0, 1.0]  # trial 3 is outside of its limits
    assert [shown.trials[i].number for i in shown.order] == [1, 2, 5, 0, 3]
    assert shown.failed == 1
    assert picture("accuracy").best == [0.1, 0.9, 0.9, 0.9, 0.9]


def test_bins() -> None:
    shown = picture()
    assert shown.bins("layers") == [("1", [1, 3]), ("2", [2, 4]), ("3", [0])]
    assert shown.bins("opt") == [("sgd", [0, 2, 4]), ("adam", [1, 3])]
    assert shown.bins("momentum") == [("0.5", [0, 2, 4])]
    assert shown.bins("lr", most=2) == [("0.0001 .. 0.001", [2, 3]), ("0.01 .. 1", [0, 1, 4])]


def test_a_history_as_text() -> None:
    lines = lines_of(picture(), "history")
    assert lines[0] == "loss of 5 completed trials (o), and the best so far (-)"
    assert lines[1].startswith("  4 |o")
    assert lines[12].startswith("0.5 |")
    assert "o" in lines[12]
    assert sum(line.count("o") for line in lines[1:13]) == 5
    assert lines[-1].split() == ["trial", "0", "5"]


def test_slices_as_text_have_longer_bars_for_better_values() -> None:
    lines = lines_of(picture(), "slices")
    bars = {line.split()[0]: line.count("#") for line in lines[lines.index("layers") + 1 : lines.index("opt") - 1]}
    assert bars["1"] > bars["2"] > bars["3"] >= 1
    turned = lines_of(picture("accuracy"), "slices")
    assert turned[0] == "accuracy by parameter: number of trials, best, median"
    row = next(line for line in turned if line.startswith("    sgd"))
    assert row.split()[:4] == ["sgd", "3", "0.8", "0.5"]


def test_parallel_coordinates_as_text() -> None:
    lines = lines_of(picture(), "parallel")
    assert lines[1].split() == ["trial", "loss", "lr", "layers", "opt", "momentum"]
    assert lines[2].endswith(" 0 .. 1")
    first = lines[3].split()
    assert first[:2] == ["1", "1"]
    assert first[2] == "|......o.....|"  # 1e-2 is in the middle of its scale
    assert lines[3].endswith("|            |")  # momentum isn't active with adam
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "5", "0", "3"]


def test_one_trial_and_equal_values_are_pictures_too() -> None:
    alone = make_picture("first", SPACE, (LOSS,), TRIALS[:1])
    same = make_picture("first", SPACE, (LOSS,), [trial(n, 1e-2, 1, "adam", (1.0,)) for n in range(3)])
    for shown in (alone, same):
        for kind in check_kind("all"):
            assert all(isinstance(line, str) for line in lines_of(shown, kind))


def test_what_is_no_picture() -> None:
    with pytest.raises(InvalidInput, match="metric must be one of the job's objectives: loss, accuracy; got 'auc'"):
        picture("auc")
    with pytest.raises(InvalidInput, match="job 'first' must have a completed trial"):
        make_picture("first", SPACE, (LOSS,), TRIALS[4:5])
    with pytest.raises(InvalidInput, match="plot must be one of history, slices, parallel and all; got 'pie'"):
        check_kind("pie")


# --- figures ---


@pytest.fixture
def job(tmp_path: Path) -> tw.Job:
    return tuned("first", tmp_path / "s.db", max_trials=12)


def test_figures(job: tw.Job, tmp_path: Path) -> None:
    assert "matplotlib.pyplot" not in sys.modules
    figure = job.plot()
    names = [*job.space.names]
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_visible()]
    assert labels == ["trial", *names, ""]
    history = figure.axes[0]
    drawn = history.collections[0].get_offsets()
    assert [float(value) for _, value in drawn] == [trial.objective for trial in job.trials if trial.objective is not None]
    assert [text.get_text() for text in figure.axes[3].get_xticklabels()] == ["sgd", "adam"]
    figure.savefig(tmp_path / "all.png")
    assert (tmp_path / "all.png").stat().st_size > 10_000
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("kind", ["history", "slices", "parallel"])
def test_a_figure_of_one_kind(job: tw.Job, kind: str) -> None:
    figure = job.plot(kind)
    assert len([axes for axes in figure.axes if axes.get_visible()]) == (len(job.space.names) if kind == "slices" else 1)


def test_without_matplotlib_it_says_what_to_do(job: tw.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        InvalidInput, match=r"plot needs matplotlib: pip install 'tunewright\[plots\]'; as text: tunewright show"
    ):
        job.plot()
