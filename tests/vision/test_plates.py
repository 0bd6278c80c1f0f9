"""Plates of text: how large they are and where they go."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.vision.geometry import Box
from desktop_app.vision.plates import Plate, Run, place_plate, text_width


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-100, 640), st.floats(-100, 480), st.floats(10, 300)), max_size=12),
    st.integers(20, 250),
    st.integers(10, 40),
)
def test_plates_never_collide_nor_leave_the_picture(
    places: list[tuple[float, float, float]], width: int, height: int
) -> None:
    boxes = [Box(x, y, size, size) for x, y, size in places]
    taken: list[Box] = []
    for box in boxes:
        others = [other for other in boxes if other is not box]
        place = place_plate((width, height), box, picture=(640, 480), taken=taken, faces=others)
        if place is None:
            continue
        plate = Box(*place, width, height)
        assert plate.x >= 0
        assert plate.y >= 0
        assert plate.right <= 640
        assert plate.bottom <= 480
        assert all(plate.iou(other) == 0 for other in taken)
        taken.append(plate)


def test_there_is_a_place_for_a_crowd() -> None:
    chance = random.Random(2)
    taken: list[Box] = []
    for _ in range(15):
        box = Box(chance.uniform(0, 200), chance.uniform(0, 200), 100, 100)
        place = place_plate((200, 25), box, picture=(1280, 720), taken=taken)
        assert place is not None
        taken.append(Box(*place, 200, 25))


def test_a_plate_avoids_other_faces() -> None:
    box, above = Box(300, 300, 100, 100), Box(300, 200, 100, 90)
    place = place_plate((150, 25), box, picture=(1280, 720), taken=(), faces=[above])
    assert place is not None
    assert Box(*place, 150, 25).iou(above) == 0


def test_a_picture_without_room_gets_no_plate() -> None:
    full = Box(0, 0, 100, 100)
    assert place_plate((50, 20), Box(0, 0, 50, 50), picture=(100, 100), taken=[full]) is None
    assert place_plate((150, 20), Box(0, 0, 50, 50), picture=(100, 100), taken=()) is None


def test_a_plate_is_as_wide_as_its_text() -> None:
    short = Plate(((Run("8-12", (255, 255, 255)),),), 20)
    long = Plate(((Run("8-12", (255, 255, 255)), Run("Female", (255, 255, 255), gap=0.5)),), 20, "#3")
    assert short.width == text_width("8-12", 20) + 2 * short.padding
    assert long.width > short.width + text_width("Female", 20)
    image = np.full((100, 400, 3), 120, np.uint8)
    long.draw(image, 10, 20)
    rows, columns = np.nonzero((image != 120).any(axis=2))
    assert (columns.min(), rows.min()) == (10, 20)
    assert (columns.max() + 1, rows.max() + 1) == (10 + long.width, 20 + long.height)
