"""Bounded queue between two threads that drops the oldest item when it is full."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

DropPolicy = Literal["oldest", "newest"]


class ChannelClosedError(Exception):
    """The channel was closed and is empty."""


class BoundedQueue(Generic[T]):
    """Hands items from one thread to another without ever making the sender wait.

    Args:
        capacity: how many items may wait, at least 1.
        drop: what goes when it is full: the `oldest` waiting item, or the `newest`, which is the one just offered.
    """

    def __init__(self, capacity: int, *, drop: DropPolicy = "oldest") -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._drop = drop
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Offer an item; returns False where something had to be dropped or the channel is closed."""
        with self._changed:
            if self._closed:
                return False
            full = len(self._items) >= self._capacity
            if full:
                self._dropped += 1
                if self._drop == "newest":
                    return False
                self._items.popleft()
            self._items.append(item)
            self._changed.notify()
            return not full

    def get(self, timeout_s: float | None = None) -> T | None:
        """Take the oldest item; None where none came within `timeout_s`.

        Raises:
            ChannelClosedError: the channel is closed and nothing is left in it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._items:
                return self._items.popleft()
            if self._closed:
                raise ChannelClosedError
            return None

    def drain(self) -> list[T]:
        """Take everything that waits, oldest first, without waiting."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            return items

    def close(self) -> None:
        """Take nothing more in; what waits can still be taken out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def dropped(self) -> int:
        """How many items were dropped so far."""
        with self._changed:
            return self._dropped

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        with self._changed:
            return len(self._items) / self._capacity
