"""Between the engine's threads and the GUI thread: doorbells one way, thread-safe calls the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from desktop_app.engine.flow import UNFINISHED
from desktop_app.engine.session import Composed, RecordingStatus, Session, SessionSettings, SessionStatus

STOP_LIMIT_S: Final = 3.0
IDLE: Final = SessionStatus()


class SessionBridge(QObject):
    """Owns the session in use and tells the widgets, on the GUI thread, that there is something new.

    The engine rings (signals without payload); the slots here take the latest picture and status, so that a slow
    GUI skips pictures rather than queues them. Sessions start and stop on a thread of their own, in turn.

    Args:
        parent: the Qt owner.
    """

    picture_arrived = Signal(object)
    """A new `Composed`, on the GUI thread."""
    status_changed = Signal(object)
    """A new `SessionStatus`, on the GUI thread."""
    recording_ended = Signal(object)
    """The last `RecordingStatus` of a recording that ended because its session did."""
    _picture_rang = Signal()
    _status_rang = Signal()
    _left = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session-switch")
        self._picture_rang.connect(self._on_picture_rang)
        self._status_rang.connect(self._on_status_rang)
        self._left.connect(self.recording_ended)
        self._shown_at = -1.0

    @property
    def session(self) -> Session | None:
        """The session in use; all its methods may be called from here."""
        return self._session

    @property
    def status(self) -> SessionStatus:
        """The session's status, or `idle` without one."""
        return self._session.status() if self._session else IDLE

    @property
    def latest(self) -> Composed | None:
        """The newest picture, if any."""
        return self._session.latest() if self._session else None

    def open(self, settings: SessionSettings) -> None:
        """Leave what is shown and show another source; returns at once."""
        previous = self._session
        session = Session(settings, on_picture=self._picture_rang.emit, on_status=self._status_rang.emit)
        self._session = session
        self._executor.submit(self._switch, previous, session)

    def stop(self) -> None:
        """Stop the session; its last status stays readable. Returns at once."""
        if self._session:
            self._executor.submit(self._switch, self._session, None)

    def close(self) -> bool:
        """Stop the session and wait until it has, so that its recording is complete.

        Returns:
            Whether everything stopped in time.
        """
        last = self._executor.submit(self._switch, self._session, None)
        self._executor.shutdown(wait=False)
        finished, _ = wait_for([last], timeout=STOP_LIMIT_S)
        return bool(finished)

    def painted(self, composed_at: float) -> None:
        """Tell the engine that a picture reached the screen."""
        if self._session:
            self._session.painted(composed_at)

    def _switch(self, previous: Session | None, following: Session | None) -> None:
        if previous is not None:
            unfinished = previous.recording().state in UNFINISHED
            previous.stop()
            if unfinished:
                self._emit(self._left.emit, _await_recording(previous))
            self._emit(self._status_rang.emit)
        if following is not None:
            following.start()
            self._emit(self._status_rang.emit)

    @staticmethod
    def _emit(emit: Callable[..., None], *values: object) -> None:
        try:
            emit(*values)
        except RuntimeError:
            # The window is gone: nobody is left to be told.
            return

    @Slot()
    def _on_picture_rang(self) -> None:
        composed = self.latest
        if composed is not None and composed.composed_at != self._shown_at:
            self._shown_at = composed.composed_at
            self.picture_arrived.emit(composed)

    @Slot()
    def _on_status_rang(self) -> None:
        self.status_changed.emit(self.status)


def _await_recording(session: Session) -> RecordingStatus:
    """The last word on a recording whose session was stopped."""
    until = time.monotonic() + STOP_LIMIT_S
    status = session.recording()
    while status.state == "finishing" and time.monotonic() < until:
        time.sleep(0.02)
        status = session.recording()
    return status
