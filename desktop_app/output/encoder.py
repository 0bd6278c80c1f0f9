"""Encodes BGR pictures to H.264 in MP4 or Matroska; used by the recorder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Final

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from desktop_app.output.atomic_files import NewFile

KEYFRAME_INTERVAL_S: Final = 1.0
"""How far a player has to decode after a seek."""
LONGEST_FRAME_S: Final = 12 * 3600.0
"""MP4 keeps the length of a frame in 31 bits of its time base, which is 19 hours."""
DEFAULT_RATE: Final = 30.0
ENCODER_THREADS: Final = 2
# No look-ahead and no B-frames: what goes in comes out at once, and a crash loses no frames in the encoder.
_ENCODER_OPTIONS: Final = {"preset": "veryfast", "tune": "zerolatency", "crf": "20", "forced-idr": "1"}
# The quick conversion rounds down, which darkens every recording by a level or two.
_INTERPOLATION: Final = Interpolation.BILINEAR | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True)
class ContainerFormat:
    """How a container is written.

    Attributes:
        name: FFmpeg's name of it.
        time_base: the finest step of time that it keeps, in seconds.
        options: for FFmpeg's muxer; every frame is a fragment (MP4) or cluster (Matroska), which is written when the
            next frame comes.
        single_options: for a muxer that writes a single fragment just as the first one would.
    """

    name: str
    time_base: Fraction
    options: dict[str, str]
    single_options: dict[str, str]


_FRAGMENTED: Final = "frag_every_frame+empty_moov+default_base_moof"
FORMATS: Final = {
    # Fragments while recording; at the end FFmpeg turns them into a plain MP4 with an index, which every
    # player can seek in.
    ".mp4": ContainerFormat(
        "mp4",
        Fraction(1, 30_000),
        {"movflags": f"hybrid_fragmented+{_FRAGMENTED}"},
        {"movflags": f"frag_discont+skip_trailer+{_FRAGMENTED}", "use_editlist": "0"},
    ),
    ".mkv": ContainerFormat("matroska", Fraction(1, 1000), {"cluster_time_limit": "0"}, {}),
}


class FileSink:
    """What FFmpeg writes to: keeps the first error instead of raising it into C code, and drops the rest.

    After an error nothing more may be written: what came behind a gap would damage the file.
    """

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._stopped = False
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of `data`; see the class for errors."""
        if self.error is None and not self._stopped:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def write_tail(self, data: bytes) -> None:
        """Write what stands in for the next `write` until that comes, and have the file appear under its name."""
        if self.error is None and not self._stopped:
            try:
                self._file.write_tail(data)
                self._file.appear()
            except OSError as error:
                self.error = error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As `io.IOBase.seek`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As `io.IOBase.tell`."""
        return self._file.tell()

    def stop(self) -> None:
        """Drop everything from here on."""
        self._stopped = True

    def check_present(self) -> None:
        """Take a file that was removed for an error: what is written to it would vanish silently."""
        if self.error is None:
            try:
                self._file.check_present()
            except OSError as error:
                self.error = error


def open_container(
    sink: FileSink, container_format: ContainerFormat, *, width: int, height: int, rate: float
) -> tuple[OutputContainer, VideoStream]:
    """Start a container with one H.264 stream and write its header.

    Args:
        sink: takes the bytes, and the errors of the disk.
        container_format: one of `FORMATS`.
        width: pixels, even.
        height: pixels, even.
        rate: nominal frames per second, a hint for players.

    Raises:
        av.FFmpegError: the encoder does not take this size.
    """
    container = av.open(
        sink,
        "w",
        format=container_format.name,
        container_options={"flush_packets": "1", **container_format.options},
    )
    stream = container.add_stream(
        "libx264", rate=Fraction(rate).limit_denominator(1001), options=dict(_ENCODER_OPTIONS)
    )
    stream.width = width
    stream.height = height
    stream.pix_fmt = "yuv420p"
    encoder = stream.codec_context
    encoder.time_base = container_format.time_base
    encoder.thread_count = ENCODER_THREADS
    encoder.colorspace = Colorspace.ITU709
    encoder.color_range = ColorRange.MPEG
    encoder.color_primaries = ColorPrimaries.BT709
    encoder.color_trc = ColorTrc.BT709
    # The recorder asks for keyframes by time, since the frame rate varies; this is only an upper limit.
    encoder.gop_size = 600
    container.start_encoding()
    return container, stream


def single_fragment(
    packet: av.Packet[VideoStream], stream: VideoStream, container_format: ContainerFormat, *, number: int
) -> bytes:
    """The bytes that a muxer of this format writes for a frame, at once rather than when the next one comes.

    Args:
        packet: the frame; muxed or not.
        stream: the stream of the recording.
        container_format: of the recording.
        number: of the frame in the recording, from 1.
    """
    buffer = BytesIO()
    # Otherwise a muxer would move its only frame to the beginning.
    options = {"avoid_negative_ts": "disabled", **container_format.single_options}
    if container_format.name == "mp4":
        options["fragment_index"] = str(number)
    with av.open(buffer, "w", format=container_format.name, container_options=options) as container:
        copy = av.Packet(bytes(packet))
        copy.stream = container.add_stream_from_template(stream)
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
        container.start_encoding()
        start = buffer.tell()
        container.mux_one(copy)
    data = buffer.getvalue()
    return data[start:] if container_format.name == "mp4" else data[start : start + _element_size(data, start)]


def _element_size(data: bytes, start: int) -> int:
    """Bytes of the Matroska element at `start`, whose id has four bytes, as a cluster's has."""
    width = 9 - data[start + 4].bit_length()
    size = int.from_bytes(data[start + 4 : start + 4 + width], "big") & ((1 << 7 * width) - 1)
    return 4 + width + size


class FrameConverter:
    """Turns BGR pictures of any size into YUV 4:2:0 frames of one size, BT.709 and limited range.

    4:2:0 has even sides only: an odd one is extended by a copy of the last row or column.

    Args:
        width: pixels of the recording; the frames have the next even number.
        height: likewise.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._reformatter = VideoReformatter()

    @property
    def coded_width(self) -> int:
        """Width of the frames in pixels, even."""
        return self._width + self._width % 2

    @property
    def coded_height(self) -> int:
        """Height of the frames in pixels, even."""
        return self._height + self._height % 2

    def convert(self, image: NDArray[np.uint8]) -> av.VideoFrame:
        """Convert one picture, H×W×3 uint8 BGR; the result does not share its memory."""
        picture = np.ascontiguousarray(letterbox(image, self._width, self._height))
        below, right = self.coded_height - self._height, self.coded_width - self._width
        if below or right:
            extended = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
            picture = np.asarray(extended, np.uint8)
        return self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(picture, "bgr24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_INTERPOLATION,
            threads=1,
        )


def letterbox(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Fit a picture into `width`×`height` pixels, its proportions kept, with black bars.

    Args:
        image: H×W×3 uint8.
        width: of the result.
        height: of the result.

    Returns:
        height×width×3 uint8; `image` itself if it has that size already.
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    factor = min(width / columns, height / rows)
    inner_width = min(max(round(columns * factor), 1), width)
    inner_height = min(max(round(rows * factor), 1), height)
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    result = np.zeros((height, width, 3), np.uint8)
    result[top : top + inner_height, left : left + inner_width] = cv2.resize(
        image, (inner_width, inner_height), interpolation=interpolation
    )
    return result
