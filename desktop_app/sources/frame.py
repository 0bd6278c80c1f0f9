"""One frame of a source with its index and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and where it comes from.

    Attributes:
        image: H×W×3 uint8, BGR, C-contiguous; not written to once the frame is made.
        index: 0 for the source's first frame, counting those that were read.
        captured_at: seconds: of the monotonic clock for live sources, of media time for files.
        origin: file name for folders and images, else the source's name.
        alone: it has nothing to do with the frame before, as a picture of a folder; frames of films and cameras have.
        entry: the place of its file in a playlist, from 0; it has nothing to do with a frame of another entry.
    """

    image: NDArray[np.uint8]
    index: int
    captured_at: float
    origin: str = ""
    alone: bool = False
    entry: int = 0
