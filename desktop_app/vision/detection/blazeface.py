"""MediaPipe's BlazeFace face detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.paths import MODELS_FOLDER
from desktop_app.vision.detection.native_stderr import silence_native_stderr
from desktop_app.vision.geometry import Box, Landmarks, Point

if TYPE_CHECKING:
    from desktop_app.vision.detection._mediapipe import mediapipe as mp

DetectorRange = Literal["short", "full"]

MODEL_FILES: Final[dict[DetectorRange, str]] = {
    "short": "face_detection_short_range.tflite",
    "full": "face_detection_full_range_sparse.tflite",
}
_SHRUNK_SIDE: Final = 640
_SHRUNK_FROM: Final = 1920
"""Pictures whose longer side has so many pixels are shrunk first: the models' inputs have 128 and 192, and moving all
of the pixels through MediaPipe takes longer than the models."""
_BORDERED_SIDE: Final = 2560
"""Longer side of the largest picture that gets a border: around a panorama it would make gigabytes of it."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One face: its box and landmarks in pixels of the frame, and the detector's score (0 to 1)."""

    box: Box
    score: float
    landmarks: Landmarks


class BlazeFaceDetector(Closeable):
    """MediaPipe Tasks face detection on one picture at a time.

    Not thread-safe: create, use and close it on one thread. Use it as a context manager.

    Args:
        detector_range: `short` finds faces from about a seventh of the picture's height, quickly; `full`
            finds smaller ones at about twice the cost.
        min_score: detections below this score (0 to 1) are left out.
        models_folder: where the two `.tflite` files lie.

    Raises:
        AgelensError: the model file is not there.
    """

    def __init__(
        self,
        detector_range: DetectorRange = "short",
        *,
        min_score: float = 0.5,
        models_folder: Path = MODELS_FOLDER,
    ) -> None:
        model = models_folder / MODEL_FILES[detector_range]
        if not model.is_file():
            raise AgelensError(
                "Cannot look for faces: the face detector’s model “{path}” is missing. Install Agelens again.",
                path=model,
            )
        # Only here: pictures that stand alone need no MediaPipe, and it takes a tenth of the start.
        from desktop_app.vision.detection._mediapipe import mediapipe as mp

        # The bytes rather than the path: MediaPipe cannot open paths with some characters on Windows.
        options = mp.tasks.vision.FaceDetectorOptions(
            base_options=mp.tasks.BaseOptions(model_asset_buffer=model.read_bytes()),
            min_detection_confidence=min_score,
        )
        self._new_image = partial(mp.Image, mp.ImageFormat.SRGB)
        with silence_native_stderr():
            self._detector = mp.tasks.vision.FaceDetector.create_from_options(options)
            # The first picture is slow, and noisy too.
            self.detect(np.zeros((64, 64, 3), np.uint8))

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture.

        Args:
            image: H×W×3 uint8, BGR.

        Returns:
            The faces, best score first; boxes and landmarks in pixels of `image`.
        """
        height, width = image.shape[:2]
        factor = max(height, width) // _SHRUNK_SIDE if max(height, width) >= _SHRUNK_FROM else 1
        if factor > 1:
            image = _shrunk(image, factor, cv2.INTER_LINEAR)
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        # MediaPipe borrows the pixels without keeping the array alive: `rgb` must outlive `detect`.
        found = self._detector.detect(self._new_image(rgb)).detections
        detections = [_to_detection(one, width, height, factor) for one in found]
        return sorted(detections, key=lambda detection: -detection.score)

    def detect_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a still picture, with a second look at one that a face fills.

        The detectors want surroundings: where nothing is found, the picture is looked at again with a black
        border of half its size around it.

        Args:
            image: H×W×3 uint8, BGR.

        Returns:
            As `detect`; boxes and landmarks in pixels of `image`.
        """
        detections = self.detect(image)
        if detections:
            return detections
        factor = max(max(image.shape[:2]) / _BORDERED_SIDE, 1.0)
        if factor > 1:
            image = _shrunk(image, factor, cv2.INTER_AREA)
        border = max(image.shape[:2]) // 2
        padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        return [scaled(shifted(one, -border, -border), factor) for one in self.detect(np.asarray(padded, np.uint8))]

    def close(self) -> None:
        """Free the model; the detector cannot be used afterwards."""
        with silence_native_stderr():
            self._detector.close()


def shifted(detection: Detection, dx: float, dy: float) -> Detection:
    """The same detection moved by (dx, dy) pixels."""
    return Detection(detection.box.shifted(dx, dy), detection.score, detection.landmarks.shifted(dx, dy))


def _shrunk(image: NDArray[np.uint8], factor: float, interpolation: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = (max(round(width / factor), 1), max(round(height / factor), 1))
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def scaled(detection: Detection, factor: float) -> Detection:
    """The same detection in a picture that was resized by `factor`."""
    return Detection(detection.box.scaled(factor), detection.score, detection.landmarks.scaled(factor))


def largest(detections: Sequence[Detection]) -> Detection | None:
    """The detection with the largest box, or None where there is none."""
    return max(detections, key=lambda detection: detection.box.area, default=None)


def _to_detection(found: mp.tasks.components.containers.Detection, width: int, height: int, factor: int) -> Detection:
    """The detection in pixels of a picture that was shrunk by `factor` from this size."""
    box = found.bounding_box
    points = [Point(point.x * width, point.y * height) for point in found.keypoints]
    return Detection(
        Box(float(box.origin_x), float(box.origin_y), float(box.width), float(box.height)).scaled(factor),
        float(found.categories[0].score),
        Landmarks(*points[:6]),
    )
