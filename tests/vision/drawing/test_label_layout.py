"""Where labels go."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.vision.drawing.label_layout import FITTING, HELD_S, LabelPlaces, Place, Request
from desktop_app.vision.geometry import Box

PICTURE = (640, 480)
FORMS = ((160, 20), (90, 16), (60, 16), (30, 16))
"""In full, in short, without the number, the number alone."""


def lay_out(
    *faces: Box,
    places: LabelPlaces | None = None,
    at: float = 0.0,
    forms: Sequence[tuple[int, int]] = FORMS,
    picture: tuple[int, int] = PICTURE,
    taken: Sequence[tuple[float, float, float, float]] = (),
    whole: int | None = None,
) -> dict[int, Place]:
    """The places of the labels of faces that are numbered from 1."""
    widths = tuple(width for width, _ in forms)
    requests = [Request(number, face, tuple(forms), widths, number == whole) for number, face in enumerate(faces, 1)]
    return (places or LabelPlaces()).lay_out(picture, requests, faces, at=at, taken=taken)


def plate(place: Place, forms: Sequence[tuple[int, int]] = FORMS) -> Box:
    return Box(place.x, place.y, *forms[place.form])


def side(place: Place, face: Box) -> str:
    """On which side of its face a label lies."""
    label = plate(place)
    if label.bottom <= face.y:
        return "above"
    if label.y >= face.bottom:
        return "below"
    if label.x >= face.right:
        return "right"
    return "left" if label.right <= face.x else "inside"


crowds = st.lists(st.tuples(st.floats(-100, 640), st.floats(-100, 480), st.floats(10, 300)), max_size=12)


@settings(deadline=None)
@given(crowds)
def test_labels_lie_on_no_other_face_on_no_label_and_in_the_picture(places: list[tuple[float, float, float]]) -> None:
    faces = [Box(x, y, size, size) for x, y, size in places]
    found = lay_out(*faces)
    labels = {number: plate(place) for number, place in found.items()}
    for number, label in labels.items():
        assert min(label.x, label.y) >= 0
        assert label.right <= PICTURE[0]
        assert label.bottom <= PICTURE[1]
        assert all(
            label.iou(face) == 0 for other, face in enumerate(faces, 1) if other != number and face != faces[number - 1]
        )
        assert all(label.iou(other) == 0 for other_number, other in labels.items() if other_number != number)


@settings(deadline=None, max_examples=30)
@given(crowds, st.integers(0, 2**16))
def test_faces_that_move_keep_that_and_their_sides_for_a_second(
    start: list[tuple[float, float, float]], seed: int
) -> None:
    chance, places = random.Random(seed), LabelPlaces()
    faces = [Box(x, y, size, size) for x, y, size in start]
    changed: dict[int, tuple[str, float]] = {}
    for frame in range(60):
        at = frame / 20
        # At the picture's edge the sides of the rest of a face cannot be told apart by looking; nor can those of a
        # label that is held there, on its own face.
        faces = [_inside(face.shifted(chance.uniform(-12, 12), chance.uniform(-12, 12))) for face in faces]
        found = lay_out(*faces, places=places, at=at)
        for number, place in found.items():
            label, own = plate(place), faces[number - 1]
            assert all(label.iou(face) == 0 for other, face in enumerate(faces, 1) if other != number and face != own)
            now = side(place, own) if place.leader is None else "away"
            before, since = changed.get(number, ("", -1.0))
            if now != before and not (now == "inside" and _at_the_edge(label)):
                assert not before or at - since >= HELD_S - 1e-9
                changed[number] = now, at


def _at_the_edge(label: Box) -> bool:
    return min(label.x, label.y) == 0 or label.right == PICTURE[0] or label.bottom == PICTURE[1]


def _inside(face: Box) -> Box:
    x, y = min(max(face.x, 0.0), PICTURE[0] - face.width), min(max(face.y, 0.0), PICTURE[1] - face.height)
    return Box(x, y, face.width, face.height)


def test_a_label_wider_than_its_face_takes_a_shorter_form() -> None:
    forms = {width: lay_out(Box(300, 200, width, width))[1].form for width in (200, 130, 75, 50, 20)}
    assert forms == {200: 0, 130: 0, 75: 1, 50: 2, 20: 3}
    assert all(FORMS[form][0] <= FITTING * width for width, form in forms.items() if form < 3)
    assert lay_out(Box(300, 200, 20, 20), whole=1)[1].form == 0


def test_the_longest_form_is_for_faces_of_which_none_of_about_their_size_has_no_room_for_it() -> None:
    # The third one is far from the size of the others.
    alike = lay_out(Box(20, 200, 140, 140), Box(200, 200, 115, 115), Box(360, 200, 200, 200))
    assert [alike[number].form for number in (1, 2, 3)] == [1, 1, 0]
    # One that is selected has it all the same.
    chosen = lay_out(Box(20, 200, 140, 140), Box(200, 200, 115, 115), whole=1)
    assert [chosen[number].form for number in (1, 2)] == [0, 1]


def test_a_label_is_above_else_below_else_beside_else_on_its_own_face() -> None:
    face = Box(200, 200, 200, 200)
    above, below = Box(150, 100, 300, 99), Box(150, 401, 300, 79)
    right, left = Box(401, 150, 239, 300), Box(0, 150, 199, 300)
    blocked: list[Box] = []
    sides = []
    for blocker in (above, below, right, left):
        sides.append(side(lay_out(face, *blocked)[1], face))
        blocked.append(blocker)
    sides.append(side(lay_out(face, *blocked)[1], face))
    assert sides == ["above", "below", "right", "left", "inside"]


def test_a_label_without_room_at_its_small_face_moves_away_and_a_line_leads_back() -> None:
    face = Box(300, 220, 30, 30)
    around = [Box(302, 190, 26, 28), Box(302, 252, 26, 28), Box(332, 222, 26, 26), Box(272, 222, 26, 26)]
    place = lay_out(face, *around)[1]
    assert place.leader is not None
    assert plate(place).iou(face) == 0
    assert all(plate(place).iou(other) == 0 for other in around)
    x, y, to_x, to_y = place.leader
    label = plate(place)
    assert label.x <= x <= label.right
    assert label.y <= y <= label.bottom
    assert face.x <= to_x <= face.right
    assert face.y <= to_y <= face.bottom


def test_a_label_goes_back_above_only_after_a_second() -> None:
    face, other = Box(200, 200, 200, 200), Box(200, 100, 200, 90)
    places = LabelPlaces()
    assert side(lay_out(face, other, places=places, at=0.0)[1], face) == "below"
    assert side(lay_out(face, places=places, at=0.5)[1], face) == "below"
    assert side(lay_out(face, places=places, at=0.9)[1], face) == "below"
    assert side(lay_out(face, places=places, at=1.1)[1], face) == "below"
    # The place that it has is as good as any; it goes where another face comes.
    assert side(lay_out(face, Box(200, 401, 200, 70), places=places, at=1.2)[1], face) == "above"


def test_a_label_that_may_not_move_yet_lies_on_its_own_face_rather_than_out_of_the_picture() -> None:
    places = LabelPlaces()
    assert side(lay_out(Box(200, 30, 200, 200), places=places, at=0.0)[1], Box(200, 30, 200, 200)) == "above"
    face = Box(200, 10, 200, 200)
    place = lay_out(face, places=places, at=0.5)[1]
    assert (place.form, place.y) == (0, 0)
    assert side(lay_out(face, places=places, at=1.0)[1], face) == "below"


def test_a_label_keeps_its_form_while_its_box_trembles() -> None:
    places, chance = LabelPlaces(), random.Random(1)
    forms = []
    for frame in range(120):
        width = 160 / FITTING * chance.uniform(0.92, 1.08)
        forms.append(lay_out(Box(200, 200, width, width), places=places, at=frame / 20)[1].form)
    assert len({*forms[20:]}) == 1
    # A face that has clearly come nearer has the longer one again.
    assert lay_out(Box(200, 200, 160, 160), places=places, at=7.0)[1].form == 0


def test_a_label_that_may_not_move_yet_is_left_out() -> None:
    face, above = Box(200, 200, 200, 200), Box(200, 100, 200, 99)
    places = LabelPlaces()
    assert side(lay_out(face, places=places, at=0.0)[1], face) == "above"
    assert 1 not in lay_out(face, above, places=places, at=0.5)
    assert side(lay_out(face, above, places=places, at=1.0)[1], face) == "below"


def test_labels_are_free_to_move_while_the_time_stands_or_jumps_back() -> None:
    face, above = Box(200, 200, 200, 200), Box(200, 100, 200, 99)
    places = LabelPlaces()
    for before, after in ((5.0, 5.0), (8.0, 2.0)):
        lay_out(face, places=LabelPlaces(), at=before)
        lay_out(face, places=places, at=before)
        assert side(lay_out(face, above, places=places, at=after)[1], face) == "below"


def test_there_is_a_place_for_a_crowd() -> None:
    faces = [Box(40 + 105 * (number % 6), 30 + 75 * (number // 6), 40, 40) for number in range(34)]
    assert len(lay_out(*faces)) == 34


def test_what_was_taken_stays_free() -> None:
    face = Box(300, 300, 200, 100)
    free = plate(lay_out(face)[1])
    place = lay_out(face, taken=[(free.x, free.y, free.right, free.bottom)])[1]
    assert plate(place).iou(free) == 0


def test_a_picture_without_room_gets_no_label() -> None:
    assert lay_out(Box(0, 0, 50, 50), picture=(100, 100), forms=[(150, 20)]) == {}
    assert lay_out(Box(0, 0, 50, 50), picture=(100, 100), taken=[(0, 0, 100, 100)]) == {}
