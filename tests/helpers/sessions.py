"""A session that runs, and a wait for what it comes to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from desktop_app.engine.session import Session, SessionSettings

PATIENCE_S = 60.0


class Bell:
    """Waits, on the test's thread, until the session rang and a condition holds."""

    def __init__(self) -> None:
        self._rung = threading.Condition()

    def ring(self) -> None:
        with self._rung:
            self._rung.notify_all()

    def wait_until(self, holds: Callable[[], object]) -> None:
        with self._rung:
            ends_at = time.monotonic() + PATIENCE_S
            while time.monotonic() < ends_at:
                if holds():
                    return
                self._rung.wait(0.1)
        pytest.fail("the session did not come to it in time")


@contextmanager
def running(settings: SessionSettings) -> Iterator[tuple[Session, Bell]]:
    bell = Bell()
    session = Session(settings, on_picture=bell.ring, on_status=bell.ring)
    session.start()
    try:
        yield session, bell
    finally:
        session.stop()
    # On a busy machine a model that is being loaded outlives `stop` by a moment.
    bell.wait_until(lambda: not engine_threads())


def engine_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"capture", "inference", "recorder"}
