"""Faces of every size in moving pictures: which of MediaPipe's two models looks, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detector import Detection, DetectorRange, FaceDetector
from desktop_app.vision.geometry import Box
from desktop_app.vision.small_faces import SAME_FACE_IOU, ZOOMS, SmallFaceFinder, is_small, is_unsure

DetectorMode = Literal["auto", "short", "full"]

RANGES: Final[tuple[DetectorRange, ...]] = ("short", "full")
PROBE_EVERY: Final = 8
"""In `auto`, every so many frames both models look, to learn which of them is needed."""


class FaceFinder:
    """Finds faces near and far at little more than the cost of one model.

    The short-range model is quick and misses small faces; the full-range model sees those and misses faces that
    fill the picture. In `auto` both look at every eighth frame, and at every frame in which nothing was found; in
    between only those look that found a face which the other had missed. Faces too small for either are found in
    tiles of the picture, one tile at a time, and stayed with by zooming in on them; see `SmallFaceFinder`.

    Not thread-safe: create, use and close it on one thread.

    Args:
        mode: `auto`, or the one model to use.
        min_score: detections below this score (0 to 1) are left out.
    """

    def __init__(self, mode: DetectorMode = "auto", *, min_score: float = 0.5) -> None:
        ranges = RANGES if mode == "auto" else (mode,)
        with ExitStack() as stack:
            self._detectors = {one: stack.enter_context(FaceDetector(one, min_score=min_score)) for one in ranges}
            self._open = stack.pop_all()
        self._small = SmallFaceFinder(self._detectors["short"], self._detectors["full"]) if mode == "auto" else None
        self._needed: tuple[DetectorRange, ...] = ranges
        self._until_probe = 0

    def find(self, image: NDArray[np.uint8], *, expected: int = 0, near: Sequence[Box] = ()) -> list[Detection]:
        """Find the faces in the next frame of a moving picture.

        Args:
            image: H×W×3 uint8, BGR.
            expected: how many faces were here a moment ago; where fewer are found, the other model looks too.
            near: where they are expected now, in pixels of `image`; small ones that are not found get a close look.

        Returns:
            The faces, each once, in pixels of `image`.
        """
        if self._small is None:
            return next(iter(self._detectors.values())).detect(image)
        probing = self._until_probe <= 0
        found = {one: self._detectors[one].detect(image) for one in (RANGES if probing else self._needed)}
        faces, unsure = _sorted_out(found, image)
        small = self._small.find(image, faces, unsure=unsure, near=near, tile=not probing)
        if len(found) < len(RANGES) and len(faces) + len(small) < max(expected, 1):
            found.update({one: self._detectors[one].detect(image) for one in RANGES if one not in found})
            faces, unsure = _sorted_out(found, image)
            small += self._small.confirm(image, unsure[:ZOOMS], [*faces, *small])
        if len(found) == len(RANGES):
            self._learn(image, found, faces)
        self._until_probe -= 1
        return _merged([faces, small])

    def _learn(
        self, image: NDArray[np.uint8], found: Mapping[DetectorRange, Sequence[Detection]], faces: Sequence[Detection]
    ) -> None:
        """Choose what looks at the next frames, after one in which both models looked."""
        self._until_probe = PROBE_EVERY
        missed_by_short = _without(faces, found["short"])
        missed_by_full = _without(found["short"], found["full"])
        if len(missed_by_short) > 1 or not all(is_small(one, image) for one in missed_by_short):
            self._needed = RANGES if missed_by_full else ("full",)
            return
        self._needed = ("short",)
        if self._small is not None:
            # Close looks at one face cost less than the full-range model.
            self._small.remember(image, missed_by_short)

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone: both models look, twice where need be, and then at tiles."""
        if self._small is None:
            return next(iter(self._detectors.values())).detect_still(image)
        found = {one: detector.detect_still(image) for one, detector in self._detectors.items()}
        faces, unsure = _sorted_out(found, image)
        return faces + self._small.find_all(image, faces, unsure)

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        self._until_probe = 0
        if self._small is not None:
            self._small.reset()

    def close(self) -> None:
        """Free the models."""
        self._open.close()

    def __enter__(self) -> Self:
        """Return the finder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the finder."""
        self.close()


def _sorted_out(
    found: Mapping[DetectorRange, Sequence[Detection]], image: NDArray[np.uint8]
) -> tuple[list[Detection], list[Detection]]:
    """The faces, each once, and what only may be one."""
    short, full = found.get("short", []), found.get("full", [])
    unsure = [one for one in _without(full, short) if is_unsure(one, image)]
    return _merged([short, [one for one in full if one not in unsure]]), unsure


def _merged(groups: Sequence[Sequence[Detection]]) -> list[Detection]:
    """All detections, each face once; an earlier group wins."""
    faces: list[Detection] = []
    for group in groups:
        faces += _without(group, tuple(faces))
    return faces


def _without(faces: Sequence[Detection], known: Sequence[Detection]) -> list[Detection]:
    """Those of the faces that are none of the known ones."""
    return [one for one in faces if all(one.box.iou(other.box) < SAME_FACE_IOU for other in known)]
