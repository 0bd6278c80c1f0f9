"""How pictures of faces become a network's input: the same arithmetic in the app, in training and in the tools."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from desktop_app.catalogue.manifest import InputSpec, MeanFit


class _Numbers(Protocol):
    """A NumPy array or a PyTorch tensor."""

    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...


_N = TypeVar("_N", bound=_Numbers)


class Preprocessing:
    """Turns pictures into a network's input.

    Args:
        spec: what the network wants.
        mean_image: H×W×3 float32 in the network's colour order, which is taken away instead of `spec.mean`; fitted to
            the input as `spec.mean_fit` says. A `spec.mean` that names a file needs it.
    """

    def __init__(self, spec: InputSpec, mean_image: NDArray[np.float32] | None = None) -> None:
        if mean_image is not None:
            mean = fit_mean(mean_image, spec.size, spec.mean_fit)
        else:
            mean = np.asarray(spec.mean, np.float32)
        self.spec = spec
        self.mean = mean
        """What is taken away: float32 that broadcasts over size×size×3, channels in the order of `spec.colour`."""
        self._planes = mean.reshape((1,) * (3 - mean.ndim) + mean.shape).transpose(2, 0, 1)

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's input.

        Args:
            views: N×size×size×3 uint8, BGR.

        Returns:
            N×3×size×size float32, C-contiguous.
        """
        ordered = views[..., ::-1] if self.spec.colour == "RGB" else views
        pixels = ordered.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        return normalise(pixels, self._planes, self.spec.scale)


def normalise(pixels: _N, mean: _N | float, scale: float) -> _N:
    """`(pixels - mean) * scale` of float32 NumPy arrays or PyTorch tensors.

    Computed in place, as making large arrays costs more than the arithmetic on them.
    """
    pixels -= mean
    pixels *= scale
    return pixels


def fit_mean(mean: NDArray[np.float32], size: int, how: MeanFit = "crop") -> NDArray[np.float32]:
    """A mean image as large as the input.

    Args:
        mean: H×W×3 float32.
        size: side of the input.
        how: `crop`: its middle where it is larger, the whole resized where it is smaller; `resize`: always the whole.

    Returns:
        size×size×3 float32.
    """
    height, width = mean.shape[:2]
    if how == "crop" and height >= size and width >= size:
        top, left = (height - size) // 2, (width - size) // 2
        return np.ascontiguousarray(mean[top : top + size, left : left + size])
    resized = cv2.resize(mean, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def center(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle size×size part of N×S×S×3 pictures with S ≥ size."""
    start = (pictures.shape[1] - size) // 2
    return pictures[:, start : start + size, start : start + size]


def ten_views(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Four corners and centre of each picture, and their mirror images (Levi and Hassner 2015).

    Args:
        pictures: N×S×S×3 uint8 with S ≥ size.
        size: side of the views.

    Returns:
        10N×size×size×3 uint8, the ten views of a picture next to each other.
    """
    room = pictures.shape[1] - size
    places = [(0, 0), (0, room), (room, 0), (room, room), (room // 2, room // 2)]
    views = [pictures[:, top : top + size, left : left + size] for top, left in places]
    views += [view[:, :, ::-1] for view in views]
    return np.stack(views, axis=1).reshape(-1, size, size, 3)
