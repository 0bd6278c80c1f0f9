"""Far faces of moving pictures: looked for now and then where something has changed, beside the frames' way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import product
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import Detection, shifted
from desktop_app.vision.detection.centerface import BORDER, OVERLAP, CenterFaceDetector, tile_starts
from desktop_app.vision.detection.look_thread import look_executor
from desktop_app.vision.detection.optical_flow import follow_through
from desktop_app.vision.detection.still_faces import are_upright, find_still_faces
from desktop_app.vision.geometry import Box
from desktop_app.vision.lighting import lightened

LOOK_EVERY_S: Final = 0.9
"""From one look to the next: what is new is there within a second."""
LOST_AFTER_S: Final = 0.3
"""The next look is due sooner where a far face was lost."""
CLOSE_EVERY_S: Final = 1.8
"""One close view is looked at in so many seconds, where everything moves; what was saved up, as in a calm picture, may
be spent at once."""
RARELY_S: Final = 10.0
"""From one look to the next at what has not changed, or only about a near face, where its head moves."""

WHOLE, ODD = -2, -1
"""The views of the whole picture, as it is, and turned as well; close views have numbers from 0."""

_PIXELS: Final = 640 * 360
"""To so many pixels a frame is shrunk to be looked at as a whole: 25 ms of one core. Most faces of less than 24 pixels
in that are missed."""
_CLOSE_PIXELS: Final = 1280 * 720
"""The same for close views, of which each is a part of that."""
_TILE: Final = 544
_CLOSE_SCORE: Final = 0.55
"""Clothes and textures that score a little less are taken for small faces; 3 of 100 faces of 24 pixels do, too."""
_APART_S: Final = 0.06
"""Live, from one view of a look to the next, so that new faces are labelled meanwhile, on two cores."""
_FRAMES: Final = 2
"""Where every frame counts, as offline, a look takes so many frames: always the same, whatever the machine's speed."""
_THUMBNAIL_SIDE: Final = 80
_CHANGE: Final = 8
"""Grey levels by which a pixel of the thumbnail has changed; a face of 24 pixels in 1280×720 is larger than one."""


@dataclass(frozen=True, slots=True)
class FarLook:
    """What came of a look.

    Attributes:
        faces: those that were found, in pixels of the present frame, each with the view that found it.
        views: those that were looked at: what they saw before and do not see now may be gone.
    """

    faces: Sequence[tuple[Detection, int]]
    views: frozenset[int]


@dataclass(slots=True)
class _View:
    """A part of the picture, its box in shares of that, and what it was like when it was looked at."""

    number: int
    part: Box
    thumbnail: NDArray[np.int16] | None = None
    looked_at: float = -math.inf

    def region(self, height: int, width: int) -> tuple[slice, slice]:
        """Its rows and columns in a picture of this size."""
        top, bottom = round(self.part.y * height), min(round(self.part.bottom * height), height)
        left, right = round(self.part.x * width), min(round(self.part.right * width), width)
        return slice(top, bottom), slice(left, right)

    def is_due(self, thumbnail: NDArray[np.int16], hidden: NDArray[np.bool_], at: float) -> bool:
        """Whether it is worth a look."""
        if self.thumbnail is None or not 0 <= at - self.looked_at < RARELY_S:
            return True
        region = self.region(*thumbnail.shape)
        changed = np.abs(thumbnail[region] - self.thumbnail[region]) >= _CHANGE
        return bool((changed & ~hidden[region]).any())


class _Views:
    """All views of pictures of one size, and which of them are due."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.shape = image.shape
        self.pending: list[_View] = []
        self.is_odd = False
        """The last look at the turned picture found something."""
        self._all = _views_of(image)
        self._saved = len(self._all) - 1.0
        self._at = math.inf

    def forget(self, numbers: Collection[int]) -> None:
        """Take these views for ones that were never looked at."""
        for view in self._all:
            if view.number in numbers:
                view.thumbnail = None

    def schedule(self, thumbnail: NDArray[np.int16], at: float, near: Iterable[Box], *, upright: bool) -> None:
        """Put what is due into `pending`."""
        hidden = _hidden(thumbnail.shape, self.shape, near)
        due = [
            view for view in self._all if view.is_due(thumbnail, hidden, at) and not (view.number == ODD and upright)
        ]
        often = {WHOLE, ODD} if self.is_odd else {WHOLE}
        self._saved = min(self._saved + max(at - self._at, 0) / CLOSE_EVERY_S, len(self._all) - 1)
        self._at = at
        others = sorted((view for view in due if view.number not in often), key=lambda view: view.looked_at)
        new = sum(math.isinf(view.looked_at) for view in others)
        others = others[: new + int(self._saved)]
        self._saved -= len(others) - new
        self.pending = [view for view in due if view.number in often] + others


class FarFaceLooker(Closeable):
    """Looks for far faces on a thread of its own while the frames go on.

    A look is at the whole picture, shrunk, or close at a part of it, for tiny faces; where less than half of the known
    faces are surely upright, also at the turned picture. What has not changed since it was looked at is hardly ever
    looked at again.

    Args:
        detector: what looks; not owned.
        live: take what was found as soon as it is there, view by view. Otherwise all views that are due are looked at
            together and taken two frames later, and waited for, so that the same frames give the same faces.
        threaded: otherwise a look takes place while it is begun; what is found is the same.
    """

    def __init__(self, detector: CenterFaceDetector, *, live: bool, threaded: bool = True) -> None:
        self._detector, self._live = detector, live
        self._thread = look_executor("far faces", threaded=threaded, background=live)
        self._views: _Views | None = None
        self._looked_at = self._begun_at = 0.0
        self._lost: set[int] = set()
        self._look: Future[tuple[FarLook, int]] | None = None
        self._since: list[NDArray[np.uint8]] = []

    def go_on(
        self, image: NDArray[np.uint8], *, grey: Callable[[], NDArray[np.uint8]], lost: Collection[int]
    ) -> FarLook | None:
        """Go on to the next frame; if a look `is_due` at it, `begin` that next.

        Args:
            image: H×W×3 uint8, BGR.
            grey: makes the frame's `small_grey`; asked for only where it is needed.
            lost: the views that saw faces which were lost in this frame.

        Returns:
            What a look has found; None where none has ended, or nothing had to be looked at.
        """
        if self._views is not None and self._views.shape != image.shape:
            self.reset()
        found = self._result(image, grey)
        if self._views is None:
            self._views = _Views(image)
            self._looked_at = -math.inf
        self._lost.update(lost)
        return found

    def is_due(self, at: float) -> bool:
        """Whether a look is due at the present frame, of that moment in seconds."""
        if self._look is not None:
            return False
        if self._views is not None and self._views.pending:
            return not 0 <= at - self._begun_at < _APART_S
        return not 0 <= at - self._looked_at < (LOST_AFTER_S if self._lost else LOOK_EVERY_S)

    def begin(
        self,
        image: NDArray[np.uint8],
        at: float,
        *,
        grey: NDArray[np.uint8],
        near: Sequence[Box],
        upright: bool,
        doubtful: Collection[int],
    ) -> None:
        """Begin a look at the frame that `go_on` went on to.

        Args:
            image: H×W×3 uint8, BGR; kept while it is looked at, so nobody may write into it.
            at: moment of the frame in seconds.
            grey: the frame's `small_grey`.
            near: boxes of faces that are found without CenterFace.
            upright: at least half of the known faces are surely upright.
            doubtful: the views that saw faces which nothing sees any more. They are due though nothing has changed but
                near faces: one of these may have come before such a face, which is then followed on it.
        """
        assert self._views is not None
        if not self._views.pending:
            self._looked_at = at
        self._begun_at = at
        self._views.forget({*self._lost, *doubtful})
        self._lost.clear()
        self._since = [grey]
        self._look = self._thread.submit(self._found, self._views, image, at, near, upright, self._since)

    def reset(self) -> None:
        """Drop the present look and begin the next one with the next frame."""
        self._views = self._look = None
        self._lost.clear()

    def close(self) -> None:
        """End the thread."""
        self.reset()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _result(self, image: NDArray[np.uint8], grey: Callable[[], NDArray[np.uint8]]) -> FarLook | None:
        if self._look is None:
            return None
        self._since.append(grey())
        if not (self._look.done() if self._live else len(self._since) > _FRAMES):
            return None
        (found, frames), self._look = self._look.result(), None
        return _followed(found, self._since[frames - 1 :], image.shape) if found.views else None

    # From here on, on the thread that looks.

    def _found(
        self,
        views: _Views,
        image: NDArray[np.uint8],
        at: float,
        near: Sequence[Box],
        upright: bool,
        since: Sequence[NDArray[np.uint8]],
    ) -> tuple[FarLook, int]:
        """Look, and follow what was found through the frames that came meanwhile; their number, too."""
        found = self._find(views, image, at, near, upright)
        # Here rather than before the next frame, which waits for each of them: one of sixty faces takes 4 ms.
        frames = list(since)
        return _followed(found, frames, image.shape), len(frames)

    def _find(self, views: _Views, image: NDArray[np.uint8], at: float, near: Sequence[Box], upright: bool) -> FarLook:
        """Look at what is due: live at one view, otherwise at all."""
        thumbnail = _thumbnail(image)
        if not views.pending:
            views.schedule(thumbnail, at, near, upright=upright)
        faces: list[tuple[Detection, int]] = []
        looked: set[int] = set()
        while views.pending and not (self._live and looked):
            view = views.pending.pop(0)
            if view.number == ODD and (upright or are_upright([face for face, _ in faces])):
                views.is_odd = False
                continue
            view.thumbnail, view.looked_at = thumbnail, at
            found = [(face, view.number) for face in self._seen(view, image)]
            # The turned picture's landmarks come first: of turned faces the other views' are often wrong.
            faces = [*found, *faces] if view.number == ODD else [*faces, *found]
            looked.add(view.number)
            if view.number == ODD:
                views.is_odd = bool(found)
        return FarLook(faces, frozenset(looked))

    def _seen(self, view: _View, image: NDArray[np.uint8]) -> list[Detection]:
        """The faces of a view, in pixels of the picture."""
        if view.number == WHOLE:
            return self._detector.detect(image, _PIXELS, borders=(0, 0, 0, 0))
        if view.number == ODD:
            return find_still_faces(self._detector, image, close=False)
        rows, columns = view.region(*image.shape[:2])
        part, factor, (height, width) = image[rows, columns], _factor(image), image.shape[:2]
        ends = (rows.start == 0, rows.stop == height, columns.start == 0, columns.stop == width)
        top, bottom, left, right = (BORDER * end for end in ends)
        pixels = part.shape[0] * part.shape[1] / factor**2
        found = self._detector.detect(part, pixels, borders=(top, bottom, left, right))
        faces = [shifted(face, columns.start, rows.start) for face in found if face.score >= _CLOSE_SCORE]
        return [
            face
            for face in faces
            if face.box.size <= OVERLAP * factor and _is_whole(face.box, rows, columns, image, factor)
        ]


def _followed(found: FarLook, frames: Sequence[NDArray[np.uint8]], shape: tuple[int, ...]) -> FarLook:
    """What was found in the first of some frames, as it is in the last one; see `follow_through`."""
    moved = follow_through(frames, [face for face, _ in found.faces], shape)
    faces = [(face, view) for face, (_, view) in zip(moved, found.faces, strict=True) if face is not None]
    return FarLook(faces, found.views)


def _views_of(image: NDArray[np.uint8]) -> list[_View]:
    """The views of pictures of this size."""
    height, width = image.shape[:2]
    factor = _factor(image)
    parts: list[Box] = []
    if height * width > _PIXELS:
        down, across = (_parts(side / factor) for side in (height, width))
        parts = [Box(left, top, right - left, bottom - top) for (top, bottom), (left, right) in product(down, across)]
    whole = Box(0, 0, 1, 1)
    return [_View(WHOLE, whole), *(_View(number, part) for number, part in enumerate(parts)), _View(ODD, whole)]


def _parts(length: float) -> list[tuple[float, float]]:
    """Where the close views along one side begin and end, in shares of it."""
    starts, size = tile_starts(round(length) + 2 * BORDER, _TILE)
    return [(max(start - BORDER, 0) / length, min((start - BORDER + size) / length, 1)) for start in starts]


def _factor(image: NDArray[np.uint8]) -> float:
    """By which a picture is shrunk for close views."""
    return max(math.sqrt(image.shape[0] * image.shape[1] / _CLOSE_PIXELS), 1.0)


def _is_whole(box: Box, rows: slice, columns: slice, image: NDArray[np.uint8], margin: float) -> bool:
    """Whether a face is not cut by the edge of a part; at the picture's edge it may be."""
    height, width = image.shape[:2]
    return bool(
        (columns.start == 0 or box.x > columns.start + margin)
        and (rows.start == 0 or box.y > rows.start + margin)
        and (columns.stop == width or box.right < columns.stop - margin)
        and (rows.stop == height or box.bottom < rows.stop - margin)
    )


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.int16]:
    """A small grey picture, lightened where it is dark."""
    height, width = image.shape[:2]
    step = max(max(height, width) // (4 * _THUMBNAIL_SIDE), 1)
    factor = max(max(height, width) / _THUMBNAIL_SIDE, 1.0)
    size = max(round(width / factor), 1), max(round(height / factor), 1)
    small = cv2.resize(image[::step, ::step], size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(lightened(np.asarray(small, np.uint8)), cv2.COLOR_BGR2GRAY).astype(np.int16)


def _hidden(shape: tuple[int, ...], size: tuple[int, ...], near: Iterable[Box]) -> NDArray[np.bool_]:
    """Where the heads of near faces are, in a thumbnail."""
    hidden = np.zeros(shape, bool)
    scale = shape[1] / size[1]
    for box in (one.scaled(scale) for one in near):
        left, right = math.floor(box.x - box.width / 2), math.ceil(box.right + box.width / 2)
        top, bottom = math.floor(box.y - box.height / 2), math.ceil(box.bottom + box.height / 2)
        hidden[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return hidden
