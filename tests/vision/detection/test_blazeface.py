"""The real detector on a real face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.errors import AgelensError
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, DetectorRange
from desktop_app.vision.face_alignment import crop_face
from tests.helpers.portrait import astronaut_bgr


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    return astronaut_bgr()


@pytest.fixture(scope="module")
def detector() -> Iterator[BlazeFaceDetector]:
    with BlazeFaceDetector() as opened:
        yield opened


def assert_is_the_astronaut(detection: Detection) -> None:
    """Her face is around (224, 115) of the 512×512 picture and about 90 pixels wide."""
    box, marks = detection.box, detection.landmarks
    assert box.center == pytest.approx((222, 115), abs=25)
    assert 70 < box.size < 150
    assert 0.5 <= detection.score <= 1
    assert marks.right_eye.x < marks.nose.x < marks.left_eye.x
    assert marks.right_ear.x < marks.right_eye.x
    assert marks.left_eye.x < marks.left_ear.x
    assert max(marks.right_eye.y, marks.left_eye.y) < marks.nose.y < marks.mouth.y
    assert all(box.x <= point.x <= box.right and box.y <= point.y <= box.bottom for point in marks.points[:4])


@pytest.mark.parametrize("detector_range", ["short", "full"])
def test_the_one_face_is_found(detector_range: DetectorRange, picture: NDArray[np.uint8]) -> None:
    with BlazeFaceDetector(detector_range) as opened:
        (detection,) = opened.detect(picture)
    assert_is_the_astronaut(detection)


def test_boxes_are_in_pixels_of_the_picture(picture: NDArray[np.uint8]) -> None:
    wide = np.zeros((700, 1100, 3), np.uint8)
    wide[100:612, 400:912] = picture
    with BlazeFaceDetector("full") as opened:
        (detection,) = opened.detect(wide)
    assert detection.box.center == pytest.approx((622, 215), abs=30)


def test_the_colour_order_is_bgr(detector: BlazeFaceDetector, picture: NDArray[np.uint8]) -> None:
    swapped = np.ascontiguousarray(picture[..., ::-1])
    assert detector.detect(picture)[0].score != detector.detect(swapped)[0].score


def test_several_faces_come_best_first(detector: BlazeFaceDetector, picture: NDArray[np.uint8]) -> None:
    head = picture[:300, 80:380]
    blurred = np.asarray(cv2.GaussianBlur(head, (0, 0), 3), np.uint8)
    found = detector.detect(np.ascontiguousarray(np.hstack([blurred, head])))
    assert len(found) == 2
    assert found[0].score >= found[1].score
    assert {one.box.center.x < 300 for one in found} == {True, False}


def test_a_black_picture_has_no_face(detector: BlazeFaceDetector) -> None:
    black = np.zeros((480, 640, 3), np.uint8)
    assert detector.detect(black) == []
    assert detector.detect_still(black) == []


def test_a_tight_picture_is_looked_at_again_with_a_border(picture: NDArray[np.uint8]) -> None:
    tight = np.ascontiguousarray(picture[68:165, 172:272])
    with BlazeFaceDetector("full") as opened:
        assert opened.detect(tight) == []
        (detection,) = opened.detect_still(tight)
    assert detection.box.center == pytest.approx((50, 50), abs=20)
    crop = crop_face(tight, detection)
    assert crop.shape == (227, 227, 3)


def test_a_tight_picture_is_found_at_any_size(detector: BlazeFaceDetector, picture: NDArray[np.uint8]) -> None:
    tight = np.ascontiguousarray(picture[60:180, 160:280])
    small = detector.detect_still(tight)
    large = detector.detect_still(np.asarray(cv2.resize(tight, (3600, 3600), interpolation=cv2.INTER_CUBIC), np.uint8))
    assert len(small) == len(large) == 1
    assert large[0].box.scaled(1 / 30).iou(small[0].box) > 0.8
    nose, expected = large[0].landmarks.scaled(1 / 30).nose, small[0].landmarks.nose
    assert (nose.x, nose.y) == pytest.approx((expected.x, expected.y), abs=6)


def test_a_panorama_needs_no_gigabytes(detector: BlazeFaceDetector) -> None:
    # A border of half its length around it would be 29 GB.
    assert detector.detect_still(np.zeros((40, 70_000, 3), np.uint8)) == []


def test_a_still_picture_with_room_is_found_as_in_video(
    detector: BlazeFaceDetector, picture: NDArray[np.uint8]
) -> None:
    assert detector.detect_still(picture) == detector.detect(picture)


def test_repeated_detections_are_identical(detector: BlazeFaceDetector, picture: NDArray[np.uint8]) -> None:
    first = detector.detect(picture)
    for _ in range(50):
        # Other allocations in between: MediaPipe must not read pixels that were freed.
        np.full_like(picture, 255)
        assert detector.detect(picture) == first


def test_the_picture_is_left_alone(detector: BlazeFaceDetector, picture: NDArray[np.uint8]) -> None:
    before = picture.copy()
    detector.detect(picture)
    detector.detect_still(picture)
    assert (picture == before).all()


def test_a_higher_threshold_finds_no_more(picture: NDArray[np.uint8]) -> None:
    with BlazeFaceDetector(min_score=0.99) as strict:
        assert strict.detect(picture) == []


def test_a_missing_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AgelensError, match="is missing"):
        BlazeFaceDetector(models_folder=tmp_path)


@pytest.mark.parametrize("detector_range", ["short", "full"])
def test_large_pictures_give_the_same_faces_in_their_own_pixels(
    detector_range: DetectorRange, picture: NDArray[np.uint8]
) -> None:
    large = np.asarray(cv2.resize(picture, None, fx=6, fy=6, interpolation=cv2.INTER_LINEAR), np.uint8)
    with BlazeFaceDetector(detector_range) as opened:
        (small_one,), (large_one,) = opened.detect(picture), opened.detect(large)
    assert large_one.box.iou(small_one.box.scaled(6)) > 0.9
    assert large_one.score == pytest.approx(small_one.score, abs=0.05)
    for mark, expected in zip(large_one.landmarks.points, small_one.landmarks.scaled(6).points, strict=True):
        assert mark == pytest.approx(expected, abs=18)
