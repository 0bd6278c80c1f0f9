"""Background work whose result is delivered on the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from desktop_app.errors import describe_error
from desktop_app.messages import Message

T = TypeVar("T")


class Background(QObject):
    """One named thread that does jobs in turn and calls back on the GUI thread.

    Args:
        name: name of the thread.
        parent: the Qt owner.
    """

    _finished = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False
        self._finished.connect(self._deliver)

    def submit(
        self,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Message], None] | None = None,
    ) -> Future[None] | None:
        """Do a job on the thread.

        Args:
            work: the job; it must not touch widgets.
            done: called on the GUI thread with the job's answer.
            failed: called on the GUI thread with what is to be said where the job failed.

        Returns:
            What can be waited for, None after `close`.
        """
        if self._closed:
            return None
        return self._executor.submit(self._run, work, done, failed)

    def close(self) -> None:
        """Take no more; jobs that were handed in are still done, without their call-backs. Returns at once."""
        self._closed = True
        self._executor.shutdown(wait=False)

    def _run(self, work: Callable[[], Any], done: Any, failed: Any) -> None:
        call: Callable[[], None]
        try:
            answer = work()
            call = (lambda: done(answer)) if done else _noop
        except Exception as error:
            # A defect, too, must reach the user as a sentence: an exception in a thread would vanish.
            message = describe_error(error)
            call = (lambda: failed(message)) if failed else _noop
        if not self._closed:
            with suppress(RuntimeError):
                # The window may be gone by now: nobody is left to be told.
                self._finished.emit(call)

    @Slot(object)
    def _deliver(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()


def _noop() -> None:
    """Stand for a call-back that was not asked for."""
