"""Which parts of each frame hide its faces: more eager, and longer, than what faces are labelled by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, scaled, shifted
from desktop_app.vision.geometry import Box
from desktop_app.vision.tracking.tracker import Track, Tracker

MIN_SCORE: Final = 0.3
"""What is less likely a face than that is not hidden. Independent of what the user wants labelled."""
KEPT_S: Final = 1.3
"""A face that is not found any more stays hidden for so long, and a second at the least."""
LONGEST_STEP_S: Final = 0.1
"""Of the time that passes between two frames no more counts: a slow source must not bring a face back sooner."""
TURNS: Final = 8
"""All edges are looked at within so many frames of a live picture: about a quarter of a second."""

_WORKING_SIDE: Final = 1280
"""Longer side of the picture in which is looked; smaller ones are taken as they are."""
_LOOK_SIDE: Final = 256
"""Longer side of what is handed to a detector, whose own input has 128 or 192 pixels."""
_BEYOND: Final = 0.1
"""How far a look at the whole picture reaches beyond its edges, over its longer side."""
_TILE_SIDE: Final = 0.5
"""Side of a tile over the shorter side of the picture."""
_TILE_BEYOND: Final = 0.3
"""How far a tile reaches beyond the picture, over its own side."""
_TILE_STEP: Final = 0.75
"""From one tile to the next, over a tile's side."""


class FaceCover(Closeable):
    """Finds what must be hidden in a frame, and keeps it hidden for a while.

    Both of MediaPipe's models look at every frame, with more patience for doubtful faces than
    where faces are labelled. The short-range one also looks at tiles along the edges. Beyond an edge is the
    mirror image of the picture: half a face and its reflection make a whole one, which the models know, while
    they miss most faces that end at an edge or at a plain border.

    A face that is not found any more stays hidden where it was last and where it is expected, in ever larger areas.

    Not thread-safe: create, use and close it on one thread.
    """

    def __init__(self) -> None:
        with ExitStack() as stack:
            self._short = stack.enter_context(BlazeFaceDetector("short", min_score=MIN_SCORE))
            self._full = stack.enter_context(BlazeFaceDetector("full", min_score=MIN_SCORE))
            self._open = stack.pop_all()
        # A false face costs nothing but a patch: none is given up sooner.
        self._tracker = Tracker(max_missed_s=KEPT_S, young_hits=0)
        self._last_seen: dict[int, Box] = {}
        self._at: float | None = None
        self._clock_s = 0.0
        self._turn = 0

    def cover(
        self, image: NDArray[np.uint8], at: float, tracks: Sequence[Track], *, thorough: bool = False
    ) -> tuple[Box, ...]:
        """What to hide in the next frame.

        Args:
            image: H×W×3 uint8, BGR.
            at: moment of the frame in seconds.
            tracks: the faces that are known of it anyway, in its pixels.
            thorough: look at all edges at once, where time does not matter. The first frame gets it in any case.

        Returns:
            Boxes of faces, as `hide_face` takes them, in pixels of `image`; they may reach beyond it.
        """
        thorough = thorough or self._at is None
        self._clock_s += min(max(at - self._at, 0.0), LONGEST_STEP_S) if self._at is not None else 0.0
        self._at = at
        known = [track.detection for track in tracks if track.missed == 0]
        covers = self._tracker.update([*known, *self._looked(image, thorough=thorough)], self._clock_s)
        self._last_seen.update({one.id: one.detection.box for one in covers if one.missed == 0})
        self._last_seen = {one.id: self._last_seen[one.id] for one in covers}
        coasting = [track.detection.box for track in tracks if track.missed]
        return (*(box for one in covers for box in self._areas(one)), *coasting)

    def reset(self) -> None:
        """Forget all faces, where the next frame has nothing to do with the last one."""
        self._tracker.reset()
        self._last_seen.clear()
        self._at = None

    def close(self) -> None:
        """Free the models; the cover cannot be used afterwards."""
        self._open.close()

    def _areas(self, cover: Track) -> list[Box]:
        if not cover.missed:
            return [cover.detection.box]
        growth = 1 + min(cover.missed_s, 1.0) / 2
        return [_grown(box, growth) for box in (self._last_seen[cover.id], cover.detection.box)]

    def _looked(self, image: NDArray[np.uint8], *, thorough: bool) -> list[Detection]:
        factor = max(max(image.shape[:2]) / _WORKING_SIDE, 1.0)
        if factor > 1:
            size = (max(round(image.shape[1] / factor), 1), max(round(image.shape[0] / factor), 1))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        whole = _square_around(image)
        found = _look([self._short, self._full], image, whole)
        tiles = list(edge_tiles(image))
        if not thorough:
            tiles = tiles[self._turn :: TURNS]
            self._turn = (self._turn + 1) % TURNS
        for tile in tiles:
            found += _look([self._short], image, tile)
        return [scaled(one, factor) for one in found]


def edge_tiles(image: NDArray[np.uint8]) -> Iterator[Box]:
    """Overlapping square tiles along the edges of a picture (H×W×3), in its pixels, which reach beyond it.

    A picture whose tiles would be smaller than 16 pixels has none.
    """
    height, width = image.shape[:2]
    side = round(_TILE_SIDE * min(height, width))
    if side < 16:
        return
    beyond = round(_TILE_BEYOND * side)
    lefts, tops = (
        np.linspace(-beyond, length + beyond - side, math.ceil((length + 2 * beyond) / (_TILE_STEP * side)))
        for length in (width, height)
    )
    for x in lefts:
        for y in (tops[0], tops[-1]):
            yield Box(float(round(x)), float(round(y)), side, side)
    for y in tops[1:-1]:
        for x in (lefts[0], lefts[-1]):
            yield Box(float(round(x)), float(round(y)), side, side)


def _square_around(image: NDArray[np.uint8]) -> Box:
    """The whole picture and a border: the models look at squares anyway."""
    height, width = image.shape[:2]
    side = round((1 + 2 * _BEYOND) * max(height, width))
    return Box(-((side - width) // 2), -((side - height) // 2), side, side)


def _look(detectors: Sequence[BlazeFaceDetector], image: NDArray[np.uint8], region: Box) -> list[Detection]:
    """The faces in a square region, in pixels of `image`; beyond the picture is its mirror image."""
    height, width = image.shape[:2]
    left, top, right, bottom = (int(edge) for edge in (region.x, region.y, region.right, region.bottom))
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    factor = max(region.width / _LOOK_SIDE, 1.0)
    size = (max(round(inside.shape[1] / factor), 1), max(round(inside.shape[0] / factor), 1))
    # Of large pictures every second row and column will do, or fewer: averaging all takes as long as looking.
    step = max(int(factor) // 2, 1)
    small = cv2.resize(inside[::step, ::step], size, interpolation=cv2.INTER_AREA)
    borders = [round(max(one, 0) / factor) for one in (-top, bottom - height, -left, right - width)]
    above, below, before, behind = borders
    padded = cv2.copyMakeBorder(small, above, below, before, behind, cv2.BORDER_REFLECT)
    found = [face for one in detectors for face in one.detect(np.asarray(padded, np.uint8))]
    moved = (scaled(shifted(one, -before, -above), factor) for one in found)
    placed = (shifted(one, max(left, 0), max(top, 0)) for one in moved)
    frame = Box(0, 0, width, height)
    return [one for one in placed if one.box.iou(frame) > 0]


def _grown(box: Box, factor: float) -> Box:
    x, y = box.center
    return Box(x - box.width * factor / 2, y - box.height * factor / 2, box.width * factor, box.height * factor)
