"""A picture with one face; a test gets a copy of its own, as reading it takes longer than finding the face."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut


def astronaut_bgr() -> NDArray[np.uint8]:
    """512×512×3, BGR; the box of the face is about 172, 68, 100, 100."""
    return _read().copy()


@cache
def _read() -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
