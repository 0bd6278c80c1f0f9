"""Colours of films that are brighter or wider than a screen shows: HLG, PQ and BT.2020, to BT.709."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

# ITU-R BT.2408: white paper in a film of high dynamic range, and the brightest that HLG means by 1.
_WHITE_NITS: Final = 203.0
_HLG_PEAK_NITS: Final = 1000.0
_PQ_PEAK_NITS: Final = 10_000.0
_SCREEN_GAMMA: Final = 2.4
# From here on, in parts of white, brightness is rolled off instead of cut off.
_SHOULDER: Final = 0.7
# What is brighter than this many whites is white: so 16 bits are enough for the dark parts.
_BRIGHTEST: Final = 2.5
_LEVELS: Final = 1 << 16
_BT2020_TO_BT709: Final = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)
"""Linear B, G, R to linear B, G, R (ITU-R BT.2087)."""


def needs_mapping(frame: VideoFrame) -> bool:
    """Whether the frame's colours are not those of an ordinary screen."""
    return frame.color_trc in _CURVES or frame.color_primaries == ColorPrimaries.BT2020


def map_colours(image: NDArray[np.uint16], frame: VideoFrame) -> NDArray[np.uint8]:
    """Turn colours into those of an ordinary screen.

    Args:
        image: H×W×3, BGR, 16 bits a channel, coded as `frame` says.
        frame: where the picture comes from.

    Returns:
        H×W×3 uint8, BGR, BT.709.
    """
    curve = frame.color_trc if frame.color_trc in _CURVES else ColorTrc.BT709
    light = cv2.LUT(image, _to_light(curve))
    if frame.color_primaries != ColorPrimaries.BT709:
        light = cv2.transform(light, _BT2020_TO_BT709)
    return np.asarray(cv2.LUT(light, _to_screen(curve)), np.uint8)


def _hlg(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nits of a hybrid log-gamma signal (ITU-R BT.2100), the screen's gamma of 1.2 included."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray(_HLG_PEAK_NITS * scene**1.2)


def _pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nits of a perceptual quantizer's signal (ITU-R BT.2100)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return np.asarray(_PQ_PEAK_NITS * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _sdr(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_WHITE_NITS * signal**_SCREEN_GAMMA)


_CURVES: Final = {ColorTrc.ARIB_STD_B67: _hlg, ColorTrc.SMPTE2084: _pq}


@cache
def _to_light(curve: int) -> NDArray[np.uint16]:
    """Linear light of each 16-bit level, `_BRIGHTEST` being the highest."""
    whites = _CURVES.get(ColorTrc(curve), _sdr)(np.linspace(0, 1, _LEVELS)) / _WHITE_NITS
    return np.rint(np.clip(whites / _BRIGHTEST, 0, 1) * (_LEVELS - 1)).astype(np.uint16)


@cache
def _to_screen(curve: int) -> NDArray[np.uint8]:
    """The 8-bit value of an SDR screen for each level of linear light."""
    whites = np.linspace(0, _BRIGHTEST, _LEVELS)
    if curve in _CURVES:
        room = 1 - _SHOULDER
        rolled = _SHOULDER + room * (1 - np.exp(-np.maximum(whites - _SHOULDER, 0) / room))
        whites = np.where(whites > _SHOULDER, rolled, whites)
    return np.rint(255 * np.clip(whites, 0, 1) ** (1 / _SCREEN_GAMMA)).astype(np.uint8)
