"""A picture on the screen: which part of it, how large, and with labels that can be read."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.drawing.view import draw_view
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.tracking.tracker import Track

NUMBERS = OverlayStyle(boxes=False, ages=False, genders=False)
NOISE = np.random.default_rng(3).integers(0, 256, (90, 160, 3), np.uint8)


def rendered(width: int, height: int, *boxes: Box, style: OverlayStyle = NUMBERS) -> RenderedFrame:
    picture = np.full((height, width, 3), 120, np.uint8)
    marks = Landmarks(*[Point(0, 0)] * 6)
    tracks = tuple(Track(n, Detection(box, 0.9, marks), 0.0, 1.0, 5, 0) for n, box in enumerate(boxes, 1))
    return RenderedFrame(picture, Frame(picture, 0, 0.0), tracks, {}, {}, 0.0, 0.0, style=style)


def bare(picture: NDArray[np.uint8], canvas: Canvas) -> NDArray[np.uint8]:
    """The part of the picture without anything drawn over it."""
    return draw_view(picture, canvas, lambda _image, _canvas: None)[..., :3]


def height_of_label(view: NDArray[np.uint8]) -> int:
    rows = np.flatnonzero((view[..., :3] != 120).any(axis=(1, 2)))
    return int(rows.max() - rows.min() + 1) if rows.size else 0


def test_a_part_in_its_own_size_keeps_every_pixel() -> None:
    canvas = Canvas.of_view(40, 30, scale=1.0, left=100.0, top=50.0)
    np.testing.assert_array_equal(bare(NOISE, canvas), NOISE[50:80, 100:140])


@pytest.mark.parametrize("scale", [0.37, 1.5, 7.0])
@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (33.4, 20.7)])
def test_the_right_part_is_shown_at_any_scale(scale: float, left: float, top: float) -> None:
    smooth = np.asarray(cv2.GaussianBlur(NOISE, (0, 0), 6), np.uint8)
    width, height = int((160 - left) * scale), int((90 - top) * scale)
    shown = bare(smooth, Canvas.of_view(width, height, scale=scale, left=left, top=top))
    assert shown.shape == (height, width, 3)
    for x, y in ((0.1, 0.1), (0.5, 0.5), (0.9, 0.8)):
        expected = smooth[int(top + y * height / scale), int(left + x * width / scale)]
        assert np.abs(shown[int(y * height), int(x * width)].astype(int) - expected).max() <= 8


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (3840, 2160)])
@pytest.mark.parametrize("view", [320, 640, 1600])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_labels_have_at_least_eleven_pixels_in_any_view(width: int, height: int, view: int, ratio: float) -> None:
    scale = view * ratio / width
    canvas = Canvas.of_view(round(width * scale), round(height * scale), scale=scale, ratio=ratio)
    assert canvas.small_text >= 11 * ratio
    shown = rendered(width, height, Box(width / 2, height / 2, 40, 40)).view(canvas, LabelPlaces())
    # A line of text with what is above and below it.
    assert 1.4 * 11 * ratio <= height_of_label(shown) < 30 * ratio


def test_a_face_that_fills_a_close_view_has_its_label_in_it() -> None:
    canvas = Canvas.of_view(640, 360, scale=8.0, left=100.0, top=50.0)
    shown = rendered(320, 180, Box(90, 30, 120, 120)).view(canvas, LabelPlaces())
    assert height_of_label(shown) > 15
    beside = rendered(320, 180, Box(10, 10, 60, 30)).view(canvas, LabelPlaces())
    assert height_of_label(beside) == 0


def test_the_label_of_one_face_is_expanded_over_the_others() -> None:
    frame = rendered(640, 360, Box(300, 200, 24, 24), style=dataclasses.replace(NUMBERS, ages=True))
    canvas = Canvas.of_view(640, 360, scale=1.0)
    widths = []
    for expanded in (None, 1):
        shown = frame.view(canvas, LabelPlaces(), expanded=expanded)
        columns = np.flatnonzero((shown[..., :3] != 120).any(axis=(0, 2)))
        widths.append(columns.max() - columns.min())
    assert widths[1] > widths[0]


def test_a_picture_is_copied_only_for_a_file_and_once() -> None:
    frame = rendered(320, 180, Box(100, 80, 60, 60))
    before = frame.picture.copy()
    first = frame.annotated()
    assert first is frame.annotated()
    assert (first != before).any()
    frame.view(Canvas.of_view(320, 180, scale=1.0), LabelPlaces())
    np.testing.assert_array_equal(frame.picture, before)


def test_what_is_hidden_stays_hidden_in_the_view() -> None:
    """A picture that came in a mode that hides less than its style asks for."""
    frame = rendered(160, 90, style=dataclasses.replace(NUMBERS, privacy="faces"))
    unsafe = dataclasses.replace(frame, picture=NOISE)
    for shown in (unsafe.view(Canvas.of_view(160, 90, scale=1.0), LabelPlaces())[..., :3], unsafe.annotated()):
        assert shown[40:].std() < 0.3 * NOISE[40:].std()
