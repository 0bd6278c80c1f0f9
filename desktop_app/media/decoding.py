"""What files and streams share: opening with FFmpeg, decoding past damage, upright BGR pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

# FFmpeg gives the angle counterclockwise.
_ROTATIONS: Final = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
    -90: cv2.ROTATE_90_CLOCKWISE,
    270: cv2.ROTATE_90_CLOCKWISE,
}

_HIGHEST_RATE: Final = 1000.0


def choose_video_stream(container: InputContainer) -> VideoStream | None:
    """The container's first video, rather than a cover picture; every other stream is left unread."""
    videos = sorted(
        container.streams.video,
        key=lambda stream: bool(stream.disposition & av.stream.Disposition.attached_pic),
    )
    for stream in container.streams:
        if not videos or stream.index != videos[0].index:
            stream.discard = av.stream.Discard.all
    return videos[0] if videos else None


def decode_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode from where the container stands, passing over what cannot be decoded.

    Raises:
        av.FFmpegError: the container itself cannot be read on.
    """
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            assert isinstance(frame, VideoFrame)
            yield frame


def to_bgr(frame: VideoFrame, pixel_aspect: Fraction | None = None) -> NDArray[np.uint8]:
    """The decoded frame as people should see it: upright, with square pixels.

    Args:
        frame: as the decoder gave it.
        pixel_aspect: width over height of one pixel; None or 0 means square.

    Returns:
        H×W×3 uint8, BGR, C-contiguous.
    """
    width = round(frame.width * pixel_aspect) if pixel_aspect else frame.width
    # One thread: FFmpeg starts its others anew for each picture, which costs more than they save.
    image = np.asarray(frame.to_ndarray(format="bgr24", width=width, height=frame.height, threads=1), np.uint8)
    turn = _ROTATIONS.get(frame.rotation)
    if turn is not None:
        image = np.asarray(cv2.rotate(image, turn), np.uint8)
    return np.ascontiguousarray(image)


def nominal_rate(stream: VideoStream) -> float:
    """Frames per second as the container states them; 0.0 where it does not."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    # Cameras that say nothing, and covers of music, come with the ticks of the clock instead: 90,000 a second.
    return rate if rate <= _HIGHEST_RATE else 0.0
