"""Images of the demo source: portrait cards with rounded corners and a shadow, and the background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.paths import resource_path
from desktop_app.sources.pictures.stills import load_image

CARD_WIDTH: Final = 280
"""Of a card at scale 1 in pixels, shadow left out; the face on it is about 160 pixels wide for the detector."""

CARD_HEIGHT: Final = 336
_BORDER: Final = 7.0
_RADIUS: Final = 26.0
_SHADOW: Final = 20.0
_SHADOW_DROP: Final = 8.0
_SHADOW_STRENGTH: Final = 0.42


@dataclass(frozen=True, slots=True)
class Portrait:
    """The part of a picture in `resources` that a card shows: from its left and top, so many pixels wide."""

    file: str
    left: int
    top: int
    width: int


COLLINS: Final = Portrait("demo_portrait.jpg", 146, 12, 164)
"""Eileen Collins, 42 years old."""
OBAMA: Final = Portrait("demo_portrait_2.jpg", 0, 0, 458)
"""Barack Obama, 51 years old."""


@dataclass(frozen=True, slots=True)
class Look:
    """Who is on a card, and how.

    Attributes:
        portrait: who.
        mirrored: left and right are exchanged.
        colour: 1 as photographed, 0 grey.
        gains: factors for blue, green and red.
        gamma: below 1 lightens, above 1 darkens.
    """

    portrait: Portrait = COLLINS
    mirrored: bool = False
    colour: float = 1.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0


LOOKS: Final = (
    Look(gains=(0.98, 1.0, 1.02)),
    Look(OBAMA),
    Look(colour=0.0, gains=(0.85, 1.0, 1.15), gamma=0.96),
    Look(OBAMA, mirrored=True, colour=0.4, gains=(1.04, 1.0, 0.97)),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is ready to be laid over a picture: `picture * layers[..., 3] / 255 + layers[..., :3]`.

    Attributes:
        layers: H×W×4 uint8: what the card adds (BGR), and how much of the picture under it is left, 255 all of
            it. One array, because OpenCV moves four channels faster than three.
        scale: its size against a card of `CARD_WIDTH`×`CARD_HEIGHT` pixels.
    """

    layers: NDArray[np.uint8]
    scale: float


@cache
def make_card(look: Look, scale: float) -> Card:
    """Draw a card.

    Args:
        look: how its portrait differs.
        scale: of the card's sides.
    """
    width, height = max(round(CARD_WIDTH * scale), 2), max(round(CARD_HEIGHT * scale), 2)
    margin = round((_SHADOW + _SHADOW_DROP) * scale) + 1
    size = (width + 2 * margin, height + 2 * margin)
    outer = _rounded_rectangle(size, width, height, _RADIUS * scale)
    inner_size = width - 2 * _BORDER * scale, height - 2 * _BORDER * scale
    inner = _rounded_rectangle(size, *inner_size, (_RADIUS - _BORDER) * scale)[..., None]
    photo = np.full((size[1], size[0], 3), 246.0, np.float32)
    photo[margin : margin + height, margin : margin + width] = _portrait(look, width, height)
    picture = photo * inner + 246.0 * (1 - inner)
    drop = np.array([[1, 0, 0], [0, 1, _SHADOW_DROP * scale]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(outer, drop, size), (0, 0), _SHADOW * scale / 2.5)
    left_over = (1 - outer) * (1 - _SHADOW_STRENGTH * shadow)
    return Card(_to_bytes(np.dstack([picture * outer[..., None], 255 * left_over])), scale)


def make_background(width: int, height: int) -> NDArray[np.uint8]:
    """A quiet gradient with two soft lights.

    Returns:
        height×width×3 uint8, BGR.
    """
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = _colour(104, 66, 40) * (1 - y) + _colour(66, 34, 30) * y
    for centre_x, centre_y, reach, light in (
        (0.22, 0.12, 0.55, _colour(92, 78, 20)),
        (0.84, 0.82, 0.6, _colour(70, 20, 66)),
    ):
        distance = ((x - centre_x) ** 2 + (y - centre_y) ** 2) / reach**2
        image = image + light * np.exp(-3 * distance)
    # A little noise, always the same, keeps the gradient from showing steps.
    noise = np.random.default_rng(7).uniform(-0.9, 0.9, (height, width, 1)).astype(np.float32)
    return _to_bytes(image + noise)


def _portrait(look: Look, width: int, height: int) -> NDArray[np.float32]:
    portrait = look.portrait
    scale = width / portrait.width
    rows = round(height / scale)
    photo = load_image(resource_path(portrait.file))
    part = photo[portrait.top : portrait.top + rows, portrait.left : portrait.left + portrait.width]
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    image = cv2.resize(part, (width, height), interpolation=method).astype(np.float32)
    if look.mirrored:
        image = image[:, ::-1]
    grey = image.mean(axis=2, keepdims=True)
    image = (grey + look.colour * (image - grey)) * np.array(look.gains, np.float32)
    return np.asarray(255 * (np.clip(image, 0, 255) / 255) ** look.gamma, np.float32)


def _rounded_rectangle(size: tuple[int, int], width: float, height: float, radius: float) -> NDArray[np.float32]:
    """Coverage of each pixel by a centred rectangle, 0 to 1, with smooth edges."""
    x = np.abs(np.arange(size[0], dtype=np.float32) - (size[0] - 1) / 2)[None, :]
    y = np.abs(np.arange(size[1], dtype=np.float32) - (size[1] - 1) / 2)[:, None]
    beyond_x, beyond_y = x - (width / 2 - radius), y - (height / 2 - radius)
    outside = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
    inside = np.minimum(np.maximum(beyond_x, beyond_y), 0)
    return np.asarray(np.clip(radius + 0.5 - outside - inside, 0, 1), np.float32)


def _colour(blue: float, green: float, red: float) -> NDArray[np.float32]:
    return np.array([blue, green, red], np.float32)


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255), np.uint8)
