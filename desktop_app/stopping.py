"""Asking work on other threads to end between two of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from typing import Any


class StopRequest:
    """Set once to end the work, which checks it. Safe from any thread."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._future: Future[None] = Future()

    def set(self) -> None:
        """Ask for the end."""
        self.event.set()
        with suppress(futures.InvalidStateError):
            self._future.set_result(None)

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self.event.is_set()

    def then(self, call: Callable[[], object]) -> None:
        """Call something once when the end is asked for, on the thread that asks, or at once if it was already."""
        self._future.add_done_callback(lambda _: call())

    def comes_before(self, result: Future[Any]) -> bool:
        """Wait for a result or the request, whichever comes first; True where the request is there."""
        both: tuple[Future[Any], ...] = (result, self._future)
        futures.wait(both, return_when=futures.FIRST_COMPLETED)
        return self.is_set()
