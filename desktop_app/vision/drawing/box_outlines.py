"""Box outlines with anti-aliased lines and rounded corners."""

from __future__ import annotations

import math
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

_ARC_POINTS: Final = 9
_CAP_POINTS: Final = 7
# Seen from each corner, clockwise from the top left: the way on along the outline, and the way back.
_AXES: Final = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]], np.float64)


def draw_brackets(image: NDArray[np.uint8], box: Box, colour: tuple[int, int, int], thickness: int) -> None:
    """Mark the four corners of a box with smooth lines that have round ends, in place, at fractions of pixels.

    Args:
        image: H×W×3 uint8, BGR.
        box: in pixels of `image`; it may reach beyond the border.
        colour: BGR.
        thickness: of the lines in pixels.
    """
    places, directions, inner = _bracket()
    points = min(box.width, box.height) * places + thickness / 2 * directions
    # Where the line is wider than the corner is round, its inner edge would fold over itself.
    points[inner] = np.maximum(points[inner], thickness / 2)
    # Filled shapes: OpenCV draws a thick line from one polygon and two discs for each of its pieces.
    for shape in _fixed(_corners(box)[:, None] + points @ _AXES):
        cv2.fillPoly(image, [shape], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_outline(image: NDArray[np.uint8], box: Box, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw a closed line around a box, with round corners; otherwise as `draw_brackets`."""
    arcs = min(box.width, box.height) * _arc() @ _AXES
    line = (_corners(box)[:, None] + arcs).reshape(-1, 2)
    cv2.polylines(image, [_fixed(line)], True, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def _corners(box: Box) -> NDArray[np.float64]:
    return np.array([[box.x, box.y], [box.right, box.y], [box.right, box.bottom], [box.x, box.bottom]])


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


@lru_cache(maxsize=1)
def _arc() -> NDArray[np.float64]:
    """The round corner: N×2, along the way on and the way back, in sides of the box."""
    angles = np.linspace(0, math.pi / 2, _ARC_POINTS)
    return CORNER_RADIUS * np.stack([1 - np.cos(angles), 1 - np.sin(angles)], axis=1)


@lru_cache(maxsize=1)
def _bracket() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The edge of one bracket's line, once around it, along the way on and the way back.

    Returns:
        Points on the line's middle (N×2, in sides of the box), the directions from there to its edge (N×2, unit
        vectors), and which of them are on the inner side (N).
    """
    middle = np.concatenate([[[0, ARM_LENGTH]], _arc(), [[ARM_LENGTH, 0]]])
    angles = np.linspace(0, math.pi / 2, _ARC_POINTS)
    outward = -np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outward = np.concatenate([outward[:1], outward, outward[-1:]])
    turn = np.linspace(0, math.pi, _CAP_POINTS + 2)[1:-1]
    end = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    start = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    places = [middle, middle[-1:].repeat(_CAP_POINTS, axis=0), middle[::-1], middle[:1].repeat(_CAP_POINTS, axis=0)]
    directions = [outward, end, -outward[::-1], start]
    inner = [np.full(len(part), number == 2) for number, part in enumerate(places)]
    return np.concatenate(places), np.concatenate(directions), np.concatenate(inner)
