"""Box outlines with anti-aliased lines and rounded corners."""

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

_DETAILED: Final = (9, 7)
_COARSE: Final = (5, 3)
"""Points of a corner's arc and of a line's end."""
_COARSE_BELOW: Final = 12.0
"""Pixels of a corner's radius up to which the coarse points look as round."""
# Seen from each corner, clockwise from the top left: the way on along the outline, and the way back.
_AXES: Final = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]], np.float64)


Shapes = list[NDArray[np.int32]]
"""Polygons, N×2 each, with `SUBPIXEL_BITS` binary places."""


def bracket_shapes(boxes: Sequence[Box], thickness: int) -> list[Shapes]:
    """The four corners of boxes as smooth lines that have round ends, at fractions of pixels.

    Args:
        boxes: in pixels of the picture; they may reach beyond its border.
        thickness: of the lines in pixels.

    Returns:
        For each box four polygons, for `fill_shapes`.
    """
    if not boxes:
        return []
    # All at once: for a crowd NumPy takes longer to be called than to compute.
    sides = np.array([min(box.width, box.height) for box in boxes])
    places, directions, inner = _bracket(*_COARSE if sides.max() * CORNER_RADIUS < _COARSE_BELOW else _DETAILED)
    points = sides[:, None, None] * places + thickness / 2 * directions
    # Where the line is wider than the corner is round, its inner edge would fold over itself.
    points[:, inner] = np.maximum(points[:, inner], thickness / 2)
    corners = np.array([_corners(box) for box in boxes])
    return [list(shapes) for shapes in _fixed(corners[:, :, None] + points[:, None] @ _AXES)]


def fill_shapes(image: NDArray[np.uint8], shapes: Shapes, colour: tuple[int, int, int]) -> None:
    """Fill polygons that do not overlap, in place.

    Args:
        image: H×W×3 uint8, BGR.
        shapes: as `bracket_shapes` gives them: OpenCV draws a thick line from one polygon and two discs for each of its
            pieces.
        colour: BGR.
    """
    cv2.fillPoly(image, shapes, colour, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_outline(image: NDArray[np.uint8], box: Box, colour: tuple[int, int, int], thickness: int) -> None:
    """Draw a closed line around a box, with round corners, in place.

    Args:
        image: H×W×3 uint8, BGR.
        box: in pixels of `image`; it may reach beyond the border.
        colour: BGR.
        thickness: of the line in pixels.
    """
    arcs = min(box.width, box.height) * _arc(_DETAILED[0]) @ _AXES
    line = (np.array(_corners(box))[:, None] + arcs).reshape(-1, 2)
    cv2.polylines(image, [_fixed(line)], True, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def _corners(box: Box) -> list[list[float]]:
    return [[box.x, box.y], [box.right, box.y], [box.right, box.bottom], [box.x, box.bottom]]


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)


@lru_cache(maxsize=2)
def _arc(points: int) -> NDArray[np.float64]:
    """The round corner: N×2, along the way on and the way back, in sides of the box."""
    angles = np.linspace(0, math.pi / 2, points)
    return CORNER_RADIUS * np.stack([1 - np.cos(angles), 1 - np.sin(angles)], axis=1)


@lru_cache(maxsize=2)
def _bracket(arc_points: int, cap_points: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The edge of one bracket's line, once around it, along the way on and the way back.

    Returns:
        Points on the line's middle (N×2, in sides of the box), the directions from there to its edge (N×2, unit
        vectors), and which of them are on the inner side (N).
    """
    middle = np.concatenate([[[0, ARM_LENGTH]], _arc(arc_points), [[ARM_LENGTH, 0]]])
    angles = np.linspace(0, math.pi / 2, arc_points)
    outward = -np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outward = np.concatenate([outward[:1], outward, outward[-1:]])
    turn = np.linspace(0, math.pi, cap_points + 2)[1:-1]
    end = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    start = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    places = [middle, middle[-1:].repeat(cap_points, axis=0), middle[::-1], middle[:1].repeat(cap_points, axis=0)]
    directions = [outward, end, -outward[::-1], start]
    inner = [np.full(len(part), number == 2) for number, part in enumerate(places)]
    return np.concatenate(places), np.concatenate(directions), np.concatenate(inner)
