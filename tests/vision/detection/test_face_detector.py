"""Faces near and far, in a moving picture and alone, with the real detectors."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.geometry import Box
from tests.helpers.portrait import astronaut_bgr

SECOND = 36
"""Frames, some more than there are from one look for far faces to the next."""
RATE = 30.0
"""Frames a second of a quick succession."""
FACE = Box(172, 68, 100, 100)
"""In the astronaut's picture of 512×512 pixels."""


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with FaceDetector() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(detector: FaceDetector) -> None:
    detector.reset()


def scene(*faces: tuple[int, int, int], width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    """Astronauts with faces of a size at places: (x, y, size) of each face's box."""
    picture = np.full((height, width, 3), 90, np.uint8)
    portrait = astronaut_bgr()[:300, 80:380]
    for x, y, size in faces:
        scale = size / FACE.width
        side = round(300 * scale)
        left, top = round(x - (FACE.x - 80) * scale), round(y - FACE.y * scale)
        from_x, from_y = max(-left, 0), max(-top, 0)
        small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)[from_y:, from_x:]
        part = picture[top + from_y : top + side, left + from_x : left + side]
        part[:] = small[: part.shape[0], : part.shape[1]]
    return picture


def assert_found(found: Sequence[Detection], *faces: tuple[int, int, int]) -> None:
    """Each face once, and nothing else."""
    assert len(found) == len(faces)
    for x, y, size in faces:
        (one,) = [one for one in found if one.box.iou(Box(x, y, size, size)) > 0.3]
        assert one.box.x < one.landmarks.nose.x < one.box.right
        assert one.box.y < one.landmarks.nose.y < one.box.bottom


def watch(detector: FaceDetector, picture: NDArray[np.uint8], frames: int = SECOND) -> list[Detection]:
    found: list[Detection] = []
    for _ in range(frames):
        found = detector.find(picture, expected=len(found))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", [40, 60, 100, 140, 200, 400])
def test_faces_of_any_size_are_found_within_a_second_and_stay(detector: FaceDetector, size: int) -> None:
    face = (700, 200, size)
    picture = scene(face)
    assert_found(watch(detector, picture), face)
    for _ in range(10):
        assert_found(detector.find(picture, expected=1), face)


@pytest.mark.parametrize("size", [60, 80, 110, 150, 220, 400])
def test_a_face_that_stands_still_does_so_whichever_model_looks(detector: FaceDetector, size: int) -> None:
    picture = scene((500, 150, size))
    found = [detector.find(picture, expected=1) for _ in range(20)][2:]
    centers = np.array([face.box.center for (face,) in found])
    assert np.ptp(centers, axis=0).max() < 0.03 * size
    assert np.ptp([face.box.size for (face,) in found]) < 0.05 * size


@pytest.mark.slow
@pytest.mark.parametrize("place", [(60, 40), (1180, 60), (40, 640), (1190, 650), (435, 330), (820, 350)])
def test_a_small_face_is_found_wherever_it_is(detector: FaceDetector, place: tuple[int, int]) -> None:
    face = (*place, 40)
    assert_found(watch(detector, scene(face)), face)


def test_a_small_face_is_found_beside_a_large_one_that_stays_one(detector: FaceDetector) -> None:
    faces = [(200, 200, 320), (1000, 300, 44)]
    assert_found(watch(detector, scene(*faces)), *faces)


@pytest.mark.slow
def test_more_small_faces_than_close_looks_a_frame_are_all_there_in_every_frame(detector: FaceDetector) -> None:
    faces = [(150 + 240 * column, 150 + 260 * row, 42) for row in range(2) for column in range(5)]
    picture = scene(*faces)
    watch(detector, picture, 3 * SECOND)
    for _ in range(8):
        assert_found(detector.find(picture, expected=10), *faces)


def test_a_small_face_that_moves_is_followed(detector: FaceDetector) -> None:
    watch(detector, scene((300, 300, 44)))
    for step in range(1, 30):
        face = (300 + 9 * step, 300 + 2 * step, 44)
        assert_found(detector.find(scene(face), expected=1), face)


@pytest.mark.parametrize(("size", "step"), [(40, 22), (55, 18), (55, 30), (110, 10)])
def test_a_face_that_is_quick_from_the_start_is_found_and_stays(detector: FaceDetector, size: int, step: int) -> None:
    found = list[Detection]()
    for number in range(14):
        face = (80 + step * number, 300, size)
        found = detector.find(scene(face), at=number / RATE, expected=len(found))
        if number >= 4:
            assert_found(found, face)


@pytest.mark.slow
def test_a_small_face_that_left_is_not_found_any_more(detector: FaceDetector) -> None:
    assert watch(detector, scene((300, 300, 44)))
    assert detector.find(scene(), expected=1) == []
    assert watch(detector, scene()) == []


def test_reset_forgets_small_faces_and_looks_for_them_anew(detector: FaceDetector) -> None:
    face = (960, 480, 30)
    picture = scene(face)
    assert_found(watch(detector, picture, 4), face)
    detector.reset()
    assert detector.find(picture) == []
    assert_found(watch(detector, picture, 4), face)


@pytest.mark.slow
@pytest.mark.parametrize("face", [(600, 300, 22), (600, 300, 300)])
def test_a_tiny_and_a_turned_face_are_found_where_there_is_no_other(
    detector: FaceDetector, face: tuple[int, int, int]
) -> None:
    picture = scene(face)
    if face[2] > 100:
        # Upside down.
        picture, face = np.ascontiguousarray(picture[::-1, ::-1]), (1280 - 900, 720 - 600, 300)
    for frames in (SECOND, 40):
        (found,) = watch(detector, picture, frames)
        assert found.box.iou(Box(face[0], face[1], face[2], face[2])) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_all_faces_of_a_camera_that_is_not_upright_are_found_with_their_landmarks(
    detector: FaceDetector, turns: int
) -> None:
    # Of some of them MediaPipe and CenterFace see an upright face, which they are not.
    faces = [(150 + 190 * number, 150 + 60 * (number % 3), 120) for number in range(4)]
    picture, found = np.ascontiguousarray(np.rot90(scene(*faces), turns)), list[Detection]()
    for number in range(SECOND):
        found = detector.find(picture, at=number / RATE, expected=len(found))
    assert len(found) == len(faces)
    assert all(abs(math.remainder(face.landmarks.roll + turns * math.pi / 2, math.tau)) < 0.3 for face in found)


def test_live_and_offline_find_the_same_faces_in_the_end() -> None:
    faces = [(150, 150, 42), (900, 400, 50), (500, 200, 200)]
    picture, found = scene(*faces), list[Detection]()
    with FaceDetector(live=True) as live:
        for number in range(SECOND):
            found = live.find(picture, at=number / RATE, expected=len(found))
            if len(found) == len(faces):
                break
            # As a camera would: the looks go on meanwhile.
            time.sleep(1 / RATE)
    assert_found(found, *faces)


def test_small_faces_of_a_still_picture_are_found_at_once(detector: FaceDetector) -> None:
    faces = [(90, 60, 40), (400, 330, 42), (1150, 600, 45), (800, 150, 160)]
    assert_found(detector.find_still(scene(*faces)), *faces)


@pytest.mark.parametrize("turns", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crowd_in_a_still_picture_is_found(detector: FaceDetector, turns: int) -> None:
    # Faces without surroundings, which the models want: many of them are seen in small pieces of the picture only.
    face = cv2.resize(astronaut_bgr()[30:230, 120:320], (100, 100))
    picture = np.full((1080, 1920, 3), 110, np.uint8)
    for row in range(6):
        for column in range(10):
            y, x = 50 + 170 * row, 60 + 185 * column
            picture[y : y + 100, x : x + 100] = face if column % 2 else face[:, ::-1]
    found = detector.find_still(np.ascontiguousarray(np.rot90(picture, turns)))
    assert 55 <= len(found) <= 60
    assert all(abs(math.remainder(face.landmarks.roll + turns * math.pi / 2, math.tau)) < 0.3 for face in found)


@pytest.mark.parametrize("angle", [90, 180, 270, 150])
def test_turned_faces_of_a_still_picture_are_found(detector: FaceDetector, angle: int) -> None:
    face = (300, 120, 90)
    turn = cv2.getRotationMatrix2D((345, 165), angle, 1)
    picture = cv2.warpAffine(scene(face, width=640, height=360), turn, (640, 360), borderValue=(90, 90, 90))
    (found,) = detector.find_still(np.asarray(picture, np.uint8))
    assert found.box.iou(Box(*face, 90)) > 0.6
    # The eyes are level in the crop once it is turned back: within 12 degrees.
    assert abs((math.degrees(found.landmarks.roll) + angle + 180) % 360 - 180) < 12


def test_faces_that_lie_among_upright_ones_of_a_still_picture_are_found(detector: FaceDetector) -> None:
    # The smaller lying one is seen in the turned picture only.
    upright = [(40 + 150 * number, 30, 60) for number in range(3)]
    lying = [(100, 200, 60, 90.0), (300, 273, 40, -105.0)]
    picture = scene(*upright, width=640, height=360)
    for x, y, size, angle in lying:
        turn = cv2.getRotationMatrix2D((x + size / 2, y + size / 2), angle, 1)
        alone = cv2.warpAffine(scene((x, y, size), width=640, height=360), turn, (640, 360), borderValue=(90, 90, 90))
        picture[150:, x - 90 : x + 150] = alone[150:, x - 90 : x + 150]
    found = detector.find_still(picture)
    assert len(found) == len(upright) + len(lying)
    for x, y, size, angle in lying:
        (one,) = [one for one in found if one.box.iou(Box(x, y, size, size)) > 0.5]
        assert abs(math.remainder(one.landmarks.roll + math.radians(angle), math.tau)) < 0.3


@pytest.mark.parametrize("light", [0.03, 0.1, 0.4])
def test_faces_of_a_dark_still_picture_are_found(detector: FaceDetector, light: float) -> None:
    face = (300, 120, 90)
    picture = np.asarray(np.rint(scene(face, width=640, height=360) * light), np.uint8)
    assert_found(detector.find_still(picture), face)


def test_a_face_of_a_still_picture_is_found_in_a_dark_room_with_a_lamp(detector: FaceDetector) -> None:
    face = (300, 120, 60)
    picture = np.asarray(np.rint(scene(face, width=640, height=360) * 0.015), np.uint8)
    cv2.circle(picture, (600, 30), 25, (255, 255, 255), -1)
    assert_found(detector.find_still(picture), face)


@pytest.mark.parametrize("x", [-45, -30, 1280 - 45])
def test_a_face_half_cut_by_the_edge_of_a_still_picture_is_found(detector: FaceDetector, x: int) -> None:
    (found,) = detector.find_still(scene((x, 300, 90)))
    assert found.box.iou(Box(x, 300, 90, 90)) > 0.4


def test_a_face_that_fills_a_still_picture_is_found_once(detector: FaceDetector) -> None:
    picture = cv2.resize(astronaut_bgr()[60:190, 160:290], (1200, 1200))
    (found,) = detector.find_still(np.asarray(picture, np.uint8))
    assert found.box.size > 700


def test_the_same_frames_give_the_same_faces(detector: FaceDetector) -> None:
    picture = scene((300, 300, 44), (900, 200, 120))

    def run() -> list[list[Detection]]:
        detector.reset()
        return [detector.find(picture, at=number / RATE) for number in range(24)]

    assert run() == run()


def test_a_face_in_quick_succession_is_in_every_frame_at_its_place(detector: FaceDetector) -> None:
    for number in range(40):
        face = (200 + 14 * number, 200 + 3 * number, 150)
        assert_found(detector.find(scene(face), at=number / RATE, expected=min(number, 1)), face)


def test_all_faces_of_a_small_crowd_stay_in_quick_succession(detector: FaceDetector) -> None:
    faces = [(150 + 240 * column, 150 + 260 * row, 42) for row in range(2) for column in range(5)]
    picture, found = scene(*faces), list[Detection]()
    for number in range(3 * SECOND):
        found = detector.find(picture, at=number / RATE, expected=len(found))
    for number in range(3 * SECOND, 3 * SECOND + 20):
        assert_found(detector.find(picture, at=number / RATE, expected=10), *faces)


def test_a_small_face_that_moves_is_in_every_frame_of_a_quick_succession(detector: FaceDetector) -> None:
    for number in range(SECOND):
        detector.find(scene((300, 300, 44)), at=number / RATE)
    for number in range(SECOND, SECOND + 30):
        face = (300 + 9 * (number - SECOND), 300, 44)
        assert_found(detector.find(scene(face), at=number / RATE, expected=1), face)


@pytest.mark.parametrize("first", range(6, 10))
def test_a_new_face_is_found_within_four_frames(detector: FaceDetector, first: int) -> None:
    old, new = (200, 200, 160), (800, 250, 160)
    for number in range(first):
        detector.find(scene(old), at=number / RATE, expected=1)
    seen = [detector.find(scene(old, new), at=number / RATE, expected=1) for number in range(first, first + 4)]
    assert_found(seen[3], old, new)


@pytest.mark.parametrize("last", range(6, 10))
def test_a_face_that_is_gone_is_not_made_up(detector: FaceDetector, last: int) -> None:
    faces = (200, 200, 160), (800, 250, 160)
    for number in range(last):
        detector.find(scene(*faces), at=number / RATE, expected=2)
    assert_found(detector.find(scene(faces[0]), at=last / RATE, expected=2), faces[0])


@pytest.mark.slow
def test_nothing_is_carried_over_a_cut(detector: FaceDetector) -> None:
    for number in range(7):
        detector.find(scene((200, 200, 160)), at=number / RATE, expected=1)
    for number in range(7, 20):
        face = (900, 350, 200)
        assert_found(detector.find(scene(face), at=number / RATE, expected=1), face)


def test_time_that_goes_back_or_stands_still_is_no_error(detector: FaceDetector) -> None:
    face = (200, 200, 160)
    for at in (3.0, 3.0, 1.0, 1.001, 0.0, 100.0):
        assert_found(detector.find(scene(face), at=at, expected=1), face)


@pytest.mark.parametrize("mode", ["short", "full"])
def test_one_model_alone_follows_too(mode: DetectorMode) -> None:
    with FaceDetector(mode) as alone:
        for number in range(12):
            face = (300 + 6 * number, 200, 200)
            assert_found(alone.find(scene(face), at=number / RATE, expected=1), face)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (40, 2000), (2000, 40), (720, 1280)])
def test_pictures_of_any_shape_without_faces_are_no_error(detector: FaceDetector, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    assert watch(detector, picture, 12) == []
    assert [detector.find(picture, at=number / RATE) for number in range(12)] == [[]] * 12
    assert detector.find_still(picture) == []
