"""Faces of a picture that stands alone: near and far, dark, and turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection, scaled
from desktop_app.vision.detection.centerface import (
    SAME_FACE_IOU,
    WHOLE_PIXELS,
    CenterFaceDetector,
    best_ones,
    is_part,
    shrunk,
)
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.lighting import shadows_lifted

FAR_PIXELS: Final = 1920 * 1080
"""To so many pixels a picture is shrunk for the closest look; more would take more time."""
_UPRIGHT: Final = math.radians(45)
_SURE: Final = 0.7
"""Most upright faces score more, and most that are upside down and taken for upright ones less."""
_LEVEL: Final = math.radians(20)
"""The landmarks of faces that are turned by more are off; they are looked at in a part of the picture that is turned
back: so many pixels wide, with a face of a third of that."""
_LEVEL_SIDE: Final = 192


def find_still_faces(detector: CenterFaceDetector, image: NDArray[np.uint8], *, close: bool = True) -> list[Detection]:
    """Find the faces of a picture.

    In a dark room with a lamp, faces count that are surely there once its shadows are lifted.

    Unless all faces are surely upright, the picture is also looked at turned by 90 and 270°. Where less than half are,
    it is also looked at turned by 180°, and closely so where a turned one surely shows most faces.

    Args:
        detector: not owned.
        image: H×W×3 uint8, BGR.
        close: whether to look at it closely, too, for small faces in a large picture.

    Returns:
        The faces, each once, in pixels of `image`.
    """
    faces = _near_and_far(detector, image, close=close)
    lifted = shadows_lifted(image)
    if lifted is not image:
        faces = _merged(faces, _sure(_near_and_far(detector, lifted, close=close)))
    if not faces or len(_surely_upright(faces)) < len(faces):
        mostly_upright = are_upright(faces)
        looks = (1, 3) if mostly_upright else (1, 2, 3)
        turned = {turns: _turned(detector, image, turns, close=False) for turns in looks}
        most = max(turned, key=lambda turns: len(_sure(turned[turns])))
        if close and not mostly_upright and _sure(turned[most]):
            turned[most] = _turned(detector, image, most, close=True)
        found = [face for some in turned.values() for face in some]
        faces = best_ones([*faces, *(_sure(found) if any(map(_is_upright, faces)) else found)])
    return faces


def are_upright(faces: Sequence[Detection]) -> bool:
    """Whether at least half of the faces are surely upright; False where there are none."""
    return bool(faces) and 2 * len(_surely_upright(faces)) >= len(faces)


def _surely_upright(faces: Sequence[Detection]) -> list[Detection]:
    return [face for face in _sure(faces) if _is_upright(face)]


def _is_upright(face: Detection) -> bool:
    return abs(face.landmarks.roll) <= _UPRIGHT


def _sure(faces: Sequence[Detection]) -> list[Detection]:
    return [face for face in faces if face.score >= _SURE]


def _near_and_far(detector: CenterFaceDetector, image: NDArray[np.uint8], *, close: bool) -> list[Detection]:
    small, factor = shrunk(image, FAR_PIXELS)
    faces, pixels = detector.detect(small, WHOLE_PIXELS), small.shape[0] * small.shape[1]
    if close and pixels > WHOLE_PIXELS:
        faces = _merged(faces, detector.detect(small, pixels))
    return [_levelled(detector, image, scaled(face, factor)) for face in faces]


def _merged(near: Sequence[Detection], far: Sequence[Detection]) -> list[Detection]:
    """The faces of both looks: of one that both found the better, and none that is a part of a larger one."""
    faces = list(near)
    for face in far:
        same = [one for one in faces if one.box.iou(face.box) >= SAME_FACE_IOU]
        if same and all(face.score > one.score for one in same):
            faces = [face if one is same[0] else one for one in faces if one not in same[1:]]
        elif not same and not any(is_part(face.box, one.box) for one in near):
            faces.append(face)
    return faces


def _turned(detector: CenterFaceDetector, image: NDArray[np.uint8], turns: int, *, close: bool) -> list[Detection]:
    """The faces of a picture turned by so many quarters against the clock, in pixels of the picture itself."""
    height, width = image.shape[:2]
    # Pixels of the turned picture to those of the picture; corners of the picture are at whole numbers, as in boxes.
    back = {
        1: np.array([[0, -1, width], [1, 0, 0]], float),
        2: np.array([[-1, 0, width], [0, -1, height]], float),
        3: np.array([[0, 1, 0], [-1, 0, height]], float),
    }[turns]
    found = _near_and_far(detector, np.ascontiguousarray(np.rot90(image, turns)), close=close)
    return [_moved(face, back) for face in found]


def _levelled(detector: CenterFaceDetector, image: NDArray[np.uint8], face: Detection) -> Detection:
    """The face with landmarks that were found where it is upright."""
    for _ in range(2):
        angle = face.landmarks.roll
        if abs(angle) <= _LEVEL:
            break
        scale = _LEVEL_SIDE / 3 / max(face.box.size, 1.0)
        there = np.asarray(cv2.getRotationMatrix2D(face.box.center, math.degrees(angle), scale), np.float64)
        there[:, 2] += np.subtract(_LEVEL_SIDE / 2, face.box.center)
        part = cv2.warpAffine(image, there, (_LEVEL_SIDE, _LEVEL_SIDE), borderMode=cv2.BORDER_REFLECT)
        back = np.asarray(cv2.invertAffineTransform(there), np.float64)
        looked = [_moved(one, back) for one in detector.detect(np.asarray(part, np.uint8), WHOLE_PIXELS)]
        same = [one for one in looked if one.box.iou(face.box) >= SAME_FACE_IOU]
        if not same or abs(_between(same[0].landmarks.roll, angle)) <= _LEVEL:
            return same[0] if same else face
        face = same[0]
    return face


def _moved(face: Detection, transform: NDArray[np.float64]) -> Detection:
    """The face after a similarity of the picture, with an upright box."""
    points = np.array([face.box.center, *face.landmarks.points]) @ transform[:, :2].T + transform[:, 2]
    (x, y), *marks = ((float(x), float(y)) for x, y in points)
    side = face.box.size * math.hypot(transform[0, 0], transform[1, 0])
    return Detection(
        Box(x - side / 2, y - side / 2, side, side), face.score, Landmarks(*(Point(*mark) for mark in marks))
    )


def _between(one: float, other: float) -> float:
    """The angle from one to the other, -π to π."""
    return math.remainder(other - one, math.tau)
