"""Faces near and far, in a moving picture and alone, with the real detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from desktop_app.vision.detector import Detection
from desktop_app.vision.finder import FaceFinder
from desktop_app.vision.geometry import Box
from desktop_app.vision.small_faces import tiles_of

SECOND = 36
"""Frames in which every tile had its turn."""
FACE = Box(172, 68, 100, 100)
"""In the astronaut's picture of 512×512 pixels."""


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _fresh(finder: FaceFinder) -> None:
    finder.reset()


def scene(*faces: tuple[int, int, int], width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    """Astronauts with faces of a size at places: (x, y, size) of each face's box."""
    picture = np.full((height, width, 3), 90, np.uint8)
    portrait = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380]
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


def watch(finder: FaceFinder, picture: NDArray[np.uint8], frames: int = SECOND) -> list[Detection]:
    found: list[Detection] = []
    for _ in range(frames):
        found = finder.find(picture, expected=len(found))
    return found


@pytest.mark.parametrize("size", [40, 60, 100, 140, 200, 400])
def test_faces_of_any_size_are_found_within_a_second_and_stay(finder: FaceFinder, size: int) -> None:
    face = (700, 200, size)
    picture = scene(face)
    assert_found(watch(finder, picture), face)
    for _ in range(10):
        assert_found(finder.find(picture, expected=1), face)


@pytest.mark.parametrize("place", [(60, 40), (1180, 60), (40, 640), (1190, 650), (435, 330), (820, 350)])
def test_a_small_face_is_found_wherever_it_is(finder: FaceFinder, place: tuple[int, int]) -> None:
    face = (*place, 40)
    assert_found(watch(finder, scene(face)), face)


def test_a_small_face_is_found_beside_a_large_one_that_stays_one(finder: FaceFinder) -> None:
    faces = [(200, 200, 320), (1000, 300, 44)]
    assert_found(watch(finder, scene(*faces)), *faces)


def test_more_small_faces_than_close_looks_a_frame_are_all_there_in_every_frame(finder: FaceFinder) -> None:
    faces = [(150 + 240 * column, 150 + 260 * row, 42) for row in range(2) for column in range(5)]
    picture = scene(*faces)
    watch(finder, picture, 3 * SECOND)
    for _ in range(8):
        assert_found(finder.find(picture, expected=10), *faces)


def test_a_small_face_that_moves_is_followed(finder: FaceFinder) -> None:
    watch(finder, scene((300, 300, 44)))
    for step in range(1, 30):
        face = (300 + 9 * step, 300 + 2 * step, 44)
        assert_found(finder.find(scene(face), expected=1), face)


def test_a_small_face_that_left_is_not_found_any_more(finder: FaceFinder) -> None:
    assert watch(finder, scene((300, 300, 44)))
    assert finder.find(scene(), expected=1) == []
    assert watch(finder, scene()) == []


def test_a_place_where_a_face_is_expected_gets_a_look_at_once(finder: FaceFinder) -> None:
    face = (960, 480, 30)
    picture = scene(face)
    assert finder.find(picture) == []
    assert_found(finder.find(picture, near=[Box(956, 477, 32, 32)]), face)


def test_an_expected_place_without_a_face_gives_none(finder: FaceFinder) -> None:
    assert finder.find(scene(), near=[Box(400, 400, 40, 40), Box(-50, -50, 40, 40), Box(0, 0, 0, 0)]) == []


def test_reset_forgets_small_faces(finder: FaceFinder) -> None:
    face = (960, 480, 30)
    watch(finder, scene(face))
    finder.reset()
    assert finder.find(scene(face)) == []


def test_small_faces_of_a_still_picture_are_found_at_once(finder: FaceFinder) -> None:
    faces = [(90, 60, 40), (400, 330, 42), (1150, 600, 45), (800, 150, 160)]
    assert_found(finder.find_still(scene(*faces)), *faces)


def test_the_same_frames_give_the_same_faces(finder: FaceFinder) -> None:
    picture = scene((300, 300, 44), (900, 200, 120))

    def run() -> list[list[Detection]]:
        finder.reset()
        return [finder.find(picture) for _ in range(12)]

    assert run() == run()


@pytest.mark.parametrize("shape", [(1, 1), (40, 2000), (2000, 40), (720, 1280)])
def test_pictures_of_any_shape_without_faces_are_no_error(finder: FaceFinder, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    assert watch(finder, picture, 12) == []
    assert finder.find_still(picture) == []


@pytest.mark.parametrize("shape", [(720, 1280), (1080, 1920), (1280, 720), (900, 900), (640, 5000)])
def test_tiles_cover_the_picture_and_overlap(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    covered = np.zeros(shape, int)
    tiles = list(tiles_of(picture))
    for tile in tiles:
        covered[max(round(tile.y), 0) : round(tile.bottom), max(round(tile.x), 0) : round(tile.right)] += 1
    assert covered.min() >= 1
    assert len(tiles) <= 9
    assert max(tile.width for tile in tiles) < 0.4 * max(shape)
