"""Boxes, landmarks and the crops made from them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection, largest, shifted
from desktop_app.vision.face_alignment import CROP_SIZE, crop_face, crop_transform, with_margin
from desktop_app.vision.geometry import Box, Landmarks, Point, ious

coordinates = st.floats(-1000, 1000)
sides = st.floats(1, 500)
boxes = st.builds(Box, coordinates, coordinates, sides, sides)


def face(x: float, y: float, size: float, angle: float = 0.0) -> Detection:
    """A face with its box centred on (x, y), turned clockwise by `angle`."""
    cosine, sine = math.cos(angle), math.sin(angle)

    def place(dx: float, dy: float) -> Point:
        return Point(x + size * (cosine * dx - sine * dy), y + size * (sine * dx + cosine * dy))

    marks = [(-0.2, -0.2), (0.2, -0.2), (0.0, 0.05), (0.0, 0.3), (-0.45, -0.1), (0.45, -0.1)]
    return Detection(Box(x - size / 2, y - size / 2, size, size), 0.9, Landmarks(*(place(*mark) for mark in marks)))


def mapped(transform: NDArray[np.float64], point: Point) -> NDArray[np.float64]:
    return np.asarray(transform @ [point.x, point.y, 1.0])


def drawn(detection: Detection, width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    """A grey picture with a red disc on the right eye, a green one on the left eye, a blue one on the mouth."""
    image = np.full((height, width, 3), 128, np.uint8)
    marks, radius = detection.landmarks, round(detection.box.size * 0.06)
    colours = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
    for point, colour in zip((marks.right_eye, marks.left_eye, marks.mouth), colours, strict=True):
        cv2.circle(image, (round(point.x), round(point.y)), radius, colour, cv2.FILLED)
    return image


def found(crop: NDArray[np.uint8], channel: int) -> NDArray[np.float64]:
    """The middle (x, y) of what is pure in one channel."""
    others = [other for other in range(3) if other != channel]
    rows, columns = np.nonzero((crop[..., channel] > 180) & (crop[..., others].max(axis=2) < 90))
    return np.array([columns.mean(), rows.mean()])


def test_box_edges() -> None:
    box = Box(10, 20, 30, 40)
    assert (box.right, box.bottom, box.center, box.area) == (40, 60, (25, 40), 1200)
    assert box.size == pytest.approx(math.sqrt(1200))
    assert box.shifted(1, -2) == Box(11, 18, 30, 40)
    assert box.scaled(2) == Box(20, 40, 60, 80)


def test_iou_of_known_boxes() -> None:
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 10, 10)) == 0
    assert Box(0, 0, 10, 10).iou(Box(2, 2, 5, 5)) == pytest.approx(0.25)
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0


@settings(deadline=None)
@given(boxes, boxes)
def test_iou_is_symmetric_and_between_0_and_1(one: Box, other: Box) -> None:
    assert one.iou(other) == pytest.approx(other.iou(one))
    assert 0 <= one.iou(other) <= 1 + 1e-9


@settings(deadline=None)
@given(boxes, coordinates, coordinates, st.floats(0.1, 10))
def test_iou_does_not_depend_on_place_or_scale(box: Box, dx: float, dy: float, factor: float) -> None:
    other = box.shifted(box.width / 3, box.height / 4)
    before = box.iou(other)
    assert box.shifted(dx, dy).iou(other.shifted(dx, dy)) == pytest.approx(before, abs=1e-6)
    assert box.scaled(factor).iou(other.scaled(factor)) == pytest.approx(before, abs=1e-6)
    assert box.iou(box) == pytest.approx(1)


def test_landmarks_move_and_scale_with_their_order_kept() -> None:
    marks = Landmarks(*(Point(index, 2 * index) for index in range(6)))
    assert marks.points[0] == marks.right_eye
    assert marks.points[5] == marks.left_ear
    assert marks.shifted(1, 2).nose == (3, 6)
    assert marks.scaled(3).mouth == (9, 18)


def test_shifted_and_largest_detections() -> None:
    small, large = face(50, 50, 20), face(10, 10, 40)
    moved = shifted(small, 5, 6)
    assert moved.box == small.box.shifted(5, 6)
    assert moved.landmarks == small.landmarks.shifted(5, 6)
    assert largest([small, large]) == large
    assert largest([]) is None


@settings(deadline=None)
@given(st.floats(-500, 1500), st.floats(-500, 1500), st.floats(20, 800), st.floats(-3, 3), st.sampled_from([227, 256]))
def test_eyes_are_level_and_the_face_is_centred(x: float, y: float, size: float, angle: float, side: int) -> None:
    detection = face(x, y, size, angle)
    transform = crop_transform(detection, size=side)
    right, left, mouth = (
        mapped(transform, point)
        for point in (detection.landmarks.right_eye, detection.landmarks.left_eye, detection.landmarks.mouth)
    )
    assert right[1] == pytest.approx(left[1], abs=1e-6)
    assert right[0] < left[0]
    middle = ((right + left) / 2 + mouth) / 2
    assert middle == pytest.approx([(side - 1) / 2] * 2, abs=1e-6)


@settings(deadline=None)
@given(st.floats(20, 800), st.floats(0.8, 2.5))
def test_the_crop_is_margin_times_as_wide_as_the_box(size: float, margin: float) -> None:
    transform = crop_transform(face(300, 300, size), margin=margin)
    assert math.hypot(transform[0, 0], transform[0, 1]) == pytest.approx(CROP_SIZE / (size * margin))
    assert np.linalg.det(transform[:, :2]) > 0


@pytest.mark.parametrize("angle", [-1.2, -0.4, 0.0, 0.4, 1.2])
def test_roll_is_the_angle_of_the_face(angle: float) -> None:
    assert face(100, 100, 100, angle).landmarks.roll == pytest.approx(angle)


@pytest.mark.parametrize("angle", [-0.5, 0.0, 0.9])
def test_roll_in_profile_comes_from_eyes_and_mouth(angle: float) -> None:
    cosine, sine = math.cos(angle), math.sin(angle)
    eye, mouth = Point(100, 100), Point(100 - 50 * sine, 100 + 50 * cosine)
    # In profile the eyes fall together, and the line between them may point anywhere.
    other = Point(100.5, 99.0)
    detection = Detection(Box(50, 50, 100, 100), 0.9, Landmarks(eye, other, eye, mouth, eye, other))
    assert detection.landmarks.roll == pytest.approx(angle, abs=0.05)


def test_roll_of_landmarks_in_one_point_is_nothing() -> None:
    point = Point(5, 5)
    assert Landmarks(*[point] * 6).roll == 0.0


@pytest.mark.parametrize("size", [60.0, 150.0, 240.0, 400.0])
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_the_pixels_land_where_the_transform_says(size: float, angle: float) -> None:
    detection = face(320, 240, size, angle)
    crop = crop_face(drawn(detection), detection)
    transform = crop_transform(detection)
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.c_contiguous
    marks = detection.landmarks
    tolerance = 0.7 * max(CROP_SIZE / (1.15 * size), 1.0)
    for channel, point in ((2, marks.right_eye), (1, marks.left_eye), (0, marks.mouth)):
        assert found(crop, channel) == pytest.approx(mapped(transform, point), abs=tolerance)


def test_a_large_face_is_shrunk_without_a_shift() -> None:
    detection = face(1000, 1000, 1400, 0.3)
    crop = crop_face(drawn(detection, 2000, 2000), detection)
    transform = crop_transform(detection)
    assert found(crop, 2) == pytest.approx(mapped(transform, detection.landmarks.right_eye), abs=0.5)
    assert found(crop, 0) == pytest.approx(mapped(transform, detection.landmarks.mouth), abs=0.5)


@pytest.mark.parametrize(("margin", "wanted", "size"), [(1.5, 1.15, 227), (1.5, 1.15, 160), (1.15, 1.3, 227)])
def test_a_crop_is_cut_anew_for_another_network(margin: float, wanted: float, size: int) -> None:
    detection = face(320, 240, 200, 0.3)
    crop = with_margin(crop_face(drawn(detection), detection, margin=margin), margin, wanted, size)
    assert crop.shape == (size, size, 3)
    direct = crop_transform(detection, size=size, margin=wanted)
    for channel, point in ((2, detection.landmarks.right_eye), (0, detection.landmarks.mouth)):
        assert found(crop, channel) == pytest.approx(mapped(direct, point), abs=1)


def test_a_large_face_is_averaged_not_picked_from() -> None:
    image = np.zeros((1600, 1600, 3), np.uint8)
    image[:, ::2] = 255
    crop = crop_face(image, face(800, 800, 1200))
    assert crop.std() < 30
    assert crop.mean() == pytest.approx(127.5, abs=10)


@pytest.mark.parametrize("place", [(0, 0), (639, 0), (0, 479), (639, 479), (320, 479)])
@pytest.mark.parametrize("size", [120, 900])
def test_at_the_border_the_nearest_pixels_are_repeated(place: tuple[int, int], size: int) -> None:
    image = np.full((480, 640, 3), (30, 90, 200), np.uint8)
    crop = crop_face(image, face(*place, size))
    assert (crop == (30, 90, 200)).all()


def test_a_face_outside_of_the_picture_is_no_error() -> None:
    image = np.full((480, 640, 3), 77, np.uint8)
    for size in (100, 2000):
        crop = crop_face(image, face(-5000, 9000, size))
        assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)


def test_size_of_the_crop_can_be_chosen() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    assert crop_face(image, face(320, 240, 100), size=256).shape == (256, 256, 3)


def test_the_frame_is_left_alone() -> None:
    detection = face(320, 240, 400)
    image = drawn(detection)
    before = image.copy()
    crop_face(image, detection)
    assert (image == before).all()


def test_overlaps_of_many_boxes_are_those_of_each_pair() -> None:
    boxes = [Box(0, 0, 10, 10), Box(5, 0, 10, 10), Box(30, 30, 0, 5), Box(8, 8, 4, 2)]
    np.testing.assert_allclose(ious(boxes, boxes[:3]), [[one.iou(other) for other in boxes[:3]] for one in boxes])
    assert ious([], boxes).shape == (0, 4)
    assert ious(boxes, []).shape == (4, 0)
