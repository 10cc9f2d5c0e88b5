from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tunewright.executors.script_metrics import MetricLines, PrintedMetrics

LOSS = {"loss": r"loss=(\S+)"}


def printed(
    patterns: dict[str, str], output: str, step: str | None = None, start: int = 0
) -> list[tuple[int, dict[str, float]]]:
    metrics = PrintedMetrics(patterns, step, start)
    return [*metrics.feed(1, output.encode()), *metrics.finish()]


def test_each_match_is_a_report_and_the_last_is_final() -> None:
    assert printed(LOSS, "loss=3\nhello\nloss=2.5\nloss=1e-3\n") == [
        (1, {"loss": 3.0}),
        (2, {"loss": 2.5}),
        (3, {"loss": 1e-3}),
    ]


def test_several_metrics_share_steps_until_one_comes_again() -> None:
    both = {**LOSS, "acc": "acc: ([0-9.]+)"}
    assert printed(both, "loss=3 acc: 0.1\nloss=2\nacc: 0.2\nacc: 0.3\n") == [
        (1, {"loss": 3.0, "acc": 0.1}),
        (2, {"loss": 2.0}),
        (2, {"acc": 0.2}),
        (3, {"acc": 0.3}),
    ]


def test_a_script_that_goes_on_counts_on() -> None:
    assert printed(LOSS, "loss=3\n", start=4) == [(5, {"loss": 3.0})]


def test_the_step_may_be_printed_before_or_beside_the_metric() -> None:
    output = "epoch 10\nloss=3\nloss=2 epoch 20\nloss=1\nepoch inf\nepoch x loss=0\n"
    assert printed(LOSS, output, step=r"epoch (\S+)") == [
        (10, {"loss": 3.0}),
        (20, {"loss": 2.0}),
        (20, {"loss": 1.0}),
        (20, {"loss": 0.0}),
    ]


@pytest.mark.parametrize(("text", "value"), [("nan", math.nan), ("NaN", math.nan), ("inf", math.inf), ("-Infinity", -math.inf)])
def test_values_that_are_not_finite_are_reported(text: str, value: float) -> None:
    ((_, found),) = printed(LOSS, f"loss={text}\n")
    assert repr(found["loss"]) == repr(value)


def test_what_is_no_number_is_no_match() -> None:
    metrics = PrintedMetrics(LOSS, None, 0)
    assert metrics.feed(1, b"loss=high\nloss=1,000\n") == []
    assert metrics.unmatched == {"loss": ["loss=high", "loss=1,000"]}


def test_the_first_group_that_matches_counts_and_the_last_match_of_a_line() -> None:
    assert printed({"x": r"a=(\d+)|b=(\d+)"}, "b=7\na=1 b=2 a=3\n") == [(1, {"x": 7.0}), (2, {"x": 3.0})]


def test_a_pattern_sees_one_line_at_a_time() -> None:
    assert printed({"x": r"^x\s+([0-9]+)$"}, "x\n3\nx 4\n a x 5\n") == [(1, {"x": 4.0})]


def test_progress_bars_end_lines_by_carriage_returns() -> None:
    assert [found for _, found in printed(LOSS, "\r 1% loss=3\r 2% loss=2\r\nloss=1")] == [{"loss": v} for v in (3.0, 2.0, 1.0)]


def test_output_may_be_cut_anywhere() -> None:
    output = "é loss=3.25\nloss=2.5 €\r\nloss=1".encode()
    whole = PrintedMetrics(LOSS, None, 0)
    expected = [*whole.feed(1, output), *whole.finish()]
    for cut in range(len(output)):
        metrics = PrintedMetrics(LOSS, None, 0)
        assert [*metrics.feed(1, output[:cut]), *metrics.feed(1, output[cut:]), *metrics.finish()] == expected


def test_streams_are_cut_into_lines_apart() -> None:
    metrics = PrintedMetrics(LOSS, None, 0)
    assert metrics.feed(1, b"loss=1") == []
    assert metrics.feed(2, b"loss=9\n") == [(1, {"loss": 9.0})]
    assert metrics.feed(1, b"2\n") == [(2, {"loss": 12.0})]


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    metrics = PrintedMetrics(LOSS, None, 0)
    for _ in range(100):
        metrics.feed(1, b"x" * 10_000)
    assert max(map(len, metrics._rests.values())) < 100_000


def test_metrics_that_no_line_matched_are_named_with_lines_that_might_have() -> None:
    metrics = PrintedMetrics({**LOSS, "val_auc": "val_auc=(.+)", "f1": "f1=(.+)"}, None, 0)
    metrics.feed(1, b"start\n\nloss=1\nval_auc: 0.7\ndone\n")
    assert metrics.unmatched == {"f1": ["loss=1", "val_auc: 0.7", "done"], "val_auc": ["val_auc: 0.7"]}


# --- JSON lines ---


def test_json_lines_are_read_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = MetricLines(str(path), 0, expected=False)
    assert lines.read() == []
    assert not lines.expected
    path.write_text('{"loss": 3, "name": "a", "ok": true}\n{"loss": 2')
    assert lines.read() == [(1, {"loss": 3.0})]
    assert lines.expected
    with path.open("a") as file:
        file.write('.5, "step": 7}\n[1]\nnonsense\n{"note": "x"}\n{"loss": NaN}\n{"acc": 1}')
    ((step, found), *more) = lines.read()
    assert (step, found) == (7, {"loss": 2.5})
    assert [(step, str(found)) for step, found in more] == [(8, "{'loss': nan}")]
    assert lines.finish() == [(8, {"acc": 1.0})]


def test_what_the_file_held_before_is_not_of_this_script(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"loss": 3}\n')
    lines = MetricLines(str(path), 0, expected=True)
    assert lines.read() == []
    path.write_text('{"loss": 1}\n'[:4])
    assert lines.read() == []
    path.write_text('{"loss": 1}\n' * 2)
    assert [found for _, found in lines.read()] == [{"loss": 1.0}] * 2


def test_numbers_too_large_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = MetricLines(str(path), 2, expected=True)
    path.write_text(
        "\n".join(json.dumps(record) for record in ({"a": 10**400}, {"a": 1, "step": 10**30}, {"a": 2, "step": -1}, {}))
    )
    assert [*lines.read(), *lines.finish()] == [(3, {"a": 1.0}), (4, {"a": 2.0})]
