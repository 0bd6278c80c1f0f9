"""Demo source: portrait cards that move over a plain background, for machines without a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.sources.base import SourceBase, SourceInfo
from desktop_app.sources.demo_cards import CARD_HEIGHT, CARD_WIDTH, LOOKS, Card, Look, make_background, make_card
from desktop_app.sources.frame import Frame

RATE: Final = 30.0
LOOP_FRAMES: Final = 600
"""The last picture of the loop leads into its first one."""

_DESIGN_WIDTH: Final = 1280
_DESIGN_HEIGHT: Final = 720


@dataclass(frozen=True, slots=True)
class Wave:
    """A value that swings `turns` times a loop: `middle + swing * cos(2π * (turns * loop + phase))`."""

    middle: float
    swing: float = 0.0
    turns: int = 1
    phase: float = 0.0

    def at(self, loop: float) -> float:
        """The value after a part of the loop, 0 to 1."""
        return self.middle + self.swing * math.cos(2 * math.pi * (self.turns * loop + self.phase))


@dataclass(frozen=True, slots=True)
class Motion:
    """How a card moves: its middle in pixels of a 1280x720 picture, its scale, its tilt in degrees."""

    look: Look
    x: Wave
    y: Wave
    scale: Wave
    tilt: Wave


# Later ones are on top. Two cross twice a loop, one comes near while another has left the picture.
_CAST: Final = (
    Motion(LOOKS[0], Wave(330, -166), Wave(254, 22, 2), Wave(1.1), Wave(0, 3, 1, 0.25)),
    Motion(LOOKS[1], Wave(330, 166), Wave(462, 22, 2, 0.3), Wave(1.12), Wave(0, 3, 1, 0.6)),
    Motion(LOOKS[2], Wave(1300, -182), Wave(352, 66, 1, 0.1), Wave(1.13), Wave(0, 4, 2, 0.1)),
    Motion(LOOKS[3], Wave(822, 14, 1, 0.2), Wave(362, 8, 2), Wave(1.4, -0.3), Wave(0, 2, 1, 0.4)),
)


class DemoSource(SourceBase):
    """Portrait cards in motion: two cross, one grows and shrinks, one leaves and comes back.

    Every picture depends on its index alone. The portraits show Eileen Collins (NASA, 1999, 42 years old) and Barack
    Obama (the White House, 2012, 51 years old); both are in the public domain.

    Args:
        frame_count: where it ends; a loop is 600 frames (20 s) long and seamless. None: never.
        faces: how many cards; more than four drift in rows and get smaller with their number.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    def __init__(
        self,
        frame_count: int | None = LOOP_FRAMES,
        faces: int = 4,
        width: int = _DESIGN_WIDTH,
        height: int = _DESIGN_HEIGHT,
    ) -> None:
        self._info = SourceInfo("demo", "Demo", "demo", width, height, RATE, frame_count, live=False)
        self._background = make_background(width, height)
        self._unit = min(width / _DESIGN_WIDTH, height / _DESIGN_HEIGHT)
        self._motions = _CAST[:faces] if faces <= len(_CAST) else _make_rows(faces)
        # At the middle size: the portrait has no more detail, and larger cards fall out of the processor's cache.
        self._cards = [make_card(motion.look, motion.scale.middle * self._unit) for motion in self._motions]
        self._next_index = 0
        self._closed = False

    @property
    def info(self) -> SourceInfo:
        """The demo's size, rate and length."""
        return self._info

    def render(self, index: int) -> NDArray[np.uint8]:
        """The picture at `index`: H×W×3 uint8, BGR, a new array each time."""
        loop = index % LOOP_FRAMES / LOOP_FRAMES
        image = self._background.copy()
        # The cast keeps its proportions and spreads over whatever width and height there is.
        across, down = self._info.width / _DESIGN_WIDTH, self._info.height / _DESIGN_HEIGHT
        for motion, card in zip(self._motions, self._cards, strict=True):
            scale = motion.scale.at(loop) * self._unit / card.scale
            center = motion.x.at(loop) * across, motion.y.at(loop) * down
            _paste(image, card, center, scale, motion.tilt.at(loop))
        return image

    def read(self) -> Frame | None:
        """The next picture; see `Source.read`."""
        index = self._next_index
        if not self.skip(1):
            return None
        return Frame(self.render(index), index, index / RATE, self._info.name)

    def skip(self, count: int) -> int:
        """Skip up to `count` pictures without drawing them."""
        if self._closed:
            return 0
        count = max(count, 0)
        if self._info.frame_count is not None:
            count = min(count, self._info.frame_count - self._next_index)
        self._next_index += count
        return count

    def seek(self, index: int) -> None:
        """Make `index` the next picture, kept within the demo."""
        last = index if self._info.frame_count is None else self._info.frame_count - 1
        self._next_index = max(min(index, last), 0)

    def close(self) -> None:
        """End the demo; see `Source.close`."""
        self._closed = True


def _make_rows(faces: int) -> tuple[Motion, ...]:
    """Cards in rows that drift a little, without overlap, as large as the picture allows."""
    columns = min(range(1, faces + 1), key=lambda count: -_row_scale(count, math.ceil(faces / count)))
    rows = math.ceil(faces / columns)
    scale = _row_scale(columns, rows)
    step_x, step_y = _DESIGN_WIDTH / columns, _DESIGN_HEIGHT / rows
    drift_x, drift_y = (step_x - CARD_WIDTH * scale) / 4, (step_y - CARD_HEIGHT * scale) / 4
    motions = []
    for number in range(faces):
        row, column = divmod(number, columns)
        phase = number * 0.381966 % 1.0
        motions.append(
            Motion(
                LOOKS[number % len(LOOKS)],
                Wave((column + 0.5) * step_x, drift_x, 1 + number % 2, phase),
                Wave((row + 0.5) * step_y, drift_y, 2 - number % 2, phase + 0.25),
                Wave(scale),
                Wave(0, 2, 1, phase),
            )
        )
    return tuple(motions)


def _row_scale(columns: int, rows: int) -> float:
    return 0.9 * min(_DESIGN_WIDTH / columns / CARD_WIDTH, _DESIGN_HEIGHT / rows / CARD_HEIGHT, 1.1)


def _paste(image: NDArray[np.uint8], card: Card, center: tuple[float, float], scale: float, tilt: float) -> None:
    """Draw a card over a picture, in place, at a sub-pixel position so that slow motion is smooth."""
    height, width = card.layers.shape[:2]
    transform = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), tilt, scale)
    reach = np.abs(transform[:, :2]) @ (width, height) / 2
    left, top = (max(math.floor(middle - half), 0) for middle, half in zip(center, reach, strict=True))
    right = min(math.ceil(center[0] + reach[0]) + 1, image.shape[1])
    bottom = min(math.ceil(center[1] + reach[1]) + 1, image.shape[0])
    if left >= right or top >= bottom:
        return
    transform[0, 2] += center[0] - (width - 1) / 2 - left
    transform[1, 2] += center[1] - (height - 1) / 2 - top
    size = (right - left, bottom - top)
    region = image[top:bottom, left:right]
    # Outside the card: nothing is added, and the picture shows through whole.
    laid = cv2.warpAffine(card.layers, transform, size, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0, 255))
    through = cv2.cvtColor(cv2.extractChannel(laid, 3), cv2.COLOR_GRAY2BGR)
    shown = cv2.multiply(region, through, scale=1 / 255)
    cv2.add(shown, cv2.cvtColor(laid, cv2.COLOR_BGRA2BGR), dst=region)
