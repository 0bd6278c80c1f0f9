"""Picture tiles of the network view: single and grid."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.window.panels.crop_image import to_image
from desktop_app.window.panels.probability_bars import trough

MAX_TILES: Final = 49
"""As many filters and maps as the demo of Levi and Hassner (2015) shows."""
RADIUS: Final = 8.0


class SquareView(QWidget):
    """A square picture, or a sentence where there is none.

    Signals:
        pointed: where the pressed mouse is on the picture, as a pair of x and y from 0 to 1; None when it is let go.
    """

    pointed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._text = ""
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setSizePolicy(policy)
        self.setMinimumSize(120, 120)

    def set_picture(self, picture: NDArray[np.uint8] | None) -> None:
        """Show H×W×3 BGR, or nothing."""
        self._image = to_image(picture) if picture is not None else None
        self.update()

    def set_text(self, text: str) -> None:
        """The sentence for the time without a picture."""
        self._text = text
        self.update()

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture."""
        return self._image is not None

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell where the mouse is pressed."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._point(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell where the pressed mouse goes."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._point(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell that the mouse was let go."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.pointed.emit(None)

    def _point(self, event: QMouseEvent) -> None:
        side = min(self.width(), self.height())
        if self.has_picture and side:
            self.pointed.emit((event.position().x() / side, event.position().y() / side))

    def sizeHint(self) -> QSize:  # noqa: N802
        """The size of the networks' input."""
        return QSize(227, 227)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the picture into the largest square at the top left."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        side = min(self.width(), self.height())
        area = QRectF(0, 0, side, side)
        outline = QPainterPath()
        outline.addRoundedRect(area, RADIUS, RADIUS)
        painter.setClipPath(outline)
        if self._image is not None:
            painter.drawImage(area, self._image)
            return
        painter.fillRect(area, trough(self.palette()))
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(area.adjusted(12, 12, -12, -12), flags, self._text)


class TileGrid(QWidget):
    """Up to 49 small pictures in a square grid."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 120)

    def set_tiles(self, tiles: NDArray[np.uint8]) -> None:
        """Show N×H×W×3 BGR pictures, the first 49 of them."""
        self._tiles = [to_image(tile) for tile in tiles[:MAX_TILES]]
        self.update()

    @property
    def count(self) -> int:
        """The number of pictures that are shown."""
        return len(self._tiles)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Seven tiles of 48 pixels."""
        return QSize(360, 360)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the tiles."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        columns = max(math.ceil(math.sqrt(len(self._tiles))), 1) if self._tiles else 7
        step = min(self.width(), self.height()) / columns
        gap = 3 if step > 24 else 2
        for place in range(len(self._tiles) or columns * columns):
            row, column = divmod(place, columns)
            # Whole pixels: tiles of unequal gaps look broken.
            left, top = round(column * step), round(row * step)
            side = round((column + 1) * step) - left - gap
            area = QRectF(left, top, side, round((row + 1) * step) - top - gap)
            if self._tiles:
                painter.drawImage(area, self._tiles[place])
            else:
                painter.fillRect(area, trough(self.palette()))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the palette."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)


def map_pictures(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The first rectified feature maps in colour, dark where a map is silent.

    All maps share one scale, from 0 to the strongest answer, as in the paper's demo.

    Args:
        maps: channels×rows×columns float32.

    Returns:
        N×rows×columns×3 uint8, BGR, N at most 49.
    """
    rectified = np.maximum(maps[:MAX_TILES], 0)
    if rectified.size == 0:
        return np.zeros((0, 1, 1, 3), np.uint8)
    grey = (rectified / (float(rectified.max()) or 1.0) * 255).astype(np.uint8)
    return np.stack([np.asarray(cv2.applyColorMap(one, cv2.COLORMAP_VIRIDIS), np.uint8) for one in grey])


def heat_picture(crop: NDArray[np.uint8], drop: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The crop in grey with what supports the answer in orange and what speaks against it in blue.

    Args:
        crop: S×S×3 uint8, BGR.
        drop: rows×columns float32, loss of probability; see `Occlusion`.

    Returns:
        S×S×3 uint8, BGR.
    """
    size = crop.shape[1::-1]
    smooth = cv2.resize(drop, size, interpolation=cv2.INTER_CUBIC)
    # Below five points of probability nothing matters much: the colours shall not shout.
    strength = np.clip(smooth / max(float(np.abs(drop).max()), 0.05), -1, 1)[..., None]
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)[..., None] * 0.8 + 20
    support, against = np.array([20, 120, 255], np.float32), np.array([255, 150, 40], np.float32)
    colour = np.where(strength > 0, support, against)
    share = np.abs(strength) ** 0.8 * 0.75
    return np.asarray(np.clip(grey * (1 - share) + colour * share, 0, 255), np.uint8)
