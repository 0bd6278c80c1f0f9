"""Crossings: how often a face goes over a line in the picture, and in which direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from desktop_app.errors import CommandError
from desktop_app.vision.geometry import Box, Line, Point

MAX_LINES: Final = 2
BAND: Final = 0.25
"""Share of a face's size; as long as its middle is no farther from a line, it is on neither side."""

_ARROWS: Final = "→↘↓↙←↖↑↗"
"""Clockwise from the right."""


class Crossings(NamedTuple):
    """How often a line was crossed.

    Forward is towards the right-hand side of somebody who looks from the line's first end to its second: downwards in
    the picture for a line that was drawn from left to right.
    """

    forward: int = 0
    backward: int = 0


@dataclass(frozen=True, slots=True)
class LineCount:
    """Crossings of one line by all counted visits.

    Attributes:
        line: in the picture as its source gives it, not in its mirror image.
        forward: see `Crossings`.
        backward: see `Crossings`.
    """

    line: Line
    forward: int
    backward: int


def check_count(lines: Sequence[Line]) -> None:
    """Refuse more lines than tables have columns for.

    Raises:
        CommandError: there are more than `MAX_LINES`.
    """
    if len(lines) > MAX_LINES:
        raise CommandError("Cannot count crossings: more than two lines are given. Leave the others out.")


def arrows(line: Line) -> tuple[str, str]:
    """Arrows that point across a line as it lies in the picture: forward and backward."""
    # Forward is a quarter of a turn, clockwise, from the line's own direction.
    angle = math.atan2(line.x2 - line.x1, line.y1 - line.y2)
    eighth = round(angle / (math.pi / 4)) % len(_ARROWS)
    return _ARROWS[eighth], _ARROWS[eighth - len(_ARROWS) // 2]


class LinePath:
    """Follows the middle of one face with respect to one line.

    A crossing is a way from clearly one side to clearly the other, of which the last part goes through the line and not
    around one of its ends. Who stands on the line, and trembles, crosses nothing.
    """

    __slots__ = ("_last", "_passed", "_side", "crossings")

    def __init__(self) -> None:
        self.crossings = Crossings()
        self._side = 0
        self._passed = 0
        self._last: Point | None = None

    def move(self, line: Line, box: Box, width: int, height: int) -> None:
        """Take in where the face is next.

        Args:
            line: the same one each time.
            box: of the face, in pixels of the picture, not mirrored.
            width: of the picture, in pixels.
            height: of the picture, in pixels.
        """
        start, end = line.in_pixels(width, height)
        length = math.dist(start, end)
        if not length:
            return
        along_x, along_y = (end.x - start.x) / length, (end.y - start.y) / length
        middle = box.center
        distance = _distance(start, along_x, along_y, middle)
        if self._last is not None:
            before = _distance(start, along_x, along_y, self._last)
            if (before >= 0) != (distance >= 0):
                share = before / (before - distance)
                x, y = (a + share * (b - a) for a, b in zip(self._last, middle, strict=True))
                if 0 <= (x - start.x) * along_x + (y - start.y) * along_y <= length:
                    self._passed += 1 if distance >= 0 else -1
        self._last = middle
        if abs(distance) > BAND * box.size:
            self._arrive(1 if distance > 0 else -1)

    def _arrive(self, side: int) -> None:
        if self._side == -side and self._passed * side > 0:
            forward, backward = self.crossings
            self.crossings = Crossings(forward + (side > 0), backward + (side < 0))
        self._side, self._passed = side, 0


def _distance(start: Point, along_x: float, along_y: float, at: Point) -> float:
    """Distance from the line, as if it had no ends; above 0 on its right-hand side."""
    return along_x * (at.y - start.y) - along_y * (at.x - start.x)
