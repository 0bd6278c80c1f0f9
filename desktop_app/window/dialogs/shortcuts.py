"""List of the window's keyboard shortcuts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QFont, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from desktop_app.window.bars.actions import DRAWN, MENUS, PRIVACY, Actions
from desktop_app.window.style.theme import scaled_font
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import make_label

SUBMENUS = {"@privacy": PRIVACY, "@drawn": DRAWN}


class ShortcutsDialog(QDialog):
    """All actions that have a key, in the menus' order.

    Args:
        actions: the window's.
        parent: the window.
    """

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        columns = QHBoxLayout()
        columns.setSpacing(40)
        groups = {translated(title).replace("&", ""): _with_keys(actions, names) for title, names in MENUS.items()}
        half = sum(len(group) for group in groups.values()) / 2
        left, right = QVBoxLayout(), QVBoxLayout()
        rows = 0
        for title, group in groups.items():
            rows += len(group)
            (left if rows <= half else right).addLayout(_group(title, group))
        for column in (left, right):
            column.addStretch(1)
            columns.addLayout(column)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.accept)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 24, 24, 16)
        outer.setSpacing(16)
        outer.addLayout(columns)
        outer.addWidget(buttons)


def _with_keys(actions: Actions, names: tuple[str, ...]) -> list[QAction]:
    flat = [inner for name in names for inner in SUBMENUS.get(name, (name,))]
    return [actions[name] for name in flat if name[0] not in "-@" and not actions[name].shortcut().isEmpty()]


def _group(title: str, actions: list[QAction]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(4)
    grid.setContentsMargins(0, 0, 0, 16)
    heading = make_label(title)
    heading.setFont(scaled_font(1.0, weight=QFont.Weight.DemiBold))
    grid.addWidget(heading, 0, 0, 1, 2)
    for row, action in enumerate(actions, 1):
        keys = [key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()]
        grid.addWidget(make_label(action.text().rstrip("…")), row, 0)
        grid.addWidget(
            make_label(tr("{key} or {other}", key=keys[0], other=keys[1]) if len(keys) > 1 else keys[0], role="muted"),
            row,
            1,
            Qt.AlignmentFlag.AlignRight,
        )
    grid.setColumnStretch(0, 1)
    return grid
