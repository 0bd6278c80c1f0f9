"""Data augmentation: the paper's random crops, and views as webcams and detectors make them."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FRAMED_SIZE: Final = 227
"""Side of the part of a prepared 256×256 picture that the app would cut out."""

_NOISE: Final = np.random.default_rng(0).normal(0, 1, (8, 256, 256, 3)).astype(np.float32)


def random_crop(picture: Image, size: int, rng: Generator) -> tuple[Image, int, int, bool]:
    """A random part of a picture, mirrored half of the time (Levi and Hassner 2015).

    Returns:
        size×size×3, its top and left in the picture, and whether it was mirrored.
    """
    room = picture.shape[0] - size
    top, left, mirrored = int(rng.integers(room + 1)), int(rng.integers(room + 1)), bool(rng.random() < 0.5)
    view = picture[top : top + size, left : left + size]
    return (view[:, ::-1] if mirrored else view), top, left, mirrored


def random_webcam_view(picture: Image, side: int, strength: float, rng: Generator) -> Image:
    """A picture as another camera, another light and a less steady detector would have given it.

    Args:
        picture: 256×256×3 uint8, BGR, prepared: the app's crop is its middle 227×227.
        side: side of the view in pixels.
        strength: 0 leaves out all damage (blur, noise, JPEG, cover), 1 damages most pictures.
        rng: where chance comes from.

    Returns:
        side×side×3 uint8.
    """
    view = _move(picture, side, rng)
    view = _blur(view, strength, rng)
    view = _light(view, strength, rng)
    if rng.random() < strength * 0.12:
        view = _as_image(cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    if rng.random() < strength * 0.3:
        grain = _NOISE[rng.integers(len(_NOISE)), :side, :side] * rng.uniform(2, 14)
        view = np.clip(view + grain, 0, 255).astype(np.uint8)
    if rng.random() < strength * 0.3:
        view = compress(view, int(rng.integers(25, 85)))
    if rng.random() < strength * 0.35:
        view = _cover(view, rng)
    return view


def _move(picture: Image, side: int, rng: Generator) -> Image:
    """Detector jitter: scale ±8 %, roll ±6°, shift ±2.5 % (standard deviations); mirrored half of the time."""
    scale = side / FRAMED_SIZE * math.exp(rng.normal(0, 0.08))
    angle = math.radians(rng.normal(0, 6))
    mirror = -1 if rng.random() < 0.5 else 1
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[mirror * cosine, sine, 0.0], [-mirror * sine, cosine, 0.0]])
    middle = (picture.shape[0] - 1) / 2
    target = (side - 1) / 2 + rng.normal(0, 0.025, 2) * side
    matrix[:, 2] = target - matrix[:, :2] @ [middle, middle]
    moved = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _as_image(moved)


def _blur(view: Image, strength: float, rng: Generator) -> Image:
    side = len(view)
    if rng.random() < strength * 0.5:
        return coarsen(view, max(int(side * rng.uniform(0.25, 0.8)), 1))
    if rng.random() < strength * 0.3:
        return _as_image(cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 2.0)))
    return view


def _light(view: Image, strength: float, rng: Generator) -> Image:
    """Contrast, brightness, gamma, white balance; sometimes a dark room."""
    contrast = math.exp(rng.normal(0, 0.18))
    brightness, gamma = rng.normal(0, 14), math.exp(rng.normal(0, 0.2))
    balance = np.exp(rng.normal(0, 0.05, 3)) if rng.random() < 0.5 else np.ones(3)
    if rng.random() < strength * 0.25:
        contrast *= rng.uniform(0.3, 0.8)
    ramp = (np.arange(256) / 255)[:, None] ** gamma * 255 * balance
    table = (ramp - 127) * contrast + 127 * min(contrast, 1.0) + brightness
    return _as_image(cv2.LUT(view, np.clip(table, 0, 255).astype(np.uint8)[None]))


def _cover(view: Image, rng: Generator) -> Image:
    """A rectangle in one colour (random erasing, Zhong et al., AAAI 2020): hands, hair, microphones."""
    side = len(view)
    height, width = (rng.uniform(0.15, 0.4, 2) * side).astype(int)
    top, left = rng.integers(0, side - height), rng.integers(0, side - width)
    covered = view.copy()
    covered[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return covered


def coarsen(view: Image, side: int) -> Image:
    """A view (S×S×3 uint8) with the detail of one of side×side pixels, at its own size."""
    shrunk = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
    return _as_image(cv2.resize(shrunk, view.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def compress(view: Image, quality: int) -> Image:
    """A view (H×W×3 uint8, BGR) as JPEG of this quality (1 to 100) gives it back."""
    packed = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return _as_image(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def _as_image(array: object) -> Image:
    return np.asarray(array, np.uint8)
