from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tunewright.executors.connection import Connection

Pair = tuple[Connection, Connection]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, two = (Connection(end) for end in socket.socketpair())
    yield one, two
    one.close()
    two.close()


def test_messages_arrive_whole_and_in_order(pair: Pair) -> None:
    one, two = pair
    messages = [{"kind": "order", "number": number, "text": "ä\n\ud800"} for number in range(10)]
    for message in messages:
        one.send(message)
    assert two.receive() == messages
    assert two.receive() == []


def test_a_message_in_parts_waits_for_its_end() -> None:
    end, other = socket.socketpair()
    connection = Connection(end)
    other.sendall(b'{"kind": "a"}\n{"kind"')
    assert connection.receive() == [{"kind": "a"}]
    other.sendall(b': "b"}\n')
    assert connection.receive() == [{"kind": "b"}]
    other.close()
    connection.close()


def test_sending_never_blocks_and_what_waits_is_sent_later(pair: Pair) -> None:
    one, two = pair
    large = {"text": "x" * 1_000_000}
    one.send(large)
    one.send({"kind": "last"})
    assert one.waiting
    received = []
    for _ in range(1000):
        received += two.receive()
        one.send_waiting()
        if len(received) == 2:
            break
    assert received == [large, {"kind": "last"}]
    assert not one.waiting


def test_waiting_ends_with_a_message_a_timeout_or_the_other_side(pair: Pair) -> None:
    one, two = pair
    assert two.wait(0.01) == []
    assert two.open
    timer = threading.Timer(0.05, lambda: one.send({"kind": "late"}))
    timer.start()
    assert two.wait(None) == [{"kind": "late"}]
    timer.join()
    one.send({"kind": "last"})
    one.close()
    assert two.wait(None) == [{"kind": "last"}]
    assert two.wait(None) == []
    assert not two.open


def test_a_message_to_nobody_is_dropped(pair: Pair) -> None:
    one, two = pair
    two.close()
    for _ in range(3):
        one.send({"kind": "spool"})
    assert not one.open
    assert not one.waiting
