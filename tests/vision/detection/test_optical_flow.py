"""Faces followed from one frame to the next by their pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.detection.optical_flow import OpticalFlowPropagator, follow_through, small_grey
from desktop_app.vision.geometry import Box, Landmarks, Point
from tests.helpers.portrait import astronaut_bgr

Picture = NDArray[np.uint8]

# Astronaut's face in a picture of 512×512 pixels.
FACE = Detection(
    Box(172, 68, 100, 100),
    0.9,
    Landmarks(Point(205, 108), Point(243, 108), Point(226, 133), Point(226, 148), Point(185, 112), Point(270, 112)),
)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    return astronaut_bgr()


def moved(picture: Picture, x: float, y: float) -> Picture:
    """The picture moved by so many pixels; its border is repeated."""
    transform = np.array([[1, 0, x], [0, 1, y]], float)
    size = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.warpAffine(picture, transform, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def followed(before: Picture, after: Picture, *faces: Detection) -> list[Detection | None]:
    follower = OpticalFlowPropagator()
    follower.take_in(before, faces)
    return follower.follow(after)


@pytest.mark.parametrize("step", [(0, 0), (3, -2), (9.5, 7.25), (-12, 10)])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_a_face_is_followed_with_its_landmarks(portrait: Picture, step: tuple[float, float], scale: float) -> None:
    size = (round(512 * scale), round(512 * scale))
    before = np.asarray(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA), np.uint8)
    x, y = scale * step[0], scale * step[1]
    face = Detection(FACE.box.scaled(scale), FACE.score, FACE.landmarks.scaled(scale))
    after = followed(before, moved(before, x, y), face)
    (one,) = after
    assert one is not None
    assert one.box.x - face.box.x == pytest.approx(x, abs=1.5 * scale)
    assert one.box.y - face.box.y == pytest.approx(y, abs=1.5 * scale)
    assert (one.box.width, one.box.height, one.score) == (face.box.width, face.box.height, face.score)
    assert one.landmarks.nose.x - one.box.x == pytest.approx(face.landmarks.nose.x - face.box.x)


@pytest.mark.parametrize("step", [(20, 0), (-30, 10), (0, 45), (60, 60), (200, 0)])
def test_a_face_that_goes_far_is_followed_to_the_right_place_or_not_at_all(
    portrait: Picture, step: tuple[float, float]
) -> None:
    (face,) = followed(portrait, moved(portrait, *step), FACE)
    if face is not None:
        assert (face.box.x - FACE.box.x, face.box.y - FACE.box.y) == pytest.approx(step, abs=2)


def test_many_frames_are_followed_one_after_the_other(portrait: Picture) -> None:
    follower = OpticalFlowPropagator()
    follower.take_in(portrait, [FACE])
    for number in range(1, 11):
        assert follower.follow(moved(portrait, 5 * number, 2 * number)) != [None]
    assert follower.faces[0].box.x == pytest.approx(FACE.box.x + 50, abs=3)
    assert follower.faces[0].box.y == pytest.approx(FACE.box.y + 20, abs=3)


def test_faces_that_go_different_ways_are_each_followed(portrait: Picture) -> None:
    before = np.concatenate([portrait, portrait], axis=1)
    after = np.concatenate([moved(portrait, 9, 0), moved(portrait, -4, 6)], axis=1)
    other = Detection(FACE.box.shifted(512, 0), 0.8, FACE.landmarks.shifted(512, 0))
    both = followed(before, after, FACE, other)
    assert [one and one.score for one in both] == [0.9, 0.8]
    for one, x, y in zip(both, (172 + 9, 684 - 4), (68, 68 + 6), strict=True):
        assert one is not None
        assert (one.box.x, one.box.y) == pytest.approx((x, y), abs=1.5)


def test_a_cut_is_noticed(portrait: Picture) -> None:
    other = np.random.default_rng(1).integers(0, 255, portrait.shape, np.uint8)
    assert followed(portrait, other, FACE) == [None]
    assert followed(portrait, np.full_like(portrait, 120), FACE) == [None]
    assert followed(portrait, np.ascontiguousarray(portrait[::-1]), FACE) == [None]


def test_something_before_a_face_is_noticed(portrait: Picture) -> None:
    covered = portrait.copy()
    covered[60:140, 160:280] = 40
    assert followed(portrait, covered, FACE) == [None]


def test_a_face_that_is_lost_leaves_the_others(portrait: Picture) -> None:
    before = np.concatenate([portrait, portrait], axis=1)
    after = np.concatenate([portrait, np.full_like(portrait, 60)], axis=1)
    other = Detection(FACE.box.shifted(512, 0), 0.8, FACE.landmarks.shifted(512, 0))
    (first, second) = followed(before, after, FACE, other)
    assert first is not None
    assert second is None


def test_a_face_that_leaves_the_picture_is_looked_for(portrait: Picture) -> None:
    edge = np.ascontiguousarray(portrait[:, 200:])
    face = Detection(FACE.box.shifted(-200, 0), 0.9, FACE.landmarks.shifted(-200, 0))
    assert followed(edge, moved(edge, -30, 0), face) == [None]


def test_without_faces_there_is_nothing_to_lose(portrait: Picture) -> None:
    assert followed(portrait, np.zeros_like(portrait)) == []


def test_frames_of_another_size_and_first_frames_are_no_successors(portrait: Picture) -> None:
    follower = OpticalFlowPropagator()
    assert follower.follow(portrait) == []
    follower.take_in(portrait, [FACE])
    assert follower.follow(np.ascontiguousarray(portrait[:300])) == [None]
    follower.reset()
    assert follower.follow(portrait) == []
    assert not follower.faces


def test_a_face_that_was_lost_does_not_come_back_by_itself(portrait: Picture) -> None:
    follower = OpticalFlowPropagator()
    follower.take_in(portrait, [FACE])
    assert follower.follow(np.zeros_like(portrait)) == [None]
    assert not follower.faces
    assert follower.follow(portrait) == []


def test_faces_are_followed_over_several_frames_at_once(portrait: Picture) -> None:
    frames = [small_grey(moved(portrait, 20 * step, -4 * step)) for step in range(7)]
    (one,) = follow_through(frames, [FACE], portrait.shape)
    assert one is not None
    # Further than its own size, and than it could be followed at once.
    assert (one.box.x - FACE.box.x, one.box.y - FACE.box.y) == pytest.approx((120, -24), abs=3)
    assert follow_through(frames[::6], [FACE], portrait.shape) == [None]
    assert follow_through(frames, [], portrait.shape) == []


def test_what_is_followed_is_the_same_each_time(portrait: Picture) -> None:
    assert followed(portrait, moved(portrait, 7, 3), FACE) == followed(portrait, moved(portrait, 7, 3), FACE)
