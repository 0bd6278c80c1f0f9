"""Menu bar, built from the action table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow, QMenu

from desktop_app.messages import Message
from desktop_app.window.bars.actions import DRAWN, MENUS, PICTURE, PRIVACY, Actions
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import tr, translated


class Menus(QObject):
    """Menus of the window and the submenus that it shares with its bars.

    Args:
        window: whose menu bar is filled.
        actions: what the menus offer.
        recent: the submenu of recent sources.
    """

    def __init__(self, window: QMainWindow, actions: Actions, recent: QMenu) -> None:
        super().__init__(window)
        self._actions, self._recent = actions, recent
        self.privacy = QMenu(window)
        self.picture = QMenu(window)
        self._drawn = QMenu(window)
        self._menus: dict[Message, QMenu] = {}
        for name in PRIVACY:
            if name == "-":
                self.privacy.addSeparator()
            else:
                self.privacy.addAction(actions[name])
        for name in DRAWN:
            self._drawn.addAction(actions[name])
        submenus = {"@recent": recent, "@privacy": self.privacy, "@drawn": self._drawn}
        for title, entries in MENUS.items():
            self._menus[title] = window.menuBar().addMenu(translated(title))
            self._fill(self._menus[title], entries, submenus)
        self._fill(self.picture, PICTURE, submenus)
        self.retranslate()

    def _fill(self, menu: QMenu, entries: Sequence[str], submenus: Mapping[str, QMenu]) -> None:
        for entry in entries:
            if entry == "-":
                menu.addSeparator()
            elif entry in submenus:
                menu.addMenu(submenus[entry])
            else:
                menu.addAction(self._actions[entry])

    def retranslate(self) -> None:
        """Set titles and icons in the window's language and theme."""
        for title, menu in self._menus.items():
            menu.setTitle(translated(title))
        self.privacy.setTitle(tr("Privacy mode"))
        self.privacy.setIcon(icon("privacy"))
        self._drawn.setTitle(tr("Overlay"))
