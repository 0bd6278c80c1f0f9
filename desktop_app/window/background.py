"""Background work: how the window has something done on another thread."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from desktop_app.errors import AgelensError, describe_error
from desktop_app.messages import Message

T = TypeVar("T")
log = logging.getLogger(__name__)


class Background(QObject):
    """One named thread that does jobs in turn and calls back on the GUI thread.

    A job that is submitted as the newest replaces those that still wait; one that takes long looks at `has_newer`.
    The thread starts with the first job. It is a daemon: a camera driver that never returns must not keep the process
    alive.

    Args:
        name: name of the thread.
        parent: the Qt owner.
        finish_at_exit: whether the end of the process waits for the jobs that were handed in.
    """

    _called_back = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None, *, finish_at_exit: bool = False) -> None:
        super().__init__(parent)
        self._name, self._finish_at_exit = name, finish_at_exit
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._jobs: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._called_back.connect(self._on_called_back)
        self.destroyed.connect(partial(_close, self._changed, self._closed))

    def submit(
        self,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Message], None] | None = None,
        *,
        newest: bool = False,
    ) -> bool:
        """Have a job done; returns at once.

        Args:
            work: the job, on the thread; it must not touch widgets.
            done: called on the GUI thread with the job's answer.
            failed: called on the GUI thread with what is to be said where the job failed.
            newest: whether it replaces the jobs that still wait.

        Returns:
            Whether it was taken: after `close` none is.
        """
        with self._changed:
            if self._closed.is_set():
                return False
            if newest:
                self._jobs.clear()
            self._jobs.append(lambda: self._do(work, done, failed))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                if self._finish_at_exit:
                    atexit.register(self._finish)
                self._thread.start()
            self._changed.notify_all()
        return True

    def call_back(self, function: Callable[[], None]) -> None:
        """Have a function called on the GUI thread, from a job that is not done yet; never after `close`."""
        # A signal of an object that is being destroyed on another thread ends the process: `close` waits for this.
        with self._changed:
            if not self._closed.is_set():
                self._called_back.emit(function)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_closed(self) -> bool:
        """Whether all shall end."""
        return self._closed.is_set()

    @property
    def has_newer(self) -> bool:
        """Whether a job waits for the one that runs, or all shall end."""
        return self.is_closed or bool(self._jobs)

    def wait_for_newer(self, timeout_s: float) -> bool:
        """Let the job that runs rest, unless there is a newer one; returns whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.has_newer, timeout_s)

    def wait_for_close(self, timeout_s: float) -> bool:
        """Let the job that runs rest, unless all shall end; returns whether it shall."""
        with self._changed:
            return self._changed.wait_for(self._closed.is_set, timeout_s)

    def close(self) -> None:
        """Take no more; jobs that were handed in are still done, without their call-backs. Returns at once."""
        _close(self._changed, self._closed)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end after `close`; returns False where it still runs after `timeout_s`."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.is_alive

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.has_newer)
                if not self._jobs:
                    break
                job = self._jobs.popleft()
            job()
            # Kept until the next one comes, what it holds would be.
            del job
        if self._finish_at_exit:
            atexit.unregister(self._finish)

    def _do(self, work: Callable[[], Any], done: Any, failed: Any) -> None:
        try:
            answer = work()
        except Exception as error:
            if not isinstance(error, AgelensError | OSError):
                log.exception("a job of the thread %s failed", self._name)
            # A defect, too, must reach the user as a sentence: an exception in a thread would vanish.
            message = describe_error(error)
            if failed is not None:
                self.call_back(lambda: failed(message))
        else:
            if done is not None:
                self.call_back(lambda: done(answer))

    def _finish(self) -> None:
        self.close()
        self.join()

    @Slot(object)
    def _on_called_back(self, function: Callable[[], None]) -> None:
        if not self.is_closed:
            function()


def _close(changed: threading.Condition, closed: threading.Event) -> None:
    with changed:
        closed.set()
        changed.notify_all()
