"""Watches cameras being connected and removed."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from desktop_app.messages import Message
from desktop_app.sources.cameras import CameraDevice, list_cameras
from desktop_app.window.background import Background

INTERVAL_MS: Final = 3000


class CameraWatcher(QObject):
    """Lists the cameras again and again and tells of changes.

    Args:
        parent: the Qt owner.
    """

    cameras_changed = Signal(object)
    """A list of `CameraDevice`; the first one comes soon after `start`, empty or not."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: list[CameraDevice] | None = None
        self._background = Background("cameras", self)
        # Begins anew with each answer: a driver that is slow to answer is not asked meanwhile.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.start)

    @Slot()
    def start(self) -> None:
        """Begin."""
        self._background.submit(list_cameras, self._on_found, self._on_failed)

    def stop(self) -> None:
        """End; returns at once."""
        self._timer.stop()
        self._background.close()

    def _on_found(self, found: list[CameraDevice]) -> None:
        self._timer.start()
        if found != self._known:
            self._known = found
            self.cameras_changed.emit(found)

    def _on_failed(self, _message: Message) -> None:
        # A driver that cannot be asked is no reason to lose the window: there is no camera then.
        self._on_found([])
