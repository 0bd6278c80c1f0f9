"""Controller that opens dialogs."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QWidget

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.dialogs.about import AboutDialog, read_licences
from desktop_app.window.dialogs.bug_report import report_text
from desktop_app.window.dialogs.preferences import PreferencesDialog
from desktop_app.window.dialogs.shortcuts import ShortcutsDialog
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import tr


class DialogController(QObject):
    """Preferences, shortcuts, About, the first page once more, and the statistics to paste elsewhere.

    Args:
        settings: what the preferences change.
        bridge: whose session About and the statistics tell of.
        actions: those that ask for it.
        stage: shows the first page and the notes.
        background: reads files.
        window: the dialogs' parent.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        background: Background,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._settings, self._bridge, self._stage = settings, bridge, stage
        self._background, self._window = background, window
        self.current: QDialog | None = None
        actions["preferences"].triggered.connect(self._on_preferences)
        actions["about"].triggered.connect(self._on_about)
        actions["shortcuts"].triggered.connect(lambda: self._open(ShortcutsDialog(actions, window)))
        actions["welcome"].triggered.connect(self._on_welcome)
        actions["copy_statistics"].triggered.connect(self._on_copy_statistics)

    def retranslate(self) -> None:
        """Show the preferences, where they are open, in the window's language."""
        if isinstance(self.current, PreferencesDialog):
            position = self.current.pos()
            self.current.accept()
            self._on_preferences()
            self.current.move(position)

    @Slot()
    def _on_preferences(self) -> None:
        self._open(PreferencesDialog(self._settings, self._window))

    @Slot()
    def _on_about(self) -> None:
        session = self._bridge.session
        package = session.package() if session is not None else None
        self._background.submit(read_licences, lambda text: self._open(AboutDialog(package, text, self._window)))

    @Slot()
    def _on_welcome(self) -> None:
        self._stage.show_welcome(accepted=self._settings.value.welcomed)

    @Slot()
    def _on_copy_statistics(self) -> None:
        session = self._bridge.session
        snapshot = session.statistics() if session is not None else StatisticsSnapshot()
        QGuiApplication.clipboard().setText(report_text(snapshot, self._bridge.status))
        self._stage.note(tr("Copied the statistics"))

    def _open(self, dialog: QDialog) -> None:
        self.current = dialog
        dialog.finished.connect(lambda _result: self._forget(dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _forget(self, dialog: QDialog) -> None:
        if self.current is dialog:
            self.current = None
