"""Boxes and face landmarks in the pixels of a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHORTEST_LINE: Final = 0.02
"""Share of the picture; a shorter line was drawn by mistake."""


class Point(NamedTuple):
    """A position in pixels of the frame: x to the right, y down."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels of the frame; it may reach beyond the frame's border."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x coordinate of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y coordinate of the bottom edge."""
        return self.y + self.height

    @property
    def center(self) -> Point:
        """The middle of the box."""
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    @property
    def area(self) -> float:
        """The area in square pixels; 0 for an empty box."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def size(self) -> float:
        """The side of the square with the same area, in pixels."""
        return float(self.area**0.5)

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, 0 to 1."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        intersection = width * height
        return intersection / (self.area + other.area - intersection)

    def shifted(self, dx: float, dy: float) -> Box:
        """The same box moved by (dx, dy) pixels."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def mirrored(self, width: float) -> Box:
        """The box in the mirror image of a picture that is `width` pixels wide."""
        return Box(width - self.right, self.y, self.width, self.height)

    def scaled(self, factor: float) -> Box:
        """The box in a picture that was resized by `factor`."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)


@dataclass(frozen=True, slots=True)
class Line:
    """A line from one end to another, in shares of a picture's width and height, 0 to 1 each, from its upper left.

    Attributes:
        x1: of its first end, in widths of the picture.
        y1: of its first end, in heights of the picture.
        x2: of its second end.
        y2: of its second end.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def is_valid(self) -> bool:
        """Whether it lies in the picture and is long enough to be crossed."""
        inside = all(0 <= value <= 1 for value in (self.x1, self.y1, self.x2, self.y2))
        return inside and math.hypot(self.x2 - self.x1, self.y2 - self.y1) >= SHORTEST_LINE

    def mirrored(self) -> Line:
        """The same line in the picture's mirror image; its ends change places, so that its sides do not."""
        return Line(1 - self.x2, self.y2, 1 - self.x1, self.y1)

    def in_pixels(self, width: float, height: float) -> tuple[Point, Point]:
        """Its ends in a picture of that size."""
        return Point(self.x1 * width, self.y1 * height), Point(self.x2 * width, self.y2 * height)


def ious(boxes: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """Intersection over union of each box with each of the others: len(boxes)×len(others), 0 to 1."""
    one = _edges(boxes)[:, None]
    other = _edges(others)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    intersection = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(np.maximum(edges[..., 2:] - edges[..., :2], 0), axis=-1) for edges in (one, other)]
    return np.asarray(intersection / np.maximum(areas[0] + areas[1] - intersection, 1e-12))


def _edges(boxes: Sequence[Box]) -> NDArray[np.float64]:
    return np.array([(box.x, box.y, box.right, box.bottom) for box in boxes], float).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The six points MediaPipe finds on a face; left and right are the person's own."""

    right_eye: Point
    left_eye: Point
    nose: Point
    mouth: Point
    right_ear: Point
    left_ear: Point

    def shifted(self, dx: float, dy: float) -> Landmarks:
        """The same points moved by (dx, dy) pixels."""
        return Landmarks(*(Point(p.x + dx, p.y + dy) for p in self.points))

    def scaled(self, factor: float) -> Landmarks:
        """The points in a picture that was resized by `factor`."""
        return Landmarks(*(Point(p.x * factor, p.y * factor) for p in self.points))

    @property
    def roll(self) -> float:
        """The angle in radians by which the face is turned in the picture's plane, clockwise positive.

        The line between the eyes, as long as both are seen; in profile, where the eyes fall together, the line from
        the eyes to the mouth gradually takes over.
        """
        right, left, mouth = self.right_eye, self.left_eye, self.mouth
        eyes = Point(left.x - right.x, left.y - right.y)
        # From the eyes to the mouth, turned by a quarter: along the eyes, too, where the face is not distorted.
        across = Point(mouth.y - (right.y + left.y) / 2, (right.x + left.x) / 2 - mouth.x)
        eye_distance, face_height = math.hypot(*eyes), math.hypot(*across)
        if face_height == 0:
            return math.atan2(eyes.y, eyes.x) if eye_distance else 0.0
        profile = min(max((0.5 - eye_distance / face_height) / 0.3, 0.0), 1.0)
        level = (1 - profile) / (eye_distance or 1.0)
        x, y = (level * a + profile * b / face_height for a, b in zip(eyes, across, strict=True))
        return math.atan2(y, x)

    @property
    def aside(self) -> float:
        """How far the face looks to the side, 0 to 1: by how much its nose is nearer to one eye, of both distances."""
        right, left = math.dist(self.nose, self.right_eye), math.dist(self.nose, self.left_eye)
        return abs(right - left) / max(right + left, 1e-9)

    @property
    def points(self) -> tuple[Point, ...]:
        """All six points, in the order of the fields."""
        return (
            self.right_eye,
            self.left_eye,
            self.nose,
            self.mouth,
            self.right_ear,
            self.left_ear,
        )
