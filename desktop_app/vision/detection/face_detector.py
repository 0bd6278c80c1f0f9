"""Face detection at all sizes: MediaPipe's two models for near faces in moving pictures, CenterFace for all others."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.detection.centerface import CenterFaceDetector, is_part, same_faces
from desktop_app.vision.detection.far_faces import WHOLE, FarFaceLooker, FarLook
from desktop_app.vision.detection.near_faces import DetectorMode, NearFaceLooker
from desktop_app.vision.detection.optical_flow import OpticalFlowPropagator
from desktop_app.vision.detection.still_faces import are_upright, find_still_faces

FOLLOWED_S: Final = 0.075
"""For no longer than this faces are followed by their pixels, from one frame to the next, and from one of MediaPipe's
looks to the next: at 30 frames a second it looks at every third frame, at 15 at every other one."""
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


def _belies(known: _Known, other: _Known) -> bool:
    """Whether a face shows that another one, around it, is none: MediaPipe took a head and what it wears for it."""
    return not other.looks and known.face.score > other.face.score and is_part(known.face.box, other.face.box)


class FaceDetector(Closeable):
    """Finds faces near and far at less than the cost of one model.

    From frame to frame faces are followed by their pixels; see `OpticalFlowPropagator`. Beside that, on other threads,
    MediaPipe looks at every few frames for near faces, see `NearFaceLooker`, and CenterFace for far faces and for what
    MediaPipe misses, where something has changed; see `FarFaceLooker`. What MediaPipe found in a frame is taken in
    before the next one. Only a frame in which a face was lost, as at a cut, or that does not come soon after the last
    one, waits for its look.

    A picture that stands alone is looked at by CenterFace only; see `find_still_faces`.

    Not thread-safe: create, use and close it on one thread.

    Attributes:
        looks: how many frames MediaPipe looked at (`near`), how often CenterFace did (`far`), and at how many pictures
            that stand alone (`still`).

    Args:
        mode: `auto`, or the one of MediaPipe's models to use.
        min_score: detections below this score (0 to 1) are left out.
        live: take what CenterFace found as soon as it is there; otherwise the same frames give the same faces.
        threaded: let the models look on other threads; for the same faces at more or less speed.
    """

    def __init__(
        self, mode: DetectorMode = "auto", *, min_score: float = 0.5, live: bool = False, threaded: bool = True
    ) -> None:
        self.looks: Counter[Literal["near", "far", "still"]] = Counter()
        self._open = ExitStack()
        self._near = self._open.enter_context(NearFaceLooker(mode, min_score=min_score, threaded=threaded))
        self._follower = OpticalFlowPropagator()
        self._at = 0.0
        self._frame_at: float | None = None
        self._looked_at = 0.0
        self._known: list[_Known] = []
        self._center: CenterFaceDetector | None = None
        self._far_looker: FarFaceLooker | None = None
        if mode == "auto":
            self._center = self._open.enter_context(CenterFaceDetector(min_score=min_score))
            self._far_looker = self._open.enter_context(FarFaceLooker(self._center, live=live, threaded=threaded))

    def find(self, image: NDArray[np.uint8], *, at: float | None = None, expected: int = 0) -> list[Detection]:
        """Find the faces in the next frame of a moving picture.

        Args:
            image: H×W×3 uint8, BGR; kept for some frames, so nobody may write into it.
            at: moment of the frame in seconds; None where it is not known, and every frame is looked at.
            expected: how many faces were here a moment ago; where fewer are known, the frame is looked at.

        Returns:
            The faces, each once, in pixels of `image`.
        """
        self._at = self._at + _FRAME_S if at is None else at
        if self._near.is_looking:
            self._take_near(self._near.result())
            self._follower.narrow([one.face for one in self._known])
        soon = at is not None and self._frame_at is not None and 0 <= at - self._frame_at <= FOLLOWED_S
        self._frame_at = at
        if not soon or len(self._known) < expected or not 0 <= self._at - self._looked_at <= FOLLOWED_S:
            self._begin_near(image, expected)
        lost = self._follow(image)
        if not soon or lost:
            # There may have been a cut.
            if not self._near.is_looking:
                self._begin_near(image, expected)
            self._take_near(self._near.result())
        if self._far_looker is not None:
            look = self._far_looker.go_on(image, grey=self._follower.grey, lost={one.view for one in lost})
            if self._far_looker.is_due(self._at):
                self._far_looker.begin(
                    image,
                    self._at,
                    grey=self._follower.grey(),
                    near=[one.face.box for one in self._known if one.near],
                    upright=are_upright([one.face for one in self._known]),
                    doubtful={one.view for one in self._known if not one.near and one.looks < FAR_LOOKS},
                )
            if look is not None:
                self.looks["far"] += 1
                self._take_far(look)
        faces = [one.face for one in self._known]
        self._follower.take_in(image, faces)
        return faces

    def _begin_near(self, image: NDArray[np.uint8], expected: int) -> None:
        self.looks["near"] += 1
        self._looked_at = self._at
        self._near.begin(image, expected=expected, known=sum(one.looks > 0 for one in self._known))

    def _follow(self, image: NDArray[np.uint8]) -> list[_Known]:
        """Move the faces of the last frame on to this one; returns those that were lost."""
        pairs = list(zip(self._known, self._follower.follow(image), strict=True))
        self._known = [replace(one, face=face) for one, face in pairs if face is not None]
        return [one for one, face in pairs if face is None]

    def _take_near(self, found: Sequence[Detection]) -> None:
        """Take in what MediaPipe finds in the known faces' frame; of what it misses, what CenterFace knows stays."""
        confirmed = [one for one in self._known if one.looks]
        same = same_faces([one.face for one in confirmed], found)
        new = [_Known(face, near=True) for face in found]
        for row, column in np.argwhere(same).tolist():
            new[column] = replace(confirmed[row], face=found[column], near=True)
        missed = [replace(confirmed[row], near=False) for row in np.flatnonzero(~same.any(axis=1)).tolist()]
        known = [*new, *missed]
        seen = [one for one in known if one.looks]
        self._known = [one for one in known if one.looks or not any(_belies(other, one) for other in seen)]

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
        new = [_Known(face, near=False, looks=FAR_LOOKS, view=view) for face, view in look.faces]
        unseen = [place for place, one in enumerate(known) if not one.looks]
        kept = np.arange(len(known) + len(new)) < len(known)
        known += new
        # All at once: one by one, the sixty faces of a crowd held up a frame by 6 ms.
        for place, (one, same) in enumerate(zip(new, same_faces(found, [one.face for one in known]), strict=True)):
            kept[[other for other in unseen if _belies(one, known[other])]] = False
            others = itertools.compress(known, kept)
            if not (same & kept).any() and not any(is_part(one.face.box, other.face.box) for other in others):
                kept[place - len(new)] = True
        self._known = list(itertools.compress(known, kept))

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone; see `find_still_faces`."""
        self.looks["still"] += 1
        if self._center is not None:
            return find_still_faces(self._center, image)
        return self._near.find_still(image)

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        self._near.reset()
        self._frame_at = None
        self._known = []
        self._follower.reset()
        if self._far_looker is not None:
            self._far_looker.reset()

    def close(self) -> None:
        """Free the models."""
        self._open.close()
