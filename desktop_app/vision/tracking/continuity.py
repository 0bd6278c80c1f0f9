"""Whether the face at a place is still the one that was there: by its pixels, whatever the light does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.geometry import Box, Point

_SIDE: Final = 32
"""Side of a face's box in pixels of its view."""
_REACH: Final = 8
"""How far a face may be from where the detector puts it, in pixels of its view: boxes jump, faces do not."""
_WINDOW: Final = _SIDE + 2 * _REACH
_INSIDE: Final = slice(_REACH, _REACH + _SIDE)
_DETAIL: Final = 9
"""In pixels of the view: what is larger than this is light and shade, which may change at once."""
_SAME_SIZE: Final = 0.05
_BLOCK: Final = 10
_BLOCK_REACH: Final = 2
_BLOCKS: Final = (1, 11, 21)
SAME_FACE: Final = 0.55
"""Correlation of the details of two views of one face, at the least; of 800 pairs of different faces 0.4 % had more."""
RETURNED_FACE: Final = 0.65
"""The same for a face that is found elsewhere than it was lost."""
SAME_BLOCKS: Final = 0.84
"""The same for the best third of a face's nine blocks, where something came before the others."""
_LEAST_CONTRAST: Final = 5.0
"""Standard deviation in grey levels (0 to 255) below which a face is too dark or too pale to compare."""
_BLOWN_OUT: Final = 250
_LARGEST_GLARE: Final = 0.3 * _SIDE**2
"""The number of blown out pixels above which a face cannot be compared, as in the light of a flash."""
_REMEMBERED: Final = 2
_REMEMBER_EVERY_S: Final = 0.4
"""Some older views are kept: what covers a face in the newest one need not have covered it then."""


@dataclass(frozen=True, slots=True)
class FaceView:
    """The details of a face and its surroundings in one frame.

    Attributes:
        window: 48×48 float32 grey levels, without what is larger than a few of these pixels; the face's box fills the
            32×32 pixels in the middle.
        center: of that box, in pixels of the frame.
        size: side of that box in pixels of the frame.
    """

    window: NDArray[np.float32]
    center: Point
    size: float


class FaceContinuity:
    """Detects when the face of a track has become another one: at a cut, at the same place.

    A frame in which a face is unlike all its views is doubtful; it is another face if the next one that shows enough is
    unlike them, too, and like the doubtful one. So the frames of a flash or a swish of the camera are no cut. Darkness,
    as in a fade, and glare are waited out.

    Args:
        image: H×W×3 uint8, BGR: the frame in which the face was first seen.
        box: its box, in pixels of the image.
        at: moment of the frame in seconds.
    """

    __slots__ = ("_doubtful", "_newest", "_older", "_remembered_at", "checked_at")

    def __init__(self, image: NDArray[np.uint8], box: Box, at: float) -> None:
        self.checked_at = at
        self._newest = view_face(image, box)
        self._older: list[FaceView] = []
        self._remembered_at = -math.inf
        self._doubtful: FaceView | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether the last frame looked at showed a face that may be another one."""
        return self._doubtful is not None

    def goes_on(self, image: NDArray[np.uint8], box: Box, at: float) -> bool:
        """Look at the face of the next frame; False where it is another one, and this object has done its duty.

        Args:
            image: H×W×3 uint8, BGR.
            box: of the face, in pixels of the image.
            at: moment of the frame in seconds.
        """
        self.checked_at = at
        seen = view_face(image, box)
        if seen is None:
            return True
        views = self._views
        if not views or any(is_same_face(view, seen, image) for view in views):
            self._take_in(seen, at)
            return True
        if any(_is_alike(view, _details(_sample(image, view.center, view.size))) for view in views):
            # The face is still where it was: only its box has jumped.
            self._doubtful = None
            return True
        confirmed = self._doubtful is not None and is_same_face(self._doubtful, seen, image)
        self._doubtful = seen
        return not confirmed

    def comes_back(self, image: NDArray[np.uint8], box: Box, at: float) -> bool:
        """Look whether a face elsewhere is the one that was lost a moment ago, and continue it if so.

        Args:
            image: H×W×3 uint8, BGR.
            box: of the face, in pixels of the image.
            at: moment of the frame in seconds.
        """
        seen = view_face(image, box)
        if seen is None or not any(
            _fit(view, window)[0] >= RETURNED_FACE for view in self._views for window in _windows(view, seen, image)
        ):
            return False
        self._take_in(seen, at)
        return True

    @property
    def _views(self) -> list[FaceView]:
        return self._older if self._newest is None else [self._newest, *self._older]

    def _take_in(self, seen: FaceView, at: float) -> None:
        self._newest, self._doubtful = seen, None
        if at - self._remembered_at >= _REMEMBER_EVERY_S:
            self._older = [seen, *self._older][:_REMEMBERED]
            self._remembered_at = at


def view_face(image: NDArray[np.uint8], box: Box) -> FaceView | None:
    """Look at a face.

    Args:
        image: H×W×3 uint8, BGR.
        box: of the face in pixels of the image; it may be partly outside of it.

    Returns:
        What can be compared with later frames; None where the picture shows too little: too dark, too pale, or empty.
    """
    if not box.size > 0:
        return None
    grey = _sample(image, box.center, box.size)
    face = grey[_INSIDE, _INSIDE]
    if float(face.std()) < _LEAST_CONTRAST or int(np.count_nonzero(face >= _BLOWN_OUT)) > _LARGEST_GLARE:
        return None
    return FaceView(_details(grey), box.center, box.size)


def is_same_face(before: FaceView, now: FaceView, image: NDArray[np.uint8]) -> bool:
    """Whether a face is the one that was seen a moment before.

    Faces are compared by their details, at the place where these fit best: brightness, contrast, the colour of the
    light and a box that is a little off do not count, and neither does what covers two thirds of the face.

    Args:
        before: the face a moment ago.
        now: the face in the image.
        image: H×W×3 uint8, BGR.
    """
    return any(_is_alike(before, window) for window in _windows(before, now, image))


def _windows(before: FaceView, now: FaceView, image: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """The face now, at the size of its box, and where that differs at the size it had: boxes vary more than faces."""
    yield now.window
    if abs(now.size / before.size - 1) >= _SAME_SIZE:
        yield _details(_sample(image, now.center, before.size))


def _is_alike(before: FaceView, window: NDArray[np.float32]) -> bool:
    best, x, y = _fit(before, window)
    return best >= SAME_FACE or _compare_blocks(before.window[_INSIDE, _INSIDE], window, x, y) >= SAME_BLOCKS


def _fit(before: FaceView, window: NDArray[np.float32]) -> tuple[float, int, int]:
    """How well a face fits into a window of another frame, and where."""
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(window, before.window[_INSIDE, _INSIDE], cv2.TM_CCOEFF_NORMED))
    return best, x, y


def _compare_blocks(before: NDArray[np.float32], window: NDArray[np.float32], x: int, y: int) -> float:
    """Third best correlation of the blocks of a face with what is about their place in a window of another frame."""
    found = []
    for top in _BLOCKS:
        for left in _BLOCKS:
            block = before[top : top + _BLOCK, left : left + _BLOCK]
            from_y, from_x = max(y + top - _BLOCK_REACH, 0), max(x + left - _BLOCK_REACH, 0)
            around = window[from_y : y + top + _BLOCK + _BLOCK_REACH, from_x : x + left + _BLOCK + _BLOCK_REACH]
            found.append(float(cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED).max()))
    return sorted(found)[-3]


def _sample(image: NDArray[np.uint8], center: Point, size: float) -> NDArray[np.uint8]:
    """A face whose box has that size, and what is around it, as grey levels; beyond the picture's edges as at them."""
    side = size * _WINDOW / _SIDE
    step = max(int(side / (2 * _WINDOW)), 1)
    height, width = image.shape[:2]
    left, top = round(center.x - side / 2), round(center.y - side / 2)
    right, bottom = max(round(left + side), left + 1), max(round(top + side), top + 1)
    # One channel does: it is green, to which the eye's grey owes most.
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        pixels = np.ascontiguousarray(image[top:bottom:step, left:right:step, 1])
    else:
        rows, columns = np.arange(top, bottom, step), np.arange(left, right, step)
        pixels = image[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1), 1]
    return np.asarray(cv2.resize(pixels, (_WINDOW, _WINDOW), interpolation=cv2.INTER_AREA), np.uint8)


def _details(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    blurred = cv2.blur(grey, (_DETAIL, _DETAIL), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(grey, blurred, dtype=cv2.CV_32F), np.float32)
