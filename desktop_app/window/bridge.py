"""Bridge between engine threads and the GUI thread: payload-free calls one way, thread-safe calls the other."""

from __future__ import annotations

import logging
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from desktop_app.engine.session import (
    FINISH_S,
    RenderedFrame,
    Session,
    SessionSettings,
    SessionStatus,
)
from desktop_app.engine.types import UNFINISHED
from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.window.background import Background

log = logging.getLogger(__name__)

STOP_LIMIT_S: Final = 3.0
IDLE: Final = SessionStatus()


class SessionBridge(QObject):
    """Owns the session in use and tells the widgets, on the GUI thread, that there is something new.

    The engine rings (calls without payload); the slots here take the latest picture and status, so that a slow
    GUI skips pictures rather than queues them. What the widgets see changes in these slots alone, and in the engine's
    order: a state is never shown before the picture that it holds for. Sessions are started and stopped on a thread;
    only the newest that was asked for is ever started.

    Args:
        parent: the Qt owner.
    """

    picture_arrived = Signal(object)
    """A new `RenderedFrame`, on the GUI thread."""
    status_changed = Signal(object)
    """A new `SessionStatus`, on the GUI thread."""
    recording_ended = Signal(object, bool)
    """The last `RecordingStatus` of a recording that ended because its session did, and whether another one follows."""
    failed = Signal(object)
    """A `Message` on a session that could not be stopped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._status = IDLE
        self._background = Background("session-switch", self)
        self._running: Session | None = None
        self._shown_at = -1.0

    @property
    def session(self) -> Session | None:
        """The session in use; all its methods may be called from here."""
        return self._session

    @property
    def status(self) -> SessionStatus:
        """What the widgets were told last of the session's status; `idle` without a session."""
        return self._status

    @property
    def latest(self) -> RenderedFrame | None:
        """The newest picture, if any; it may not have been shown yet."""
        return self._session.latest() if self._session else None

    def open(self, settings: SessionSettings) -> None:
        """Leave what is shown and show another source; returns at once."""
        call_back = self._background.call_back
        session = Session(
            settings,
            on_picture=lambda: call_back(self._on_picture_rang),
            on_status=lambda: call_back(self._on_status_rang),
        )
        self._session = session
        self._status = session.status()
        self._background.submit(lambda: self._switch_to(session), newest=True, failed=self.failed.emit)

    def stop(self) -> None:
        """Stop the session; its last status stays readable. Returns at once."""
        self._background.submit(lambda: self._switch_to(None), newest=True)

    def close(self) -> bool:
        """Stop the session and wait until it has, so that its recording is complete.

        Returns:
            Whether everything stopped in time.
        """
        running = self._running
        self.stop()
        self._background.close()
        self._background.join(STOP_LIMIT_S)
        if running is not None and running.recording().state in UNFINISHED:
            # The user's work comes before a prompt end.
            self._background.join(FINISH_S)
        return not self._background.is_alive

    def painted(self, rendered_at: float, draw_s: float) -> None:
        """Tell the engine that a picture reached the screen, and how long drawing took."""
        if self._session:
            self._session.painted(rendered_at, draw_s)

    def _switch_to(self, session: Session | None) -> None:
        """Stop what runs, and start this unless something newer is wanted by then; on the thread."""
        running, self._running = self._running, None
        if running is not None:
            self._stop(running, switched=session is not None)
        if session is not None and not self._background.has_newer:
            self._running = session
            session.start()
        self._background.call_back(self._on_status_rang)

    def _stop(self, session: Session, *, switched: bool) -> None:
        try:
            unfinished = session.recording().state in UNFINISHED
            session.stop()
            recording = session.recording()
            if recording.state in UNFINISHED:
                self._tell_of_failure(
                    Message(
                        "Cannot finish the recording “{path}” in time: the disk is slow. It is finished in the "
                        "background, and plays up to where it is.",
                        path=recording.path,
                    )
                )
            elif unfinished:
                self._background.call_back(lambda: self.recording_ended.emit(recording, switched))
        except Exception as error:
            # A defect or a system at its limits: the next session runs all the same.
            log.exception("a session cannot be stopped")
            self._tell_of_failure(
                Message(
                    "Cannot stop the last source in order: {reason}. Start Agelens again, and report it.",
                    reason=reason_of(error),
                )
            )

    def _tell_of_failure(self, message: Message) -> None:
        self._background.call_back(lambda: self.failed.emit(message))

    @Slot()
    def _on_picture_rang(self) -> None:
        rendered = self.latest
        if rendered is not None and rendered.rendered_at != self._shown_at:
            self._shown_at = rendered.rendered_at
            self.picture_arrived.emit(rendered)

    @Slot()
    def _on_status_rang(self) -> None:
        # Read before the picture: the newest picture is then no older than the state.
        status = self._session.status() if self._session else IDLE
        self._on_picture_rang()
        self._status = status
        self.status_changed.emit(status)
