"""Canvas: which part of a picture is drawn on, at which scale, and how large text and lines are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from desktop_app.vision.geometry import Box, Point

SMALLEST_TEXT: Final = 11
"""Pixels (in a view, pixels of the window); smaller text cannot be read."""
_TEXT: Final = 17
_SMALL_TEXT: Final = 12
_VIEW_UNITS: Final = (0.765, 1.0)
"""Of a view: text of 13 to 17 pixels."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn on.

    Attributes:
        width: in its own pixels.
        height: in its own pixels.
        scale: its pixels a pixel of the picture.
        left: what it begins with, in pixels of the picture.
        top: what it begins with, in pixels of the picture.
        unit: its pixels that are one pixel of a picture whose shorter side is 720.
        least_text: size of the smallest text in its pixels.
    """

    width: int
    height: int
    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0
    unit: float = 1.0
    least_text: int = SMALLEST_TEXT

    @classmethod
    def of_picture(cls, width: int, height: int) -> Canvas:
        """A whole picture in its own size: text and lines follow its shorter side."""
        return cls(width, height, unit=min(width, height) / 720)

    @classmethod
    def of_view(
        cls, width: int, height: int, *, scale: float, left: float = 0.0, top: float = 0.0, ratio: float = 1.0
    ) -> Canvas:
        """A part of a picture on the screen, where text can be read at any scale.

        Args:
            width: in pixels of the screen.
            height: in pixels of the screen.
            scale: pixels of the screen a pixel of the picture.
            left: where the part begins, in pixels of the picture.
            top: where the part begins, in pixels of the picture.
            ratio: pixels of the screen a logical pixel of the window.
        """
        low, high = _VIEW_UNITS
        unit = ratio * min(max(min(width, height) / ratio / 720, low), high)
        return cls(width, height, scale, left, top, unit, round(SMALLEST_TEXT * ratio))

    @property
    def text(self) -> int:
        """Size of the labels' text in pixels."""
        return max(round(_TEXT * self.unit), self.least_text)

    @property
    def small_text(self) -> int:
        """Size of the text of labels with little room."""
        return max(round(_SMALL_TEXT * self.unit), self.least_text)

    @property
    def line_width(self) -> int:
        """Thickness of the boxes in pixels: never one, which video compression would wash out."""
        return max(round(2.5 * self.unit), 2)

    @property
    def halo(self) -> int:
        """Pixels of shadow at each side of a line."""
        return max(round(self.unit), 1)

    @property
    def gap(self) -> int:
        """Pixels between a face's box and its label."""
        return max(round(5 * self.unit), 2)

    def box(self, box: Box) -> Box:
        """A box of the picture, in pixels of the canvas."""
        return Box(
            (box.x - self.left) * self.scale,
            (box.y - self.top) * self.scale,
            box.width * self.scale,
            box.height * self.scale,
        )

    def point(self, point: Point) -> Point:
        """A point of the picture, in pixels of the canvas."""
        return Point((point.x - self.left) * self.scale, (point.y - self.top) * self.scale)
