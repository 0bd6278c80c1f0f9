"""Films that several tests write."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_film_with_sound(path: Path) -> Path:
    """Two seconds of black with a moment of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        sound = container.add_stream("aac", rate=44_100)
        assert isinstance(stream, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 44_100, 0
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    return path
