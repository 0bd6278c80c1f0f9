"""Near faces of moving pictures: MediaPipe's two models, as far as they are needed, beside the frames' way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import BlazeFaceDetector, Detection, DetectorRange
from desktop_app.vision.detection.centerface import same_faces
from desktop_app.vision.detection.look_thread import look_executor

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


class NearFaceLooker(Closeable):
    """Looks for near faces on a thread of its own while the frames go on.

    MediaPipe's short-range model is quick, misses small faces and is vague about the landmarks of others; the
    full-range model sees those and misses faces that fill the picture. In `auto` both look at about every eighth
    picture, and where nothing was found; in between only those look that are needed for the faces of the last one.

    Not thread-safe: use and close it on one thread.

    Args:
        mode: `auto`, or the one of the models to use.
        min_score: detections below this score (0 to 1) are left out.
        threaded: otherwise a look takes place while it is begun; what is found is the same.
    """

    def __init__(self, mode: DetectorMode, *, min_score: float, threaded: bool) -> None:
        self._mode, self._min_score = mode, min_score
        self._ranges: tuple[DetectorRange, ...] = RANGES if mode == "auto" else (mode,)
        # MediaPipe's models are made, used and freed on one thread.
        self._thread = look_executor("near faces", threaded=threaded)
        self._open = ExitStack()
        self._needed = self._ranges
        self._until_probe = 0
        self._look: Future[list[Detection]] | None = None

    @property
    def is_looking(self) -> bool:
        """A look was begun whose result was not taken."""
        return self._look is not None

    def begin(self, image: NDArray[np.uint8], *, expected: int = 0, known: int = 0) -> None:
        """Begin a look.

        Args:
            image: H×W×3 uint8, BGR; kept while it is looked at, so nobody may write into it.
            expected: how many faces were here a moment ago; where fewer are found, the other model looks too.
            known: how many faces are known that need not be found.
        """
        self._look = self._thread.submit(self._find, image, expected, known)

    def result(self) -> list[Detection]:
        """Wait for the look that was begun: its faces, each once, in pixels of its picture."""
        assert self._look is not None
        look, self._look = self._look, None
        return look.result()

    def find_still(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in a picture that stands alone with the first of the models; see `detect_still`."""
        return self._thread.submit(lambda: self._detectors[self._ranges[0]].detect_still(image)).result()

    def reset(self) -> None:
        """Forget what was learned, at a cut or a new source."""
        if self._look is not None:
            # It learns, too.
            self._look.exception()
            self._look = None
        self._needed = self._ranges
        self._until_probe = 0

    def close(self) -> None:
        """Free the models and end the thread."""
        with suppress(RuntimeError):
            # Closed before.
            self._thread.submit(self._open.close)
        self._thread.shutdown()

    # From here on, on the thread that looks.

    # What is not needed is not loaded: stills need CenterFace only.
    @cached_property
    def _detectors(self) -> Mapping[DetectorRange, BlazeFaceDetector]:
        opened = {one: BlazeFaceDetector(one, min_score=self._min_score) for one in self._ranges}
        for detector in opened.values():
            self._open.callback(detector.close)
        return opened

    def _find(self, image: NDArray[np.uint8], expected: int, known: int) -> list[Detection]:
        if self._mode != "auto":
            return self._detectors[self._mode].detect(image)
        probing = self._until_probe <= 0
        found = {one: self._near(one, image) for one in (RANGES if probing else self._needed)}
        faces = self._chosen(found, image)
        if len(found) < len(RANGES) and max(len(faces), known) < max(expected, 1):
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
        if not without(faces, found["short"]) and all(_is_steady(one, image) for one in found["short"]):
            self._needed = ("short",)
        else:
            self._needed = RANGES if without(found["short"], found["full"]) else ("full",)


def without(faces: Sequence[Detection], known: Sequence[Detection]) -> list[Detection]:
    """Those of the faces that are none of the known ones."""
    same = same_faces(faces, known)
    return [faces[row] for row in np.flatnonzero(~same.any(axis=1)).tolist()]


def _is_steady(face: Detection, image: NDArray[np.uint8]) -> bool:
    """Whether the short-range model's landmarks of such a face can be relied on."""
    return bool(face.box.size >= STEADY_SHARE * max(image.shape[:2]))


def _merged(groups: Sequence[Sequence[Detection]]) -> list[Detection]:
    """All detections, each face once; an earlier group wins."""
    faces: list[Detection] = []
    for group in groups:
        faces += without(group, faces)
    return faces
