"""Small widgets shared by bars and panels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

BREAK: Final = "\u200b"
"""A space without width: a line may end there."""
UNBROKEN: Final = re.compile(r"[^\s\u2e80-\uffef]+")
"""A word in which no line ends by itself; in Chinese one may end nearly everywhere."""


def make_button(action: QAction, *, role: str = "round", icon_size: int = 22) -> QToolButton:
    """A button that shows an action's icon and does what it does."""
    button = QToolButton()
    button.setDefaultAction(action)
    button.setProperty("role", role)
    button.setIconSize(QSize(icon_size, icon_size))
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    # A mouse click must leave the keyboard with the picture.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    name_after_action(button, action)
    action.changed.connect(lambda: name_after_action(button, action))
    return button


def make_picker(icon_size: int = 18) -> QToolButton:
    """A button that opens a menu of choices."""
    button = QToolButton()
    button.setProperty("role", "picker")
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    # Wider than the icon: the style leaves hardly any room between icon and text.
    button.setIconSize(QSize(icon_size + 8, icon_size))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def indent(box: QAbstractSpinBox) -> None:
    """Give the number in a box the distance to the border that the style sheet gives other fields."""
    line = box.lineEdit()
    if line is not None:
        line.setTextMargins(8, 0, 0, 0)


def name_after_action(button: QToolButton, action: QAction) -> None:
    """Give a button its action's name for screen readers."""
    button.setAccessibleName(action.text().replace("&", "").rstrip("…"))
    button.setAccessibleDescription(action.toolTip())


def literal(text: str) -> str:
    """A name as buttons and menus show it: they take a single `&` for the mark of a key."""
    return text.replace("&", "&&")


def make_label(text: str = "", *, role: str = "", wrap: bool = False) -> QLabel:
    """A label with a role that the style sheet knows; its text is shown as it is, also where it looks like HTML."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    label.setWordWrap(wrap)
    return label


def make_strong_label() -> QLabel:
    """A label in half bold letters, as panels title their parts."""
    label = make_label()
    font = label.font()
    font.setWeight(font.Weight.DemiBold)
    label.setFont(font)
    return label


def make_figures(parent: QWidget, figures: Iterable[tuple[QLabel, QLabel]]) -> QWidget:
    """A row for each name and value: names on the left, less bright, and values on the right."""
    table = QWidget(parent)
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(0, 1)
    for row, (name, value) in enumerate(figures):
        name.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        name.setBuddy(value)
        grid.addWidget(name, row, 0)
        grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignRight)
    return table


class ElidedLabel(QLabel):
    """One line that leaves out its middle where it has too little room; its tool tip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_text(self, text: str) -> None:
        """Show another text."""
        self._whole = text
        self.setToolTip(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave out as much as needed."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, self.width()))


def fit_wrapped(label: QLabel, width: int) -> None:
    """Make a wrapped label as wide as its text needs, at most `width`, and as high as that takes.

    Box layouts do not ask centred labels for their height at a width. Words that are wider, as names of files may be,
    get invisible places where they can be broken, see `plain_text`.
    """
    metrics = label.fontMetrics()

    def break_up(word: re.Match[str]) -> str:
        return BREAK.join(word[0]) if metrics.horizontalAdvance(word[0]) > width - 8 else word[0]

    label.setText(UNBROKEN.sub(break_up, plain_text(label)))
    # A label is never less high than its least height, which is that of the sentence before.
    label.setMinimumSize(0, 0)
    needed = max(label.fontMetrics().horizontalAdvance(line) for line in label.text().split("\n")) + 8
    label.setFixedWidth(min(needed, width))
    label.setFixedHeight(max(label.heightForWidth(label.width()), 0))


def plain_text(label: QLabel) -> str:
    """What a label says, without the places where its words can be broken."""
    return label.text().replace(BREAK, "")


def make_separator() -> QFrame:
    """A thin upright line."""
    line = QFrame()
    line.setFrameShape(QFrame.Shape.VLine)
    line.setFixedSize(1, 20)
    line.setStyleSheet("color: palette(mid);")
    return line


def scrolled(content: QWidget, area: QScrollArea | None = None) -> QScrollArea:
    """A frameless area, on the window's own colour, in which a widget as wide as it is scrolled up and down."""
    scroll = area or QScrollArea()
    scroll.setWidget(content)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return scroll


def press_focused_button(parent: QWidget, event: QKeyEvent) -> bool:
    """Let Enter press the button that has the keyboard, as Space does; Qt does so in dialogs only.

    Returns:
        Whether the key was used.
    """
    button = parent.focusWidget()
    if event.key() not in {Qt.Key.Key_Return, Qt.Key.Key_Enter} or not isinstance(button, QPushButton):
        return False
    button.click()
    return True


def restyle(widgets: Iterable[QWidget]) -> None:
    """Let the style sheet look again at widgets whose properties changed."""
    for widget in widgets:
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def format_time(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(int(seconds), 0)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def format_size(size_bytes: int) -> str:
    """Bytes as kB, MB or GB (thousands)."""
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1_000_000_000 else f"{size_bytes / 1e9:.2f} GB"
