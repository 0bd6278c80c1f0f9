"""Face alignment: crops with level eyes, centred, of one size, as the networks were trained."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.geometry import Point

CROP_SIZE: Final = 227
"""Side of the networks' input in pixels (Levi and Hassner 2015)."""

OVERSAMPLE_SIZE: Final = 256
"""Side of the picture that ten 227×227 views are taken from (Levi and Hassner 2015)."""

DEFAULT_MARGIN: Final = 1.15
"""Side of the crop over the side of the detector's box: about what the FairFace pictures show."""


def crop_transform(
    detection: Detection, *, size: int = CROP_SIZE, margin: float = DEFAULT_MARGIN
) -> NDArray[np.float64]:
    """The similarity that maps pixels of the frame to pixels of the crop.

    The crop is centred midway between eyes and mouth, turned so that the eyes are level, and `margin` times as wide as
    the detector's box.

    Returns:
        A 2×3 float64 matrix as `cv2.warpAffine` takes it without `WARP_INVERSE_MAP`.
    """
    marks = detection.landmarks
    center = _between(_between(marks.right_eye, marks.left_eye), marks.mouth)
    scale = size / max(detection.box.size * margin, 1.0)
    angle = detection.landmarks.roll
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    # Pixel centres are at whole numbers, so the crop's middle is at (size - 1) / 2.
    middle = (size - 1) / 2
    return np.array(
        [
            [cosine, sine, middle - cosine * center.x - sine * center.y],
            [-sine, cosine, middle + sine * center.x - cosine * center.y],
        ]
    )


def crop_face(
    image: NDArray[np.uint8],
    detection: Detection,
    *,
    size: int = CROP_SIZE,
    margin: float = DEFAULT_MARGIN,
) -> NDArray[np.uint8]:
    """Cut one face out of a picture.

    Beyond the picture's border the nearest pixel is repeated. A face that is shrunk by more than half is averaged
    first, so that it does not alias.

    Args:
        image: H×W×3 uint8, BGR.
        detection: the face, in pixels of `image`.
        size: side of the crop in pixels.
        margin: side of the crop over the side of the detector's box.

    Returns:
        size×size×3 uint8, BGR, C-contiguous.
    """
    transform = crop_transform(detection, size=size, margin=margin)
    scale = math.hypot(transform[0, 0], transform[0, 1])
    factor = int(1 / scale)
    if factor >= 2:
        image, transform = _shrunk(image, transform, size, factor)
    crop = cv2.warpAffine(image, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, dtype=np.uint8)


def with_margin(crop: NDArray[np.uint8], margin: float, wanted: float, size: int) -> NDArray[np.uint8]:
    """A crop as another network wants it; beyond the crop's border the nearest pixel is repeated.

    Args:
        crop: S×S×3 uint8, BGR.
        margin: its side over the side of the detector's box.
        wanted: what that shall be.
        size: side of the result in pixels.

    Returns:
        size×size×3 uint8, BGR.
    """
    scale = size / crop.shape[0] * margin / wanted
    middle, target = (crop.shape[0] - 1) / 2, (size - 1) / 2
    transform = np.array([[scale, 0, target - scale * middle], [0, scale, target - scale * middle]])
    fitted = cv2.warpAffine(crop, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(fitted, np.uint8)


def _shrunk(
    image: NDArray[np.uint8], transform: NDArray[np.float64], size: int, factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the picture under the crop, area-averaged by a whole factor, and the transform from there."""
    inverse = cv2.invertAffineTransform(transform)
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], np.float64) @ inverse.T
    height, width = image.shape[:2]
    left, top = (max(int(value) - factor, 0) for value in corners.min(axis=0))
    right = min(int(corners[:, 0].max()) + 2 * factor, width)
    bottom = min(int(corners[:, 1].max()) + 2 * factor, height)
    columns, rows = max((right - left) // factor, 1), max((bottom - top) // factor, 1)
    region = image[top : top + rows * factor, left : left + columns * factor]
    if region.size == 0:
        return image, transform
    small = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel (i, j) of `small` is the mean around (left + factor·i + (factor - 1)/2, …) of the picture.
    offset = (factor - 1) / 2
    to_frame = np.array([[factor, 0, left + offset], [0, factor, top + offset], [0, 0, 1]], np.float64)
    return np.asarray(small, dtype=np.uint8), transform @ to_frame


def _between(one: Point, other: Point) -> Point:
    return Point((one.x + other.x) / 2, (one.y + other.y) / 2)
