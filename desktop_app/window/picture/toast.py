"""Toast: a short note over the picture that disappears by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from desktop_app.window.style.widgets import fit_wrapped, make_label, plain_text

SHOWN_MS: Final = 6000
TEXT_WIDTH: Final = 560


class Toast(QFrame):
    """One note at a time, with at most one thing to do about it.

    Args:
        parent: the widget over whose lower part it floats.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.setObjectName("toast")
        self._text = make_label(wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._button = QPushButton()
        self._button.setProperty("role", "link")
        self._button.clicked.connect(self._on_clicked)
        self._do: Callable[[], None] | None = None
        self._bottom = 0
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 12, 8)
        row.setSpacing(12)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return plain_text(self._text)

    @property
    def button(self) -> QPushButton:
        """What can be done about it."""
        return self._button

    def show_note(self, text: str, *, button: str = "", do: Callable[[], None] | None = None) -> None:
        """Show a note, in place of the one before.

        Args:
            text: one sentence.
            button: text of the button; empty for none.
            do: what the button does.
        """
        self._do = do
        self._text.setText(text)
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self.setAccessibleName(text)
        self.place(self._bottom)
        self.show()
        self.raise_()
        self._timer.start()

    def place(self, bottom: int) -> None:
        """Float above the lowest `bottom` pixels of the parent."""
        self._bottom = bottom
        self._row.activate()
        fit_wrapped(self._text, min(TEXT_WIDTH, max(self._parent.width() - 240, 160)))
        self.adjustSize()
        self.move((self._parent.width() - self.width()) // 2, self._parent.height() - bottom - self.height() - 16)

    def _on_clicked(self) -> None:
        self.hide()
        if self._do is not None:
            self._do()
