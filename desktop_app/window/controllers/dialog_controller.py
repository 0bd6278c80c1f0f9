"""Controller that opens dialogs and applies their choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.settings import Settings
from desktop_app.window.dialogs.about import AboutDialog, read_licences
from desktop_app.window.dialogs.bug_report import report_text
from desktop_app.window.dialogs.preferences import PreferencesDialog

if TYPE_CHECKING:
    from desktop_app.window.main_window import MainWindow


class Dialogs(QObject):
    """Preferences, About, and the first page once more.

    Args:
        window: whose dialogs they are.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.current: QDialog | None = None
        actions = window.actions_
        actions["preferences"].triggered.connect(self._on_preferences)
        actions["about"].triggered.connect(self._on_about)
        actions["welcome"].triggered.connect(window.show_welcome)
        actions["copy_statistics"].triggered.connect(self._on_copy_statistics)

    @Slot()
    def _on_preferences(self) -> None:
        dialog = PreferencesDialog(self._window.settings, self._window)
        dialog.settings_changed.connect(self._on_settings)
        self._open(dialog)

    @Slot()
    def _on_about(self) -> None:
        session = self._window.bridge.session
        package = session.package() if session is not None else None
        self._window.background.submit(read_licences, lambda text: self._open(AboutDialog(package, text, self._window)))

    @Slot()
    def _on_copy_statistics(self) -> None:
        session = self._window.bridge.session
        snapshot = session.statistics() if session is not None else StatisticsSnapshot()
        QGuiApplication.clipboard().setText(report_text(snapshot, self._window.bridge.status))
        self._window.note(self.tr("Copied the statistics"))

    @Slot(object)
    def _on_settings(self, settings: Settings) -> None:
        window = self._window
        before = window.settings
        # Only what the dialog can change: the window may have changed the rest meanwhile.
        names = (
            "theme", "language", "camera", "detector", "min_score", "oversample", "gender", "recordings_folder",
            "container", "recording_predictions", "screenshots_folder", "snapshot_json", "burst_count",
        )  # fmt: skip
        window.change(**{name: getattr(settings, name) for name in names})
        if (settings.theme, settings.language) != (before.theme, before.language):
            window.apply_looks()
            self._reopen_preferences(settings.language != before.language)
        if settings.camera != before.camera:
            window.sources.reopen_camera()
        session = window.bridge.session
        if session is not None and (settings.detector, settings.min_score) != (before.detector, before.min_score):
            session.set_detector(settings.detector, settings.min_score)
        style, old = settings.style, before.style
        if (style.privacy, style.privacy_style) != (old.privacy, old.privacy_style):
            window.options.set_privacy(style.privacy, style.privacy_style)
        if settings.gender != before.gender:
            window.options.set_gender(settings.gender)
        if settings.oversample != before.oversample:
            window.sources.choose_model(oversample=settings.oversample)

    def _reopen_preferences(self, wanted: bool) -> None:
        """Show the dialog in its new language."""
        if wanted and isinstance(self.current, PreferencesDialog):
            position = self.current.pos()
            self.current.accept()
            self._on_preferences()
            self.current.move(position)

    def _open(self, dialog: QDialog) -> None:
        self.current = dialog
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
