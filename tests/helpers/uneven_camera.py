"""A camera that is never in time, and pictures that say which one they are even after a video encoder."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from desktop_app.sources.base import SourceInfo
from desktop_app.sources.live import Captured

BITS = 8
BAR = 16
STEPS_S = [float(step) for step in np.random.default_rng(4).choice([0.005, 0.02, 0.04, 0.07, 0.15, 0.25], 255)]


def numbered_picture(number: int) -> NDArray[np.uint8]:
    """A picture, 96×128×3, whose bars are the bits of a number below 256."""
    bits = [255 * (number >> bit & 1) for bit in range(BITS)]
    return np.ascontiguousarray(
        np.broadcast_to(np.repeat(np.array(bits, np.uint8), BAR)[None, :, None], (96, BITS * BAR, 3))
    )


def number_of(picture: NDArray[np.uint8]) -> int:
    """The number that a picture shows."""
    bars = picture[:, : BITS * BAR].reshape(-1, BITS, BAR, 3)[:, :, 4:12].mean(axis=(0, 2, 3))
    return sum(1 << bit for bit in range(BITS) if bars[bit] > 127)


def recorded_times(path: Path) -> dict[int, float]:
    """When each number is first seen in a video, in seconds from its beginning."""
    times: dict[int, float] = {}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.setdefault(number_of(frame.to_ndarray(format="bgr24").astype(np.uint8)), float(frame.time))
    return times


def duration_of(path: Path) -> float:
    """What a player shows as a video's length, in seconds."""
    with av.open(str(path)) as container:
        assert container.duration is not None
        return container.duration / av.time_base


class UnevenCamera:
    """A capture for `LiveSource` whose pictures come as `STEPS_S` says and that notes when it took them.

    Args:
        stop: ends every wait.
    """

    def __init__(self, stop: threading.Event) -> None:
        self.notice = None
        self.info = SourceInfo("camera", "uneven", "uneven", BITS * BAR, 96, 30.0, None, live=True)
        self.taken_at: dict[int, float] = {}
        self._stop = stop

    def read(self) -> Captured | None:
        number = len(self.taken_at)
        if self._stop.wait(STEPS_S[number] if number < len(STEPS_S) else None):
            return None
        self.taken_at[number] = time.monotonic()
        return Captured(numbered_picture(number), self.taken_at[number])

    def interrupt(self) -> None:
        """Do nothing: the stop event ends every wait."""

    def close(self) -> None:
        """There is nothing to let go of."""
