"""The ranks of a distributed script end at the same step."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tunewright import report as reporting
from tunewright.report import Agreement, RankChannel, ScriptChannel, Trial, TrialInterrupted


def order(place: Path, number: int, **fields: Any) -> None:
    temporary = place / "new"
    temporary.write_text(json.dumps({"number": number, **fields}))
    temporary.replace(place / "order.json")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "executions" / "1").mkdir(parents=True)
    return tmp_path / "executions" / "1"


def rank(place: Path, number: int, until: int | None, wait: float = 20.0) -> Trial:
    channel = RankChannel(str(place), number, until, wait) if number else ScriptChannel(str(place), until, wait)
    return Trial({}, channel, str(place.parents[1]))


class Running:
    """A rank that reports steps 1, 2, ... in a thread of its own, until it is told to end.

    Attributes:
        steps: those whose report returned.
        ended: the step at which it was interrupted, and how.
    """

    def __init__(self, trial: Trial, last: int, pause: float = 0.0) -> None:
        self.steps: list[int] = []
        self.ended: tuple[int, str] | None = None
        self._trial, self._last, self._pause = trial, last, pause
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for step in range(1, self._last + 1):
            time.sleep(self._pause)
            try:
                self._trial.report(loss=1.0, step=step)
            except TrialInterrupted as interruption:
                self.ended = (step, str(interruption))
                return
            self.steps.append(step)

    def join(self) -> None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


def test_ranks_wait_at_a_decision_step_and_go_on_together(place: Path) -> None:
    others = [Running(rank(place, number, until=2), last=5) for number in (1, 2)]
    first = Running(rank(place, 0, until=2), last=5)
    time.sleep(0.3)
    assert [other.steps for other in (first, *others)] == [[1]] * 3
    order(place, 1, until=4)
    time.sleep(0.3)
    assert [other.steps for other in (first, *others)] == [[1, 2, 3]] * 3
    order(place, 2, until=None)
    for one in (first, *others):
        one.join()
        assert (one.steps, one.ended) == ([1, 2, 3, 4, 5], None)


def test_a_stop_at_a_decision_step_reaches_all_ranks_there(place: Path) -> None:
    ranks = [Running(rank(place, number, until=3), last=9) for number in range(3)]
    time.sleep(0.2)
    order(place, 1, halt="stop", reason="worse than the median")
    for one in ranks:
        one.join()
        assert one.ended == (3, "stop: worse than the median")


@pytest.mark.parametrize("trial", range(5))
def test_an_urgent_stop_ends_all_ranks_at_one_step(place: Path, trial: int) -> None:
    pauses = (0.004, 0.003, 0.005)
    ranks = [Running(rank(place, number, None), last=2000, pause=pause) for number, pause in enumerate(pauses)]
    time.sleep(0.2 + 0.01 * trial)
    order(place, 1, halt="stop", reason="a person")
    for one in ranks:
        one.join()
    assert len({one.ended for one in ranks}) == 1
    assert ranks[0].ended is not None


def test_an_end_is_chosen_that_no_rank_has_passed(place: Path) -> None:
    first, other = (Agreement(str(place / "ranks"), None) for _ in range(2))
    assert [other.arrive(3, step) for step in (0, 1, 7)] == ["pass"] * 3
    assert first.halt(5, "pause", "others first") == 8
    assert first.halt(6, "stop", "a later order") == 8
    assert other.arrive(3, 8) == "pause:others first"
    assert other.arrive(1, 4) == "pass"


def test_the_first_step_may_be_zero(place: Path) -> None:
    first, other = (Agreement(str(place / "ranks"), 0) for _ in range(2))
    assert other.arrive(1, 0) == "wait"
    assert first.halt(0, "stop", "") == 0
    assert other.arrive(1, 0) == "stop:"


def test_a_long_reason_with_signs_of_several_bytes_is_cut(place: Path) -> None:
    first, other = (Agreement(str(place / "ranks"), None) for _ in range(2))
    first.halt(1, "stop", "é" * 1000)
    action, _, reason = other.arrive(1, 1).partition(":")
    assert action == "stop"
    assert 200 < len(reason) < 300
    assert set(reason) == {"é"}


def test_a_rank_without_an_answer_goes_on_and_says_so(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_MARGIN", 0.0)
    lonely = rank(place, 1, until=2, wait=0.05)
    for step in (1, 2, 3):
        assert lonely.report(loss=1.0, step=step) == "continue"
    assert capsys.readouterr().err.count("no decision at step 2") == 1


def test_when_the_first_rank_goes_on_unasked_so_do_the_others(place: Path) -> None:
    other = Running(rank(place, 1, until=2), last=4)
    assert [rank(place, 0, until=2, wait=0.1).report(loss=1.0, step=step) for step in (1, 2, 3)] == ["continue"] * 3
    other.join()
    assert other.steps == [1, 2, 3, 4]


def test_a_lone_script_ends_at_the_order_and_notes_that_it_was_told(place: Path) -> None:
    channel = ScriptChannel(str(place), 2, 20.0)
    trial = Trial({}, channel, str(place.parents[1]))
    trial.report(loss=1.0, step=1)
    order(place, 1, halt="pause", reason="others first")
    assert trial.report(loss=1.0, step=2, interrupt=False) == "pause"
    with pytest.raises(TrialInterrupted, match="pause: others first"):
        trial.report(loss=1.0, step=3)
    channel.close()
    records = [json.loads(line) for line in (place / "spool.jsonl").read_text().splitlines()]
    assert [record["kind"] for record in records] == ["attached", "report", "report", "told", "report"]
    assert records[3]["action"] == "pause"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, ScriptChannel),
        ({"RANK": "0", "LOCAL_RANK": "1"}, ScriptChannel),
        ({"RANK": "2", "LOCAL_RANK": "0"}, RankChannel),
        ({"LOCAL_RANK": "1"}, RankChannel),
        ({"OMPI_COMM_WORLD_RANK": "1"}, RankChannel),
        ({"RANK": "none"}, ScriptChannel),
    ],
)
def test_the_rank_is_read_from_the_environment(tmp_path: Path, environment: dict[str, str], kind: type) -> None:
    trial = reporting.trial_of_environment({"TUNEWRIGHT_FOLDER": str(tmp_path), "TUNEWRIGHT_EXECUTION": "1", **environment})
    assert trial is not None
    assert type(trial._channel) is kind
