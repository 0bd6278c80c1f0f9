"""Face detection in video at all sizes: schedules MediaPipe's two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, DetectorRange
from desktop_app.vision.detection.centerface import CenterFaceDetector
from desktop_app.vision.detection.optical_flow import OpticalFlowPropagator
from desktop_app.vision.detection.small_faces import SAME_FACE_IOU, ZOOMS, SmallFaceFinder, is_small, is_unsure
from desktop_app.vision.detection.still_faces import find_still_faces
from desktop_app.vision.geometry import Box

DetectorMode = Literal["auto", "short", "full"]

RANGES: Final[tuple[DetectorRange, ...]] = ("short", "full")
PROBE_EVERY: Final = 8
"""In `auto`, every so many frames both models look, to learn which of them is needed."""
STEADY_SHARE: Final = 0.2
"""The short-range model's landmarks of smaller faces, over the picture's longer side, are off by more than the
full-range model's: crops of 170 pixels wide faces in 1280×720 that were cut by them had the gender wrong in 12 % of
357 pictures instead of 9 %; from 280 pixels on there was no difference."""
FOLLOWED_S: Final = 0.045
"""For no longer than this after a look faces are followed instead of looked for: at 30 frames a second in every other
frame, at 20 in none."""


class FaceDetector(Closeable):
    """Finds faces near and far at less than the cost of one model.

    The short-range model is quick, misses small faces and is vague about the landmarks of others; the full-range model
    sees those and misses faces that fill the picture. In `auto` both look at about every eighth frame, and where
    nothing was found; in between only those look that are needed for the faces of that frame. Faces too small for
    either are found in tiles of the picture, one tile at a time, and stayed with by zooming in on them; see
    `SmallFaceFinder`. A picture that stands alone is looked at by another model, which takes longer and misses less.

    In a frame that comes soon after a look, the faces are followed by their pixels instead; where one of them cannot
    be, this frame gets a look, too. See `OpticalFlowPropagator`.

    Not thread-safe: create, use and close it on one thread.

    Args:
        mode: `auto`, or the one model to use.
        min_score: detections below this score (0 to 1) are left out.
    """

    def __init__(self, mode: DetectorMode = "auto", *, min_score: float = 0.5) -> None:
        self._mode, self._min_score = mode, min_score
        self._open = ExitStack()
        self._ranges: tuple[DetectorRange, ...] = RANGES if mode == "auto" else (mode,)
        self._follower = OpticalFlowPropagator()
        self._looked_at: float | None = None
        self._needed = self._ranges
        self._until_probe = 0

    # What is not needed is not loaded: stills need one model, moving pictures others.

    @cached_property
    def _detectors(self) -> Mapping[DetectorRange, BlazeFaceDetector]:
        opened = {one: BlazeFaceDetector(one, min_score=self._min_score) for one in self._ranges}
        for detector in opened.values():
            self._open.callback(detector.close)
        return opened

    @cached_property
    def _center(self) -> CenterFaceDetector:
        return self._open.enter_context(CenterFaceDetector(min_score=self._min_score))

    @cached_property
    def _small(self) -> SmallFaceFinder | None:
        return SmallFaceFinder(self._detectors["short"], self._detectors["full"]) if self._mode == "auto" else None

    def find(
        self,
        image: NDArray[np.uint8],
        *,
        at: float | None = None,
        expected: int = 0,
        near: Sequence[Box] = (),
    ) -> list[Detection]:
        """Find the faces in the next frame of a moving picture.

        Args:
            image: H×W×3 uint8, BGR; kept until the next frame, so nobody may write into it.
            at: moment of the frame in seconds; None where it is not known, and every frame is looked at.
            expected: how many faces were here a moment ago; where fewer are found, the other model looks too.
            near: where they are expected now, in pixels of `image`; small ones that are not found get a close look.

        Returns:
            The faces, each once, in pixels of `image`.
        """
        faces = self._followed(image, at, expected)
        if faces is None:
            faces = self._looked(image, expected, near)
            self._looked_at = at
            if at is not None:
                self._follower.take_in(image, faces)
        return faces

    def _followed(self, image: NDArray[np.uint8], at: float | None, expected: int) -> list[Detection] | None:
        """The faces where they were followed to; None where a look is due or needed."""
        if at is None or self._looked_at is None or not 0 <= at - self._looked_at <= FOLLOWED_S:
            return None
        before = self._follower.faces
        faces = self._follower.follow(image) if len(before) >= expected else None
        if faces is None or self._small is None:
            return faces
        self._until_probe -= 1
        new = self._small.pass_time(image, before, faces)
        if new:
            faces += new
            self._follower.take_in(image, faces)
        return faces

    def _looked(self, image: NDArray[np.uint8], expected: int, near: Sequence[Box]) -> list[Detection]:
        """The faces that the models find."""
        if self._small is None:
            return next(iter(self._detectors.values())).detect(image)
        probing = self._until_probe <= 0
        found = {one: self._detectors[one].detect(image) for one in (RANGES if probing else self._needed)}
        faces, unsure = self._sorted_out(found, image)
        sure = faces
        if self._needed == ("short",):
            # What close looks say of small faces goes in all frames, too.
            sure = [one for one in faces if one in found["short"] or not self._small.knows(one)]
        small = self._small.find(image, sure, unsure=unsure, near=near, tile=not probing)
        if len(found) < len(RANGES) and len(faces) + len(small) < max(expected, 1):
            found.update({one: self._detectors[one].detect(image) for one in RANGES if one not in found})
            faces, unsure = self._sorted_out(found, image)
            small += self._small.confirm(image, unsure[:ZOOMS], [*faces, *small])
        if len(found) == len(RANGES):
            self._learn(image, found, faces)
        self._until_probe -= 1
        return _merged([sure, small, faces])

    def _sorted_out(
        self, found: Mapping[DetectorRange, Sequence[Detection]], image: NDArray[np.uint8]
    ) -> tuple[list[Detection], list[Detection]]:
        """The faces, each once, and what only may be one."""
        short, full = found.get("short", []), found.get("full", [])
        unsure = [one for one in _without(full, short) if is_unsure(one, image)]
        # The models put a face's box and landmarks a little differently. Where one of them looks at most frames, what
        # it says goes in all of them: boxes would jump.
        if len(self._needed) == 1:
            steady = short if "short" in self._needed else []
        else:
            steady = [one for one in short if _is_steady(one, image)]
        return _merged([steady, [one for one in full if one not in unsure], short]), unsure

    def _learn(
        self, image: NDArray[np.uint8], found: Mapping[DetectorRange, Sequence[Detection]], faces: Sequence[Detection]
    ) -> None:
        """Choose what looks at the next frames, after one in which both models looked."""
        self._until_probe = PROBE_EVERY
        missed_by_short = _without(faces, found["short"])
        missed_by_full = _without(found["short"], found["full"])
        one_small_at_most = len(missed_by_short) <= 1 and all(is_small(one, image) for one in missed_by_short)
        if not (one_small_at_most and all(_is_steady(one, image) for one in found["short"])):
            self._needed = RANGES if missed_by_full else ("full",)
            return
        self._needed = ("short",)
        if self._small is not None:
            # Close looks at one face cost less than the full-range model.
            self._small.remember(image, [one for one in missed_by_short if not self._small.knows(one)])

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone; see `find_still_faces`."""
        if self._mode != "auto":
            return self._detectors[self._mode].detect_still(image)
        return find_still_faces(self._center, image)

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        self._needed = self._ranges
        self._until_probe = 0
        self._looked_at = None
        self._follower.reset()
        if "_small" in vars(self) and self._small is not None:
            self._small.reset()

    def close(self) -> None:
        """Free the models."""
        self._open.close()


def _is_steady(face: Detection, image: NDArray[np.uint8]) -> bool:
    """Whether the short-range model's landmarks of such a face can be relied on."""
    return bool(face.box.size >= STEADY_SHARE * max(image.shape[:2]))


def _merged(groups: Sequence[Sequence[Detection]]) -> list[Detection]:
    """All detections, each face once; an earlier group wins."""
    faces: list[Detection] = []
    for group in groups:
        faces += _without(group, tuple(faces))
    return faces


def _without(faces: Sequence[Detection], known: Sequence[Detection]) -> list[Detection]:
    """Those of the faces that are none of the known ones."""
    return [one for one in faces if all(one.box.iou(other.box) < SAME_FACE_IOU for other in known)]
