"""Preprocessing for training and calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.catalogue import fit_mean
from desktop_app.catalogue.manifest import InputSpec


def to_pixels(
    pictures: NDArray[np.uint8], spec: InputSpec, mean_image: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The centre of pictures as a network takes it.

    Args:
        pictures: N×S×S×3 uint8, BGR, S ≥ `spec.size`.
        spec: size, colour order, mean and scale.
        mean_image: H×W×3 float32 in the network's colour order, instead of `spec.mean`; fitted as `spec.mean_fit` says.

    Returns:
        N×3×size×size float32.
    """
    views = center(pictures, spec.size)
    if spec.colour == "RGB":
        views = views[..., ::-1]
    mean = (
        fit_mean(mean_image, spec.size, spec.mean_fit) if mean_image is not None else np.asarray(spec.mean, np.float32)
    )
    return np.ascontiguousarray(((views - mean) * np.float32(spec.scale)).transpose(0, 3, 1, 2), np.float32)


def center(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle size×size part of N×S×S×3 pictures."""
    start = (pictures.shape[1] - size) // 2
    return pictures[:, start : start + size, start : start + size]
