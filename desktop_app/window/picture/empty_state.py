"""Empty state of the picture area: icon, title, sentence and actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from desktop_app.messages import Message
from desktop_app.window.style.theme import ON_CANVAS, icon, scaled_font
from desktop_app.window.style.translation import translated
from desktop_app.window.style.widgets import fit_wrapped, make_label, plain_text, press_focused_button

ICON_SIDE: Final = 56
TEXT_WIDTH: Final = 560
SIDE_MARGIN: Final = 32


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """What one state looks like.

    Attributes:
        icon: name of the icon.
        title: the line in large.
        text: the sentence where the engine gives none.
        buttons: names of the actions that are offered, the first one as the main one.
        busy: whether something is going on.
    """

    icon: str
    title: Message
    text: Message | None = None
    buttons: tuple[str, ...] = ()
    busy: bool = False


MESSAGES: Final = {
    "idle": MessageSpec(
        "camera",
        Message("Choose what to look at"),
        Message("A camera, a video file, a folder of pictures, or a stream. You can also drop a file here."),
        ("choose_camera", "open_file", "open_demo"),
    ),
    "connecting": MessageSpec("camera", Message("Connecting…"), busy=True),
    "reconnecting": MessageSpec(
        "refresh",
        Message("Reconnecting…"),
        Message("The source sends no pictures. Agelens continues as soon as it does."),
        busy=True,
    ),
    "ended": MessageSpec("check", Message("The end"), None, ("start", "open_file")),
    "stopped": MessageSpec(
        "pause", Message("Stopped"), Message("Press Start to continue."), ("start", "choose_camera")
    ),
    "failed": MessageSpec("warning", Message("No picture"), None, ("start", "open_file", "open_demo")),
}
BUTTONS: Final = {
    "choose_camera": Message("Open camera"),
    "open_file": Message("Open files…"),
    "open_demo": Message("Show the demo"),
    "start": Message("Start again"),
}


class PictureMessage(QWidget):
    """The message in the middle of the canvas; the canvas is dark in both themes."""

    asked = Signal(str)
    """Name of the action whose button was pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pictureMessage")
        self._state = ""
        self._message: Message | None = None
        self._icon = QLabel()
        self._icon.setFixedHeight(ICON_SIDE)
        self._title = make_label()
        self._text = make_label(role="muted", wrap=True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setFixedSize(160, 4)
        self._busy.setTextVisible(False)
        self._buttons = {name: QPushButton() for name in BUTTONS}
        self._build()
        self.show_state("idle")

    @property
    def state(self) -> str:
        """The state that is shown."""
        return self._state

    @property
    def text(self) -> str:
        """The sentence that is shown."""
        return plain_text(self._text)

    def button(self, name: str) -> QPushButton:
        """One of the buttons, by the name of its action."""
        return self._buttons[name]

    def show_state(self, state: str, message: Message | None = None) -> None:
        """Show a state of the source.

        Args:
            state: a `SourceState`; one that needs no message hides this widget.
            message: what the engine says of it.
        """
        spec = MESSAGES.get(state)
        if spec is None:
            self._state = state
            self.hide()
            return
        if (state, message) != (self._state, self._message) or not self._title.text():
            self._state, self._message = state, message
            self._fill(spec)
        self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Press the focused button with Enter."""
        if not press_focused_button(self, event):
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Wrap the sentence anew where there is less room for it."""
        super().resizeEvent(event)
        self._fit_text()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language and the font."""
        if event.type() == QEvent.Type.LanguageChange and self._state in MESSAGES:
            self._fill(MESSAGES[self._state])
        super().changeEvent(event)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(SIDE_MARGIN, 24, SIDE_MARGIN, 24)
        column.setSpacing(8)
        self._title.setFont(scaled_font(1.7, weight=QFont.Weight.DemiBold))
        self._row = row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for name, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, name=name: self.asked.emit(name))
            row.addWidget(button)
        row.addStretch(1)
        column.addStretch(1)
        for widget in (self._icon, self._title, self._text, self._busy):
            if isinstance(widget, QLabel):
                widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            if widget is self._busy:
                column.addSpacing(8)
            column.addWidget(widget, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        column.addLayout(row)
        column.addStretch(1)

    def _fit_text(self) -> None:
        fit_wrapped(self._text, min(TEXT_WIDTH, max(self.width() - 2 * SIDE_MARGIN, 160)))

    def _fill(self, spec: MessageSpec) -> None:
        pixmap = icon(spec.icon, ON_CANVAS).pixmap(QSize(ICON_SIDE, ICON_SIDE), self.devicePixelRatioF())
        self._icon.setPixmap(pixmap)
        self._title.setText(translated(spec.title))
        said = self._message or spec.text
        text = translated(said) if said else ""
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._fit_text()
        self._busy.setVisible(spec.busy)
        for place, name in enumerate(spec.buttons):
            # After the stretch; the main one comes first.
            self._row.insertWidget(place + 1, self._buttons[name])
        for name, button in self._buttons.items():
            button.setText(translated(BUTTONS[name]))
            button.setVisible(name in spec.buttons)
            button.setProperty("role", "primary" if spec.buttons[:1] == (name,) else "")
            button.style().unpolish(button)
            button.style().polish(button)
        self.setAccessibleName(self._title.text())
        self.setAccessibleDescription(self.text)
