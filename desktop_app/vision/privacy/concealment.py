"""Faces, or all of a picture, made unrecognisable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.vision.geometry import Box

PrivacyMode = Literal["off", "faces", "picture"]
"""What is hidden, from the least to the most."""
PrivacyStyle = Literal["blur", "pixelate"]
"""How it is hidden: as soft colours, or as squares."""

CELLS: Final = 6
"""What is left of a face and its surroundings: this many cells across, four of them on the face itself. From seven on,
people recognise some of those they know (Yip and Sinha 2002)."""
PICTURE_CELLS: Final = 4
"""What is left of the longer side of a whole picture, which one face may fill."""
WIDTH_FACTOR: Final = 1.55
HEIGHT_FACTOR: Final = 1.85
LIFT: Final = 0.08
"""The detector's box ends at the brows and the chin: hair, forehead and ears are outside, most of them above."""
MASK_SIDE: Final = 96


def carry_over(value: object) -> tuple[PrivacyMode, PrivacyStyle | None]:
    """What a kept value of the privacy mode stands for, with the style where it names one.

    Earlier versions kept the style alone, for faces. What no version kept hides the most.
    """
    if value in get_args(PrivacyStyle):
        return "faces", value  # type: ignore[return-value]
    if value in get_args(PrivacyMode):
        return value, None  # type: ignore[return-value]
    return "picture", None


def hides_enough(drawn: PrivacyMode, wanted: PrivacyMode) -> bool:
    """Whether a picture that was drawn in one mode may be shown in another."""
    modes = get_args(PrivacyMode)
    return modes.index(drawn) >= modes.index(wanted)


def conceal(
    image: NDArray[np.uint8], mode: PrivacyMode, style: PrivacyStyle, covers: Sequence[Box] | None
) -> PrivacyMode:
    """Make unrecognisable what a mode wants hidden, in place; all of the picture where no faces were looked for.

    Args:
        image: H×W×3 uint8, BGR.
        mode: what is to be hidden.
        style: how it is hidden.
        covers: what hides the faces of this very picture, as `FaceCover` gives it; None where they were not looked for.

    Returns:
        What is hidden now.
    """
    if mode == "off":
        return "off"
    if mode == "picture" or covers is None:
        hide_picture(image, style)
        return "picture"
    for box in covers:
        hide_face(image, box, style=style)
    return "faces"


def hide_picture(image: NDArray[np.uint8], style: PrivacyStyle) -> None:
    """Make all of a picture unrecognisable, in place, even where one face fills it.

    Args:
        image: H×W×3 uint8, BGR, of any size.
        style: how it is hidden.
    """
    height, width = image.shape[:2]
    if not image.size:
        return
    cells = _averaged(image, max(max(width, height) / PICTURE_CELLS, 1.0))
    if style == "blur":
        cells = _softened(cells)
    method = cv2.INTER_LINEAR if style == "blur" else cv2.INTER_NEAREST
    image[:] = cv2.resize(cells, (width, height), interpolation=method)


def hide_face(image: NDArray[np.uint8], box: Box, *, style: PrivacyStyle) -> None:
    """Make the ellipse around a face unrecognisable, in place.

    Both styles first average the face down to a few cells, so that nothing can be sharpened back.

    Args:
        image: H×W×3 uint8, BGR.
        box: the detector's box, in pixels of `image`; it may reach beyond the border.
        style: `blur` blends the cells softly, `pixelate` shows them.
    """
    width, height = box.width * WIDTH_FACTOR, box.height * HEIGHT_FACTOR
    x, y = box.center.x - width / 2, box.center.y - LIFT * box.height - height / 2
    left, top, right, bottom = (round(edge) for edge in (x, y, x + width, y + height))
    inner_left, inner_top = max(left, 0), max(top, 0)
    inner_right, inner_bottom = min(right, image.shape[1]), min(bottom, image.shape[0])
    if inner_left >= inner_right or inner_top >= inner_bottom:
        return
    area = image[inner_top:inner_bottom, inner_left:inner_right]
    part = (inner_left - left, inner_top - top, inner_right - left, inner_bottom - top)
    shares = [edge / whole for edge, whole in zip(part, (right - left, bottom - top) * 2, strict=True)]
    cell = max((right - left) / CELLS, 1.0)
    if style == "blur":
        _blur(area, shares, cell)
    else:
        _pixelate(area, shares, cell)


def _blur(area: NDArray[np.uint8], shares: list[float], cell: float) -> None:
    height, width = area.shape[:2]
    smooth = _softened(_averaged(area, cell))
    mask = cv2.resize(_mask_part(shares), smooth.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    # Weighed while small: what is added to the picture, and how much of the picture is left.
    weight = cv2.cvtColor(np.rint(255 * mask).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    added = cv2.multiply(smooth, weight, scale=1 / 255)
    layers = [cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR) for layer in (added, 255 - weight)]
    cv2.add(layers[0], cv2.multiply(area, layers[1], scale=1 / 255), dst=area)


def _softened(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The cells blended into each other, at eight times their size; from there linear scaling is enough and faster."""
    size = (cells.shape[1] * 8, cells.shape[0] * 8)
    return np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _pixelate(area: NDArray[np.uint8], shares: list[float], cell: float) -> None:
    height, width = area.shape[:2]
    cells = _averaged(area, cell)
    hidden = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
    # Each cell that the ellipse touches, so that the outline is made of cells too.
    inside = cv2.resize(_mask_part(shares), (cells.shape[1], cells.shape[0]), interpolation=cv2.INTER_AREA)
    mask = cv2.resize((inside > 0).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    cv2.copyTo(hidden, mask, area)


def _averaged(area: NDArray[np.uint8], cell: float) -> NDArray[np.uint8]:
    """The mean colour of each cell, about `cell` pixels wide."""
    height, width = area.shape[:2]
    size = (max(round(width / cell), 1), max(round(height / cell), 1))
    # By halves as far as that goes, which is several times faster; an odd last row or column does not count.
    while area.shape[1] >= 4 * size[0] and area.shape[0] >= 4 * size[1]:
        half = (area.shape[1] // 2, area.shape[0] // 2)
        area = np.asarray(cv2.resize(area[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(area, size, interpolation=cv2.INTER_AREA), np.uint8)


def _mask_part(shares: list[float]) -> NDArray[np.float32]:
    """The part of the ellipse's mask inside the picture."""
    left, top, right, bottom = (round(share * MASK_SIDE) for share in shares)
    left, top = min(left, MASK_SIDE - 1), min(top, MASK_SIDE - 1)
    return _mask()[top : max(bottom, top + 1), left : max(right, left + 1)]


@lru_cache(maxsize=1)
def _mask() -> NDArray[np.float32]:
    """A soft-edged disc: 1 inside, 0 in the corners; full over all of the detector's box."""
    axis = (np.arange(MASK_SIDE) + 0.5) / MASK_SIDE * 2 - 1
    radius = np.hypot(axis[:, None], axis[None, :])
    return np.clip((1 - radius) / 0.1, 0, 1).astype(np.float32)
