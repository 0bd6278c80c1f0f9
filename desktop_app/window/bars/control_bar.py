"""Bar below the picture: screenshot, record, mirror, and the state of the recording."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from desktop_app.engine.types import UNFINISHED, RecordingStatus
from desktop_app.window.bars.actions import Actions
from desktop_app.window.style.theme import current_theme, icon
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import format_size, format_time, make_button, make_label, name_after_action


class ControlBar(QFrame):
    """Buttons of a camera app.

    Args:
        actions: the window's actions.
        privacy_menu: the choices of the privacy mode.
    """

    def __init__(self, actions: Actions, privacy_menu: QMenu) -> None:
        super().__init__()
        self.setObjectName("controlBar")
        self._actions = actions
        self._status = RecordingStatus()
        self._dot = QLabel()
        self._dot.setFixedSize(12, 12)
        self._elapsed = make_label()
        self._size = make_label(role="muted")
        self._pause = make_button(actions["pause_recording"], icon_size=18)
        self._record = make_button(actions["record"], role="record", icon_size=30)
        self._record.setFixedSize(44, 44)
        self._privacy = make_button(actions["privacy"], role="split")
        self._privacy.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._privacy.setMenu(privacy_menu)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 12, 8)
        grid.setHorizontalSpacing(8)
        for column in range(3):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self._left(), 0, 0, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(self._row("screenshot", self._record, "mirror"), 0, 1, Qt.AlignmentFlag.AlignHCenter)
        grid.addWidget(self._row(self._privacy, "full_screen"), 0, 2, Qt.AlignmentFlag.AlignRight)
        self.show_recording(self._status, enabled=False)
        self.refresh()

    @property
    def record_button(self) -> QToolButton:
        """Starts and stops a recording."""
        return self._record

    @property
    def elapsed_text(self) -> str:
        """The length of the recording as it is shown; empty while nothing is recorded."""
        return self._elapsed.text()

    def show_recording(self, status: RecordingStatus, *, enabled: bool) -> None:
        """Show how the recording is doing.

        Args:
            status: of the recording.
            enabled: whether there is a picture to record.
        """
        before, self._status = self._status, status
        active = status.state in UNFINISHED
        self._actions["record"].setEnabled((enabled or active) and status.state != "finishing")
        self._actions["record"].setChecked(active)
        self._actions["pause_recording"].setEnabled(status.state in {"recording", "paused"})
        self._actions["pause_recording"].setChecked(status.state == "paused")
        self._elapsed.setText(self._elapsed_text(status) if active else "")
        self._size.setText(format_size(status.size_bytes) if active else "")
        for widget in (self._dot, self._pause):
            widget.setVisible(active)
        if status.state != before.state:
            self.refresh()

    def refresh(self) -> None:
        """Set texts and icons for the state, the language and the theme."""
        active = self._status.state in UNFINISHED
        paused = self._status.state == "paused"
        theme, action = current_theme(), self._actions["record"]
        if active:
            self._actions.name_action("record", tr("Stop recording"))
        else:
            self._actions.name_action("record", tr("Record"), tr("Without sound, as shown"))
        action.setIcon(icon("record-square" if active else "record-dot", theme.danger))
        pause = self._actions["pause_recording"]
        text = tr("Resume recording") if paused else tr("Pause recording")
        self._actions.name_action("pause_recording", text)
        pause.setIcon(icon("play" if paused else "pause"))
        colour = theme.warning if paused else theme.danger
        self._dot.setPixmap(icon("record-dot", colour).pixmap(QSize(12, 12), self.devicePixelRatioF()))
        name_after_action(self._record, action)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.refresh()
        super().changeEvent(event)

    def _elapsed_text(self, status: RecordingStatus) -> str:
        if status.state == "finishing":
            return tr("Saving…")
        elapsed = format_time(status.duration_s)
        return tr("{time} paused", time=elapsed) if status.state == "paused" else elapsed

    def _left(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(4, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self._dot, self._elapsed, self._size, self._pause):
            row.addWidget(widget)
        return box

    def _row(self, *entries: str | QToolButton) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16 if len(entries) == 3 else 8)
        for entry in entries:
            row.addWidget(make_button(self._actions[entry]) if isinstance(entry, str) else entry)
        return box
