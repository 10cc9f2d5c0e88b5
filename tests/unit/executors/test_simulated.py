from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunewright.errors import InvalidInput
from tunewright.executors.simulated import Curve, Recorded, SimulatedExecutor
from tunewright.interfaces import (
    Checkpointed,
    ExecutorEvent,
    Exited,
    Failure,
    Halt,
    Kill,
    Launch,
    Order,
    Reported,
    Started,
    Until,
)
from tunewright.records import Execution, FailureKind, Params, Trial
from tunewright.testing.clock import FakeClock
from tunewright.testing.executors import launch

FOLDER = Path("trials")


def curve(steps: int = 4, duration: float = 10.0, **more: Any) -> Curve:
    return Curve(range(1, steps + 1), [{"loss": 1.0 / step} for step in range(1, steps + 1)], [duration] * steps, **more)


def always(found: Curve) -> Callable[[Params, int], Curve]:
    return lambda params, seed: found


def drain(executor: SimulatedExecutor, answer: Callable[[ExecutorEvent], Order | None] | None = None) -> list[str]:
    """Polls until everything has ended; the events in brief, each with its virtual moment."""
    story: list[str] = []
    running = set[str]()

    def deliver(event: ExecutorEvent) -> None:
        if isinstance(event, Started):
            running.add(event.token)
            text = "started"
        elif isinstance(event, Reported):
            (report,) = event.reports
            assert report.at == executor.now()
            text = f"step {report.step}"
        elif isinstance(event, Checkpointed):
            text = f"checkpoint {event.step}"
        else:
            assert isinstance(event, Exited)
            running.discard(event.token)
            text = event.outcome
        execution = "-".join(event.token.split("-")[-2:])
        story.append(f"{executor.now():g} {execution} {text}")
        if answer is not None and (order := answer(event)) is not None:
            executor.order(event.token, order)

    executor.poll(0.0, deliver)
    for _ in range(1000):
        if not running:
            return story
        executor.poll(1e6, deliver)
    raise AssertionError("it doesn't end")


def test_time_passes_as_the_curves_say() -> None:
    curves = {0.0: curve(2, 10.0), 0.25: curve(3, 4.0)}
    executor = SimulatedExecutor(lambda params, seed: curves[params["x"]], slots=2, start=100.0, start_time=1.0)  # type: ignore[index]
    executor.launch(launch(FOLDER, 0))
    executor.launch(launch(FOLDER, 1))
    assert drain(executor) == [
        "100 0-1 started",
        "100 1-1 started",
        "105 1-1 step 1",
        "109 1-1 step 2",
        "111 0-1 step 1",
        "113 1-1 step 3",
        "113 1-1 completed",
        "121 0-1 step 2",
        "121 0-1 completed",
    ]


def test_the_last_duration_is_for_what_comes_after_the_last_step() -> None:
    executor = SimulatedExecutor(always(Curve([5], [{"loss": 1.0}], [2.0, 3.0], returned=0.5)))
    executor.launch(launch(FOLDER))
    assert drain(executor) == ["0 0-1 started", "2 0-1 step 5", "5 0-1 completed"]


def test_a_curve_may_be_a_duration_only() -> None:
    executor = SimulatedExecutor(always(Curve([], [], [7.0], returned=0.5)))
    executor.launch(launch(FOLDER))
    assert drain(executor) == ["0 0-1 started", "7 0-1 completed"]


def test_polling_moves_the_clock_by_the_timeout_at_most() -> None:
    executor = SimulatedExecutor(always(curve(1, 10.0)))
    executor.poll(3.0, lambda event: None)
    assert executor.now() == 3.0
    executor.launch(launch(FOLDER))
    executor.poll(5.0, lambda event: None)
    assert executor.now() == 3.0, "there was an event to hand over at once"
    executor.poll(5.0, lambda event: None)
    assert executor.now() == 8.0
    events: list[ExecutorEvent] = []
    executor.poll(50.0, events.append)
    assert executor.now() == 13.0
    assert [type(event) for event in events] == [Reported]


def test_a_decision_step_waits_in_virtual_time() -> None:
    executor = SimulatedExecutor(always(curve(3)))
    item = launch(FOLDER, until_step=2)
    executor.launch(item)
    events: list[ExecutorEvent] = []
    for _ in range(5):
        executor.poll(100.0, events.append)
    assert [report.step for event in events if isinstance(event, Reported) for report in event.reports] == [1, 2]
    now = executor.now()
    executor.order(item.execution.token, Until(None))
    executor.poll(100.0, events.append)
    assert executor.now() == now + 10.0


def test_a_halt_takes_effect_at_the_next_report_or_after_its_grace() -> None:
    for grace, story in ((60.0, ["20 0-1 step 2", "20 0-1 stopped"]), (3.0, ["13 0-1 stopped"])):
        executor = SimulatedExecutor(always(curve()))
        executor.launch(launch(FOLDER))

        def answer(event: ExecutorEvent, grace: float = grace) -> Order | None:
            first = isinstance(event, Reported) and event.first == 0
            return Halt("stop", "enough", grace) if first else None

        assert drain(executor, answer) == ["0 0-1 started", "10 0-1 step 1", *story]


def test_a_kill_takes_effect_at_once() -> None:
    executor = SimulatedExecutor(always(curve()))
    executor.launch(launch(FOLDER))
    story = drain(executor, lambda event: Kill("no") if isinstance(event, Reported) else None)
    assert story == ["0 0-1 started", "10 0-1 step 1", "10 0-1 stopped"]


def test_an_execution_goes_from_its_step_to_its_fidelity() -> None:
    executor = SimulatedExecutor(always(curve(9, checkpoints=True, returned=0.0, failure=None)))
    events: list[ExecutorEvent] = []
    item = launch(FOLDER, from_step=3, fidelity=5)
    executor.launch(item)
    for _ in range(5):
        executor.poll(100.0, events.append)
    assert [type(event).__name__ for event in events] == ["Started", *["Checkpointed", "Reported"] * 2, "Exited"]
    last = events[-1]
    assert isinstance(last, Exited)
    assert (last.outcome, last.returned, last.at) == ("completed", None, 20.0)


def test_a_failure_comes_at_the_curves_end() -> None:
    failure = Failure(FailureKind.OUT_OF_MEMORY, "no room")
    executor = SimulatedExecutor(always(curve(2, failure=failure)))
    events: list[ExecutorEvent] = []
    executor.launch(launch(FOLDER))
    for _ in range(5):
        executor.poll(100.0, events.append)
    assert events[-1] == Exited(launch(FOLDER).execution.token, "failed", 20.0, None, failure)


def test_equal_simulations_tell_equal_stories() -> None:
    def tell() -> list[str]:
        executor = SimulatedExecutor(lambda params, seed: curve(3, 1.0 + seed % 3), slots=4)
        for number in range(4):
            executor.launch(launch(FOLDER, number, until_step=2))
        return drain(executor, lambda event: Until(None) if isinstance(event, Reported) else None)

    assert tell() == tell()
    assert len(tell()) == 4 * 5


def test_a_recorded_table_is_replayed() -> None:
    def key(params: Params) -> tuple[Any, ...]:
        return tuple(sorted(params.items()))

    table = Recorded([({"x": 0.0}, curve(1)), ({"x": 0.25}, curve(2))], key)
    executor = SimulatedExecutor(table)
    executor.launch(launch(FOLDER, 1))
    assert len(drain(executor)) == 4
    with pytest.raises(InvalidInput, match="params must be a configuration of the recorded table"):
        executor.launch(launch(FOLDER, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [{}], [1.0, 1.0]), "curve.values must have one entry for each of the 2 steps; got 1"),
        (([1, 2], [{}, {}], [1.0]), "curve.durations must have 2 or 3 entries for 2 steps; got 1"),
        (([2, 2], [{}, {}], [1.0, 1.0]), "curve.steps must ascend"),
        (([1], [{}], [-1.0]), "curve.durations must be at least 0"),
        (([1], [{}], [float("nan")]), "curve.durations must be at least 0"),
    ],
)
def test_curves_that_make_no_sense_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Curve(*arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("slots", [0, 1.5, True])
def test_slots_are_whole_numbers(slots: Any) -> None:
    with pytest.raises(InvalidInput, match="slots must be an integer of at least 1"):
        SimulatedExecutor(always(curve()), slots=slots)


def test_a_fake_clock_moves_by_hand_and_forwards() -> None:
    clock = FakeClock(10.0)
    assert clock.now() == clock.now() == 10.0
    assert clock.advance(2.5) == clock.now() == 12.5
    with pytest.raises(ValueError, match="seconds must be at least 0; got -1"):
        clock.advance(-1)


def test_the_simulated_trial_is_what_was_launched() -> None:
    given: list[tuple[Params, int]] = []

    def simulate(params: Params, seed: int) -> Curve:
        given.append((params, seed))
        return curve(1)

    executor = SimulatedExecutor(simulate)
    trial = Trial(3, {"depth": 4}, seed=17)
    executor.launch(Launch(trial, Execution(3, 1, "token"), "trials/3"))
    assert given == [({"depth": 4}, 17)]
