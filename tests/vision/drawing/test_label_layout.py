"""Where plates go."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.vision.drawing.label_layout import PlateLayout
from desktop_app.vision.geometry import Box


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-100, 640), st.floats(-100, 480), st.floats(10, 300)), max_size=12),
    st.integers(20, 250),
    st.integers(10, 40),
)
def test_plates_never_collide_nor_leave_the_picture(
    places: list[tuple[float, float, float]], width: int, height: int
) -> None:
    layout = PlateLayout((640, 480), [Box(x, y, size, size) for x, y, size in places])
    taken: list[Box] = []
    for number in range(len(places)):
        place = layout.place((width, height), number)
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
    boxes = [Box(chance.uniform(0, 200), chance.uniform(0, 200), 100, 100) for _ in range(15)]
    layout = PlateLayout((1280, 720), boxes)
    assert all(layout.place((200, 25), number) is not None for number in range(15))


def test_a_plate_avoids_other_faces() -> None:
    box, above = Box(300, 300, 100, 100), Box(300, 200, 100, 90)
    place = PlateLayout((1280, 720), [box, above]).place((150, 25), 0)
    assert place is not None
    assert Box(*place, 150, 25).iou(above) == 0


def test_its_own_face_is_covered_rather_than_another_one() -> None:
    box, below = Box(300, 0, 200, 200), Box(250, 200, 300, 300)
    place = PlateLayout((1280, 720), [box, below]).place((100, 25), 0)
    assert place is not None
    assert Box(*place, 100, 25).iou(box) > 0


def test_what_was_taken_stays_free() -> None:
    layout = PlateLayout((1280, 720), [Box(300, 300, 100, 100)])
    free = layout.place((150, 25), 0)
    layout = PlateLayout((1280, 720), [Box(300, 300, 100, 100)])
    assert free is not None
    layout.take(*free, 150, 25)
    place = layout.place((150, 25), 0)
    assert place is not None
    assert Box(*place, 150, 25).iou(Box(*free, 150, 25)) == 0


def test_a_picture_without_room_gets_no_plate() -> None:
    layout = PlateLayout((100, 100), [Box(0, 0, 50, 50)])
    assert layout.place((150, 20), 0) is None
    layout.take(0, 0, 100, 100)
    assert layout.place((50, 20), 0) is None
