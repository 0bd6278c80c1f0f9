"""Dialog that asks before corrections are lost."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import make_label


class UnsavedDialog(QDialog):
    """Save, discard, or stay.

    Args:
        count: faces that the user said something of.
        parent: the window.
    """

    save_asked = Signal()
    discard_asked = Signal()

    def __init__(self, count: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Agelens")
        box = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(box.Save | box.Discard | box.Cancel)
        buttons.button(box.Save).setProperty("role", "primary")
        buttons.button(box.Save).clicked.connect(self._on_save)
        buttons.button(box.Discard).clicked.connect(self._on_discard)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(16)
        column.addWidget(make_label(tr("Your corrections of %n face(s) are in no file.", None, count)))
        column.addWidget(buttons)

    def _on_save(self) -> None:
        self.accept()
        self.save_asked.emit()

    def _on_discard(self) -> None:
        self.accept()
        self.discard_asked.emit()
