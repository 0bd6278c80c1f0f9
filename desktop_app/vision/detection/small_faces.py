"""Detection of small faces in tiles and zooms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, shifted
from desktop_app.vision.detection.optical_flow import find_patch, patch_of
from desktop_app.vision.geometry import Box

SAME_FACE_IOU: Final = 0.3
TILE_EVERY: Final = 6
"""In moving pictures one tile is looked at every so many frames: all six of a wide picture within about a second."""
ZOOMS: Final = 2
"""Small faces that are looked at closely in one frame; the others have their turn in the next ones."""

_OVERLAP: Final = 0.09
"""Of two tiles, over the picture's longer side: larger faces are found in the whole picture."""
_ASIDE: Final = 0.06
_UNSURE_SHARE: Final = 0.09
_SURE_SCORE: Final = 0.75
"""In a whole picture the full-range model takes patterns, and surroundings of smaller faces, for faces of up to this
share of the picture's longer side, with scores below this."""
_CONFIRMED_SCORE: Final = 0.75
"""Of a close look; later looks at a known face may score less."""
_LARGEST_SHARE: Final = 0.14
"""From this size on the short-range model sees a face without a closer look."""
_TILE_SIDE: Final = (1 + 2 * _OVERLAP) / 3
_MIN_TILED_SIDE: Final = 640
"""In smaller pictures the faces that only tiles would find have too few pixels to say anything about."""
_MIN_FACE: Final = 20.0
_ZOOM: Final = 3.5
"""Side of a zoom over that of the face: the short-range model wants surroundings."""
_KEPT_LOOKS: Final = 8
"""A small face that so many close looks in a row missed is forgotten."""


@dataclass(slots=True)
class _Known:
    """A small face, its pixels when it was last found, and how often it was not looked at and not found since."""

    detection: Detection
    patch: NDArray[np.uint8]
    waited: int = 0
    misses: int = 0


class SmallFaceFinder:
    """Finds small faces in moving pictures at little cost a frame.

    One tile of the picture is looked at every sixth frame by the full-range model; what it finds must be confirmed
    by a close look of the short-range model, for the full-range one takes parts of faces and patterns for tiny
    faces. Known faces get a close look in turn, and are followed by their pixels in between.

    Args:
        short: for close looks; not owned.
        full: for tiles; not owned.
    """

    def __init__(self, short: BlazeFaceDetector, full: BlazeFaceDetector) -> None:
        self._short, self._full = short, full
        self._known: list[_Known] = []
        self._next_tile = 0
        self._until_tile = 0

    def find(
        self,
        image: NDArray[np.uint8],
        found: Sequence[Detection],
        *,
        unsure: Sequence[Detection] = (),
        near: Sequence[Box] = (),
        tile: bool = True,
    ) -> list[Detection]:
        """Find the small faces in the next frame.

        Args:
            image: H×W×3 uint8, BGR.
            found: what a look at the whole picture found.
            unsure: what of that needs to be confirmed.
            near: where faces are expected.
            tile: whether a tile may be looked at; False in a frame that was dear already.

        Returns:
            Faces that are not in `found`, each once.
        """
        self._known = [one for one in self._known if not _is_found(one.detection.box, found)]
        faces = self._stay_with_known(image, found)
        looks = ZOOMS - min(len(faces), ZOOMS)
        faces += self.confirm(image, unsure[:looks], [*found, *faces])
        if looks > 0:
            faces += self._look_where_expected(image, [*found, *faces], near)
        self._until_tile -= 1
        # A frame in which nothing else is looked at is a better one for it: there may be one next.
        if tile and self._until_tile < 0:
            faces += self._look_at_next_tile(image, [*found, *faces])
        return faces

    def pass_time(
        self, image: NDArray[np.uint8], before: Sequence[Detection], now: Sequence[Detection]
    ) -> list[Detection]:
        """Take in a frame in which faces were followed, and look at a tile of it if one is due.

        Args:
            image: H×W×3 uint8, BGR.
            before: the faces of the last frame, those that `find` gave among them.
            now: the same faces in this frame, in the same order.

        Returns:
            As `find`.
        """
        moved = {id(old): new for old, new in zip(before, now, strict=True)}
        for one in self._known:
            one.detection = moved.get(id(one.detection), one.detection)
        self._until_tile -= 1
        return self._look_at_next_tile(image, now) if self._until_tile <= 0 else []

    def confirm(
        self, image: NDArray[np.uint8], unsure: Sequence[Detection], found: Sequence[Detection]
    ) -> list[Detection]:
        """Look closely at what may be faces; those that are, and are not in `found`, are remembered and returned."""
        faces: list[Detection] = []
        for candidate in unsure:
            if _is_new(candidate, [*found, *faces]):
                face = self._look_closely(image, candidate.box, min_score=_CONFIRMED_SCORE)
                if face is not None and _is_new(face, [*found, *faces]):
                    faces.append(face)
        self.remember(image, faces)
        return faces

    def reset(self) -> None:
        """Forget the faces, at a cut or a new source."""
        self._known = []
        self._next_tile = 0
        self._until_tile = 0

    def _stay_with_known(self, image: NDArray[np.uint8], found: Sequence[Detection]) -> list[Detection]:
        """Look closely at those that have waited longest, and follow the others by their pixels."""
        faces: list[Detection] = []
        looks = ZOOMS
        for one in sorted(self._known, key=lambda known: -known.waited):
            if _is_found(one.detection.box, faces):
                one.misses = _KEPT_LOOKS
                continue
            followed = None
            if looks == 0:
                one.waited += 1
                followed = find_patch(image, one.patch, one.detection)
                if followed is not None:
                    one.detection = followed
            else:
                looks -= 1
                one.waited = 0
                followed = self._look_closely(image, one.detection.box)
                if followed is not None and _is_new(followed, [*found, *faces]):
                    one.detection, one.patch, one.misses = followed, patch_of(image, followed.box), 0
                else:
                    followed = None
                    one.misses += 1
            if followed is not None:
                faces.append(followed)
        self._known = [one for one in self._known if one.misses < _KEPT_LOOKS]
        return faces

    def _look_where_expected(
        self, image: NDArray[np.uint8], found: Sequence[Detection], near: Sequence[Box]
    ) -> list[Detection]:
        """A close look at one small face that the caller misses and nobody here knows of."""
        limit = _LARGEST_SHARE * max(image.shape[:2])
        for box in near:
            known = any(box.iou(one.detection.box) > 0 for one in self._known)
            if not known and _MIN_FACE <= box.size <= limit and not _is_found(box, found):
                face = self._look_closely(image, box, min_score=_CONFIRMED_SCORE)
                if face is not None and _is_new(face, found):
                    self.remember(image, [face])
                    return [face]
                break
        return []

    def _look_at_next_tile(self, image: NDArray[np.uint8], found: Sequence[Detection]) -> list[Detection]:
        self._until_tile = TILE_EVERY - 1
        tiles = list(tiles_of(image))
        if not tiles:
            return []
        turn, number = divmod(self._next_tile, len(tiles))
        self._next_tile += 1
        # A little aside in the next turns: what the model missed it may see there, even where nothing moves.
        aside = (0.0, 1.0, -1.0)[turn % 3] * _ASIDE * tiles[number].width
        return self._look_at_tile(image, tiles[number].shifted(aside, aside), found)

    def _look_at_tile(self, image: NDArray[np.uint8], tile: Box, found: Sequence[Detection]) -> list[Detection]:
        unsure = [one for one in self._looked(self._full, image, tile) if is_small(one, image)]
        return self.confirm(image, unsure, found)

    def _look_closely(self, image: NDArray[np.uint8], box: Box, *, min_score: float = 0.0) -> Detection | None:
        """The face that is about where the box is, None where there is none."""
        side = _ZOOM * box.size
        region = Box(box.center.x - side / 2, box.center.y - side / 2, side, side)
        faces = [
            one
            for one in self._looked(self._short, image, region)
            if one.score >= min_score
            and 0.5 < one.box.size / box.size < 2
            and math.dist(one.box.center, box.center) < 0.8 * box.size
        ]
        return min(faces, key=lambda one: math.dist(one.box.center, box.center), default=None)

    def _looked(self, detector: BlazeFaceDetector, image: NDArray[np.uint8], region: Box) -> list[Detection]:
        """The faces in a part of the picture, in pixels of the picture; those that its border cuts are left out."""
        left, top = max(math.floor(region.x), 0), max(math.floor(region.y), 0)
        right, bottom = min(math.ceil(region.right), image.shape[1]), min(math.ceil(region.bottom), image.shape[0])
        if left >= right or top >= bottom:
            return []
        return [
            shifted(one, left, top)
            for one in detector.detect(image[top:bottom, left:right])
            if (one.box.x > 1 or left == 0)
            and (one.box.y > 1 or top == 0)
            and (one.box.right < right - left - 1 or right == image.shape[1])
            and (one.box.bottom < bottom - top - 1 or bottom == image.shape[0])
        ]

    def knows(self, face: Detection) -> bool:
        """Whether it is a face that gets close looks."""
        return _is_found(face.box, [one.detection for one in self._known])

    def remember(self, image: NDArray[np.uint8], faces: Sequence[Detection]) -> None:
        """Stay with these faces in the next frames."""
        self._known = [one for one in self._known if not _is_found(one.detection.box, faces)]
        self._known += [_Known(face, patch_of(image, face.box)) for face in faces]


def is_small(face: Detection, image: NDArray[np.uint8]) -> bool:
    """Whether the short-range model does not see such a face in the whole picture, but does in a close look."""
    return bool(_MIN_FACE <= face.box.size <= _LARGEST_SHARE * max(image.shape[:2]))


def is_unsure(face: Detection, image: NDArray[np.uint8]) -> bool:
    """Whether a face that only the full-range model sees needs a close look to be believed."""
    return face.score < _SURE_SCORE and bool(_MIN_FACE <= face.box.size <= _UNSURE_SHARE * max(image.shape[:2]))


def tiles_of(image: NDArray[np.uint8]) -> Iterator[Box]:
    """Overlapping square tiles that cover the picture; none for a small picture."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer < _MIN_TILED_SIDE:
        return
    side = _TILE_SIDE * longer
    step = side - _OVERLAP * longer
    rows, columns = (max(math.ceil((length - side) / step - 1e-6), 0) + 1 for length in (height, width))
    for row in range(rows):
        for column in range(columns):
            x = column * (width - side) / max(columns - 1, 1) if columns > 1 else (width - side) / 2
            y = row * (height - side) / max(rows - 1, 1) if rows > 1 else (height - side) / 2
            yield Box(x, y, side, side)


def _is_found(box: Box, found: Sequence[Detection]) -> bool:
    return any(box.iou(one.box) >= SAME_FACE_IOU for one in found)


def _is_new(face: Detection, found: Sequence[Detection]) -> bool:
    """Whether it is neither a face that was found nor a part of one."""
    center = face.box.center
    return not any(
        other.box.iou(face.box) >= SAME_FACE_IOU
        or (
            other.box.x - 0.1 * other.box.width <= center.x <= other.box.right + 0.1 * other.box.width
            and other.box.y - 0.3 * other.box.height <= center.y <= other.box.bottom + 0.1 * other.box.height
            and other.box.area > 2 * face.box.area
        )
        for other in found
    )
