from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.engine.bounded_queue import BoundedQueue, ChannelClosedError


@given(capacity=st.integers(1, 5), items=st.lists(st.integers(), max_size=30))
def test_the_newest_win_in_order_and_drops_are_counted(capacity: int, items: list[int]) -> None:
    channel: BoundedQueue[int] = BoundedQueue(capacity)
    for item in items:
        channel.put(item)
    assert channel.fill == min(len(items), capacity) / capacity
    assert channel.drain() == items[-capacity:]
    assert channel.dropped == max(len(items) - capacity, 0)


def test_dropping_the_newest_keeps_what_waits() -> None:
    channel: BoundedQueue[int] = BoundedQueue(2, drop="newest")
    assert [channel.put(item) for item in (1, 2, 3)] == [True, True, False]
    assert channel.drain() == [1, 2]


def test_a_waiting_receiver_gets_an_item_from_another_thread() -> None:
    channel: BoundedQueue[str] = BoundedQueue(1)
    received: list[str | None] = []
    receiver = threading.Thread(target=lambda: received.append(channel.get(timeout_s=10)))
    receiver.start()
    channel.put("face")
    receiver.join(10)
    assert received == ["face"]


def test_nothing_within_the_time_is_none() -> None:
    assert BoundedQueue[int](1).get(timeout_s=0.0) is None


def test_close_lets_out_what_waits_and_then_ends() -> None:
    channel: BoundedQueue[int] = BoundedQueue(2)
    channel.put(7)
    channel.close()
    assert not channel.put(8)
    assert channel.get() == 7
    with pytest.raises(ChannelClosedError):
        channel.get()


def test_close_wakes_a_receiver_that_waits_for_ever() -> None:
    channel: BoundedQueue[int] = BoundedQueue(1)
    ended = threading.Event()

    def receive() -> None:
        with pytest.raises(ChannelClosedError):
            channel.get()
        ended.set()

    threading.Thread(target=receive, daemon=True).start()
    channel.close()
    assert ended.wait(10)


def test_a_channel_needs_room() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        BoundedQueue(0)
