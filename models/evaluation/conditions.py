"""Crops as worse conditions would have given them, to measure how much a model loses there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import cv2
import numpy as np

from desktop_app.vision.detection.blazeface import Detection
from models.data.augment import Image, coarsen, compress

TURNED: Final = 0.3
"""A face whose landmarks look so far to the side is turned, by about 30°."""


def is_turned(face: Detection) -> bool:
    """Whether a face looks to the side, by its landmarks."""
    return face.landmarks.aside > TURNED


def shrink(crop: Image, margin: float, width: int) -> Image:
    """A crop of a face whose box is `width` pixels wide, enlarged to the crop's size as in the app.

    Args:
        crop: S×S×3 uint8, BGR.
        margin: side of the crop over the side of the box.
        width: of the box in pixels.
    """
    return coarsen(crop, max(round(width * margin), 1))


def blur(crop: Image, _margin: float, share: float) -> Image:
    """Smoothed by a Gaussian with a standard deviation of this share of the crop's side."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), share * len(crop)), np.uint8)


def darken(crop: Image, _margin: float, light: float) -> Image:
    """With this share of the light, and the grain of a sensor that lacks it (σ = 4)."""
    noise = np.random.default_rng(0).normal(0, 4, crop.shape)
    return np.clip(crop * light + noise, 0, 255).astype(np.uint8)


def stream(crop: Image, _margin: float, quality: int) -> Image:
    """As JPEG of this quality, shrunk to a face of 96 pixels first, as streams send them."""
    small = cv2.resize(crop, (125, 125), interpolation=cv2.INTER_AREA)
    opened = compress(np.asarray(small, np.uint8), quality)
    return np.asarray(cv2.resize(opened, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


CONDITIONS: Final[Mapping[str, Callable[[Image, float], Image]]] = {
    "box 64 px": partial(shrink, width=64),
    "box 40 px": partial(shrink, width=40),
    "box 24 px": partial(shrink, width=24),
    "blurred": partial(blur, share=0.02),
    "dark": partial(darken, light=0.15),
    "JPEG 20": partial(stream, quality=20),
}
"""Names of conditions and what they make of a crop, given the crop's margin."""
