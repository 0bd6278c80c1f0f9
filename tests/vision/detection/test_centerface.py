"""CenterFace itself: what it finds where, and as MediaPipe would say it."""

from __future__ import annotations

import hashlib
import math
import re
import shutil
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.errors import AgelensError
from desktop_app.paths import MODELS_FOLDER, ROOT
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, largest
from desktop_app.vision.detection.centerface import MODEL_FILE, WHOLE_PIXELS, CenterFaceDetector
from desktop_app.vision.geometry import Box
from desktop_app.vision.onnx_sessions import shared_network
from tests.helpers.portrait import astronaut_bgr

PORTRAIT = astronaut_bgr()
FACE = Box(172, 68, 100, 100)
"""In the portrait, as MediaPipe sees it."""


@pytest.fixture(scope="module")
def detector() -> Iterator[CenterFaceDetector]:
    with CenterFaceDetector() as opened:
        yield opened


def scene(width: int, height: int, *places: tuple[int, int], size: int = 60) -> NDArray[np.uint8]:
    """Portraits whose faces have their top left corners at these places."""
    picture = np.full((height, width, 3), 90, np.uint8)
    scale = size / FACE.width
    part = cv2.resize(PORTRAIT[20:220, 120:320], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for x, y in places:
        left, top = round(x - (FACE.x - 120) * scale), round(y - (FACE.y - 20) * scale)
        from_x, from_y = max(-left, 0), max(-top, 0)
        region = picture[max(top, 0) : top + part.shape[0], max(left, 0) : left + part.shape[1]]
        region[:] = part[from_y : from_y + region.shape[0], from_x : from_x + region.shape[1]]
    return picture


def test_the_files_are_those_that_the_notice_names() -> None:
    named = re.findall(r"SHA-256 ([0-9a-f]{64})  (\S+)\n", (ROOT / "NOTICE").read_text(encoding="utf-8"))
    assert {file for _, file in named} == {
        *(file.name for file in MODELS_FOLDER.glob("*.tflite")),
        "face_detection_centerface.onnx",
    }
    for checksum, file in named:
        assert hashlib.sha256((MODELS_FOLDER / file).read_bytes()).hexdigest() == checksum


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgelensError, match=r"centerface\.onnx” is missing\. Install Agelens again\.$"):
        CenterFaceDetector(models_folder=tmp_path)


def test_boxes_and_landmarks_are_as_mediapipe_puts_them(detector: CenterFaceDetector) -> None:
    with BlazeFaceDetector("short") as other:
        expected, found = largest(other.detect(PORTRAIT)), largest(detector.detect(PORTRAIT, WHOLE_PIXELS))
    assert expected is not None
    assert found is not None
    size = expected.box.size
    assert math.dist(found.box.center, expected.box.center) < 0.06 * size
    assert found.box.size == pytest.approx(size, rel=0.08)
    for point, other_point in zip(found.landmarks.points[:4], expected.landmarks.points, strict=False):
        assert math.dist(point, other_point) < 0.08 * size
    for point, other_point in zip(found.landmarks.points[4:], expected.landmarks.points[4:], strict=True):
        assert math.dist(point, other_point) < 0.25 * size


@pytest.mark.parametrize("place", [(20, 20), (440, 200), (500, 380), (640, 400), (1190, 640), (-25, 300), (600, 690)])
def test_a_face_is_found_once_across_tiles_and_at_the_edges(
    detector: CenterFaceDetector, place: tuple[int, int]
) -> None:
    (face,) = detector.detect(scene(1280, 720, place), 1e6)
    assert face.box.iou(Box(*place, 60, 60)) > 0.5


def test_a_face_somewhat_larger_than_what_two_tiles_share_is_found_in_one_that_shows_it_all(
    detector: CenterFaceDetector,
) -> None:
    (face,) = detector.detect(scene(1280, 720, (200, 200), size=115), 1e6)
    assert face.box.iou(Box(200, 200, 115, 115)) > 0.5


def test_more_faces_are_found_the_less_the_picture_is_shrunk(detector: CenterFaceDetector) -> None:
    picture = scene(1280, 720, (300, 200), (700, 400), size=26)
    assert [len(detector.detect(picture, pixels)) for pixels in (320 * 180, 1280 * 720)] == [0, 2]


def test_a_higher_score_may_be_asked_for(detector: CenterFaceDetector) -> None:
    picture = scene(640, 360, (60, 100), (300, 100))
    scores = [face.score for face in detector.detect(picture, 1e6)]
    assert len(scores) == 2
    assert all(0.5 <= score <= 1 for score in scores)
    with CenterFaceDetector(min_score=0.999) as strict:
        assert strict.detect(picture, 1e6) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (2000, 40), (33, 31), (480, 481)])
def test_pictures_of_any_shape_are_no_error(detector: CenterFaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 90, np.uint8), 640 * 360) == []


def test_detectors_on_any_threads_share_one_network_that_goes_with_the_last(detector: CenterFaceDetector) -> None:
    file = MODELS_FOLDER / MODEL_FILE
    picture = scene(320, 240, (100, 80))
    expected = detector.detect(picture, WHOLE_PIXELS)
    assert len(expected) == 1
    with CenterFaceDetector() as one, CenterFaceDetector() as other, ThreadPoolExecutor(2) as threads:
        assert shared_network(file) is shared_network(file)
        looks = [threads.submit(which.detect, picture, WHOLE_PIXELS) for which in (one, other, one, other)]
        assert [look.result() for look in looks] == [expected] * 4
    with pytest.raises(RuntimeError, match="closed"):
        one.detect(picture, WHOLE_PIXELS)


def test_a_network_that_nothing_uses_is_freed(tmp_path: Path) -> None:
    shutil.copyfile(MODELS_FOLDER / MODEL_FILE, tmp_path / MODEL_FILE)
    with CenterFaceDetector(models_folder=tmp_path) as one, CenterFaceDetector(models_folder=tmp_path) as other:
        network = weakref.ref(shared_network(tmp_path / MODEL_FILE))
        one.close()
        other.detect(scene(64, 64), WHOLE_PIXELS)
        assert network() is not None
    assert network() is None
