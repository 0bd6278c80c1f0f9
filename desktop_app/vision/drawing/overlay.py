"""Boxes, landmarks and labels drawn over a picture: the same for window, recording and screenshot."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.messages import Message
from desktop_app.preferences import PRIVACY, Preference
from desktop_app.vision.classification.label import Answer, Label
from desktop_app.vision.drawing.badge import render_badge
from desktop_app.vision.drawing.box_outlines import SUBPIXEL_BITS, bracket_shapes, draw_outline, fill_shapes
from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_forms import (
    GREY,
    WHITE,
    Forms,
    Said,
    fitted_sprite,
    label_forms,
    label_sizes,
    label_sprite,
)
from desktop_app.vision.drawing.label_layout import Edges, LabelPlaces, Request
from desktop_app.vision.drawing.label_plates import BOLD, PLATE_COLOUR, Colour, Plate, Run, Sprite, text_width
from desktop_app.vision.geometry import Box, Point
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, conceal, hides_enough
from desktop_app.vision.privacy.promises import FACES_PROMISE, PICTURE_PROMISE, PRIVACY_REACH
from desktop_app.vision.tracking.tracker import Track

PALETTE: Final[tuple[Colour, ...]] = (
    (102, 136, 238),
    (255, 221, 153),
    (51, 204, 187),
    (136, 221, 238),
    (153, 187, 68),
    (221, 170, 119),
)
"""One colour a track, BGR: Paul Tol's colour-blind safe "light" scheme, which is made to carry dark text. Its pink is
left out, and colour never stands for gender."""

SHADOW: Final[Colour] = PLATE_COLOUR
FADED_OPACITY: Final = 0.45
FACES_HIDDEN: Final = "Faces hidden"
PICTURE_HIDDEN: Final = "Picture hidden"
"""What the picture says of itself; `OverlayStyle.words` may hold other words for it."""
BRIEF: Final[Mapping[str, str]] = {"Male": "M", "Female": "F"}
"""The genders in short; others are written out, as their first letters may be the same."""
SHOW_MISSED_S: Final = 0.3
"""A face that is not seen stays drawn, faded, for this long."""


@dataclass(frozen=True, slots=True)
class OverlayStyle:
    """What is drawn.

    Attributes:
        boxes: the corners of each face's box.
        names: the number of each face's track.
        ages: the age group.
        genders: the perceived gender.
        confidences: the probability beside age group and gender.
        landmarks: eyes, nose, mouth and ears.
        statistics: the status lines in the corner.
        privacy: what is made unrecognisable: nothing, faces, or the whole picture.
        privacy_style: how.
        selected: id of the track that stands out, None for none.
        words: pairs of an English word or text and what is drawn in its place, for another language.
        status: lines for the corner, drawn where `statistics` asks for them.
    """

    boxes: bool = True
    names: bool = True
    ages: bool = True
    genders: bool = True
    confidences: bool = True
    landmarks: bool = False
    statistics: bool = False
    privacy: Annotated[
        PrivacyMode,
        Preference(
            page=PRIVACY,
            label=Message("Hide"),
            texts={
                "off": Message("Hide nothing"),
                "faces": Message("Hide faces"),
                "picture": Message("Hide the whole picture"),
            },
            hint={
                "off": Message("Everybody can be recognised."),
                "faces": Message("{promise} {reach}", promise=FACES_PROMISE, reach=PRIVACY_REACH),
                "picture": Message("{promise} {reach}", promise=PICTURE_PROMISE, reach=PRIVACY_REACH),
            },
        ),
    ] = "off"
    privacy_style: Annotated[
        PrivacyStyle,
        Preference(
            page=PRIVACY,
            label=Message("How"),
            texts={"blur": Message("Blur"), "pixelate": Message("Pixelate")},
        ),
    ] = "blur"
    selected: int | None = None
    words: tuple[tuple[str, str], ...] = ()
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What the layers draw from and on.

    Attributes:
        image: H×W×3 uint8, BGR; drawn on.
        canvas: what part of the picture that is.
        shown: the tracks that boxes, landmarks and labels are drawn for, by rising id, with their boxes on the canvas.
        labels: what is known of the faces, by track id.
        hidden: what is hidden in the picture.
        style: what to draw.
        status: lines for the corner.
        at: the picture's time in seconds.
        places: where the labels lay in the pictures before.
        expanded: id of the track whose label is drawn in full, over all else.
    """

    image: NDArray[np.uint8]
    canvas: Canvas
    shown: tuple[tuple[Track, Box], ...]
    labels: Mapping[int, Label]
    hidden: PrivacyMode
    style: OverlayStyle
    status: tuple[str, ...]
    at: float
    places: LabelPlaces
    expanded: int | None


Layer = Callable[[Scene], None]


def draw_overlay(
    image: NDArray[np.uint8],
    tracks: Sequence[Track],
    labels: Mapping[int, Label],
    style: OverlayStyle,
    *,
    hidden: PrivacyMode = "off",
    status: Sequence[str] = (),
    canvas: Canvas | None = None,
    places: LabelPlaces | None = None,
    at: float = 0.0,
    expanded: int | None = None,
) -> None:
    """Draw what is known of the faces over a picture, in place.

    Faces that were not seen for a moment fade, then go. A picture in which less is hidden than the style asks for is
    hidden whole.

    Args:
        image: H×W×3 uint8, BGR, C-contiguous; the caller owns it.
        tracks: the faces, in pixels of the picture.
        labels: what to write for each track id; a face without one yet shows "…".
        style: what to draw.
        hidden: what is hidden in the picture, as `conceal` says; a mark shows it.
        status: lines for the corner in place of the style's own.
        canvas: what part of the picture `image` is, at which scale; None where it is the picture itself, whose shorter
            side then decides on the size of text and lines.
        places: where the labels lay in the pictures before; keeps those of this one.
        at: the picture's time in seconds.
        expanded: id of the track whose label is drawn in full, over all else.
    """
    height, width = image.shape[:2]
    canvas = canvas or Canvas.of_picture(width, height)
    frame = Box(0, 0, width, height)
    shown = tuple(
        (track, box)
        for track in sorted(tracks, key=lambda track: track.id)
        if track.missed_s <= SHOW_MISSED_S and (box := canvas.box(track.detection.box)).iou(frame) > 0
    )
    if not hides_enough(hidden, style.privacy):
        hidden = conceal(image, style.privacy, style.privacy_style, None)
    lines = tuple(status) or style.status
    scene = Scene(image, canvas, shown, labels, hidden, style, lines, at, places or LabelPlaces(), expanded)
    for layer in LAYERS:
        layer(scene)


def track_colour(track_id: int) -> Colour:
    """The colour of a track, BGR."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


def draw_boxes(scene: Scene) -> None:
    """Draw the corners of each face's box; the selected one's outline is closed and thicker."""
    if not scene.style.boxes:
        return
    halo, width = scene.canvas.halo, scene.canvas.line_width
    boxes = [box for _, box in scene.shown]
    shadows, lines = bracket_shapes(boxes, width + 2 * halo), bracket_shapes(boxes, width)
    for (track, box), shadow, line in zip(scene.shown, shadows, lines, strict=True):
        colour = track_colour(track.id)
        before = _area(scene.image, box, 2 * width).copy() if track.missed else None
        if track.id == scene.style.selected:
            draw_outline(scene.image, box, SHADOW, width + 3 * halo)
            draw_outline(scene.image, box, colour, width + halo)
        else:
            fill_shapes(scene.image, shadow, SHADOW)
            fill_shapes(scene.image, line, colour)
        if before is not None:
            _fade(_area(scene.image, box, 2 * width), before)


def draw_landmarks(scene: Scene) -> None:
    """Draw the six points of each face that is seen; where the whole picture is hidden they would reveal too much."""
    if not scene.style.landmarks or "picture" in (scene.style.privacy, scene.hidden):
        return
    one = 1 << SUBPIXEL_BITS
    for track, box in scene.shown:
        if track.missed:
            continue
        radius = max(min(2.5 * scene.canvas.unit, 0.025 * box.size), 1.0)
        for point in track.detection.landmarks.points:
            center = _fixed(scene.canvas.point(point))
            for colour, extra in ((SHADOW, max(scene.canvas.unit, 0.8)), (track_colour(track.id), 0.0)):
                cv2.circle(
                    scene.image,
                    center,
                    round((radius + extra) * one),
                    colour,
                    cv2.FILLED,
                    cv2.LINE_AA,
                    SUBPIXEL_BITS,
                )


def draw_labels(scene: Scene) -> None:
    """Write the status lines in the corner and each face's label beside it."""
    canvas = scene.canvas
    taken = _draw_corners(scene)
    forms = {track.id: forms for track, _ in scene.shown if (forms := _forms_of(scene, track)) is not None}
    selected = scene.style.selected
    requests = [
        Request(track.id, box, forms[track.id].sizes, forms[track.id].widths, whole=track.id == selected)
        for track, box in sorted(scene.shown, key=lambda one: one[0].id != selected)
        if track.id in forms
    ]
    size, faces = (canvas.width, canvas.height), [box for _, box in scene.shown]
    places = scene.places.lay_out(size, requests, faces, gap=canvas.gap, taken=taken, at=scene.at)
    drawn = [(track, box, places[track.id]) for track, box in scene.shown if track.id in places]
    for track, _, place in drawn:
        if place.leader is not None:
            _draw_leader(scene, place.leader, track)
    for track, box, place in drawn:
        if track.id != scene.expanded:
            plate = forms[track.id].plates[place.form]
            if place.x + plate.width / 2 < box.x:
                # The track's colour is on the side of its own face rather than of the next one.
                plate = replace(plate, chip_behind=True)
            _draw_label(scene, label_sprite(plate), (place.x, place.y), track)
    for track, box in scene.shown:
        if track.id == scene.expanded and track.id in forms:
            plates = forms[track.id].plates
            sprite = label_sprite(next((one for one in plates if one.width <= canvas.width), plates[-1]))
            _draw_label(scene, sprite, _place_expanded(scene, sprite, box, faces, taken), track)


LAYERS: Final[tuple[Layer, ...]] = (draw_boxes, draw_landmarks, draw_labels)
"""What is drawn, from the bottom up."""


def _draw_corners(scene: Scene) -> list[Edges]:
    """Draw the mark of what is hidden and the status lines; returns what they cover."""
    canvas, image, gap = scene.canvas, scene.image, scene.canvas.gap
    taken: list[Edges] = []
    room = canvas.width - 2 * gap
    badge = _badge_of(scene, canvas.width - 4 * gap)
    if badge is not None:
        left = canvas.width - 2 * gap - badge.width
        badge.draw(image, left, 2 * gap)
        taken.append((left, 2 * gap, left + badge.width, 2 * gap + badge.height))
        room = left - 3 * gap
    if scene.style.statistics and scene.status:
        panel = _status_sprite(scene.status, max(round(15 * canvas.unit), canvas.least_text - 1), room)
        panel.draw(image, 2 * gap, 2 * gap)
        taken.append((2 * gap, 2 * gap, 2 * gap + panel.width, 2 * gap + panel.height))
    return taken


def _draw_label(scene: Scene, sprite: Sprite, place: tuple[int, int], track: Track) -> None:
    where = Box(*place, sprite.width, sprite.height)
    before = _area(scene.image, where, 0).copy() if track.missed else None
    sprite.draw(scene.image, *place)
    if before is not None:
        _fade(_area(scene.image, where, 0), before)


def _draw_leader(scene: Scene, line: tuple[float, float, float, float], track: Track) -> None:
    start, end = _fixed(Point(*line[:2])), _fixed(Point(*line[2:]))
    width = max(scene.canvas.line_width // 2, 1)
    for colour, thickness in ((SHADOW, width + 2 * scene.canvas.halo), (track_colour(track.id), width)):
        cv2.line(scene.image, start, end, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def _place_expanded(
    scene: Scene, sprite: Sprite, box: Box, faces: Sequence[Box], taken: Sequence[Edges]
) -> tuple[int, int]:
    """Where a label goes that is drawn over the others: on no other face if that is possible."""
    canvas = scene.canvas
    request = Request(0, box, ((sprite.width, sprite.height),), (sprite.width,), whole=True)
    found = LabelPlaces().lay_out((canvas.width, canvas.height), [request], faces, gap=canvas.gap, taken=taken)
    if found:
        return found[0].x, found[0].y
    x, y = round(box.x), round(box.y) - canvas.gap - sprite.height
    return max(min(x, canvas.width - sprite.width), 0), max(min(y, canvas.height - sprite.height), 0)


def _badge_of(scene: Scene, room: int) -> Sprite | None:
    """The sign that something is hidden; None where nothing is, or in a picture of a few pixels."""
    if scene.hidden == "off":
        return None
    text = PICTURE_HIDDEN if scene.hidden == "picture" else FACES_HIDDEN
    return render_badge(_translated(text, scene.style.words), scene.canvas.text, room)


@lru_cache(maxsize=2)
def _status_sprite(status: tuple[str, ...], text_size: int, width: int) -> Sprite:
    lines = tuple((Run(line, WHITE if number == 0 else GREY),) for number, line in enumerate(status))
    return fitted_sprite(Plate(lines, text_size), width)


def _forms_of(scene: Scene, track: Track) -> Forms | None:
    """The forms of the face's label; None where it is empty."""
    style, label = scene.style, scene.labels.get(track.id)
    answers: list[tuple[Answer, tuple[str, ...]]] = []
    if label is not None and style.ages:
        answers.append((label.age_answer, tuple(age.name for age in label.classes.ages)))
    if label is not None and label.gender_answer is not None and style.genders:
        answers.append((label.gender_answer, label.classes.genders))
    waiting = label is None and (style.ages or style.genders)
    if not (answers or waiting or style.names):
        return None
    said = tuple(_say(answer, style) for answer, _ in answers)
    widest = tuple(_widest(names, style.words, style.confidences) for _, names in answers)
    number = track.id if style.names else None
    colour = track_colour(track.id) if style.names else WHITE
    return label_forms(said, widest, waiting, number, colour, label_sizes(scene.canvas))


def _say(answer: Answer, style: OverlayStyle) -> Said:
    percent = round(answer.share * 100) if style.confidences and answer.share is not None else None
    return Said(*_written(answer.shown, style.words), percent, answer.unsure)


@lru_cache(maxsize=16)
def _widest(names: tuple[str, ...], words: tuple[tuple[str, str], ...], confidences: bool) -> Said:
    """The widest of the words for some classes, and the widest of the short ones."""
    written = zip(*(_written(name, words) for name in names), strict=True)
    text, brief = (max(one, key=lambda word: text_width(word, 100, BOLD)) for one in written)
    # A 100 is rare, and counts as wide as it is where it comes.
    return Said(text, brief, 99 if confidences else None, unsure=False)


def _written(name: str, words: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """A class in words and in short."""
    word = readable_age(name)
    return _translated(word, words), _translated(BRIEF.get(name, word), words)


def readable_age(name: str) -> str:
    """An age group as it is written for people: the years of "20-29" with the dash of a range between them."""
    return re.sub(r"(?<=\d)-(?=\d)", "–", name)


def _translated(word: str, words: tuple[tuple[str, str], ...]) -> str:
    return next((drawn for english, drawn in words if english == word), word)


def _fixed(point: Point) -> tuple[int, int]:
    return round(point.x * (1 << SUBPIXEL_BITS)), round(point.y * (1 << SUBPIXEL_BITS))


def _area(image: NDArray[np.uint8], box: Box, margin: int) -> NDArray[np.uint8]:
    left, top = max(math.floor(box.x) - margin, 0), max(math.floor(box.y) - margin, 0)
    right, bottom = max(math.ceil(box.right) + margin, 0), max(math.ceil(box.bottom) + margin, 0)
    return image[top:bottom, left:right]


def _fade(area: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
    area[:] = cv2.addWeighted(area, FADED_OPACITY, before, 1 - FADED_OPACITY, 0)
