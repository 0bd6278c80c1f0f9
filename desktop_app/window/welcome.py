"""The first page: three lines on privacy and limits before any camera is opened."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.window.theme import CANVAS, ON_CANVAS, app_icon, icon, scaled_font
from desktop_app.window.translation import mark_text, tr
from desktop_app.window.widgets import fit_wrapped, make_label, press_focused_button

LINES: Final = (
    (
        "shield",
        mark_text("Everything stays on this computer: no picture leaves it, and nothing is kept unless you save it."),
    ),
    (
        "warning",
        mark_text(
            "Age group and gender are guesses about how a face looks. They are often wrong, and more often for some "
            "people than for others: never decide about anyone by them."
        ),
    ),
    (
        "people-talk",
        mark_text("Tell the people in view, and ask before you record. A privacy mode hides faces in every picture."),
    ),
)
TEXT_WIDTH: Final = 480


class WelcomePage(QWidget):
    """Fills the picture area until it is accepted."""

    accepted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcomePage")
        self._title = make_label()
        self._title.setFont(scaled_font(1.7, weight=QFont.Weight.DemiBold))
        self._subtitle = make_label(role="muted")
        self._texts = [make_label(wrap=True) for _ in LINES]
        self._start = QPushButton()
        self._start.setProperty("role", "primary")
        self._start.clicked.connect(self.accepted)
        self._build()
        self._retranslate()

    @property
    def start_button(self) -> QPushButton:
        """The button that accepts."""
        return self._start

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Cover the picture."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), CANVAS)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Press the focused button with Enter."""
        if not press_focused_button(self, event):
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _build(self) -> None:
        center = Qt.AlignmentFlag.AlignHCenter
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(1)
        logo = QLabel()
        logo.setPixmap(app_icon().pixmap(QSize(72, 72), self.devicePixelRatioF()))
        column.addWidget(logo, alignment=center)
        column.addSpacing(8)
        column.addWidget(self._title, alignment=center)
        column.addWidget(self._subtitle, alignment=center)
        column.addSpacing(16)
        lines = QWidget()
        grid = QGridLayout(lines)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(16)
        grid.setColumnStretch(1, 1)
        for row, ((name, _), text) in enumerate(zip(LINES, self._texts, strict=True)):
            picture = QLabel()
            picture.setPixmap(icon(name, ON_CANVAS).pixmap(QSize(28, 28), self.devicePixelRatioF()))
            grid.addWidget(picture, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(text, row, 1)
        column.addWidget(lines, alignment=center)
        column.addSpacing(24)
        column.addWidget(self._start, alignment=center)
        column.addStretch(1)

    def _retranslate(self) -> None:
        self._title.setText(self.tr("Welcome to Agelens"))
        self._subtitle.setText(self.tr("Age group and perceived gender, live"))
        for (_, line), text in zip(LINES, self._texts, strict=True):
            text.setText(tr(line))
            fit_wrapped(text, TEXT_WIDTH)
        self._start.setText(self.tr("I understand, start"))
        self.setAccessibleName(self._title.text())
