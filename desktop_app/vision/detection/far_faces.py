"""Far faces of moving pictures: looked for now and then, beside the frames' way."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.vision.detection.blazeface import Detection
from desktop_app.vision.detection.centerface import CenterFaceDetector
from desktop_app.vision.detection.optical_flow import follow_over
from desktop_app.vision.detection.still_faces import find_still_faces

LOOK_EVERY_S: Final = 0.9
"""From one look to the next: what is new is there within a second."""
THOROUGH_EVERY: Final = 4
"""Where no face is known at all, one of so many looks is as thorough as at a still picture: for tiny and turned faces.
So are the next ones once that found something."""
LOST_AFTER_S: Final = 0.3
"""The next look is due sooner where a far face was lost."""

_PIXELS: Final = 800 * 450
"""To so many pixels a frame is shrunk, which CenterFace looks at as a whole: 45 ms of one core."""
_FRAMES: Final = 2
"""Where every frame counts, as offline, a look takes so many frames: always the same, whatever the machine's speed."""


class FarFaceLooker(Closeable):
    """Looks for far faces on a thread of its own while the frames go on.

    Args:
        detector: what looks; not owned.
        live: take what was found as soon as it is there. Otherwise it is taken two frames after the one that was looked
            at, and waited for, so that the same frames give the same faces.
        threaded: otherwise a look takes place while it is begun; what is found is the same.
    """

    def __init__(self, detector: CenterFaceDetector, *, live: bool, threaded: bool = True) -> None:
        self._detector, self._live, self._threaded = detector, live, threaded
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="far faces")
        self._looked_at: float | None = None
        self._look: Future[tuple[list[Detection], bool]] | None = None
        self._frame: NDArray[np.uint8] | None = None
        self._frames = 0
        self._until_thorough = 0

    def look(self, image: NDArray[np.uint8], at: float, *, lost: bool, known: bool) -> list[Detection] | None:
        """Go on to the next frame, and begin a look at it if one is due.

        Args:
            image: H×W×3 uint8, BGR; kept while it is looked at, so nobody may write into it.
            at: moment of the frame in seconds.
            lost: a face was lost in this frame.
            known: there is a face that is found without CenterFace.

        Returns:
            The faces that a look has found, where they are in this frame; None where no look has ended.
        """
        found = self._result(image)
        if self._look is None and self._is_due(at, lost=lost):
            self._looked_at, self._frame, self._frames = at, image, 0
            self._look = self._begin(image, thorough=not known and self._until_thorough <= 0)
        return found

    def reset(self) -> None:
        """Drop the present look and begin the next one with the next frame."""
        self._looked_at = self._look = self._frame = None
        self._until_thorough = 0

    def close(self) -> None:
        """End the thread."""
        self.reset()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _begin(self, image: NDArray[np.uint8], *, thorough: bool) -> Future[tuple[list[Detection], bool]]:
        if self._threaded:
            return self._thread.submit(self._find, image, thorough=thorough)
        look = Future[tuple[list[Detection], bool]]()
        look.set_result(self._find(image, thorough=thorough))
        return look

    def _find(self, image: NDArray[np.uint8], *, thorough: bool) -> tuple[list[Detection], bool]:
        """The faces, and whether only the thorough look finds them."""
        faces = self._detector.detect(image, _PIXELS, border=0)
        if faces or not thorough:
            return faces, False
        faces = find_still_faces(self._detector, image)
        return faces, bool(faces)

    def _is_due(self, at: float, *, lost: bool) -> bool:
        every_s = LOST_AFTER_S if lost else LOOK_EVERY_S
        return self._looked_at is None or not 0 <= at - self._looked_at < every_s

    def _result(self, image: NDArray[np.uint8]) -> list[Detection] | None:
        self._frames += 1
        if self._look is None or self._frame is None:
            return None
        if not (self._look.done() if self._live else self._frames >= _FRAMES):
            return None
        faces, odd = self._look.result()
        self._until_thorough = 0 if odd else (self._until_thorough - 1) % THOROUGH_EVERY
        moved = follow_over(self._frame, image, faces)
        self._look = self._frame = None
        return [face for face in moved if face is not None]
