"""Faces of every size in moving pictures: which of MediaPipe's two models looks, and when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.detector import Detection, DetectorRange, FaceDetector

DetectorMode = Literal["auto", "short", "full"]

RANGES: Final[tuple[DetectorRange, ...]] = ("short", "full")
PROBE_EVERY: Final = 8
"""In `auto`, every so many frames both models look, to learn which of them is needed."""
SAME_FACE_IOU: Final = 0.3


class FaceFinder:
    """Finds faces near and far at little more than the cost of one model.

    The short-range model is quick and misses small faces; the full-range model sees those and misses faces that
    fill the picture. In `auto` both look at every eighth frame, and at every frame in which nothing was found; in
    between only those look that found a face which the other had missed.

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
        self._needed: tuple[DetectorRange, ...] = ranges
        self._until_probe = 0

    def find(self, image: NDArray[np.uint8], *, expected: int = 0) -> list[Detection]:
        """Find the faces in the next frame of a moving picture.

        Args:
            image: H×W×3 uint8, BGR.
            expected: how many faces were here a moment ago; where fewer are found, the other model looks too.

        Returns:
            The faces, each once, in pixels of `image`.
        """
        if len(self._detectors) == 1:
            return next(iter(self._detectors.values())).detect(image)
        probing = self._until_probe <= 0
        found = {one: self._detectors[one].detect(image) for one in (RANGES if probing else self._needed)}
        if not probing and len(_merged(list(found.values()))) < max(expected, 1):
            found.update({one: self._detectors[one].detect(image) for one in RANGES if one not in found})
        if len(found) == len(RANGES):
            self._needed = _needed(found)
            self._until_probe = PROBE_EVERY
        self._until_probe -= 1
        return _merged([found[one] for one in RANGES if one in found])

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone: both models look, and look twice where need be."""
        return _merged([detector.detect_still(image) for detector in self._detectors.values()])

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        self._until_probe = 0

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


def _needed(found: dict[DetectorRange, list[Detection]]) -> tuple[DetectorRange, ...]:
    """The models that found a face which the other did not; the quick one where both agree."""
    short, full = found["short"], found["full"]
    needed: list[DetectorRange] = []
    if len(_merged([full, short])) > len(full):
        needed.append("short")
    if len(_merged([short, full])) > len(short):
        needed.append("full")
    return tuple(needed) or ("short",)


def _merged(groups: Sequence[Sequence[Detection]]) -> list[Detection]:
    """All detections, each face once; an earlier group wins."""
    faces: list[Detection] = []
    for group in groups:
        known = tuple(faces)
        faces += [one for one in group if all(one.box.iou(other.box) < SAME_FACE_IOU for other in known)]
    return faces
