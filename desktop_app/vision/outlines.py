"""Outlines of boxes as smooth lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.geometry import Box

SUBPIXEL_BITS: Final = 4
"""Binary places of the coordinates given to OpenCV: lines that jump by whole pixels would tremble."""
CORNER_RADIUS: Final = 0.1
ARM_LENGTH: Final = 0.22
"""Both in sides of the box."""


def corner_brackets(box: Box) -> list[NDArray[np.float64]]:
    """Four lines, N×2 points each, that mark the box's corners."""
    ends, arcs = _template()
    brackets = np.concatenate([ends[:, :1], arcs, ends[:, 1:]], axis=1)
    return list(_placed(brackets, box))


def rounded_outline(box: Box) -> list[NDArray[np.float64]]:
    """One line of N×2 points around the box, with round corners."""
    return [_placed(_template()[1], box).reshape(-1, 2)]


def _placed(offsets: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    corners = np.array([[box.x, box.y], [box.right, box.y], [box.right, box.bottom], [box.x, box.bottom]])
    return np.asarray(corners[:, None] + min(box.width, box.height) * offsets)


@lru_cache(maxsize=1)
def _template() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets from the four corners, clockwise, in sides of the box.

    Returns:
        The two ends of each bracket (4×2×2) and the points of each round corner (4×9×2).
    """
    right, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    # Seen from each corner: the way back along the outline, and the way on.
    back = np.array([down, -right, -down, right])[:, None]
    on = np.array([right, down, -right, -down])[:, None]
    angles = np.linspace(0, math.pi / 2, 9)[None, :, None]
    arcs = CORNER_RADIUS * ((1 - np.sin(angles)) * back + (1 - np.cos(angles)) * on)
    return ARM_LENGTH * np.concatenate([back, on], axis=1), arcs


def draw_lines(
    image: NDArray[np.uint8],
    lines: Sequence[NDArray[np.float64]],
    colour: tuple[int, int, int],
    thickness: int,
    *,
    closed: bool,
) -> None:
    """Draw smooth lines in place, at fractions of pixels.

    Args:
        image: HxWx3 uint8, BGR.
        lines: N×2 points each, x and y in pixels.
        colour: BGR.
        thickness: in pixels.
        closed: whether each line returns to its start.
    """
    fixed = [np.rint(line * (1 << SUBPIXEL_BITS)).astype(np.int32) for line in lines]
    cv2.polylines(image, fixed, closed, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
