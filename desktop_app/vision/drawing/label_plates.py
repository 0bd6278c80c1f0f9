"""Label plates: text on dark rounded rectangles."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""BGR, 0 to 255."""

PLATE_COLOUR: Final[Colour] = (24, 20, 18)
PLATE_OPACITY: Final = 0.8
BOLD: Final = 600
REGULAR: Final = 400
CAP_HEIGHT: Final = 0.7
"""Height of a capital letter over the size of the font."""
FIRST_CJK: Final = "\u2e80"


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text in one style.

    Attributes:
        text: any Unicode text on one line.
        colour: BGR.
        weight: weight of the font, 400 (regular) to 700 (bold).
        size: size over that of the plate's text.
        gap: space before it, in units of the plate's text size.
    """

    text: str
    colour: Colour
    weight: int = REGULAR
    size: float = 1.0
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Plate:
    """One or more lines of text that are drawn on one dark plate.

    Attributes:
        lines: the runs of each line.
        text_size: size of the text in pixels.
        chip: a coloured field at one end with its own dark text; a stripe where that is empty, None for none.
        chip_colour: BGR of that field.
        least: size in pixels below which no part of the text goes, unless all of it does.
        chip_behind: whether the coloured field is at the right end rather than at the left one.
    """

    lines: tuple[tuple[Run, ...], ...]
    text_size: int
    chip: str | None = None
    chip_colour: Colour = (255, 255, 255)
    least: int = 0
    chip_behind: bool = False

    @property
    def line_height(self) -> int:
        """Height of a line in pixels."""
        return round(self.text_size * 1.45)

    @property
    def padding(self) -> int:
        """Space at the left and right of the text in pixels."""
        return max(round(self.text_size * (0.3 if self.chip == "" else 0.45)), 2)

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.line_height * max(len(self.lines), 1)

    @property
    def chip_width(self) -> int:
        """Width of the coloured field in pixels."""
        if self.chip is None:
            return 0
        if not self.chip:
            return max(round(self.text_size * 0.3), 3)
        return text_width(self.chip, self._chip_size, BOLD) + 2 * max(round(self.text_size * 0.35), 2)

    @property
    def width(self) -> int:
        """Width in pixels."""
        text = max((self._line_width(line) for line in self.lines), default=0)
        return self.chip_width + (text + 2 * self.padding if text else 0)

    @property
    def _chip_size(self) -> int:
        return self._scaled(0.85)

    def _line_width(self, line: Sequence[Run]) -> int:
        return sum(self._gap(run) + text_width(run.text, self._size(run), run.weight) for run in line)

    def _size(self, run: Run) -> int:
        return self._scaled(run.size)

    def _scaled(self, factor: float) -> int:
        return max(round(self.text_size * factor), min(self.least, self.text_size), 1)

    def _gap(self, run: Run) -> int:
        return round(self.text_size * run.gap)

    def draw(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        """Draw the plate on a picture (H×W×3 uint8, BGR) with its top left corner at pixel (x, y), in place."""
        radius = round(self.text_size * 0.28)
        fill_rounded(image, x, y, self.width, self.height, radius, PLATE_COLOUR, PLATE_OPACITY)
        middle = y + self.line_height / 2
        if self.chip is not None:
            left = x + self.width - self.chip_width if self.chip_behind else x
            fill_rounded(image, left, y, self.chip_width, self.height, radius, self.chip_colour, 1.0)
            inset = (self.chip_width - text_width(self.chip, self._chip_size, BOLD)) // 2
            draw_text(image, self.chip, left + inset, middle, self._chip_size, PLATE_COLOUR, BOLD)
        for number, line in enumerate(self.lines):
            pen = x + self.padding + (0 if self.chip_behind else self.chip_width)
            for run in line:
                pen += self._gap(run)
                level = middle + number * self.line_height
                size = self._size(run)
                draw_text(image, run.text, pen, level, size, run.colour, run.weight, base=self.text_size)
                pen += text_width(run.text, size, run.weight)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn plate that can be laid on any picture: `picture * kept / 255 + added`.

    Attributes:
        added: H×W×3 uint8, BGR: what it adds.
        kept: H×W×3 uint8: how much of the picture shows through, 255 all of it.
    """

    added: NDArray[np.uint8]
    kept: NDArray[np.uint8]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.added.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.added.shape[0])

    def draw(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        """Draw it on a picture (H×W×3 uint8, BGR), in place; parts outside of the picture are left out.

        Args:
            image: the picture.
            x: left edge in pixels, at least 0.
            y: top edge in pixels, at least 0.
        """
        area = image[y : y + self.height, x : x + self.width]
        if area.size:
            added, kept = (layer[: area.shape[0], : area.shape[1]] for layer in (self.added, self.kept))
            cv2.add(cv2.multiply(area, kept, scale=1 / 255), added, dst=area)


def render_plate(plate: Plate) -> Sprite:
    """Draw a plate once, to be laid on pictures many times."""
    size = (plate.height, plate.width, 3)
    on_black, on_white = np.zeros(size, np.uint8), np.full(size, 255, np.uint8)
    plate.draw(on_black, 0, 0)
    plate.draw(on_white, 0, 0)
    return Sprite(on_black, np.asarray(cv2.subtract(on_white, on_black), np.uint8))


def draw_text(
    image: NDArray[np.uint8],
    text: str,
    x: int,
    middle: float,
    size: int,
    colour: Colour,
    weight: int = REGULAR,
    *,
    base: int | None = None,
) -> None:
    """Draw text on a picture, in place.

    Args:
        image: H×W×3 uint8, BGR.
        text: one line.
        x: left edge in pixels.
        middle: height in pixels on which capitals are centred.
        size: of the font in pixels.
        colour: BGR.
        weight: of the font, 100 to 900.
        base: size of the text whose baseline this one shares; None for its own.
    """
    baseline = round(middle + CAP_HEIGHT * (base or size) / 2)
    for step in range(_extra_width(text, size, weight) + 1):
        cv2.putText(image, text, (x + step, baseline), colour, _fonts.face, size, weight)


@lru_cache(maxsize=1024)
def text_width(text: str, size: int, weight: int = REGULAR) -> int:
    """Width of a text in pixels."""
    return int(cv2.getTextSize((0, 0), text, (0, 0), _fonts.face, size, weight)[2]) + _extra_width(text, size, weight)


def _extra_width(text: str, size: int, weight: int) -> int:
    """Pixels by which characters of the fallback font are broadened to look bold: it has one weight only."""
    has_fallback = any(character >= FIRST_CJK for character in text)
    return max(round(size / 20), 1) if weight > REGULAR and has_fallback else 0


def fill_rounded(
    image: NDArray[np.uint8],
    x: int,
    y: int,
    width: int,
    height: int,
    radius: int,
    colour: Colour,
    opacity: float,
) -> None:
    """Fill a rectangle with round corners on a picture, in place; parts outside of the picture are left out.

    Args:
        image: H×W×3 uint8, BGR.
        x: left edge in pixels.
        y: top edge in pixels.
        width: in pixels.
        height: in pixels.
        radius: of the corners in pixels.
        colour: BGR.
        opacity: 0 to 1.
    """
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if left >= right or top >= bottom:
        return
    part = (slice(top - y, bottom - y), slice(left - x, right - x))
    patch, cover, rest = (one[part] for one in _rounded_patch(width, height, radius, colour, opacity))
    area = image[top:bottom, left:right]
    area[:] = cv2.blendLinear(patch, area, cover, rest)


@lru_cache(maxsize=64)
def _rounded_patch(
    width: int, height: int, radius: int, colour: Colour, opacity: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """A patch of the colour, and the weights of it and of the picture: smooth at the corners."""
    # Distance from the rectangle that is smaller by the radius: the edge is where it equals the radius.
    across = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    down = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    distance = np.hypot(np.maximum(across, 0)[None, :], np.maximum(down, 0)[:, None])
    cover = (np.clip(radius + 0.5 - distance, 0, 1) * opacity).astype(np.float32)
    return np.full((height, width, 3), colour, np.uint8), cover, 1 - cover


class _Fonts(threading.local):
    """One font object a thread: OpenCV does not say that they may be shared."""

    def __init__(self) -> None:
        # OpenCV 5 carries Rubik, and a fallback with Chinese, Japanese and Korean characters, in its library.
        self.face = cv2.FontFace("sans")


_fonts = _Fonts()
