"""What hides faces: found at the edges, in every frame, and for a second after they were lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from desktop_app.vision.geometry import Box
from desktop_app.vision.privacy.concealment import hide_face
from desktop_app.vision.privacy.face_cover import FaceCover, edge_tiles
from tests.helpers.portrait import astronaut_bgr

FACE: Final = Box(173, 67, 103, 103)
"""Where the face is in the portrait."""
SIZE: Final = (360, 480)
EDGES: Final = ("left", "right", "top", "bottom")


@pytest.fixture
def cover() -> Iterator[FaceCover]:
    with FaceCover() as made:
        yield made


def scene(x: float, y: float, side: float = 103) -> tuple[NDArray[np.uint8], Box]:
    """A grey room with a portrait in it whose face has its top left corner at (x, y), and the face's box."""
    scale = side / FACE.width
    move = np.array([[scale, 0, x - scale * FACE.x], [0, scale, y - scale * FACE.y]])
    room = np.full((*SIZE, 3), 140, np.uint8)
    picture = astronaut_bgr()
    drawn = cv2.warpAffine(picture, move, SIZE[::-1], room, borderMode=cv2.BORDER_TRANSPARENT)
    return np.asarray(drawn, np.uint8), Box(x, y, side, side)


def at_edge(edge: str, share: float, side: float) -> tuple[NDArray[np.uint8], Box]:
    """A scene with so much of the face's width or height in view."""
    height, width = SIZE
    out, into = -(1 - share) * side, share * side
    places = {"left": (out, 100), "right": (width - into, 100), "top": (150, out), "bottom": (150, height - into)}
    return scene(*places[edge], side)


def is_hidden(face: Box, covers: Sequence[Box]) -> bool:
    """Whether nine tenths of what is in view of a face are changed by hiding the covers."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    image = noise.copy()
    for box in covers:
        hide_face(image, box, style="pixelate")
    left, top, right, bottom = (round(max(edge, 0)) for edge in (face.x, face.y, face.right, face.bottom))
    return bool((image != noise).any(axis=2)[top:bottom, left:right].mean() > 0.9)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("share", "side"), [(0.5, 110), (0.7, 70)])
def test_faces_that_an_edge_cuts_are_hidden(cover: FaceCover, edge: str, share: float, side: float) -> None:
    image, face = at_edge(edge, share, side)
    assert is_hidden(face, cover.cover(image, 0.0, []))


def test_in_a_film_the_edges_are_looked_at_in_turn_within_a_third_of_a_second(cover: FaceCover) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    assert cover.cover(room, 0.0, []) == ()
    image, face = at_edge("left", 0.5, 70)
    assert any(is_hidden(face, cover.cover(image, number / 30, [])) for number in range(1, 10))


def test_every_frame_is_looked_at(cover: FaceCover) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    for number in range(4):
        assert cover.cover(room, number / 60, []) == ()
        image, face = scene(40 + 60 * number, 100)
        assert is_hidden(face, cover.cover(image, (number + 0.5) / 60, []))
        cover.reset()


@pytest.mark.slow
def test_a_face_that_is_lost_stays_hidden_for_a_second_where_it_was_and_where_it_goes(cover: FaceCover) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    for number in range(10):
        image, face = scene(50 + 5 * number, 100)
        cover.cover(image, number / 30, [])
    for lost in range(1, 31):
        covers = cover.cover(room, (9 + lost) / 30, [])
        if lost % 10 == 0:
            assert is_hidden(face, covers)
            # It went 150 pixels a second to the right.
            assert is_hidden(face.shifted(5 * lost, 0), covers)
    for number in range(10):
        covers = cover.cover(room, 1.4 + number / 10, [])
    assert covers == ()


def test_a_face_that_was_seen_in_one_frame_only_stays_hidden_too(cover: FaceCover) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    image, face = scene(150, 100)
    cover.cover(image, 0.0, [])
    assert all(is_hidden(face, cover.cover(room, at, [])) for at in (0.5, 0.9, 1.0))


@pytest.mark.parametrize("period_s", [2.0, 60.0])
def test_a_slow_source_does_not_bring_a_lost_face_back_sooner(cover: FaceCover, period_s: float) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    image, face = scene(150, 100)
    cover.cover(image, 0.0, [])
    assert all(is_hidden(face, cover.cover(room, number * period_s, [])) for number in range(1, 6))


def test_after_a_jump_nothing_is_left_of_before(cover: FaceCover) -> None:
    room = np.full((*SIZE, 3), 140, np.uint8)
    cover.cover(scene(150, 100)[0], 5.0, [])
    cover.reset()
    assert cover.cover(room, 1.0, []) == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (20, 30), (40, 2000), (3000, 50)])
def test_pictures_of_any_shape_are_no_error(cover: FaceCover, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for number in range(3):
        cover.cover(image, number / 30, [])


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 480), (720, 1280), (300, 200)])
def test_the_tiles_cover_all_edges(width: int, height: int) -> None:
    seen = np.zeros((height, width), bool)
    for tile in edge_tiles(np.zeros((height, width, 3), np.uint8)):
        left, top = int(max(tile.x, 0)), int(max(tile.y, 0))
        seen[top : int(tile.bottom), left : int(tile.right)] = True
    assert all(edge.all() for edge in (seen[0], seen[-1], seen[:, 0], seen[:, -1]))
