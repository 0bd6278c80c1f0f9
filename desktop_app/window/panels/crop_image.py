"""Crops on their way to the screen: scaled, with round corners."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPixmap


def to_image(picture: NDArray[np.uint8]) -> QImage:
    """A `QImage` with its own copy of the pixels.

    Args:
        picture: H×W×3 uint8 BGR, H×W×4 uint8 BGRA (not premultiplied), or H×W uint8 grey.
    """
    height, width = picture.shape[:2]
    pixels = np.ascontiguousarray(picture)
    if picture.ndim == 2:
        form = QImage.Format.Format_Grayscale8
    else:
        form = QImage.Format.Format_BGR888 if picture.shape[2] == 3 else QImage.Format.Format_ARGB32
    return QImage(pixels.data, width, height, pixels.strides[0], form).copy()


def rounded_pixmap(crop: NDArray[np.uint8], side: int, *, radius: float = 8, ratio: float = 1.0) -> QPixmap:
    """The crop as a square with round corners.

    Args:
        crop: S×S×3 uint8 BGR.
        side: side on screen, in device-independent pixels.
        radius: of the corners, in device-independent pixels.
        ratio: the screen's device pixels per device-independent pixel.
    """
    pixels = max(round(side * ratio), 1)
    method = cv2.INTER_AREA if pixels < crop.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(crop, (pixels, pixels), interpolation=method)
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    outline = QPainterPath()
    outline.addRoundedRect(QRectF(0, 0, pixels, pixels), radius * ratio, radius * ratio)
    painter.setClipPath(outline)
    painter.drawImage(0, 0, to_image(np.asarray(scaled, np.uint8)))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
