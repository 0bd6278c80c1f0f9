"""What is drawn on the picture, looked at as pixels, and where the plates go."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import AgeLabel, Labels
from desktop_app.vision.classification.classifier import Prediction
from desktop_app.vision.classification.label import Label, make_label
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.drawing.canvas import SMALLEST_TEXT, Canvas
from desktop_app.vision.drawing.label_layout import LabelPlaces, Place
from desktop_app.vision.drawing.label_plates import PLATE_COLOUR
from desktop_app.vision.drawing.overlay import (
    PALETTE,
    OverlayStyle,
    draw_overlay,
    readable_age,
    track_colour,
)
from desktop_app.vision.geometry import Box, Landmarks, Point
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, conceal
from desktop_app.vision.tracking.tracker import Track

GREY = 120
BARE = OverlayStyle(boxes=False, names=False, ages=False, genders=False)


def canvas(width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, np.uint8)


def track(
    track_id: int = 1, x: float = 500, y: float = 300, size: float = 200, *, missed: int = 0, missed_s: float = 0.0
) -> Track:
    """A face whose box has its top left corner at (x, y)."""
    marks = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.55), (0.5, 0.8), (0.05, 0.4), (0.95, 0.4)]
    points = [Point(x + dx * size, y + dy * size) for dx, dy in marks]
    return Track(track_id, Detection(Box(x, y, size, size), 0.9, Landmarks(*points)), 0.0, 1.0, 5, missed, missed_s)


def label(age: str = "25-32", gender: str = "Female") -> Label:
    probabilities = Prediction(np.array([0.6, 0.4], np.float32), np.array([0.1, 0.9], np.float32))
    return make_label(probabilities, Labels((AgeLabel(age, 25, 32), AgeLabel("60+", 60, None)), ("", gender)))


def changed(image: NDArray[np.uint8], before: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what differs."""
    rows, columns = np.nonzero((image != before).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def drawn(style: OverlayStyle, *tracks: Track, labels: dict[int, Label] | None = None) -> NDArray[np.uint8]:
    image = canvas()
    draw_overlay(image, tracks, labels if labels is not None else {1: label()}, style)
    return image


def test_nothing_to_draw_leaves_the_picture_alone() -> None:
    assert (drawn(BARE, track()) == GREY).all()
    assert (drawn(OverlayStyle()) == GREY).all()
    image = canvas()
    draw_overlay(image, [], {}, OverlayStyle(), status=["30 fps"])
    assert (image == GREY).all()


def test_each_part_of_the_style_draws_something_of_its_own() -> None:
    parts = [
        {"boxes": True},
        {"names": True},
        {"ages": True, "confidences": False},
        {"ages": True},
        {"genders": True, "confidences": False},
        {"genders": True},
        {"ages": True, "genders": True},
        {"landmarks": True},
        {"boxes": True, "selected": 1},
    ]
    pictures = [drawn(dataclasses.replace(BARE, **part), track()) for part in parts]  # type: ignore[arg-type]
    pictures.append(canvas())
    assert all((one != other).any() for one, other in itertools.combinations(pictures, 2))


def test_box_corners_lie_on_the_box_in_the_colour_of_the_track() -> None:
    image = drawn(dataclasses.replace(BARE, boxes=True), track(2))
    left, top, right, bottom = changed(image, canvas())
    assert (left, top, right, bottom) == pytest.approx((500, 300, 700, 500), abs=4)
    assert (image == track_colour(2)).all(axis=2).sum() > 200
    # Brackets: the middle of each side is free.
    assert (image[300:500, 590:610] == GREY).all()
    assert (image[390:410, 495:705] == GREY).all()


def test_a_selected_box_is_closed() -> None:
    image = drawn(dataclasses.replace(BARE, boxes=True, selected=1), track())
    assert (image[295:306, 600] != GREY).any()


def test_neighbouring_ids_have_different_colours_that_carry_dark_text() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    assert track_colour(1) != track_colour(2)
    assert track_colour(1) == track_colour(1 + len(PALETTE))
    for colour in PALETTE:
        assert contrast(colour, PLATE_COLOUR) > 4.5


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Contrast ratio after WCAG 2."""

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (v / 255 for v in colour)]
        return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_on_white_black_and_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    for background in (canvas() * 0, np.full_like(canvas(), 255), noise):
        image = background.copy()
        draw_overlay(image, [track()], {1: label()}, dataclasses.replace(BARE, ages=True))
        plate = image[260:300, 500:600].reshape(-1, 3).mean(axis=1)
        assert plate.max() > 240
        assert np.percentile(plate, 30) < 90


def test_a_face_without_a_label_shows_that_it_is_waited_for() -> None:
    style = dataclasses.replace(BARE, ages=True)
    waiting = drawn(style, track(), labels={})
    assert (waiting != GREY).any()
    known = drawn(style, track())
    assert changed(waiting, canvas())[2] < changed(known, canvas())[2]


def test_labels_of_any_script_can_be_drawn() -> None:
    images = [drawn(OverlayStyle(), track(), labels={1: label(gender=name)}) for name in ("Weiblich", "女性", "ü")]
    assert all((one != other).any() for one, other in itertools.combinations(images, 2))


def test_words_of_another_language_are_drawn_in_place_of_the_models_own() -> None:
    style = OverlayStyle(words=(("Female", "女"), ("Male", "男")))
    chinese = drawn(style, track())
    assert (chinese == drawn(OverlayStyle(), track(), labels={1: label(gender="女")})).all()
    assert (chinese != drawn(style, track(), labels={1: label(gender="Male")})).any()
    other = {1: label(gender="Other")}
    assert (drawn(style, track(), labels=other) == drawn(OverlayStyle(), track(), labels=other)).all()


def test_the_years_of_an_age_group_have_the_dash_of_a_range() -> None:
    assert readable_age("20-29") == "20–29"
    assert [readable_age(name) for name in ("70+", "teen-ager", "")] == ["70+", "teen-ager", ""]


def test_the_plate_is_above_the_face_else_below_else_beside_else_inside() -> None:
    style = dataclasses.replace(BARE, ages=True, genders=True)
    assert changed(drawn(style, track(y=300)), canvas())[3] <= 300
    assert changed(drawn(style, track(y=5)), canvas())[1] >= 205
    assert changed(drawn(style, track(x=10, y=5, size=712)), canvas())[0] >= 722
    left, top, right, bottom = changed(drawn(style, track(x=-10, y=-300, size=1300)), canvas())
    assert right - left < 400
    assert 0 < top < bottom <= 720


@pytest.mark.parametrize("height", [360, 480, 720, 1080, 2160])
def test_sizes_follow_the_picture(height: int) -> None:
    width = height * 16 // 9
    image = canvas(width, height)
    unit = height / 720
    face = track(x=500 * unit, y=300 * unit, size=200 * unit)
    draw_overlay(image, [face], {1: label()}, dataclasses.replace(BARE, ages=True))
    left, top, right, bottom = changed(image, canvas(width, height))
    assert bottom - top == pytest.approx(max(25 * unit, 15), rel=0.12)
    assert (right - left) / width < 0.2


@pytest.mark.parametrize("mode", ["faces", "picture"])
@pytest.mark.parametrize("shape", [(64, 64), (20, 300), (300, 20), (1, 1), (112, 90)])
def test_tiny_pictures_are_no_error(shape: tuple[int, int], mode: PrivacyMode) -> None:
    image = np.full((*shape, 3), GREY, np.uint8)
    style = OverlayStyle(landmarks=True, statistics=True, privacy=mode, selected=1)
    draw_overlay(
        image, [track(x=5, y=5, size=30), track(2, x=-9, y=2)], {1: label()}, style, hidden=mode, status=["30 fps"]
    )
    assert image.shape == (*shape, 3)


faces = st.tuples(st.floats(-300, 1500), st.floats(-300, 900), st.floats(0, 900))


@settings(max_examples=40, deadline=None)
@given(st.lists(faces, max_size=8), st.sampled_from(["off", "faces", "picture"]))
def test_faces_anywhere_are_no_error(places: list[tuple[float, float, float]], mode: PrivacyMode) -> None:
    tracks = [track(number, *place, missed=number % 2, missed_s=0.1) for number, place in enumerate(places, 1)]
    style = OverlayStyle(landmarks=True, statistics=True, privacy=mode, selected=2)
    image, again = canvas(640, 360), canvas(640, 360)
    draw_overlay(image, tracks, {1: label(), 3: label()}, style, hidden=mode, status=["a", "b"])
    draw_overlay(again, tracks[::-1], {3: label(), 1: label()}, style, hidden=mode, status=["a", "b"])
    assert (image == again).all()


def test_a_face_outside_of_the_picture_draws_nothing() -> None:
    assert (drawn(OverlayStyle(landmarks=True), track(x=-500, y=-500)) == GREY).all()


def test_a_face_not_seen_just_now_is_faded_and_then_gone() -> None:
    style = dataclasses.replace(BARE, boxes=True, ages=True)
    seen = drawn(style, track()).astype(int) - GREY
    faded = drawn(style, track(missed=3, missed_s=0.1)).astype(int) - GREY
    assert np.abs(faded).max() < 0.5 * np.abs(seen).max()
    assert ((faded != 0) <= (seen != 0)).all()
    assert (faded != 0).any()
    assert (drawn(style, track(missed=20, missed_s=0.5)) == GREY).all()


def test_status_lines_are_in_the_corner_and_only_where_asked_for() -> None:
    image = canvas()
    draw_overlay(image, [], {}, OverlayStyle(statistics=True), status=["30.0 fps", "latency 24 ms"])
    left, top, right, bottom = changed(image, canvas())
    assert left < 20
    assert top < 20
    assert right < 400
    assert bottom < 100


def test_the_styles_own_status_lines_are_drawn_where_no_others_are_given() -> None:
    pictures = []
    for own, callers in (((), ["30 帧/秒"]), (("30 帧/秒",), []), (("1", "2", "3"), ["30 帧/秒"])):
        pictures.append(canvas())
        draw_overlay(pictures[-1], [], {}, OverlayStyle(statistics=True, status=own), status=callers)
    assert all((picture == pictures[0]).all() for picture in pictures)
    assert (pictures[0] != GREY).any()
    image = canvas()
    draw_overlay(image, [], {}, OverlayStyle(status=("30 fps",)))
    assert (image == GREY).all()


def test_plates_stay_clear_of_the_status_lines() -> None:
    face = track(x=20, y=60, size=100)
    without, image = canvas(), canvas()
    style = OverlayStyle(boxes=False, statistics=True)
    draw_overlay(without, [face], {1: label()}, style)
    draw_overlay(image, [face], {1: label()}, style, status=["30.0 fps", "latency 24 ms"])
    assert changed(without, canvas())[3] <= 60
    assert (image[170:190, 20:120] != GREY).any()


def test_more_status_than_room_is_no_error() -> None:
    image = canvas(320, 180)
    draw_overlay(image, [track(x=50, y=50, size=60)], {}, OverlayStyle(statistics=True), status=["x" * 500] * 40)
    assert image.shape == (180, 320, 3)


NOISE = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
FACE = Box(500, 300, 200, 200)


def hidden(style: OverlayStyle, covers: Sequence[Box] | None, *faces: Track) -> NDArray[np.uint8]:
    image = NOISE.copy()
    privacy = conceal(image, style.privacy, style.privacy_style, covers)
    draw_overlay(image, faces, {}, style, hidden=privacy)
    return image


@pytest.mark.parametrize("privacy_style", ["blur", "pixelate"])
def test_the_covers_are_hidden_and_nothing_else(privacy_style: PrivacyStyle) -> None:
    image = hidden(dataclasses.replace(BARE, privacy="faces", privacy_style=privacy_style), [FACE])
    inside = (slice(320, 480), slice(520, 680))
    assert image[inside].std() < 0.3 * NOISE[inside].std()
    assert (image[600:] == NOISE[600:]).all()
    assert (image[:, :400] == NOISE[:, :400]).all()


@pytest.mark.parametrize(("mode", "hidden"), [("faces", "off"), ("picture", "off"), ("picture", "faces")])
def test_a_picture_that_hides_less_than_the_style_asks_for_is_hidden_whole(
    mode: PrivacyMode, hidden: PrivacyMode
) -> None:
    image = NOISE.copy()
    draw_overlay(image, [], {}, dataclasses.replace(BARE, privacy=mode), hidden=hidden)
    assert image[80:].std() < 0.1 * NOISE[80:].std()


@pytest.mark.parametrize(("mode", "covers"), [("picture", [FACE]), ("picture", None), ("faces", None)])
def test_where_nobody_looked_for_faces_the_whole_picture_is_hidden(mode: PrivacyMode, covers: list[Box] | None) -> None:
    image = hidden(dataclasses.replace(BARE, privacy=mode), covers)
    # Below the badge.
    assert image[80:].std() < 0.1 * NOISE[80:].std()


def test_landmarks_are_not_drawn_on_a_hidden_picture() -> None:
    style = dataclasses.replace(BARE, privacy="picture")
    without, with_marks = (hidden(dataclasses.replace(style, landmarks=on), None, track()) for on in (False, True))
    assert (without == with_marks).all()


def test_a_badge_says_what_is_hidden_in_the_corner_and_plates_stay_clear_of_it() -> None:
    images = {}
    modes: tuple[tuple[str, PrivacyMode], ...] = (("nothing", "off"), ("faces", "faces"), ("picture", "picture"))
    for name, mode in modes:
        images[name] = canvas(1280, 720)
        draw_overlay(images[name], [], {}, BARE, hidden=mode)
    assert (images["nothing"] == GREY).all()
    assert (images["faces"] != images["picture"]).any()
    for name in ("faces", "picture"):
        left, top, right, bottom = changed(images[name], images["nothing"])
        assert left > 1000
        assert 0 < top < 20
        assert right < 1280
        assert bottom < 60
    # A face below the badge: its plate goes elsewhere, and the badge stays as it is.
    corner = (slice(0, 45), slice(1120, 1280))
    alone = images["faces"][corner]
    image = canvas(1280, 720)
    draw_overlay(image, [track(x=1150, y=45, size=100)], {1: label()}, OverlayStyle(boxes=False), hidden="faces")
    assert (image[:40, 1120:] == alone[:40]).all()


def test_the_badge_speaks_other_languages() -> None:
    words = (("Faces hidden", "人脸已隐藏"),)
    images = [canvas(), canvas()]
    for image, spoken in zip(images, ((), words), strict=True):
        draw_overlay(image, [], {}, dataclasses.replace(BARE, words=spoken), hidden="faces")
    assert (images[0] != images[1]).any()


def test_boxes_and_text_lie_on_top_of_the_hidden_face() -> None:
    over = canvas()
    hidden_as = conceal(over, "picture", "pixelate", None)
    draw_overlay(over, [track()], {1: label()}, OverlayStyle(privacy="picture"), hidden=hidden_as)
    assert (over == track_colour(1)).all(axis=2).sum() > 200


@pytest.mark.parametrize(
    "names", [("20-29", "Female"), ("二十岁至二十九岁之间的青年人", "女性(感知)"), ("x" * 60, "y" * 60)]
)
@pytest.mark.parametrize("size", [60, 100, 180, 320])
def test_a_label_is_at_most_a_third_wider_than_its_face(names: tuple[str, str], size: int) -> None:
    style = dataclasses.replace(BARE, names=True, ages=True, genders=True)
    image = drawn(style, track(size=size), labels={1: label(*names)})
    left, _, right, _ = changed(image, canvas())
    assert right - left <= 1.3 * size
    # The selected one is written out.
    whole = drawn(dataclasses.replace(style, selected=1), track(size=size), labels={1: label(*names)})
    assert changed(whole, canvas())[2] - changed(whole, canvas())[0] >= right - left


@pytest.mark.parametrize("words", [(), (("Male", "男"), ("Female", "女"), ("M", "男"), ("F", "女"))])
def test_faces_of_one_size_have_labels_of_one_form(words: tuple[tuple[str, str], ...]) -> None:
    classes = Labels((AgeLabel("3-9", 3, 9), AgeLabel("20-29", 20, 29)), ("Male", "Female"))

    def answer(*probabilities: float) -> Label:
        age, gender = np.array(probabilities[:2], np.float32), np.array(probabilities[2:], np.float32)
        return make_label(Prediction(age, gender), classes)

    labels = {1: answer(1, 0, 1, 0), 2: answer(0.4, 0.6, 0.1, 0.9), 3: answer(0.4, 0.6, 0.5, 0.5)}
    for size in range(30, 320, 10):
        places = _Remembering()
        tracks = [track(number, x=20 + 410 * (number - 1), size=size) for number in labels]
        draw_overlay(canvas(), tracks, labels, OverlayStyle(words=words), places=places)
        assert len({place.form for place in places.found.values()}) == 1


@pytest.mark.parametrize("size", [60, 70])
@pytest.mark.parametrize("left", [False, True])
def test_the_colour_of_a_label_beside_its_face_is_on_the_side_of_the_face(left: bool, size: int) -> None:
    # Above and below are other faces, and on one side; the label has a stripe, or a number.
    others = [(500, 295 - size), (500, 305 + size), (505 + size if left else 495 - size, 300)]
    crowd = [track(number, x=x, y=y, size=size) for number, (x, y) in enumerate([(500, 300), *others], 1)]
    style = dataclasses.replace(BARE, names=True, ages=True, genders=True)
    image, places = canvas(), _Remembering()
    draw_overlay(image, crowd, {1: label()}, style, places=places)
    place = places.found[1]
    assert (place.x < 500) == left
    field = (image[place.y + 4 : place.y + 12] == track_colour(1)).all(axis=2).any(axis=0)
    columns = np.flatnonzero(field)
    assert len(columns)
    assert np.abs(columns - (500 if left else 500 + size)).max() < 35


@pytest.mark.parametrize("chosen", [{"selected": 1}, {"expanded": 1}])
def test_a_narrow_view_has_a_shorter_label_rather_than_smaller_text(chosen: dict[str, int]) -> None:
    view = Canvas.of_view(90, 400, scale=1.0)
    style = dataclasses.replace(BARE, names=True, ages=True, genders=True, selected=chosen.get("selected"))
    image = canvas(view.width, view.height)
    tracks = [track(x=20, y=100, size=50)]
    draw_overlay(image, tracks, {1: label()}, style, canvas=view, expanded=chosen.get("expanded"))
    _, top, _, bottom = changed(image, canvas(view.width, view.height))
    assert bottom - top >= SMALLEST_TEXT * 1.4


class _Remembering(LabelPlaces):
    """Says where the labels were drawn last."""

    def lay_out(self, *args: Any, **kwargs: Any) -> dict[int, Place]:
        self.found = super().lay_out(*args, **kwargs)
        return self.found
