from __future__ import annotations

import io

import pytest

from tests.unit.progress.jobs import ACCURACY, DEFAULT, brief, completed, end, failed, play, start, waits
from tests.unit.progress.test_board import Hands
from tunewright.errors import InvalidInput
from tunewright.objective import Objective
from tunewright.progress import open_progress
from tunewright.progress.board import Board
from tunewright.progress.ending import improvement
from tunewright.progress.live import LiveProgress
from tunewright.progress.notebook import job_html
from tunewright.progress.plain import PlainProgress
from tunewright.records import Counts, JobState, Status


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_lines_tell_the_job_from_start_to_end() -> None:
    clock, stream = Hands(), io.StringIO()
    with PlainProgress(Board(brief(), clock=clock), stream, clock) as progress:
        clock.now += 2
        play(progress)
        progress.finish()
    assert stream.getvalue().splitlines() == [
        "Job digits-1, stored in here/.tunewright/store.db: maximize accuracy, at most 4 trials, 2 at a time, seed 7",
        "1 of 4 trials in 2.0 s: best accuracy 0.8 with depth=2 optimizer=sgd",
        "trial 2 failed: ValueError: no",
        "",
        "Completed (all 4 trials are done) after 2.0 s: 3 trials completed, 1 failed",
        "Best: accuracy 0.96 in trial 3, 0.16 or 20% better than the default (0.8)",
        "    depth      5",
        "    optimizer  adam",
        "Stored in here/.tunewright/store.db",
        "More: tunewright show digits-1",
    ]


def test_plain_lines_stay_few() -> None:
    clock, stream = Hands(), io.StringIO()
    with PlainProgress(Board(brief(max_trials=10_000), clock=clock), stream, clock) as progress:
        for number in range(10_000):
            clock.now += 0.01
            start(progress, number)
            trial = failed(number, "no") if number % 10 == 9 else completed(number, float(number))
            end(progress, trial, Counts(completed=number + 1))
    lines = stream.getvalue().splitlines()
    assert 90 < len(lines) < 120  # 100 s: a best a second at most, three failures
    assert sum("failed: no" in line for line in lines) == 3


def test_plain_lines_tell_now_and_then_for_what_trials_wait() -> None:
    clock, stream = Hands(), io.StringIO()
    with PlainProgress(Board(brief(), clock=clock), stream, clock) as progress:
        for number in range(5):
            start(progress, number)
            waits(progress, number, f"waits for 1 GPU: reason {number}")
            clock.now += 4
            waits(progress, number, None)
    assert stream.getvalue().splitlines()[1:] == [
        "trial 0 waits for 1 GPU: reason 0",
        "trial 3 waits for 1 GPU: reason 3",
    ]


def test_plain_lines_say_how_far_a_job_without_news_is() -> None:
    clock, stream = Hands(), io.StringIO()
    with PlainProgress(Board(brief(max_trials=100), [completed(0, 0.99)], clock=clock), stream, clock) as progress:
        for number in range(1, 5):
            start(progress, number)
            clock.now += 6
            end(progress, completed(number, 0.5), Counts(completed=number))
    assert stream.getvalue().splitlines()[1:] == [
        "2 of 100 trials in 12 s: best accuracy 0.99, about 4 min 54 s left",
        "4 of 100 trials in 24 s: best accuracy 0.99, about 4 min 48 s left",
    ]


def test_the_live_display_shows_the_state_and_leaves_the_result() -> None:
    stream = Terminal()
    with LiveProgress(Board(brief()), stream) as progress:
        start(progress, 0)
        start(progress, 1)
        progress.trial_reported(completed(0, 0.8), 3, 0.7)
        end(progress, completed(0, 0.8, DEFAULT), Counts(completed=1, in_progress=1))
        progress.message("something to read")
        shown = _text(progress)
        assert "1/4 done, 1 running, 0 failed" in shown
        assert "left" in shown
        assert "best accuracy 0.8 in trial 0: depth=2 optimizer=sgd" in shown
        assert "running 1" in shown
        end(progress, failed(1, "ValueError: no"), Counts(completed=1, failed=1))
        progress.finish()
    written = stream.getvalue()
    for line in (
        "Job digits-1",
        "something to read",
        "trial 1 failed: ValueError: no",
        "Best: accuracy 0.8",
        "More: tunewright",
    ):
        assert line in written


def test_a_live_display_without_a_limit_or_a_result() -> None:
    progress = LiveProgress(Board(brief(max_trials=None)), Terminal())
    for number in range(9):
        start(progress, number)
    assert "0 done, 9 running" in _text(progress)
    assert "and 3 trials more" in _text(progress)
    assert "best" not in _text(progress)


def _text(progress: LiveProgress) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=200)
    with console.capture() as capture:
        console.print(progress._render())
    return capture.get()


@pytest.mark.parametrize(("kind", "terminal", "expected"), [
    ("auto", True, "LiveProgress"),
    ("auto", False, "PlainProgress"),
    (True, False, "PlainProgress"),
    ("live", False, "LiveProgress"),
    ("plain", True, "PlainProgress"),
    ("none", True, "NoProgress"),
    (False, True, "NoProgress"),
    (None, True, "NoProgress"),
])  # fmt: skip
def test_the_display_fits_the_stream(kind: str | bool | None, terminal: bool, expected: str) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert type(open_progress(kind, brief(), stream=stream)).__name__ == expected


def test_no_progress_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with open_progress(None, brief()) as progress:
        play(progress)
        progress.finish()
    assert capsys.readouterr().out == ""


def test_an_unknown_display_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"progress must be one of auto, live, plain, none \(did you mean 'plain'\?\); got 'plane'"
    ):
        open_progress("plane", brief())
    with pytest.raises(InvalidInput, match="got 3"):
        open_progress(3, brief())  # type: ignore[arg-type]


def test_improvement_in_words() -> None:
    first, loss = completed(0, 0.8), Objective("loss")
    assert improvement(completed(1, 0.2), loss, "the default", first) == "0.6 or 75% better than the default (0.8)"
    assert improvement(first, loss, "the default", first) == "which is the default itself"
    assert improvement(completed(1, 0.5), ACCURACY, "the first trial", first) == "no better than the first trial (0.8)"
    assert (
        improvement(completed(1, 0.5), ACCURACY, "the first trial", completed(0, 0.0)) == "0.5 better than the first trial (0)"
    )


def test_a_job_without_a_result_says_so() -> None:
    stream = io.StringIO()
    with open_progress("plain", brief(), stream=stream) as progress:
        end(progress, failed(0, "no"), Counts(failed=1))
        progress.state_changed(JobState(Status.FAILED, "trials_failed", "no", Counts(failed=1)))
        progress.finish()
    assert "No trial has completed" in stream.getvalue()


def test_a_job_that_was_stopped_says_how_to_go_on() -> None:
    stream = io.StringIO()
    with open_progress("plain", brief(), [completed(0, 0.8)], stream=stream) as progress:
        progress.state_changed(JobState(Status.STOPPED, "interrupted", "interrupted; it can be resumed", Counts(completed=1)))
        progress.finish()
    assert stream.getvalue().splitlines()[-2:] == ["To go on: tunewright resume digits-1", "More: tunewright show digits-1"]


def test_a_terminal_without_unicode_gets_a_plain_bar() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    progress = LiveProgress(Board(brief(max_trials=2)), stream)
    end(progress, completed(0, 0.8), Counts(completed=1))
    progress._console.print(progress._render())
    stream.seek(0)
    assert "###############--------------- 1/2 done" in stream.read()


def test_a_notebook_shows_the_best_trials_first() -> None:
    trials = [completed(0, 0.8, DEFAULT), completed(1, 0.9, {"depth": 1}), completed(2, 0.99, feasible=False), failed(3, "no")]
    state = JobState(Status.COMPLETED, reason="a < b", counts=Counts(completed=3, failed=1))
    html = job_html("<job>", state, [ACCURACY], trials, "store.db")
    assert "<b>&lt;job&gt;</b>: Completed (a &lt; b), 3 trials completed, 1 failed" in html
    rows = html.split("<tr>")[1:]
    assert rows[0].startswith("<th>trial</th><th>accuracy</th><th>status</th><th>depth</th><th>optimizer</th>")
    assert rows[1].startswith("<td>1</td><td>0.9</td><td>Completed</td><td>1</td><td></td>")
    assert rows[2].startswith("<td>0</td><td>0.8</td>")
    assert len(rows) == 3
    assert "<code>store.db</code>" in html
    assert "No trial has a value yet" in job_html("j", state, [ACCURACY], [], None)


def test_a_terminal_shows_what_waits_apart_from_what_runs() -> None:
    progress = LiveProgress(Board(brief()), Terminal())
    for number in (0, 1):
        start(progress, number)
    waits(progress, 1, "waits for 1 GPU: GPU 0 is used by job other")
    shown = [str(line) for line in progress._render().renderables]
    assert "0/4 done, 1 running, 1 waiting, 0 failed" in shown[0]
    assert shown[1:] == ["running 0", "trial 1 waits for 1 GPU: GPU 0 is used by job other"]
    waits(progress, 1, None)
    shown = [str(line) for line in progress._render().renderables]
    assert "2 running, 0 failed" in shown[0]
    assert shown[1:] == ["running 0, 1"]
