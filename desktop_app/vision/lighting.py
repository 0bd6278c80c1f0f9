"""More light for pictures that are too dark."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_BRIGHTEST_SHARE: Final = 0.995
"""So much of a picture is no brighter than what is made white in a dark one; lamps may be."""
_DARK: Final = 85
"""A picture in which this grey level is white is dark."""
_NEARLY_BLACK: Final = 25
"""Grey level below which nearly all of a dark room is, in which a lamp or a window is bright: at 10 % of the light and
more, faces are found as well without."""
_NEARLY_ALL: Final = 0.75
_SAMPLED_PIXELS: Final = 1 << 14
_LIFTED: Final = np.rint(255 * (np.arange(256) / 255) ** 0.5).astype(np.uint8)


def lightened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A dark picture with its brightest parts made white; the same object where it is bright enough, or black.

    At 3 % of the light, labels of faces that are lightened are right almost as often as in full light: of 374 faces of
    FairFace the gender of 88 % instead of 93 %, where it is 63 % without.

    Args:
        image: H×W×3 uint8, BGR.
    """
    factor = dark_factor(image)
    return image if factor == 1 else np.asarray(cv2.convertScaleAbs(image, alpha=factor), np.uint8)


def dark_factor(image: NDArray[np.uint8]) -> float:
    """By which all values of a dark picture are to be multiplied; 1 where it is bright enough, or black.

    Args:
        image: uint8, grey or in colours.
    """
    white = _level(image, _BRIGHTEST_SHARE)
    return 255 / white if 0 < white < _DARK else 1.0


def shadows_lifted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A dark room with its lamp or window, with more light in the shadows; the same object for any other picture.

    What is bright in such a picture is bright enough, so `lightened` leaves it as it is.

    Args:
        image: H×W×3 uint8, BGR.
    """
    if not 0 < _level(image, _NEARLY_ALL) < _NEARLY_BLACK or dark_factor(image) != 1:
        return image
    return np.asarray(cv2.LUT(image, _LIFTED), np.uint8)


def _level(image: NDArray[np.uint8], share: float) -> int:
    """The least grey level that so much of a picture does not exceed."""
    step = max(int((image.shape[0] * image.shape[1] / _SAMPLED_PIXELS) ** 0.5), 1)
    values = np.ascontiguousarray(image[::step, ::step]).reshape(-1)
    # NumPy's count of them takes five times as long.
    counts = np.cumsum(cv2.calcHist([values], [0], None, [256], [0, 256]), dtype=np.float64)
    return int(np.searchsorted(counts, share * counts[-1]))
