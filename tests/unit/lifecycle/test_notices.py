"""Notices of a job: what is told and when, and that nothing about them can hold the job up."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tests.unit.lifecycle.servers import hooks, mails
from tests.unit.progress.jobs import brief, completed, end, failed, play
from tunewright.engine.listener import Silent
from tunewright.lifecycle.channels import SERVER, Notice
from tunewright.lifecycle.notices import Notices
from tunewright.progress.board import Board
from tunewright.progress.brief import Brief
from tunewright.records import Counts, JobState, Status, Trial


class Kept:
    """A channel that keeps what is told; `trouble` may raise or wait."""

    def __init__(self, trouble: Callable[[], object] = lambda: None) -> None:
        self.notices: list[Notice] = []
        self._trouble = trouble

    def __str__(self) -> str:
        return "somewhere"

    def send(self, notice: Notice, timeout: float) -> None:
        self._trouble()
        self.notices.append(notice)

    @property
    def events(self) -> list[str]:
        return [notice.event for notice in self.notices]


class Display(Silent):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.ended: list[int] = []

    def trial_ended(self, trial: Trial) -> None:
        self.ended.append(trial.number)

    def message(self, text: str) -> None:
        self.messages.append(text)


def notices(
    *channels: Kept, job: Brief | None = None, earlier: Sequence[Trial] = (), display: Display | None = None, **options: Any
) -> Notices:
    return Notices(display or Display(), channels, Board(job or brief(), earlier), **options)


def test_the_first_failure_and_the_end_are_told() -> None:
    channel, display = Kept(), Display()
    with notices(channel, display=display) as telling:
        play(telling)
    assert channel.events == ["first_failure", "finished"]
    assert display.ended == [0, 1, 2, 3]
    assert display.messages == []
    first, last = channel.notices
    assert first.text.splitlines()[0] == "digits-1: trial 2 is the first that failed: ValueError: no"
    assert first.details["trial"] == 2
    lines = last.text.splitlines()
    assert lines[0] == "digits-1 completed (all 4 trials are done)"
    assert lines[1].startswith("3 trials completed, 1 failed after ")
    assert lines[2] == "Best: accuracy 0.96 in trial 3, 0.16 or 20% better than the default (0.8)"
    assert lines[-1] == "More: tunewright show digits-1"
    assert last.details["best"] == {
        "trial": 3, "objectives": {"accuracy": 0.96}, "params": {"depth": 5, "optimizer": "adam"},
    }  # fmt: skip
    assert (last.details["status"], last.details["completed"], last.details["failed"]) == ("Completed", 3, 1)


def test_a_later_failure_is_not_told() -> None:
    channel = Kept()
    with notices(channel) as telling:
        for number in range(3):
            end(telling, failed(number, "no"), Counts(failed=number + 1))
    assert channel.events == ["first_failure", "finished"]
    resumed = Kept()
    with notices(resumed, earlier=[failed(0, "no")]) as telling:
        telling._board.counts = Counts(failed=1)
    assert resumed.events == ["finished"]


def test_a_failed_job_and_one_that_an_error_ends() -> None:
    channel = Kept()
    with notices(channel) as telling:
        telling.state_changed(JobState(Status.FAILED, "nothing_completed", "no trial completed", ended=1.0))
    with pytest.raises(OSError, match="disk"), notices(channel):
        raise OSError("disk")
    assert channel.events == ["failed", "failed"]
    assert channel.notices[0].text.startswith("digits-1 failed (no trial completed)\n")
    assert channel.notices[1].text.startswith("digits-1 failed: OSError: disk\n")


def test_a_limit_on_trials_that_is_near_is_told_once() -> None:
    channel = Kept()
    with notices(channel, job=brief(max_trials=20)) as telling:
        for number in range(20):
            end(telling, completed(number, 0.5), Counts(completed=number + 1))
    assert channel.events == ["limit_near", "finished"]
    assert channel.notices[0].text.startswith("digits-1 is near its limit: 18 of 20 trials have ended\n")
    assert channel.notices[0].details["limit"] == "max_trials"


def test_a_short_jobs_last_trial_is_no_limit_that_is_near() -> None:
    channel = Kept()
    with notices(channel, job=brief(max_trials=2)) as telling:
        for number in range(2):
            end(telling, completed(number, 0.5), Counts(completed=number + 1))
    assert channel.events == ["finished"]


def test_a_limit_on_time_that_is_near_is_told_while_nothing_happens() -> None:
    told = threading.Event()
    channel = Kept(told.set)
    with notices(channel, job=brief(max_time=0.5, max_trials=None)):
        assert told.wait(10)
    assert channel.events == ["limit_near", "finished"]
    assert channel.notices[0].details["limit"] == "max_time"
    assert "digits-1 is near its limit: 0.5 s of 0.5 s are over" in channel.notices[0].text


def test_a_limit_that_was_near_before_is_not_told_again() -> None:
    channel = Kept()
    with notices(channel, job=brief(max_time=100.0, elapsed=95.0, max_trials=None)) as telling:
        assert telling._due == float("inf")
    assert channel.events == ["finished"]


def test_a_delivery_that_fails_is_told_once_and_the_others_go_out() -> None:
    def refuse() -> None:
        raise ConnectionRefusedError("refused")

    display, channel = Display(), Kept()
    with notices(Kept(refuse), channel, display=display) as telling:
        play(telling)
    assert display.messages == ["a notice to somewhere was not sent: refused; the job goes on"]
    assert channel.events == ["first_failure", "finished"]


def test_a_channel_that_hangs_holds_the_job_up_for_a_bounded_time_only() -> None:
    released, display = threading.Event(), Display()
    began = time.monotonic()
    try:
        with notices(Kept(lambda: released.wait(60)), display=display, timeout=0.2) as telling:
            play(telling)
            assert display.ended == [0, 1, 2, 3]
        assert time.monotonic() - began < 30
        assert display.messages == ["a notice was not sent within 0.2 s; the job goes on"]
    finally:
        released.set()


def test_an_announcement_is_plain_text_however_long_a_reason_is() -> None:
    channel = Kept()
    with notices(channel) as telling:
        end(telling, failed(0, "first line\nsecond line"), Counts(failed=1))
    assert channel.notices[0].text.splitlines()[0].endswith("the first that failed: first line")


# --- from tune to a server ---


def tune(function: Any, notify: Any, **options: Any) -> tw.Job:
    given = {"max_trials": 12, "executor": "inline", "store": "s.db", "progress": "none", "seed": 0, **options}
    return tw.tune(function, {"x": tw.Float(0, 1)}, metric="loss", notify=notify, **given)


def test_a_job_tells_a_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def train(trial: Any) -> float:
        if trial.number == 3:
            raise ValueError("no data")
        return float(trial.params["x"])

    with hooks() as server:
        job = tune(train, server.url, name="first")
    assert server.events == ["first_failure", "limit_near", "finished"]
    assert server.received[0]["text"].splitlines()[0] == "first: trial 3 is the first that failed: ValueError: no data"
    assert server.received[-1]["best"]["params"] == dict(job.best.params)


def test_a_resumed_job_tells_those_who_were_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with hooks() as server:
        tune(lambda trial: trial.params["x"], server.url, name="first", max_trials=2)
        tw.resume("first", max_trials=3, store="s.db", progress="none")
        assert server.events == ["finished", "finished"]
        with hooks() as other:
            tw.resume("first", max_trials=4, store="s.db", progress="none", notify=[other.url])
        assert (len(server.events), other.events) == (2, ["finished"])


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:aiosmtpd")
def test_a_job_tells_by_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with mails() as server:
        monkeypatch.setenv(SERVER, f"smtp://127.0.0.1:{server.port}")
        tune(lambda trial: trial.params["x"], "mailto:ann@example.com", name="first", max_trials=2)
    ((_, recipients, text),) = server.messages
    assert recipients == ["ann@example.com"]
    assert "Subject: first completed (all 2 trials were made)" in text


def test_nobody_who_can_be_reached_ends_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    job = tune(lambda trial: trial.params["x"], "http://127.0.0.1:9/s3cr3t", max_trials=2, progress="plain")
    assert job.status is tw.Status.COMPLETED
    out = capsys.readouterr().out
    assert re.search(r"a notice to http://127.0.0.1/... was not sent: .*refused; the job goes on", out)
    assert "s3cr3t" not in out


def test_an_address_that_means_nothing_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tw.InvalidInput, match="notify must be https"):
        tune(lambda trial: trial.params["x"], "me")
    assert [*tmp_path.iterdir()] == []
