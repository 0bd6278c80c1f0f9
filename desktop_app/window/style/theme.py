"""Colours, fonts and icons of the window, light and dark."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from desktop_app.paths import resource_path
from desktop_app.settings import ThemeChoice
from desktop_app.window.style.colours import DARK, LIGHT, Theme
from desktop_app.window.style.stylesheet import build_stylesheet

CANVAS: Final = "#0b0c0e"
"""Around the picture, in both themes."""
ON_CANVAS: Final = "#f2f4f7"
ON_CANVAS_MUTED: Final = "#aab2bd"

_current: Theme = DARK
_choice: ThemeChoice = "system"


def current_theme() -> Theme:
    """The theme in use."""
    return _current


def resolve_theme(choice: ThemeChoice) -> Theme:
    """The theme for a choice; where the system says nothing, dark, which is kinder to pictures."""
    if choice == "system":
        return LIGHT if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light else DARK
    return LIGHT if choice == "light" else DARK


def apply_theme(app: QApplication, choice: ThemeChoice) -> Theme:
    """Give the application the colours of a theme; open windows get a `PaletteChange` event."""
    global _current, _choice
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}
    if choice != "system" or _choice != "system":
        QGuiApplication.styleHints().setColorScheme(schemes[choice])
    _choice, _current = choice, resolve_theme(choice)
    icons = resource_path("icons")
    sheet = build_stylesheet(_current, on_canvas=ON_CANVAS, on_canvas_muted=ON_CANVAS_MUTED, icons=icons)
    # Style and sheet have every widget styled anew, which takes longer than a frame.
    if not app.styleSheet():
        app.setStyle("Fusion")
    app.setPalette(_palette(_current))
    if app.styleSheet() != sheet:
        app.setStyleSheet(sheet)
    return _current


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.danger,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.accent_text,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Link: theme.link,
        role.LinkVisited: theme.link,
        role.Accent: theme.accent,
        role.Mid: theme.border,
        role.Light: theme.hover,
        role.Dark: theme.border,
        role.Shadow: "#000000",
    }
    palette = QPalette()
    for one, colour in colours.items():
        palette.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        faded = QColor(theme.muted)
        faded.setAlphaF(0.6)
        palette.setColor(QPalette.ColorGroup.Disabled, one, faded)
    return palette


def scaled_font(factor: float, *, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The application's font, larger or smaller: the type scale is 0.9, 1, 1.3 and 1.7."""
    font = QFont(QApplication.font())
    size = font.pointSizeF() if font.pointSizeF() > 0 else 10.0
    font.setPointSizeF(size * factor)
    font.setWeight(weight)
    return font


@lru_cache(maxsize=128)
def _read_icon(name: str) -> str:
    return (resource_path("icons") / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=1024)
def _render(name: str, colour: str, side: int) -> QPixmap:
    svg = _read_icon(name).replace("currentColor", colour)
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    pixmap = QPixmap(QSize(side, side))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    return pixmap


def icon(name: str, colour: str | None = None) -> QIcon:
    """A line icon in the theme's text colour, sharp from 100 % to 400 %.

    Args:
        name: file name in `resources/icons` without its suffix.
        colour: `#rrggbb`; the theme's text colour by default.
    """
    theme = current_theme()
    blend = _between(QColor(theme.muted), QColor(theme.window))
    made = QIcon()
    for side in (16, 18, 22, 32, 44, 64):
        made.addPixmap(_render(name, colour or theme.text, side), QIcon.Mode.Normal)
    for side in (22, 44):
        made.addPixmap(_render(name, blend, side), QIcon.Mode.Disabled)
    return made


def _between(one: QColor, other: QColor) -> str:
    red, green, blue = ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    return QColor(sum(red) // 2, sum(green) // 2, sum(blue) // 2).name()


def app_icon() -> QIcon:
    """The application's own icon."""
    return QIcon(str(resource_path("agelens.svg")))
