"""Detector recall against face size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.benchmark.clip import PORTRAIT_FACE_SIZE, PORTRAIT_FACE_X, PORTRAIT_FACE_Y
from desktop_app.paths import resource_path
from desktop_app.sources.demo_cards import make_background
from desktop_app.sources.pictures.stills import load_image
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.detection.face_detector import DetectorMode, FaceDetector
from desktop_app.vision.geometry import Box

SIZES: Final = (20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 400)
"""Side of the face's box in pixels of a 1280×720 picture."""
PLACES: Final = 12
"""Where each size is shown; figures move in steps of one over this."""
FOUND_IOU: Final = 0.3
"""A detection that overlaps the face by this much has found it."""

_WIDTH: Final = 1280
_HEIGHT: Final = 720
_STEADY_FRAMES: Final = 36
_STEADY_STEP: Final = 0.5
_LARGEST_TILT: Final = 12.0
# Steps of the R2 sequence, which fills a square evenly (Roberts 2018).
_STEP_X, _STEP_Y = 0.754877666, 0.569840291


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """How often faces of one size were found.

    Attributes:
        mode: which detectors looked.
        size: side of the face's box in pixels.
        places: faces that were shown.
        recall: share that was found, 0 to 1.
        false_faces: detections a picture that were no face.
    """

    mode: str
    size: int
    places: int
    recall: float
    false_faces: float


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where the face is: centre and side in pixels, tilt in degrees, and whether it is mirrored."""

    x: float
    y: float
    size: float
    tilt: float
    mirrored: bool


class RecallScene:
    """One portrait, upright to slightly tilted, on a quiet background of 1280×720 pixels.

    It is one person in good light: the figures compare sizes and detectors, they do not promise a recall in general.
    """

    def __init__(self) -> None:
        self._background = make_background(_WIDTH, _HEIGHT)
        self._portrait = load_image(resource_path("demo_portrait.jpg"))

    def render(self, face: _Placement) -> NDArray[np.uint8]:
        """A picture of the face: 720×1280×3 uint8, BGR."""
        scale = face.size / PORTRAIT_FACE_SIZE
        # Averaged first where it shrinks much, as a camera would.
        factor = max(math.floor(1 / scale), 1)
        height, width = self._portrait.shape[:2]
        small = cv2.resize(self._portrait, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
        center = PORTRAIT_FACE_X / factor, PORTRAIT_FACE_Y / factor
        transform = cv2.getRotationMatrix2D(center, face.tilt, scale * factor)
        transform[0, 2] += face.x - center[0]
        transform[1, 2] += face.y - center[1]
        if face.mirrored:
            transform[0] = -transform[0]
            transform[0, 2] += 2 * face.x
        picture = self._background.copy()
        cv2.warpAffine(
            small,
            transform,
            (_WIDTH, _HEIGHT),
            dst=picture,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
        return picture


def measure_recall(
    *,
    sizes: Sequence[int] = SIZES,
    modes: Sequence[DetectorMode] = get_args(DetectorMode),
    places: int = PLACES,
) -> list[RecallPoint]:
    """Show faces of each size in many places to each detector mode; the same each time.

    A face holds still for three pictures, as faces in a video do, and must be found in the last: `auto` learns from the
    pictures before which model it needs.

    Args:
        sizes: sides of the face's box in pixels of a 1280×720 picture.
        modes: of `FaceDetector`.
        places: how many faces of each size.
    """
    scene = RecallScene()
    points: list[RecallPoint] = []
    for mode in modes:
        with FaceDetector(mode) as detector:
            for size in sizes:
                detector.reset()
                found, other = zip(*(_look(detector, scene, face) for face in _placements(size, places)), strict=True)
                points.append(RecallPoint(mode, size, places, sum(found) / places, sum(other) / places))
    return points


def smallest_found(points: Sequence[RecallPoint], mode: str, *, recall: float = 0.9) -> int | None:
    """The size from which on a mode finds at least this share of the faces, at every larger size, too."""
    smallest: int | None = None
    for point in sorted((one for one in points if one.mode == mode), key=lambda one: -one.size):
        if point.recall < recall:
            break
        smallest = point.size
    return smallest


def _placements(size: float, places: int) -> Iterator[_Placement]:
    """Evenly spread, the whole face within the picture."""
    for number in range(places):
        across, down = (0.5 + number * _STEP_X) % 1, (0.5 + number * _STEP_Y) % 1
        yield _Placement(
            x=size / 2 + across * (_WIDTH - size),
            y=size / 2 + down * (_HEIGHT - size),
            size=size,
            tilt=_LARGEST_TILT * math.sin(2.4 * number),
            mirrored=number % 2 == 1,
        )


def _look(detector: FaceDetector, scene: RecallScene, face: _Placement) -> tuple[bool, int]:
    """Whether the face is found, and the number of false detections."""
    detections: list[Detection] = []
    for step in range(_STEADY_FRAMES):
        shown = _Placement(face.x + step * _STEADY_STEP, face.y, face.size, face.tilt, face.mirrored)
        detections = detector.find(scene.render(shown))
    last = face.x + (_STEADY_FRAMES - 1) * _STEADY_STEP
    truth = Box(last - face.size / 2, face.y - face.size / 2, face.size, face.size)
    hits = sum(one.box.iou(truth) >= FOUND_IOU for one in detections)
    return hits > 0, len(detections) - hits
