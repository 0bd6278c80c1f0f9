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
_SAMPLED_PIXELS: Final = 1 << 14


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
    step = max(int((image.shape[0] * image.shape[1] / _SAMPLED_PIXELS) ** 0.5), 1)
    counts = np.cumsum(np.bincount(image[::step, ::step].ravel(), minlength=256))
    white = int(np.searchsorted(counts, _BRIGHTEST_SHARE * counts[-1]))
    return 255 / white if 0 < white < _DARK else 1.0
