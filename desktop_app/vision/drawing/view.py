"""A picture as a window shows it: scaled, with the overlay drawn at the window's own scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.drawing.canvas import Canvas


def draw_view(
    picture: NDArray[np.uint8], canvas: Canvas, draw: Callable[[NDArray[np.uint8], Canvas], None]
) -> NDArray[np.uint8]:
    """Scale a part of a picture and draw over it.

    Args:
        picture: H×W×3 uint8, BGR; not written to.
        canvas: the part, and the size to which it is scaled.
        draw: draws over the scaled part (H×W×3 uint8, BGR), in place.

    Returns:
        H×W×4 uint8, BGRA, opaque.
    """
    scaled = _scaled_part(picture, canvas)
    draw(scaled, canvas)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2BGRA), np.uint8)


def _scaled_part(picture: NDArray[np.uint8], canvas: Canvas) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = canvas.scale
    left, top = max(math.floor(canvas.left), 0), max(math.floor(canvas.top), 0)
    right = min(math.ceil(canvas.left + canvas.width / scale), width)
    bottom = min(math.ceil(canvas.top + canvas.height / scale), height)
    part = picture[top:bottom, left:right]
    # What is cut at whole pixels of the picture begins and ends a little outside of the canvas.
    across, down = round((canvas.left - left) * scale), round((canvas.top - top) * scale)
    size = (
        max(round((right - left) * scale), across + canvas.width),
        max(round((bottom - top) * scale), down + canvas.height),
    )
    if size == (right - left, bottom - top):
        # A picture in its own size needs no filter, and is sharper without.
        return part[down : down + canvas.height, across : across + canvas.width].copy()
    scaled = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if across or down or size != (canvas.width, canvas.height):
        scaled = np.ascontiguousarray(scaled[down : down + canvas.height, across : across + canvas.width])
    return scaled
