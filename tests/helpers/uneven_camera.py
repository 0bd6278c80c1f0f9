"""A camera that is never in time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av
import numpy as np

from desktop_app.sources.base import SourceInfo
from desktop_app.sources.live import Captured
from tests.helpers.numbered_films import HEIGHT, WIDTH, numbered_picture, read_number

STEPS_S = [float(step) for step in np.random.default_rng(4).choice([0.005, 0.02, 0.04, 0.07, 0.15, 0.25], 255)]


def recorded_times(path: Path) -> dict[int, float]:
    """When each number is first seen in a video, in seconds from its beginning."""
    times: dict[int, float] = {}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.setdefault(read_number(frame.to_ndarray(format="bgr24").astype(np.uint8)), float(frame.time))
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
        self.info = SourceInfo("camera", "uneven", "uneven", WIDTH, HEIGHT, 30.0, None, live=True)
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
