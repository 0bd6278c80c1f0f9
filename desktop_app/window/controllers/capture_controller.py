"""Controller for screenshots and recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication

from desktop_app.engine.types import UNFINISHED, RecordingStatus, RenderedFrame
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bars.control_bar import ControlBar
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.controllers.saving import Saver
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import translate_message
from desktop_app.window.style.widgets import capitalised


class CaptureController(QObject):
    """What the control bar's buttons do.

    Args:
        settings: where and how is saved.
        bridge: whose session is recorded.
        actions: those of the control bar.
        stage: whose picture is saved, and where notes are shown.
        control_bar: shows how a recording is doing.
        guard: gives a picture as it may be shown by now.
        parent: the Qt owner.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        control_bar: ControlBar,
        guard: Callable[[RenderedFrame], RenderedFrame],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._settings, self._bridge, self._actions = settings, bridge, actions
        self._stage, self._control_bar = stage, control_bar
        self._announced = 0.0
        self._saver = Saver(
            latest=lambda: stage.view.rendered,
            describe=self._describe,
            guard=guard,
            is_live=self._is_live,
            is_playing=lambda: bridge.status.state == "live",
            parent=self,
        )
        self._saver.saved.connect(self._on_saved)
        self._saver.failed.connect(lambda message: stage.note(capitalised(translate_message(message))))
        bridge.recording_ended.connect(self.announce)
        actions["screenshot"].triggered.connect(lambda: self._saver.save_screenshot(settings.value))
        actions["burst"].triggered.connect(lambda: self._saver.save_burst(settings.value))
        actions["copy"].triggered.connect(self._on_copy)
        actions["record"].triggered.connect(self._on_record)
        actions["pause_recording"].triggered.connect(self._on_pause_recording)

    def close(self) -> None:
        """Take nothing more; what is being written is finished."""
        self._saver.close()

    @Slot(object)
    def show_recording(self, status: RecordingStatus) -> None:
        """Show how the recording is doing, and say where it is once it ended."""
        shown = self._bridge.status.state in {"live", "paused", "reconnecting", "ended"}
        self._control_bar.show_recording(status, enabled=shown)
        self._stage.show_recording(self._control_bar.elapsed_text)
        for name in ("screenshot", "burst", "copy"):
            self._actions[name].setEnabled(shown)
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
            self._stage.note(
                capitalised(translate_message(status.message)), path=status.path if status.size_bytes else None
            )
        else:
            self._on_saved(status.path, 1)

    @Slot(object, int)
    def _on_saved(self, path: Path, count: int) -> None:
        if count > 1:
            self._stage.note(
                self.tr("Saved {count} pictures in {folder}").format(count=count, folder=path.parent), path=path
            )
        else:
            self._stage.note(self.tr("Saved {name}").format(name=path.name), path=path)

    @Slot()
    def _on_copy(self) -> None:
        image = self._stage.view.picture()
        if image is not None:
            QApplication.clipboard().setImage(image)
            self._stage.note(self.tr("Copied the picture"))

    @Slot()
    def _on_record(self) -> None:
        session = self._bridge.session
        if session is None:
            return
        if session.recording().state in UNFINISHED:
            session.stop_recording()
        else:
            self._saver.start_recording(session, self._settings.value)
            info = self._bridge.status.info
            if info is not None and info.has_sound:
                self._stage.note(self.tr("The sound of {name} is not recorded").format(name=info.name))

    @Slot(bool)
    def _on_pause_recording(self, paused: bool) -> None:
        if self._bridge.session is not None:
            self._bridge.session.pause_recording(paused)

    def _is_live(self) -> bool:
        info = self._bridge.status.info
        return info is not None and info.live

    def _describe(self) -> dict[str, str]:
        status = self._bridge.status
        source = status.info.name if status.info else ""
        return {"software": "Agelens", "model": status.model, "provider": status.provider, "source": source}
