"""Controller for screenshots and recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication

from desktop_app.engine.types import UNFINISHED, RecordingStatus
from desktop_app.window.controllers.saving import Saver
from desktop_app.window.style.translation import translate_message
from desktop_app.window.style.widgets import capitalised

if TYPE_CHECKING:
    from desktop_app.window.main_window import MainWindow


class CaptureControl(QObject):
    """What the control bar's buttons do.

    Args:
        window: whose picture is saved.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._announced = 0.0
        self._saver = Saver(
            latest=lambda: window.stage.view.rendered,
            describe=self._describe,
            guard=lambda rendered: window.options.guarded(rendered),
            is_live=self._is_live,
            is_playing=lambda: window.bridge.status.state == "live",
            parent=self,
        )
        self._saver.saved.connect(self._on_saved)
        self._saver.failed.connect(lambda message: window.note(capitalised(translate_message(message))))
        window.bridge.recording_ended.connect(self.announce)
        actions = window.actions_
        actions["screenshot"].triggered.connect(lambda: self._saver.save_screenshot(window.settings))
        actions["burst"].triggered.connect(lambda: self._saver.save_burst(window.settings))
        actions["copy"].triggered.connect(self._on_copy)
        actions["record"].triggered.connect(self._on_record)
        actions["pause_recording"].triggered.connect(self._on_pause_recording)

    def close(self) -> None:
        """Take nothing more; what is being written is finished."""
        self._saver.close()

    @Slot(object)
    def show_recording(self, status: RecordingStatus) -> None:
        """Show how the recording is doing, and say where it is once it ended."""
        shown = self._window.bridge.status.state in {"live", "paused", "reconnecting", "ended"}
        self._window.control_bar.show_recording(status, enabled=shown)
        self._window.stage.show_recording(self._window.control_bar.elapsed_text)
        for name in ("screenshot", "burst", "copy"):
            self._window.actions_[name].setEnabled(shown)
        if status.state not in UNFINISHED:
            # One that failed at once was never seen to run.
            self.announce(status)

    @Slot(object)
    def announce(self, status: RecordingStatus) -> None:
        """Say once how a recording ended."""
        if status.path is None or status.started_at == self._announced:
            return
        self._announced = status.started_at
        if status.state == "failed":
            self._window.note(
                capitalised(translate_message(status.message)), path=status.path if status.size_bytes else None
            )
        else:
            self._on_saved(status.path, 1)

    @Slot(object, int)
    def _on_saved(self, path: Path, count: int) -> None:
        if count > 1:
            self._window.note(
                self.tr("Saved {count} pictures in {folder}").format(count=count, folder=path.parent), path=path
            )
        else:
            self._window.note(self.tr("Saved {name}").format(name=path.name), path=path)

    @Slot()
    def _on_copy(self) -> None:
        image = self._window.stage.view.picture()
        if image is not None:
            QApplication.clipboard().setImage(image)
            self._window.note(self.tr("Copied the picture"))

    @Slot()
    def _on_record(self) -> None:
        session = self._window.bridge.session
        if session is None:
            return
        if session.recording().state in UNFINISHED:
            session.stop_recording()
        else:
            self._saver.start_recording(session, self._window.settings)
            info = self._window.bridge.status.info
            if info is not None and info.has_sound:
                self._window.note(self.tr("The sound of {name} is not recorded").format(name=info.name))

    @Slot(bool)
    def _on_pause_recording(self, paused: bool) -> None:
        if self._window.bridge.session is not None:
            self._window.bridge.session.pause_recording(paused)

    def _is_live(self) -> bool:
        info = self._window.bridge.status.info
        return info is not None and info.live

    def _describe(self) -> dict[str, str]:
        status = self._window.bridge.status
        source = status.info.name if status.info else ""
        return {"software": "Agelens", "model": status.model, "provider": status.provider, "source": source}
