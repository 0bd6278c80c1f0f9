"""Watches cameras being connected and removed."""

from __future__ import annotations

import threading
from typing import Final

from PySide6.QtCore import QObject, Signal

from desktop_app.sources.cameras import CameraDevice, list_cameras

INTERVAL_S: Final = 3.0


class CameraWatcher(QObject):
    """Lists the cameras again and again and tells of changes.

    Args:
        parent: the Qt owner.
    """

    cameras_changed = Signal(object)
    """A list of `CameraDevice`; the first one comes soon after `start`, empty or not."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cameras", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns at once."""
        self._stopped.set()

    def _watch(self) -> None:
        known: list[CameraDevice] | None = None
        while not self._stopped.is_set():
            try:
                found = list_cameras()
            except Exception:
                # A driver that cannot be asked is no reason to lose the window: there is no camera then.
                found = []
            if found != known and not self._stopped.is_set():
                known = found
                try:
                    self.cameras_changed.emit(found)
                except RuntimeError:
                    return
            self._stopped.wait(INTERVAL_S)
