"""Crops on their way to the screen: concealed where privacy asks for it, scaled, with round corners."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPixmap

from desktop_app.vision.privacy import PrivacyMode

_CONCEALED_SIDE: Final[dict[PrivacyMode, int]] = {"blur": 7, "pixelate": 8}
"""Pixels that are left of a face: too few to tell who it is, and nothing brings the others back."""


def conceal(crop: NDArray[np.uint8], privacy: PrivacyMode) -> NDArray[np.uint8]:
    """The crop as it may be shown.

    Args:
        crop: H×W×3 uint8.
        privacy: "off" gives the crop itself.

    Returns:
        Of the same shape.
    """
    if privacy == "off":
        return crop
    side = _CONCEALED_SIDE[privacy]
    few = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    method = cv2.INTER_NEAREST if privacy == "pixelate" else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(few, crop.shape[1::-1], interpolation=method), np.uint8)


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


def rounded_pixmap(
    crop: NDArray[np.uint8], side: int, *, radius: float = 8, ratio: float = 1.0, privacy: PrivacyMode = "off"
) -> QPixmap:
    """The crop as a square with round corners.

    Args:
        crop: S×S×3 uint8 BGR.
        side: side on screen, in device-independent pixels.
        radius: of the corners, in device-independent pixels.
        ratio: the screen's device pixels per device-independent pixel.
        privacy: how the face is concealed.
    """
    pixels = max(round(side * ratio), 1)
    method = cv2.INTER_AREA if pixels < crop.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(conceal(crop, privacy), (pixels, pixels), interpolation=method)
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
