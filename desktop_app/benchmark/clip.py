"""Synthetic clips for the benchmark: the same pixels on every machine, nothing to download."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.output.recorder import Recorder
from desktop_app.paths import resource_path
from desktop_app.sources.demo import RATE, DemoSource
from desktop_app.sources.demo_cards import make_background
from desktop_app.sources.pictures.stills import load_image

CLIP_RATE: Final = RATE
"""Frames per second of every clip."""
PORTRAIT_FACE_X: Final = 224.5
PORTRAIT_FACE_Y: Final = 124.0
PORTRAIT_FACE_SIZE: Final = 99.0
"""Centre and side of the portrait's face in its own pixels: the mean of what the two detectors say of it."""

_FACE_SHARE: Final = 150 / 720
# What is shown of the portrait around its face, where there is room: the detectors want to see a head.
_CELL_SHARE: Final = (230 / 150, 240 / 150)
_ONE_ROW: Final = 5
_TWO_ROWS: Final = 12
_THREE_ROWS: Final = 30
_CROWDED_SHARE: Final = 0.5
_DRIFT_SHARE: Final = 5 / 150
_DRIFT_FRAMES: Final = 90
_GOLDEN: Final = 0.618034


class CrowdScene:
    """Many faces of one size that drift a little in a loose grid; each is large enough for the detector to find it.

    The size of up to thirty does not depend on the number, so that a cost that grows is the number's doing. More would
    not fit in 16:9 and are smaller.

    Args:
        faces: how many.
        width: of the picture in pixels.
        height: of the picture in pixels; up to thirty faces are a fifth of it, sixty a twelfth.
    """

    def __init__(self, faces: int, *, width: int = 1280, height: int = 720) -> None:
        self._faces = faces
        self._background = make_background(width, height)
        self._rows = 1 if faces <= _ONE_ROW else 2 if faces <= _TWO_ROWS else 3
        size = _FACE_SHARE * height
        if faces > _THREE_ROWS:
            self._rows = round(math.sqrt(faces * height / width))
            size = _CROWDED_SHARE * height / self._rows
        self._columns = math.ceil(faces / self._rows)
        self._pitch = width / self._columns, height / self._rows
        self._cell = tuple(min(share * size, room) for share, room in zip(_CELL_SHARE, self._pitch, strict=True))
        self._portrait = load_image(resource_path("demo_portrait.jpg"))
        self._scale = size / PORTRAIT_FACE_SIZE
        self._drift = _DRIFT_SHARE * size

    def render(self, index: int) -> NDArray[np.uint8]:
        """The picture at `index`: H×W×3 uint8, BGR, a new array each time."""
        image = self._background.copy()
        for number in range(self._faces):
            self._draw_face(image, number, index)
        return image

    def _draw_face(self, image: NDArray[np.uint8], number: int, index: int) -> None:
        column, row = divmod(number, self._rows)
        left, top = (
            round((place + 0.5) * pitch - cell / 2)
            for place, pitch, cell in zip((column, row), self._pitch, self._cell, strict=True)
        )
        width, height = (round(cell) for cell in self._cell)
        region = image[top : top + height, left : left + width]
        angle = 2 * math.pi * (index / _DRIFT_FRAMES + number * _GOLDEN)
        x = width / 2 + self._drift * math.cos(angle)
        y = 0.52 * height + self._drift * math.sin(2 * angle)
        across = -self._scale if number % 2 else self._scale
        transform = np.array(
            [[across, 0, x - across * PORTRAIT_FACE_X], [0, self._scale, y - self._scale * PORTRAIT_FACE_Y]]
        )
        size = region.shape[1], region.shape[0]
        region[:] = cv2.warpAffine(
            self._portrait, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


def write_crowd_clip(path: Path, *, faces: int, frames: int, width: int = 1280, height: int = 720) -> Path:
    """Write a video of a `CrowdScene`; returns its path.

    Raises:
        RecordingError: it cannot be written.
    """
    return _write(path, CrowdScene(faces, width=width, height=height).render, frames, width, height)


def write_demo_clip(path: Path, *, frames: int) -> Path:
    """Write the demo as a video, so that what is measured is decoding it rather than drawing it; returns its path.

    Raises:
        RecordingError: it cannot be written.
    """
    with DemoSource() as demo:
        return _write(path, demo.render, frames, demo.info.width, demo.info.height)


def _write(path: Path, render: Callable[[int], NDArray[np.uint8]], frames: int, width: int, height: int) -> Path:
    with Recorder(path, width=width, height=height, rate=CLIP_RATE) as recorder:
        for index in range(frames):
            recorder.write(render(index), index / CLIP_RATE)
    return path
