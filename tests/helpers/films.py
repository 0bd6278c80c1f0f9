"""Films that several tests write."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_film_with_sound(path: Path, codec: str = "aac") -> Path:
    """Two seconds of black, and a tone that rises once a second and ends a second later."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        sound = container.add_stream(codec, rate=48_000)
        assert isinstance(stream, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode())
        times = np.arange(3 * 48_000) / 48_000
        tone = np.sin(2 * np.pi * times * np.array([220, 440, 880])[times.astype(int)]).astype(np.float32) / 2
        for start in range(0, len(tone), 1024):
            samples = tone[None, start : start + 1024]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def write_plain_film(path: Path, *, frames: int, width: int = 64, height: int = 48, rate: int = 25) -> Path:
    """A film without sound; each picture is a little brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            picture = np.full((height, width, 3), 40 + 4 * index % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path
