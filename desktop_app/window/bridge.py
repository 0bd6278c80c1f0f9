"""Bridge between engine threads and the GUI thread: payload-free signals one way, thread-safe calls the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from desktop_app.engine.session import (
    FINISH_S,
    RecordingStatus,
    RenderedFrame,
    Session,
    SessionSettings,
    SessionStatus,
)
from desktop_app.engine.types import UNFINISHED
from desktop_app.errors import reason_of
from desktop_app.messages import Message

log = logging.getLogger(__name__)

STOP_LIMIT_S: Final = 3.0
IDLE: Final = SessionStatus()


class SessionSwitch:
    """Starts and stops sessions on a thread of its own; only the newest that was asked for is ever started.

    Args:
        on_change: called on the thread when a session was started or stopped.
        on_recording_end: called on the thread with the last status of a recording that ended with its session.
        on_failure: called on the thread with what to say where a session could not be stopped in order.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[], None],
        on_recording_end: Callable[[RecordingStatus], None],
        on_failure: Callable[[Message], None],
    ) -> None:
        self._on_change, self._on_recording_end, self._on_failure = on_change, on_recording_end, on_failure
        self._changed = threading.Condition()
        self._wanted: Session | None = None
        self._running: Session | None = None
        self._closed = False
        # Daemon: a window that was never closed must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="session-switch", daemon=True)
        self._thread.start()

    def show(self, session: Session | None) -> None:
        """Run this session from now on, or none; returns at once."""
        with self._changed:
            if not self._closed:
                self._wanted = session
                self._changed.notify()

    def close(self) -> bool:
        """Stop what runs and take nothing more; returns whether that was done in time."""
        with self._changed:
            running = self._running
            self._closed, self._wanted = True, None
            self._changed.notify()
        self._thread.join(STOP_LIMIT_S)
        if running is not None and running.recording().state in UNFINISHED:
            # The user's work comes before a prompt end.
            self._thread.join(FINISH_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._wanted is not self._running)
                wanted, running, closed = self._wanted, self._running, self._closed
            if running is not None and running is not wanted:
                self._running = None
                self._stop(running)
                self._on_change()
            elif wanted is not None:
                self._running = wanted
                wanted.start()
                self._on_change()
            elif closed:
                return
            # Kept until something else is wanted, a session would be.
            del wanted, running

    def _stop(self, session: Session) -> None:
        try:
            unfinished = session.recording().state in UNFINISHED
            session.stop()
            recording = session.recording()
            if recording.state in UNFINISHED:
                self._on_failure(
                    Message(
                        "Cannot finish the recording “{path}” in time: the disk is slow. It is finished in the "
                        "background, "
                        "and plays up to where it is.",
                        path=recording.path,
                    )
                )
            elif unfinished:
                self._on_recording_end(recording)
        except Exception as error:
            # A defect or a system at its limits: an error in a thread would vanish.
            log.exception("a session cannot be stopped")
            self._on_failure(
                Message(
                    "Cannot stop the last source in order: {reason}. Start Agelens again, and report it.",
                    reason=reason_of(error),
                )
            )


class SessionBridge(QObject):
    """Owns the session in use and tells the widgets, on the GUI thread, that there is something new.

    The engine rings (signals without payload); the slots here take the latest picture and status, so that a slow
    GUI skips pictures rather than queues them. What the widgets see changes in these slots alone, and in the engine's
    order: a state is never shown before the picture that it holds for.

    Args:
        parent: the Qt owner.
    """

    picture_arrived = Signal(object)
    """A new `RenderedFrame`, on the GUI thread."""
    status_changed = Signal(object)
    """A new `SessionStatus`, on the GUI thread."""
    recording_ended = Signal(object)
    """The last `RecordingStatus` of a recording that ended because its session did."""
    failed = Signal(object)
    """A `Message` on a session that could not be stopped."""
    _frame_ready = Signal()
    _status_rang = Signal()
    _recording_left = Signal(object)
    _stop_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._status = IDLE
        self._switch = SessionSwitch(
            on_change=_emitter(self._status_rang.emit),
            on_recording_end=_emitter(self._recording_left.emit),
            on_failure=_emitter(self._stop_failed.emit),
        )
        self._frame_ready.connect(self._on_picture_rang)
        self._status_rang.connect(self._on_status_rang)
        self._recording_left.connect(self.recording_ended)
        self._stop_failed.connect(self.failed)
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
        session = Session(
            settings, on_picture=_emitter(self._frame_ready.emit), on_status=_emitter(self._status_rang.emit)
        )
        self._session = session
        self._status = session.status()
        self._switch.show(session)

    def stop(self) -> None:
        """Stop the session; its last status stays readable. Returns at once."""
        self._switch.show(None)

    def close(self) -> bool:
        """Stop the session and wait until it has, so that its recording is complete.

        Returns:
            Whether everything stopped in time.
        """
        return self._switch.close()

    def painted(self, rendered_at: float) -> None:
        """Tell the engine that a picture reached the screen."""
        if self._session:
            self._session.painted(rendered_at)

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


def _emitter(emit: Callable[..., None]) -> Callable[..., None]:
    """Emit a signal, unless the window is gone: then there is no one to be told."""

    def emit_to_window(*values: object) -> None:
        with suppress(RuntimeError):
            emit(*values)

    return emit_to_window
