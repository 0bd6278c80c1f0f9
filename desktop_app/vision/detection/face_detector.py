"""Face detection at all sizes: MediaPipe's two models for near faces in moving pictures, CenterFace for all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, DetectorRange
from desktop_app.vision.detection.centerface import CenterFaceDetector, is_part, same_faces
from desktop_app.vision.detection.far_faces import ODD, WHOLE, FarFaceLooker, FarLook
from desktop_app.vision.detection.optical_flow import OpticalFlowPropagator
from desktop_app.vision.detection.still_faces import find_still_faces

DetectorMode = Literal["auto", "short", "full"]

RANGES: Final[tuple[DetectorRange, ...]] = ("short", "full")
PROBE_EVERY: Final = 8
"""In `auto`, every so many looks both models look, to learn which of them is needed."""
NEAR_SHARE: Final = 0.09
"""In `auto`, smaller faces, over the picture's longer side, are CenterFace's: MediaPipe's models miss many of them, and
take patterns and surroundings for others."""
STEADY_SHARE: Final = 0.2
"""The short-range model's landmarks of smaller faces, over the picture's longer side, are off by more than the
full-range model's: crops of 170 pixels wide faces in 1280×720 that were cut by them had the gender wrong in 12 % of
357 pictures instead of 9 %; from 280 pixels on there was no difference."""
FOLLOWED_S: Final = 0.075
"""For no longer than this after a look faces are followed instead of looked for: at 30 frames a second in two of three
frames, at 20 in every other one."""
FAR_LOOKS: Final = 2
"""A far face that so many of CenterFace's looks in a row missed is given up."""
_FRAME_S: Final = 1 / 30
"""Taken to pass from one frame to the next where no moments are given."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A face of the last frame.

    Attributes:
        face: where it is.
        near: MediaPipe found it when it last looked.
        looks: of CenterFace that may miss the face before it is given up; 0 for one that CenterFace never saw.
        view: of CenterFace that saw the face last; others may miss it.
    """

    face: Detection
    near: bool
    looks: int = 0
    view: int = WHOLE


class FaceDetector(Closeable):
    """Finds faces near and far at less than the cost of one model.

    MediaPipe's short-range model is quick, misses small faces and is vague about the landmarks of others; the
    full-range model sees those and misses faces that fill the picture. In `auto` both look at about every eighth frame,
    and where nothing was found; in between only those look that are needed for the faces of that frame.

    In a frame that comes soon after a look, the faces are followed by their pixels instead; where one of them cannot
    be, this frame gets a look, too. See `OpticalFlowPropagator`.

    Far faces, and what MediaPipe misses, CenterFace finds where something has changed, on another thread; see
    `FarFaceLooker`.
    What it finds is followed by its pixels until its next look. A picture that stands alone is looked at by CenterFace
    only; see `find_still_faces`.

    Not thread-safe: create, use and close it on one thread.

    Attributes:
        looks: how many frames MediaPipe looked at (`near`), how often CenterFace did (`far`), and at how many pictures
            that stand alone (`still`).

    Args:
        mode: `auto`, or the one of MediaPipe's models to use.
        min_score: detections below this score (0 to 1) are left out.
        live: take what CenterFace found as soon as it is there; otherwise the same frames give the same faces.
        threaded: let CenterFace look on another thread; for the same faces at more or less speed.
    """

    def __init__(
        self, mode: DetectorMode = "auto", *, min_score: float = 0.5, live: bool = False, threaded: bool = True
    ) -> None:
        self.looks: Counter[Literal["near", "far", "still"]] = Counter()
        self._mode, self._min_score = mode, min_score
        self._open = ExitStack()
        self._ranges: tuple[DetectorRange, ...] = RANGES if mode == "auto" else (mode,)
        self._follower = OpticalFlowPropagator()
        self._at = 0.0
        self._looked_at: float | None = None
        self._needed = self._ranges
        self._until_probe = 0
        self._known: list[_Known] = []
        self._center: CenterFaceDetector | None = None
        self._far_looker: FarFaceLooker | None = None
        if mode == "auto":
            self._center = self._open.enter_context(CenterFaceDetector(min_score=min_score))
            self._far_looker = self._open.enter_context(FarFaceLooker(self._center, live=live, threaded=threaded))

    # What is not needed is not loaded: stills need CenterFace only, which is loaded with its first look.
    @cached_property
    def _detectors(self) -> Mapping[DetectorRange, BlazeFaceDetector]:
        opened = {one: BlazeFaceDetector(one, min_score=self._min_score) for one in self._ranges}
        for detector in opened.values():
            self._open.callback(detector.close)
        return opened

    def find(self, image: NDArray[np.uint8], *, at: float | None = None, expected: int = 0) -> list[Detection]:
        """Find the faces in the next frame of a moving picture.

        Args:
            image: H×W×3 uint8, BGR; kept for some frames, so nobody may write into it.
            at: moment of the frame in seconds; None where it is not known, and every frame is looked at.
            expected: how many faces were here a moment ago; where fewer are found, the other model looks too.

        Returns:
            The faces, each once, in pixels of `image`.
        """
        self._at = self._at + _FRAME_S if at is None else at
        soon = at is not None and self._looked_at is not None and 0 <= at - self._looked_at <= FOLLOWED_S
        lost = self._follow(image) if soon else []
        if not soon or lost or len(self._known) < expected:
            self.looks["near"] += 1
            lost += self._look(image, expected, followed=soon)
            self._looked_at = at
        if self._far_looker is not None:
            near = [one.face.box for one in self._known if one.near]
            upright = any(one.near or one.view != ODD for one in self._known)
            look = self._far_looker.look(image, self._at, near=near, upright=upright, lost={one.view for one in lost})
            if look is not None:
                self.looks["far"] += 1
                self._take_far(look)
        faces = [one.face for one in self._known]
        self._follower.take_in(image, faces)
        return faces

    def _follow(self, image: NDArray[np.uint8]) -> list[_Known]:
        """Move the faces of the last frame on to this one; returns those that were lost."""
        pairs = list(zip(self._known, self._follower.follow(image), strict=True))
        self._known = [replace(one, face=face) for one, face in pairs if face is not None]
        return [one for one, face in pairs if face is None]

    def _look(self, image: NDArray[np.uint8], expected: int, *, followed: bool) -> list[_Known]:
        """Take in what MediaPipe finds; what it misses stays where CenterFace knows it and it can be followed.

        Args:
            image: the frame.
            expected: as for `find`.
            followed: the faces were followed to this frame already.

        Returns:
            The faces that were lost.
        """
        found = self._looked(image, expected)
        confirmed = [one for one in self._known if one.looks]
        same = same_faces([one.face for one in confirmed], found)
        new = [_Known(face, near=True) for face in found]
        for row, column in np.argwhere(same).tolist():
            new[column] = replace(confirmed[row], face=found[column], near=True)
        self._known = [replace(confirmed[row], near=False) for row in np.flatnonzero(~same.any(axis=1)).tolist()]
        missed = [one.face for one in self._known]
        lost: list[_Known] = []
        if missed and not followed:
            self._follower.narrow(missed)
            lost = self._follow(image)
        self._known = [*new, *self._known]
        return lost

    def _take_far(self, look: FarLook) -> None:
        """Take in what CenterFace has found: new faces, better places of those that MediaPipe misses, and no others."""
        found = [face for face, _ in look.faces]
        known: list[_Known] = []
        for one, same in zip(self._known, same_faces([one.face for one in self._known], found), strict=True):
            if same.any():
                seen = replace(one, looks=FAR_LOOKS, view=look.faces[int(same.argmax())][1])
            else:
                seen = replace(one, looks=max(one.looks - (one.view in look.views), 0))
            if one.near or (seen.looks and not same.any()):
                known.append(seen)
        for face, view in look.faces:
            faces = [one.face for one in known]
            if _without([face], faces) and not any(is_part(face.box, one.box) for one in faces):
                known.append(_Known(face, near=False, looks=FAR_LOOKS, view=view))
        self._known = known

    def _looked(self, image: NDArray[np.uint8], expected: int) -> list[Detection]:
        """The faces that MediaPipe's models find."""
        if self._mode != "auto":
            return self._detectors[self._mode].detect(image)
        far = sum(one.looks > 0 for one in self._known)
        probing = self._until_probe <= 0
        found = {one: self._near(one, image) for one in (RANGES if probing else self._needed)}
        faces = self._chosen(found, image)
        if len(found) < len(RANGES) and max(len(faces), far) < max(expected, 1):
            found.update({one: self._near(one, image) for one in RANGES if one not in found})
            faces = self._chosen(found, image)
        if len(found) == len(RANGES):
            self._learn(image, found, faces)
        self._until_probe -= 1
        return faces

    def _near(self, one: DetectorRange, image: NDArray[np.uint8]) -> list[Detection]:
        least = NEAR_SHARE * max(image.shape[:2])
        return [face for face in self._detectors[one].detect(image) if face.box.size >= least]

    def _chosen(self, found: Mapping[DetectorRange, Sequence[Detection]], image: NDArray[np.uint8]) -> list[Detection]:
        """The faces, each once."""
        short, full = found.get("short", []), found.get("full", [])
        # The models put a face's box and landmarks a little differently. Where one of them looks at most frames, what
        # it says goes in all of them: boxes would jump.
        if len(self._needed) == 1:
            steady = short if "short" in self._needed else []
        else:
            steady = [one for one in short if _is_steady(one, image)]
        return _merged([steady, full, short])

    def _learn(
        self, image: NDArray[np.uint8], found: Mapping[DetectorRange, Sequence[Detection]], faces: Sequence[Detection]
    ) -> None:
        """Choose what looks at the next frames, after one in which both models looked."""
        self._until_probe = PROBE_EVERY
        if not _without(faces, found["short"]) and all(_is_steady(one, image) for one in found["short"]):
            self._needed = ("short",)
        else:
            self._needed = RANGES if _without(found["short"], found["full"]) else ("full",)

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone; see `find_still_faces`."""
        self.looks["still"] += 1
        if self._center is not None:
            return find_still_faces(self._center, image)
        return self._detectors[self._ranges[0]].detect_still(image)

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        self._needed = self._ranges
        self._until_probe = 0
        self._looked_at = None
        self._known = []
        self._follower.reset()
        if self._far_looker is not None:
            self._far_looker.reset()

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
        faces += _without(group, faces)
    return faces


def _without(faces: Sequence[Detection], known: Sequence[Detection]) -> list[Detection]:
    """Those of the faces that are none of the known ones."""
    same = same_faces(faces, known)
    return [faces[row] for row in np.flatnonzero(~same.any(axis=1)).tolist()]
