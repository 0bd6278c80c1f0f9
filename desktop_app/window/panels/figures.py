"""Saving what a widget shows as a figure, from its context menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QIODevice, QPoint, QRect, QSaveFile, QStandardPaths, Qt
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter, QPainter, QPalette
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from desktop_app.messages import Message
from desktop_app.window.style.translation import tr, translated

SCALE: Final = 3
"""Pixels of a PNG figure for each of the widget's: enough for print."""


def offer_figure(widget: QWidget, name: Callable[[], str], noted: Callable[[str, Path | None], None]) -> None:
    """Give a widget a context menu that saves and copies what it shows.

    Args:
        widget: is painted into the figure.
        name: what the figure is called now, for the file.
        noted: is told what was done: a sentence, and the file where there is one.
    """
    widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def show_menu(place: QPoint) -> None:
        menu = QMenu(widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Save figure…"), lambda: _save(widget, name(), noted))
        menu.addAction(tr("Copy figure"), lambda: _copy(widget, noted))
        menu.popup(widget.mapToGlobal(place))

    widget.customContextMenuRequested.connect(show_menu)


def write_figure(widget: QWidget, path: Path) -> Message | None:
    """Paint a widget into a PNG, or an SVG where the name ends so; what is there is replaced once all is written.

    Returns:
        What went wrong, or None.
    """
    file = QSaveFile(str(path))
    written = file.open(QIODevice.OpenModeFlag.WriteOnly) and (
        _write_svg(widget, file)
        if path.suffix.lower() == ".svg"
        else QImageWriter(file, b"PNG").write(_picture(widget))
    )
    if written and file.commit():
        return None
    return Message("Cannot save “{name}”: {reason}. Choose another folder.", name=path.name, reason=file.errorString())


def _picture(widget: QWidget) -> QImage:
    image = QImage(widget.size() * SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    # Its texts are in the theme's colours.
    image.fill(widget.palette().color(QPalette.ColorRole.Window))
    widget.render(image, QPoint(), widget.rect(), QWidget.RenderFlag.DrawChildren)
    return image


def _write_svg(widget: QWidget, device: QIODevice) -> bool:
    # Imported late: few ask for it.
    from PySide6.QtSvg import QSvgGenerator

    generator = QSvgGenerator()
    generator.setOutputDevice(device)
    # CSS pixels, which browsers take an inch to have 96 of.
    generator.setResolution(96)
    generator.setSize(widget.size())
    generator.setViewBox(QRect(QPoint(), widget.size()))
    painter = QPainter(generator)
    painter.fillRect(widget.rect(), widget.palette().color(QPalette.ColorRole.Window))
    widget.render(painter, QPoint(), widget.rect(), QWidget.RenderFlag.DrawChildren)
    return painter.end()


def _save(widget: QWidget, name: str, noted: Callable[[str, Path | None], None]) -> None:
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    chosen, kind = QFileDialog.getSaveFileName(
        widget, tr("Save figure"), str(Path(folder) / f"{name}.png"), "PNG (*.png);;SVG (*.svg)"
    )
    if not chosen:
        return
    path = Path(chosen)
    if path.suffix.lower() not in (".png", ".svg"):
        path = path.with_name(path.name + (".svg" if "svg" in kind else ".png"))
    problem = write_figure(widget, path)
    if problem is not None:
        noted(translated(problem), None)
    else:
        noted(tr("Saved {name}", name=path.name), path)


def _copy(widget: QWidget, noted: Callable[[str, Path | None], None]) -> None:
    QGuiApplication.clipboard().setImage(_picture(widget))
    noted(tr("Copied the figure"), None)
