"""Latencies from pictures and the moments at which they were painted."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.engine.statistics import Percentiles
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import SourceInfo
from desktop_app.vision.tracking.tracker import Track

PATIENCE_S: Final = 0.5
"""A face that is in view for so long without a label counts as unlabelled."""


def percentiles(milliseconds: Sequence[float] | NDArray[np.float64]) -> Percentiles | None:
    """The 50th, 95th and 99th percentile of N values in milliseconds; None where N is 0."""
    if not len(milliseconds):
        return None
    p50, p95, p99 = (float(value) for value in np.percentile(milliseconds, (50, 95, 99)))
    return Percentiles(p50, p95, p99)


class FrameTimes:
    """How old each frame was when its picture was painted.

    A camera's frame says when it was captured. A file's frame is due at its media time after the file's beginning;
    when that was is not known, but no frame leaves the source before it is due, so the earliest one shows it. Where the
    file starts again, so does its clock.

    Args:
        info: of the source.
    """

    def __init__(self, info: SourceInfo | None) -> None:
        self._live = info is not None and info.live
        self._still = info is not None and info.kind in {"image", "folder"}
        self._shown: Frame | None = None
        # Compact, so that an hour of it does not look like a leak: ages in seconds, and for the current pass through
        # a file when frames were painted and the least that one left the source, both on a clock of media time.
        self._ages = array("f")
        self._painted = array("d")
        self._earliest = float("inf")

    def add(self, rendered: RenderedFrame, painted_at: float) -> None:
        """Note a picture that was painted.

        Args:
            rendered: the picture; one that shows the same frame as before, with new labels, is left out.
            painted_at: monotonic seconds.
        """
        frame, last = rendered.frame, self._shown
        if frame is last:
            return
        self._shown = frame
        if self._live or self._still:
            if last is not None:
                self._ages.append(painted_at - (frame.captured_at if self._live else rendered.taken_at))
            return
        if last is not None and frame.captured_at <= last.captured_at:
            self._finish_pass()
        self._earliest = min(self._earliest, rendered.taken_at - frame.captured_at)
        if last is not None:
            self._painted.append(painted_at - frame.captured_at)

    def latency_ms(self) -> Percentiles | None:
        """Percentiles of capture to paint; the first frame, with which the clock starts, is left out."""
        self._finish_pass()
        return percentiles(1000 * np.array(self._ages, np.float64))

    def _finish_pass(self) -> None:
        self._ages.extend(painted - self._earliest for painted in self._painted)
        self._painted, self._earliest = array("d"), float("inf")


class FirstLabels:
    """How long each face that appears waits for its first label.

    Args:
        known: faces that were in view before, and do not count.
    """

    def __init__(self, known: Iterable[Track] = ()) -> None:
        self._known = frozenset(track.id for track in known)
        self._since: dict[int, float] = {}
        self._delays_ms: dict[int, float] = {}
        self._overdue: set[int] = set()

    def add(self, rendered: RenderedFrame, painted_at: float) -> None:
        """Note a picture that was painted at a moment of the monotonic clock, in seconds."""
        for track in rendered.tracks:
            if track.id in self._known:
                continue
            since = self._since.setdefault(track.id, rendered.taken_at)
            if track.id in self._delays_ms:
                continue
            if track.id in rendered.labels:
                self._delays_ms[track.id] = 1000 * (painted_at - since)
                self._overdue.discard(track.id)
            elif track.missed == 0 and painted_at - since >= PATIENCE_S:
                self._overdue.add(track.id)

    @property
    def appeared(self) -> int:
        """Faces that appeared."""
        return len(self._since)

    @property
    def unlabelled(self) -> int:
        """Faces that stayed without a label, though they could be seen long enough."""
        return len(self._overdue)

    def delays_ms(self) -> Percentiles | None:
        """Percentiles of the time from a face's first frame to its first label on the screen."""
        return percentiles(list(self._delays_ms.values()))
