"""Find and follow the faces of a source's frames: the same steps live and offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desktop_app.engine.statistics import Statistics
from desktop_app.sources.frame import Frame
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.geometry import Box
from desktop_app.vision.tracking.tracker import Track, Tracker

EXPECTED_FOR_S: Final = 0.3
"""A face that was missed for longer has probably left."""


class FaceLocator:
    """Says where the faces of each frame are and which of them are the same as before.

    Not thread-safe.

    Args:
        statistics: where to note the times of the stages.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._tracker = Tracker()
        self._expected = 0
        self._near: tuple[Box, ...] = ()

    def locate(self, frame: Frame, detector: FaceDetector, *, alone: bool) -> tuple[Track, ...]:
        """The faces of the next frame, in pixels of the frame.

        Args:
            frame: the frame; kept until the next one, so nobody may write into it.
            detector: the detectors.
            alone: the frame has nothing to do with the one before; its faces are new ones.
        """
        with self._statistics.stage("detect"):
            detections = (
                detector.find_still(frame.image)
                if alone
                else detector.find(frame.image, at=frame.captured_at, expected=self._expected, near=self._near)
            )
        with self._statistics.stage("track"):
            if alone:
                self._tracker.reset()
            tracks = tuple(self._tracker.update(detections, frame.captured_at, None if alone else frame.image))
        self._expected = _count_expected(tracks)
        self._near = tuple(track.detection.box for track in tracks if track.missed)
        return tracks

    def reset(self) -> None:
        """End all tracks, at a jump in time or for another way to look; ids go on counting."""
        self._tracker.reset()
        self._expected, self._near = 0, ()


def _count_expected(tracks: Sequence[Track]) -> int:
    """How many faces the next frame should show: those in view, and those missed for no more than a moment."""
    return sum(track.missed_s <= EXPECTED_FOR_S for track in tracks)
