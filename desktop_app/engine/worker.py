"""Worker thread that records its exception."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker(ABC):
    """A thread that does one job until it is done or stopped.

    What a worker uses is created, used and closed in `run`, on the worker's own thread. An exception ends the thread,
    not the process: it is kept as `error` and `on_end` is called.

    Args:
        name: the thread's name, for logs and debuggers.
        on_end: called on the worker's thread when `run` is over.
    """

    def __init__(self, name: str, *, on_end: Callable[[Worker], None] | None = None) -> None:
        self.name = name
        self.error: Exception | None = None
        self._on_end = on_end
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def run(self) -> None:
        """Do the job; look at `stopping` often."""

    @property
    def stopping(self) -> threading.Event:
        """Set once the worker shall end."""
        return self._stopping

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the system allows no further thread.
        """
        # Made only now: a thread refers to its worker until it has run.
        # Daemon: a camera driver that never returns must not keep the process alive.
        self._thread = threading.Thread(target=self._main, name=self.name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            raise

    def stop(self) -> None:
        """Ask the worker to end; returns at once."""
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; returns False where the thread still runs after `timeout_s`."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.is_alive

    def _main(self) -> None:
        try:
            self.run()
        except Exception as error:
            log.exception("%s ended by an error", self.name)
            # Without the frames that it passed through, and all that their variables hold.
            self.error = error.with_traceback(None)
        finally:
            if self._on_end is not None:
                self._on_end(self)
