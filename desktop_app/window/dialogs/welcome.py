"""The first page: what the program does, its limits and its privacy, before any camera is opened."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.messages import Message
from desktop_app.vision.privacy.promises import FACES_PROMISE, PICTURE_PROMISE
from desktop_app.window.style.theme import CANVAS, ON_CANVAS, app_icon, icon, scaled_font
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import fit_wrapped, make_label, press_focused_button, scrolled

DOES: Final = Message(
    "Agelens finds faces in a camera’s picture, a video or a photo, and shows the age group and perceived gender that "
    "a neural network reads from each one."
)
"""The first line: what the program does."""
LINES: Final = (
    (
        "shield",
        Message("Everything stays on this computer: no picture leaves it, and nothing is kept unless you save it."),
    ),
    (
        "warning",
        Message(
            "Age group and gender are guesses about how a face looks. They are often wrong, and more often for some "
            "people than for others: never decide about anyone by them."
        ),
    ),
    (
        "people-talk",
        Message("Tell the people in view, and ask before you record. The button with the eye hides them:"),
    ),
    ("privacy", FACES_PROMISE),
    ("privacy-picture", PICTURE_PROMISE),
)
TEXT_WIDTH: Final = 560
LOGO_FROM_HEIGHT: Final = 560


class WelcomePage(QWidget):
    """Fills the picture area until it is accepted, or left where that was done before."""

    accepted = Signal()
    """It was accepted, or is to be left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcomePage")
        self._logo = QLabel()
        self._title = make_label()
        self._title.setFont(scaled_font(1.7, weight=QFont.Weight.DemiBold))
        self._does = make_label(wrap=True)
        self._does.setFont(scaled_font(1.15))
        self._does.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._accepted = False
        self._texts = [make_label(wrap=True) for _ in LINES]
        self._start = QPushButton()
        self._start.setProperty("role", "primary")
        self._start.clicked.connect(self.accepted)
        self._build()
        self._retranslate()

    def set_accepted(self, accepted: bool) -> None:
        """Offer to leave the page, where it was accepted before, instead of accepting it."""
        self._accepted = accepted
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

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave the room to the texts where there is little."""
        super().resizeEvent(event)
        self._logo.setVisible(event.size().height() >= LOGO_FROM_HEIGHT)

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
        content = QWidget()
        column = QVBoxLayout(content)
        column.setSpacing(8)
        column.addStretch(1)
        self._logo.setPixmap(app_icon().pixmap(QSize(72, 72), self.devicePixelRatioF()))
        column.addWidget(self._logo, alignment=center)
        column.addSpacing(8)
        column.addWidget(self._title, alignment=center)
        column.addWidget(self._does, alignment=center)
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
        column.addStretch(1)
        # In a low window the texts scroll; the button is always there.
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 16)
        outer.addWidget(scrolled(content), 1)
        outer.addWidget(self._start, alignment=center)

    def _retranslate(self) -> None:
        self._title.setText(tr("Welcome to Agelens"))
        self._does.setText(translated(DOES))
        fit_wrapped(self._does, TEXT_WIDTH)
        for (_, line), text in zip(LINES, self._texts, strict=True):
            text.setText(translated(line))
            fit_wrapped(text, TEXT_WIDTH)
        self._start.setText(tr("Close") if self._accepted else tr("I understand, start"))
        self.setAccessibleName(self._title.text())
