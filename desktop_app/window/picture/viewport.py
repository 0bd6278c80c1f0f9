"""Viewport arithmetic: letterbox, zoom and pan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

MAX_ZOOM: Final = 16.0


@dataclass(frozen=True, slots=True)
class Viewport:
    """How a picture is fitted into a widget; all lengths in the widget's logical pixels.

    Attributes:
        width: of the widget.
        height: of the widget.
        picture_width: of the picture, in its own pixels.
        picture_height: of the picture, in its own pixels.
        zoom: 1 shows the whole picture.
        center_x: what part of the picture's width is in the widget's middle, 0 to 1.
        center_y: what part of the picture's height is in the widget's middle, 0 to 1.
    """

    width: float
    height: float
    picture_width: int = 1
    picture_height: int = 1
    zoom: float = 1.0
    center_x: float = 0.5
    center_y: float = 0.5

    @property
    def scale(self) -> float:
        """Logical pixels a pixel of the picture."""
        fit = min(self.width / self.picture_width, self.height / self.picture_height)
        return max(fit * self.zoom, 1e-6)

    @property
    def target(self) -> tuple[float, float, float, float]:
        """The picture's rectangle in the widget: x, y, width, height."""
        width, height = self.picture_width * self.scale, self.picture_height * self.scale
        return (
            self.width / 2 - self._clamped(self.center_x, width, self.width) * width,
            self.height / 2 - self._clamped(self.center_y, height, self.height) * height,
            width,
            height,
        )

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """The picture's pixel under a point of the widget; it may lie outside the picture."""
        left, top, _, _ = self.target
        return (x - left) / self.scale, (y - top) / self.scale

    def fitted(self) -> Viewport:
        """The whole picture."""
        return replace(self, zoom=1.0, center_x=0.5, center_y=0.5)

    def zoomed(self, factor: float, *, x: float, y: float) -> Viewport:
        """Closer or farther by a factor, with the point of the picture at (x, y) staying there."""
        zoom = min(max(self.zoom * factor, 1.0), MAX_ZOOM)
        picture_x, picture_y = self.to_picture(x, y)
        changed = replace(self, zoom=zoom)
        width, height = self.picture_width * changed.scale, self.picture_height * changed.scale
        return replace(
            changed,
            center_x=(self.width / 2 - x + picture_x * changed.scale) / width,
            center_y=(self.height / 2 - y + picture_y * changed.scale) / height,
        ).settled()

    def panned(self, dx: float, dy: float) -> Viewport:
        """The picture moved by (dx, dy) logical pixels, as far as its border allows."""
        width, height = self.picture_width * self.scale, self.picture_height * self.scale
        moved = replace(self, center_x=self.center_x - dx / width, center_y=self.center_y - dy / height)
        return moved.settled()

    def settled(self) -> Viewport:
        """The same view with a centre that leaves no needless border."""
        width, height = self.picture_width * self.scale, self.picture_height * self.scale
        return replace(
            self,
            center_x=self._clamped(self.center_x, width, self.width),
            center_y=self._clamped(self.center_y, height, self.height),
        )

    @staticmethod
    def _clamped(center: float, length: float, room: float) -> float:
        if length <= room:
            return 0.5
        half = room / 2 / length
        return min(max(center, half), 1 - half)
