"""Boxes, landmarks, labels and privacy drawn on a picture: the same for window, recording and screenshot."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.messages import Message
from desktop_app.preferences import PRIVACY, Preference
from desktop_app.vision.classification.label import Answer, Label
from desktop_app.vision.drawing.badge import render_badge
from desktop_app.vision.drawing.box_outlines import SUBPIXEL_BITS, draw_brackets, draw_outline
from desktop_app.vision.drawing.label_layout import PlateLayout
from desktop_app.vision.drawing.label_plates import BOLD, PLATE_COLOUR, Colour, Plate, Run, Sprite, render_plate
from desktop_app.vision.geometry import Box, Point
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, hide_face, hide_picture
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

WHITE: Final[Colour] = (255, 255, 255)
GREY: Final[Colour] = (205, 200, 196)
SHADOW: Final[Colour] = PLATE_COLOUR
FADED_OPACITY: Final = 0.45
FACES_HIDDEN: Final = "Faces hidden"
PICTURE_HIDDEN: Final = "Picture hidden"
"""What the picture says of itself; `OverlayStyle.words` may hold other words for it."""
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
        tracks: all faces, by rising id.
        shown: those of them that boxes, landmarks and labels are drawn for.
        labels: what is known of the faces, by track id.
        covers: boxes that hide the faces; None where they were not looked for.
        style: what to draw.
        status: lines for the corner.
        unit: pixels that are one pixel of a picture whose shorter side is 720.
    """

    image: NDArray[np.uint8]
    tracks: tuple[Track, ...]
    shown: tuple[Track, ...]
    labels: Mapping[int, Label]
    covers: tuple[Box, ...] | None
    style: OverlayStyle
    status: tuple[str, ...]
    unit: float

    @property
    def text_size(self) -> int:
        """Size of the labels' text in pixels."""
        return max(round(17 * self.unit), 11)

    @property
    def line_width(self) -> int:
        """Thickness of the boxes in pixels: never one, which video compression would wash out."""
        return max(round(2.5 * self.unit), 2)


class _Said(NamedTuple):
    """A word of a face's plate, its percentage if that is drawn, and whether it is unsure."""

    text: str
    percent: int | None
    unsure: bool


Layer = Callable[[Scene], None]


def draw_overlay(
    image: NDArray[np.uint8],
    tracks: Sequence[Track],
    labels: Mapping[int, Label],
    style: OverlayStyle,
    *,
    covers: Sequence[Box] | None = None,
    status: Sequence[str] = (),
) -> None:
    """Draw what is known of the faces on a picture, in place.

    Sizes follow the shorter side of the picture. Faces that were not seen for a moment fade, then go.

    What is to be hidden is hidden first: all of the picture where faces are to be hidden and were not looked for.

    Args:
        image: H×W×3 uint8, BGR, C-contiguous; the caller owns it.
        tracks: the faces, in pixels of `image`.
        labels: what to write for each track id; a face without one yet shows "…".
        style: what to draw.
        covers: what hides the faces of this very picture, as `FaceCover` gives it; None where they were not looked for.
        status: lines for the corner in place of the style's own.
    """
    height, width = image.shape[:2]
    ordered = tuple(sorted(tracks, key=lambda track: track.id))
    frame = Box(0, 0, width, height)
    shown = tuple(track for track in ordered if track.missed_s <= SHOW_MISSED_S and track.detection.box.iou(frame) > 0)
    hidden = None if covers is None else tuple(covers)
    lines = tuple(status) or style.status
    scene = Scene(image, ordered, shown, labels, hidden, style, lines, min(height, width) / 720)
    for layer in LAYERS:
        layer(scene)


def track_colour(track_id: int) -> Colour:
    """The colour of a track, BGR."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


def draw_privacy(scene: Scene) -> None:
    """Hide the faces, or the whole picture where that is chosen or no faces were looked for."""
    style = scene.style
    if style.privacy == "off":
        return
    if style.privacy == "picture" or scene.covers is None:
        hide_picture(scene.image, style.privacy_style)
        return
    for box in scene.covers:
        hide_face(scene.image, box, style=style.privacy_style)


def draw_boxes(scene: Scene) -> None:
    """Draw the corners of each face's box; the selected one's outline is closed and thicker."""
    if not scene.style.boxes:
        return
    for track in scene.shown:
        selected = track.id == scene.style.selected
        thickness = scene.line_width + (max(round(scene.unit), 1) if selected else 0)
        box = track.detection.box
        draw = draw_outline if selected else draw_brackets
        before = _area(scene.image, box, 2 * thickness).copy() if track.missed else None
        halo = max(round(scene.unit), 1)
        draw(scene.image, box, SHADOW, thickness + 2 * halo)
        draw(scene.image, box, track_colour(track.id), thickness)
        if before is not None:
            _fade(_area(scene.image, box, 2 * thickness), before)


def draw_landmarks(scene: Scene) -> None:
    """Draw the six points of each face that is seen; where the whole picture is hidden they would reveal too much."""
    if not scene.style.landmarks or scene.style.privacy == "picture":
        return
    one = 1 << SUBPIXEL_BITS
    for track in scene.shown:
        if track.missed:
            continue
        radius = max(min(2.5 * scene.unit, 0.025 * track.detection.box.size), 1.0)
        for point in track.detection.landmarks.points:
            center = _fixed(point)
            for colour, extra in ((SHADOW, max(scene.unit, 0.8)), (track_colour(track.id), 0.0)):
                cv2.circle(
                    scene.image,
                    center,
                    round((radius + extra) * one),
                    colour,
                    cv2.FILLED,
                    cv2.LINE_AA,
                    SUBPIXEL_BITS,
                )


def draw_plates(scene: Scene) -> None:
    """Write the status lines in the corner and each face's label beside it."""
    height, width = scene.image.shape[:2]
    gap = max(round(5 * scene.unit), 2)
    layout = PlateLayout((width, height), [track.detection.box for track in scene.shown], gap=gap)
    badge = _badge_of(scene, width - 4 * gap)
    room = width - 2 * gap
    if badge is not None:
        left = width - 2 * gap - badge.width
        badge.draw(scene.image, left, 2 * gap)
        layout.take(left, 2 * gap, badge.width, badge.height)
        room = left - 3 * gap
    if scene.style.statistics and scene.status:
        panel = _status_sprite(scene.status, max(round(15 * scene.unit), 10), room)
        panel.draw(scene.image, 2 * gap, 2 * gap)
        layout.take(2 * gap, 2 * gap, panel.width, panel.height)
    for number, track in enumerate(scene.shown):
        sprite = _sprite_of(scene, track)
        if sprite is None:
            continue
        place = layout.place((sprite.width, sprite.height), number)
        if place is None:
            continue
        where = Box(*place, sprite.width, sprite.height)
        before = _area(scene.image, where, 0).copy() if track.missed else None
        sprite.draw(scene.image, *place)
        if before is not None:
            _fade(_area(scene.image, where, 0), before)


LAYERS: Final[tuple[Layer, ...]] = (draw_privacy, draw_boxes, draw_landmarks, draw_plates)
"""What is drawn, from the bottom up."""


def _badge_of(scene: Scene, room: int) -> Sprite | None:
    """The sign that something is hidden; None where nothing is, or in a picture of a few pixels."""
    if scene.style.privacy == "off":
        return None
    text = PICTURE_HIDDEN if scene.style.privacy == "picture" or scene.covers is None else FACES_HIDDEN
    return render_badge(_translated(text, scene.style), scene.text_size, room)


@lru_cache(maxsize=2)
def _status_sprite(status: tuple[str, ...], text_size: int, width: int) -> Sprite:
    lines = tuple((Run(line, WHITE if number == 0 else GREY),) for number, line in enumerate(status))
    return render_plate(_fitted(Plate(lines, text_size), width))


def _sprite_of(scene: Scene, track: Track) -> Sprite | None:
    """The face's plate, drawn; None where it is empty."""
    style, label = scene.style, scene.labels.get(track.id)
    said: list[_Said] = []
    if label is not None and style.ages:
        said.append(_say(label.age_answer, style))
    if label is not None and label.gender_answer is not None and style.genders:
        said.append(_say(label.gender_answer, style))
    waiting = label is None and (style.ages or style.genders)
    if not (said or waiting or style.names):
        return None
    chip = track.id if style.names else None
    return _face_sprite(tuple(said), waiting, chip, scene.text_size, scene.image.shape[1])


def _say(answer: Answer, style: OverlayStyle) -> _Said:
    percent = round(answer.share * 100) if style.confidences and answer.share is not None else None
    return _Said(_translated(readable_age(answer.shown), style), percent, answer.unsure)


@lru_cache(maxsize=128)
def _face_sprite(
    said: tuple[_Said, ...], waiting: bool, track_id: int | None, text_size: int, width: int
) -> Sprite | None:
    """A face's plate: words with their confidences in percent, or "…", after the number of its track.

    What is unsure is grey, as all that is not a plain answer.
    """
    runs = [Run("…", WHITE, BOLD)] if waiting else []
    for number, (text, percent, unsure) in enumerate(said):
        runs += [Run("·", GREY, gap=0.3)] if number else []
        runs.append(Run(text, GREY if unsure else WHITE, BOLD, gap=0.3 if number else 0.0))
        if percent is not None:
            runs.append(Run(f"{percent}%", GREY, size=0.85, gap=0.3))
    chip = None if track_id is None else f"#{track_id}"
    colour = WHITE if track_id is None else track_colour(track_id)
    plate = _fitted(Plate((tuple(runs),) if runs else (), text_size, chip, colour), width)
    return render_plate(plate) if plate.width else None


def readable_age(name: str) -> str:
    """An age group as it is written for people: the years of "20-29" with the dash of a range between them."""
    return re.sub(r"(?<=\d)-(?=\d)", "–", name)


def _translated(word: str, style: OverlayStyle) -> str:
    return next((drawn for english, drawn in style.words if english == word), word)


def _fitted(plate: Plate, width: int) -> Plate:
    """The plate, with smaller text where it is wider than the picture."""
    while plate.width > width and plate.text_size > 6:
        plate = dataclasses.replace(plate, text_size=plate.text_size - 1)
    return plate


def _fixed(point: Point) -> tuple[int, int]:
    return round(point.x * (1 << SUBPIXEL_BITS)), round(point.y * (1 << SUBPIXEL_BITS))


def _area(image: NDArray[np.uint8], box: Box, margin: int) -> NDArray[np.uint8]:
    left, top = max(math.floor(box.x) - margin, 0), max(math.floor(box.y) - margin, 0)
    right, bottom = max(math.ceil(box.right) + margin, 0), max(math.ceil(box.bottom) + margin, 0)
    return image[top:bottom, left:right]


def _fade(area: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
    area[:] = cv2.addWeighted(area, FADED_OPACITY, before, 1 - FADED_OPACITY, 0)
