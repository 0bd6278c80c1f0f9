"""Pictures as a session shows them, made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.label import Label
from desktop_app.vision.geometry import Box
from tests.helpers.visitors import label, track

ADULT = label(0.1, 0.8, 0.1)
PIXELS = np.zeros((4, 4, 3), np.uint8)


def shown(
    index: int,
    ids: Sequence[int],
    *,
    at: float | None = None,
    said: Label | None = ADULT,
    alone: bool = False,
    box: Box | None = None,
    entry: int = 0,
) -> RenderedFrame:
    """A picture with these faces, of whom all the same is said."""
    frame = Frame(PIXELS, index, index / 10 if at is None else at, "film.mp4", alone, entry)
    labels = dict.fromkeys(ids, said) if said is not None else {}
    return RenderedFrame(PIXELS, frame, tuple(track(one, box=box) for one in ids), labels, {}, 0.0, 0.0)
