"""The mark in a picture that says what is hidden in it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.drawing.label_plates import Colour, Plate, Run, Sprite, render_plate

_COLOUR: Final[Colour] = (255, 255, 255)
_FINE: Final = 8
"""The icon is drawn so many times larger and then shrunk, for smooth lines at any size."""
_ICON_WIDTH: Final = 1.25
"""Of the icon and the space behind it, over the size of the text."""


@lru_cache(maxsize=8)
def render_badge(text: str, text_size: int, width: int) -> Sprite | None:
    """An eye that is struck out, and a text beside it.

    Args:
        text: what is hidden.
        text_size: size of the text in pixels.
        width: of the picture in pixels: without room for the text the eye stands alone, and without room for that there
            is nothing.
    """
    for words in (text, ""):
        plate = Plate(((Run(words, _COLOUR, gap=_ICON_WIDTH if words else 1.0),),), text_size)
        if plate.width <= width:
            sprite = render_plate(plate)
            _draw_icon(sprite, plate.padding, text_size)
            return sprite
    return None


def _draw_icon(sprite: Sprite, left: int, side: int) -> None:
    """Draw the icon on a plate that was not drawn on a picture yet, in place."""
    top = (sprite.height - side) // 2
    place = (slice(top, top + side), slice(left, left + side))
    cover = _icon(side)[..., None]
    sprite.added[place] = np.rint(sprite.added[place] * (1 - cover) + np.array(_COLOUR) * cover).astype(np.uint8)
    sprite.kept[place] = np.rint(sprite.kept[place] * (1 - cover)).astype(np.uint8)


def _icon(side: int) -> NDArray[np.float32]:
    """Coverage of each pixel by the icon, side×side, 0 to 1."""
    large = side * _FINE
    mask = np.zeros((large, large), np.uint8)
    middle, line = large // 2, max(large // 11, 1)
    # The lids are arcs of two circles, one from above and one from below.
    radius = round(0.58 * large)
    for centre, start in ((middle + radius // 2, 205), (middle - radius // 2, 25)):
        cv2.ellipse(mask, (middle, centre), (radius, radius), 0, start, start + 130, 255, line)
    cv2.circle(mask, (middle, middle), round(0.13 * large), 255, line)
    ends = (round(0.14 * large), round(0.86 * large))
    cv2.line(mask, (ends[0], ends[0]), (ends[1], ends[1]), 0, 3 * line)
    cv2.line(mask, (ends[0], ends[0]), (ends[1], ends[1]), 255, line)
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
