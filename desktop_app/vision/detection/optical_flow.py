"""Optical flow of faces between frames, much cheaper than detecting them again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detection.blazeface import Detection, shifted
from desktop_app.vision.lighting import dark_factor

_SIDE: Final = 640
"""Longer side in pixels of the grey picture in which faces are followed."""
_GRID: Final = np.stack(np.meshgrid((0.2, 0.5, 0.8), (0.2, 0.5, 0.8)), axis=-1).reshape(-1, 2)
"""Points to follow beside eyes, nose and mouth, in sides of the box from its top left corner."""
_WINDOW: Final = 11
_LEVELS: Final = 2
_AGREEMENT: Final = 0.04
"""How far a point may go from where the face goes, in sides of its box, to agree with it."""
_FINEST: Final = 0.5
"""In pixels of the grey picture: no point is known better."""
_AGREEING_SHARE: Final = 0.6
"""So many of a face's points must agree on where it went."""
_LARGEST_STEP: Final = 1.0
"""In sides of the box: what seems to go further has rather been mistaken."""
_LARGEST_CHANGE: Final = 20.0
"""Mean difference in grey levels (0 to 255) between a point's surroundings before and after: something came between."""


class OpticalFlowPropagator:
    """Follows faces from one frame to the next by sparse optical flow (Lucas and Kanade 1981, in pyramids).

    Not thread-safe; deterministic.
    """

    def __init__(self) -> None:
        self._faces: list[Detection] = []
        self._frame: NDArray[np.uint8] | None = None
        self._grey: NDArray[np.uint8] | None = None

    @property
    def faces(self) -> Sequence[Detection]:
        """The faces of the last frame, without those that were lost in it."""
        return self._faces

    def grey(self) -> NDArray[np.uint8]:
        """The last frame as `small_grey` makes it, once; there must be one."""
        assert self._frame is not None
        if self._grey is None:
            self._grey = small_grey(self._frame)
        return self._grey

    def take_in(self, image: NDArray[np.uint8], faces: Sequence[Detection]) -> None:
        """Start from a frame in which faces were looked for.

        Args:
            image: H×W×3 uint8, BGR; kept until the next frame, so nobody may write into it.
            faces: those in it, in its pixels.
        """
        grey = self._grey if image is self._frame else None
        self._frame, self._grey, self._faces = image, grey, list(faces)

    def narrow(self, faces: Sequence[Detection]) -> None:
        """Of the faces of the last frame, follow only these."""
        self._faces = list(faces)

    def follow(self, image: NDArray[np.uint8]) -> list[Detection | None]:
        """Find where the faces of the last frame are in the next one, which becomes the last one.

        Args:
            image: H×W×3 uint8, BGR; kept as in `take_in`.

        Returns:
            The faces, in their order, with the sizes and scores they had; None for each that may have gone elsewhere:
            it left, something came before it, or the frame has nothing to do with the last one.
        """
        if self._frame is None or self._frame.shape != image.shape:
            moved: list[Detection | None] = [None] * len(self._faces)
            after = None
        elif self._faces:
            before, after = self.grey(), small_grey(image)
            moved = _moved(before, after, self._faces, image.shape)
        else:
            moved, after = [], None
        self._frame, self._grey, self._faces = image, after, [face for face in moved if face is not None]
        return moved

    def reset(self) -> None:
        """Forget frame and faces."""
        self._frame = self._grey = None
        self._faces = []


def follow_through(
    frames: Sequence[NDArray[np.uint8]], faces: Sequence[Detection], shape: tuple[int, ...]
) -> list[Detection | None]:
    """Find where faces of the first of some frames are in the last one; as `follow`.

    Args:
        frames: all from the first to the last, as `small_grey` gives them.
        faces: those of the first one, in pixels of the frames themselves.
        shape: of the frames themselves.
    """
    places: list[Detection | None] = list(faces)
    for before, after in pairwise(frames):
        known = [number for number, face in enumerate(places) if face is not None]
        if not known:
            break
        moved = _moved(before, after, [face for face in places if face is not None], shape)
        for number, face in zip(known, moved, strict=True):
            places[number] = face
    return places


def _moved(
    before: NDArray[np.uint8], after: NDArray[np.uint8], faces: Sequence[Detection], shape: tuple[int, ...]
) -> list[Detection | None]:
    """The faces in the second of two grey pictures, in pixels of frames of a shape; None for each that got lost."""
    factor = dark_factor(before)
    if factor > 1:
        # In the dark nothing has contrast enough to be followed.
        before, after = (np.asarray(cv2.convertScaleAbs(grey, alpha=factor), np.uint8) for grey in (before, after))
    steps, sure = _steps(before, after, faces, after.shape[1] / shape[1])
    moved = [shifted(face, x, y) for face, (x, y) in zip(faces, steps.tolist(), strict=True)]
    return [face if known and _is_inside(face, shape) else None for face, known in zip(moved, sure, strict=True)]


def _steps(
    before: NDArray[np.uint8], after: NDArray[np.uint8], faces: Sequence[Detection], scale: float
) -> tuple[NDArray[np.float64], list[bool]]:
    """How far each face went between two grey pictures, N×2, and whether that can be relied on.

    The pictures are `scale` times as large as the one that the faces and the result are in pixels of.
    """
    sizes = np.array([face.box.size for face in faces])
    points = _points_of(faces)
    start = np.ascontiguousarray(scale * points.reshape(-1, 1, 2), np.float32)
    end, found, change = cv2.calcOpticalFlowPyrLK(
        before, after, start, np.empty_like(start), winSize=(_WINDOW, _WINDOW), maxLevel=_LEVELS
    )
    by_face = points.shape[:2]
    steps = (np.asarray(end, np.float64) - start).reshape(points.shape) / scale
    # Their median; there is one in the middle.
    step = np.sort(steps, axis=1)[:, steps.shape[1] // 2]
    astray = np.linalg.norm(steps - step[:, None], axis=2)
    agreed = (
        (found.reshape(by_face) > 0)
        & (change.reshape(by_face) < _LARGEST_CHANGE)
        & (astray < np.maximum(_AGREEMENT * sizes, _FINEST / scale)[:, None])
    )
    sure = (agreed.mean(axis=1) >= _AGREEING_SHARE) & (np.linalg.norm(step, axis=1) < _LARGEST_STEP * sizes)
    return np.asarray(step), [bool(one) for one in sure]


def _points_of(faces: Sequence[Detection]) -> NDArray[np.float64]:
    """Points of each face to follow: N×M×2, in pixels."""
    boxes = np.array([(face.box.x, face.box.y, face.box.width, face.box.height) for face in faces])
    marks = np.array([face.landmarks.points[:4] for face in faces])
    return np.concatenate([marks, boxes[:, None, :2] + boxes[:, None, 2:] * _GRID], axis=1)


def small_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture in which faces are followed: H×W uint8, its longer side no more than 640 pixels."""
    # One channel does: it is green, to which the eye's grey owes most. Of a large picture every few pixels do, too: the
    # mean of all of them takes several times as long, and faces are followed no better.
    step = max(image.shape) // (2 * _SIDE)
    grey = cv2.extractChannel(image, 1) if step < 2 else np.ascontiguousarray(image[::step, ::step, 1])
    factor = _SIDE / max(grey.shape)
    if factor < 1:
        size = max(round(grey.shape[1] * factor), 1), max(round(grey.shape[0] * factor), 1)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def _is_inside(face: Detection, shape: tuple[int, ...]) -> bool:
    """Whether the middle of the face is in the picture: one that leaves is looked for."""
    x, y = face.box.center
    height, width = shape[:2]
    return bool(0 <= x < width and 0 <= y < height)
