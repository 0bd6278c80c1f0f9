"""Films of faces that walk."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from tests.helpers.portrait import astronaut_bgr

WIDTH, HEIGHT, SIDE = 640, 360, 150
RATE = 15


def write_walk(path: Path, *ways: list[tuple[float, float]], leg_s: float = 2) -> Path:
    """A film of portraits that go from place to place, each way in `leg_s`; places are shares of the picture."""
    face = cv2.resize(astronaut_bgr()[:280, 80:360], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    leg = round(leg_s * RATE)
    frames = (len(ways[0]) - 1) * leg + 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            for way in ways:
                moments = np.arange(len(way)) * leg
                x, y = (
                    int(np.interp(index, moments, [place[axis] for place in way]) * (WIDTH, HEIGHT)[axis])
                    for axis in (0, 1)
                )
                left, top = min(max(x - SIDE // 2, 0), WIDTH - SIDE), min(max(y - SIDE // 2, 0), HEIGHT - SIDE)
                picture[top : top + SIDE, left : left + SIDE] = face
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path
