"""Animated pictures (WebP, PNG, AVIF), as films."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desktop_app.messages import Message
from desktop_app.sources.base import SourceBase, SourceError, SourceInfo
from desktop_app.sources.frame import Frame
from desktop_app.sources.pictures.decoding import Animation, open_animation

_CLOSE_TIMEOUT_S: Final = 0.1


class AnimationSource(SourceBase):
    """Every frame of an animated picture, once, each as long as it says.

    Args:
        animation: is closed with the source.
        path: its file.
        spec: what the user called it; the path if not given.

    Raises:
        SourceError: its first frame cannot be decoded.
    """

    def __init__(self, animation: Animation, path: Path, *, spec: str | None = None) -> None:
        self._animation, self._path = animation, path
        self._lock = threading.Lock()
        self._closed = False
        self._missing = self._position = 0
        # When each frame begins, and the last one that was decoded ends.
        self._times = [0.0]
        try:
            image = self._decode(0)
        except SourceError:
            animation.close()
            raise
        height, width = image.shape[:2]
        rate = 1 / self._times[1]
        count = animation.frame_count
        self._info = SourceInfo("file", path.name, spec or str(path), width, height, rate, count, live=False)
        self._next_index = 0

    @property
    def info(self) -> SourceInfo:
        """What the file says about itself; the rate is that of its first frame."""
        return self._info

    @property
    def notice(self) -> Message | None:
        """Where the file turned out to be damaged."""
        if not self._missing:
            return None
        return Message("“{name}” is damaged: it lacks %n picture(s).", None, self._missing, name=self._path.name)

    def read(self) -> Frame | None:
        """The next frame; see `Source.read`."""
        with self._lock:
            image = self._decode_next()
            if image is None:
                if self._closed:
                    self._animation.close()
                return None
            index, self._next_index = self._next_index, self._next_index + 1
            return Frame(image, index, self._times[index], self._path.name)

    def skip(self, count: int) -> int:
        """Skip up to `count` frames; returns how many there were."""
        with self._lock:
            passed = 0
            while passed < count and self._decode_next() is not None:
                self._next_index += 1
                passed += 1
            return passed

    def seek(self, index: int) -> None:
        """Make frame `index` the next one, kept within the animation."""
        with self._lock:
            self._next_index = min(max(index, 0), self._animation.frame_count - self._missing - 1)

    def close(self) -> None:
        """End the source; see `Source.close`."""
        self._closed = True
        # A read that hangs on a lost disk keeps the lock; it then closes the file itself.
        if self._lock.acquire(timeout=_CLOSE_TIMEOUT_S):
            try:
                self._animation.close()
            finally:
                self._lock.release()

    def _decode_next(self) -> NDArray[np.uint8] | None:
        if self._closed or self._next_index >= self._animation.frame_count:
            return None
        try:
            # What a frame is shown for is known once it is decoded.
            for index in range(len(self._times) - 1, self._next_index):
                self._decode(index)
            return self._decode(self._next_index)
        except SourceError:
            # Frames build on each other.
            self._missing = self._animation.frame_count - (len(self._times) - 1)
            return None

    def _decode(self, index: int) -> NDArray[np.uint8]:
        if index < self._position:
            # Pillow cannot go back in every format.
            self._animation.close()
            self._animation = _open(self._path)
        self._position = index
        image, duration_s = self._animation.read(index)
        if index == len(self._times) - 1:
            self._times.append(self._times[index] + duration_s)
        return image


def _open(path: Path) -> Animation:
    animation = open_animation(path)
    if animation is None:
        raise SourceError("Cannot continue with “{name}”: it was changed. Open it again.", name=path.name)
    return animation
