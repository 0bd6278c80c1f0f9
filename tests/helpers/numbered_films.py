"""Films whose pictures say which one they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from desktop_app.sources.films.video_files import VideoFileSource

MILLISECOND = Fraction(1, 1000)
FRAME_COUNT = 60
STEADY = [index / 25 for index in range(FRAME_COUNT)]
# Milliseconds, as an uneven camera delivers: 20, 40 or 130 between frames.
UNEVEN = [sum([20, 40, 130][(step * 7) % 3] for step in range(index)) / 1000 for index in range(FRAME_COUNT)]
WIDTH, HEIGHT = 128, 64


def numbered_picture(number: int) -> NDArray[np.uint8]:
    """Eight upright bars that spell `number` in binary, lowest bit on the left."""
    bits = [number >> bit & 1 for bit in range(8)]
    row = np.repeat(np.array(bits, np.uint8) * 255, WIDTH // 8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)))


def read_number(image: NDArray[np.uint8]) -> int:
    row = image[image.shape[0] // 2].mean(axis=1)
    step = image.shape[1] // 8
    return sum(int(row[bit * step + step // 2] > 127) << bit for bit in range(8))


def write_video(
    path: Path,
    times_s: list[float],
    *,
    codec: str = "libx264",
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = 12
        stream.codec_context.time_base = Fraction(1, 25) if path.suffix in {".avi", ".mpg"} else MILLISECOND
        if rotation:
            stream.set_display_rotation(rotation)
        if pixel_aspect:
            stream.sample_aspect_ratio = pixel_aspect
        for index, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(numbered_picture(index), format="bgr24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(time_s / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read_all(source: VideoFileSource) -> tuple[list[int], list[float]]:
    frames = list(iter(source.read, None))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    return [read_number(frame.image) for frame in frames], [frame.captured_at for frame in frames]
