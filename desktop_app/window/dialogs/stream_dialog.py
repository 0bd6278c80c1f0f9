"""Dialog for a stream's address."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import make_label


class StreamDialog(QDialog):
    """One line for an address, with those that were opened before.

    Args:
        recent: addresses to offer.
        parent: the window.
    """

    address_entered = Signal(str)

    def __init__(self, recent: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Open stream"))
        self.setMinimumWidth(480)
        self.address = QComboBox()
        self.address.setEditable(True)
        self.address.addItems(list(recent))
        self.address.setCurrentText("")
        line = self.address.lineEdit()
        assert line is not None
        line.setPlaceholderText("rtsp://192.168.1.20:554/stream")
        self.address.setAccessibleName(tr("Address"))
        box = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(box.Open | box.Cancel)
        self.buttons.accepted.connect(self._on_accepted)
        self.buttons.rejected.connect(self.reject)
        open_button = self.buttons.button(box.Open)
        open_button.setProperty("role", "primary")
        open_button.setEnabled(False)
        line.textChanged.connect(lambda text: open_button.setEnabled("://" in text))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(8)
        column.addWidget(make_label(tr("Address of the camera or stream")))
        column.addWidget(self.address)
        column.addWidget(
            make_label(tr("It begins with http://, https://, rtsp://, rtmp://, udp:// or tcp://."), role="muted")
        )
        column.addSpacing(8)
        column.addWidget(self.buttons)

    def _on_accepted(self) -> None:
        self.address_entered.emit(self.address.currentText().strip())
        self.accept()
