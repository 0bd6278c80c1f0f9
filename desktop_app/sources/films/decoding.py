"""FFmpeg decoding shared by files and streams: stream choice, damaged packets, upright BGR pictures."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from desktop_app.sources.films.tone_mapping import map_colours, needs_mapping

MOST_PIXELS: Final = 35_651_584
"""Of one picture: what the highest levels of HEVC and AV1 allow, which is 8K."""

_HIGHEST_RATE: Final = 1000.0
# Decoders hold back a few dozen pictures at most.
_MOST_HELD_BACK: Final = 1024
# A film that begins with so many packets of which none can be decoded holds nothing else.
_MOST_FAILURES: Final = 1000
# Wider or higher pixels than these are a damaged number; anamorphic films have up to 3.
_MOST_STRETCHED: Final = 4
# What is put on a picture, rather than a film.
_NO_FILM: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Where each packet holds one picture, one that gives none was damaged, though the decoder says nothing.
_ONE_FOR_ONE: Final = frozenset({"av1", "libdav1d", "hevc", "mpeg1video", "mpeg2video", "vp9"})


def choose_video_stream(container: InputContainer) -> VideoStream | None:
    """The film that the container's author meant, else its largest; every other stream is left unread.

    A cover picture is chosen only where there is nothing else. What no decoder is known for is never chosen.
    """
    chosen = max(container.streams.video, key=_preference, default=None)
    if chosen is not None and not _can_be_decoded(chosen):
        chosen = None
    for stream in container.streams:
        if chosen is None or stream.index != chosen.index:
            stream.discard = av.stream.Discard.all
    return chosen


@dataclass(slots=True)
class DecodingRecord:
    """What happened while a film was decoded.

    Attributes:
        lost: the pictures that did not come out: their time in the stream's units, or else their place in the file.
        lost_at_end: the same of those after which none came.
        tail: the decoder's threads failed with the last pictures in their hands; one thread alone would not lose them.
        deinterlaced: some pictures were made with a look at their neighbours.
    """

    lost: set[int] = field(default_factory=set)
    lost_at_end: set[int] = field(default_factory=set)
    tail: bool = False
    deinterlaced: bool = False


def decode_frames(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, record: DecodingRecord | None = None
) -> Iterator[VideoFrame]:
    """Decode a stream's packets, passing over what cannot be decoded; interlaced pictures are deinterlaced.

    Args:
        packets: as `InputContainer.demux` gives them.
        stream: where they come from.
        record: receives what is lost.

    Raises:
        av.FFmpegError: the packets cannot be read on.
    """
    record = record or DecodingRecord()
    decoder, deinterlacer = _Decoder(stream, record), _Deinterlacer(record)
    breach: av.FFmpegError | None = None
    try:
        for packet in packets:
            # An empty packet says that nothing changed; FFmpeg would take it for an error, or for the end.
            if packet.size == 0:
                continue
            for frame in decoder.decode(packet):
                yield from deinterlacer.feed(frame)
            if decoder.is_hopeless:
                return
    except av.FFmpegError as error:
        breach = error
    for frame in decoder.finish():
        yield from deinterlacer.feed(frame)
    yield from deinterlacer.feed(None)
    if breach is not None:
        raise breach


class PictureConverter:
    """Makes pictures of decoded frames as people should see them.

    Args:
        pixel_aspect: width over height of one pixel; None or 0 means square, and so does what no film has.
    """

    def __init__(self, pixel_aspect: Fraction | None = None) -> None:
        self._pixel_aspect = pixel_aspect
        self._rotation: int | None = None
        self._axes = (1, 0, 0, 1)

    def to_bgr(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame upright, with square pixels, in an ordinary screen's colours.

        Returns:
            H×W×3 uint8, BGR, C-contiguous.
        """
        width = _square_width(frame, self._pixel_aspect)
        mapped = needs_mapping(frame)
        # One thread: FFmpeg starts its others anew for each picture, which costs more than they save.
        pixels = frame.to_ndarray(format="bgr48le" if mapped else "bgr24", width=width, height=frame.height, threads=1)
        image = map_colours(np.asarray(pixels, np.uint16), frame) if mapped else np.asarray(pixels, np.uint8)
        if frame.rotation != self._rotation:
            # Not for each frame: PyAV's side data keep their frame until the garbage is collected.
            self._rotation, self._axes = frame.rotation, _axes(frame)
        return np.ascontiguousarray(_upright(image, self._axes))


def nominal_rate(stream: VideoStream) -> float:
    """Frames per second as the container states them; 0.0 where it does not."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    # Cameras that say nothing, and covers of music, come with the ticks of the clock instead: 90,000 a second.
    return rate if rate <= _HIGHEST_RATE else 0.0


class _Decoder:
    """Decodes packet by packet and records which pictures are lost."""

    def __init__(self, stream: VideoStream, record: DecodingRecord) -> None:
        self._stream = stream
        self._record = record
        # Times of packets whose pictures did not come out yet, as a heap: pictures come in order of time.
        self._expected: list[int] = []
        self._started = False
        self._broken = False
        self._one_for_one = stream.codec_context.name in _ONE_FOR_ONE
        self._failures = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing but failures came."""
        return not self._started and self._failures > _MOST_FAILURES

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        """The pictures that are ready now."""
        if packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._expected, packet.pts)
            if len(self._expected) > _MOST_HELD_BACK:
                heapq.heappop(self._expected)
        self._broken = self._broken or packet.is_corrupt
        try:
            frames = self._stream.decode(packet)
        except av.FFmpegError:
            # An error of one packet says nothing about the next.
            self._broken = True
            self._failures += 1
            if self._started and packet.pts is None and packet.pos is not None:
                self._record.lost.add(packet.pos)
            return []
        for frame in frames:
            self._check(frame)
        return frames

    def finish(self) -> list[VideoFrame]:
        """The pictures that were held back until the end."""
        end = Packet()
        assert self._stream.time_base is not None
        end.time_base = self._stream.time_base
        try:
            frames = self._stream.decode(end)
        except av.FFmpegError:
            self._record.tail = True
            return []
        for frame in frames:
            self._check(frame)
        if self._started and self._broken:
            self._record.lost_at_end.update(self._expected)
        return frames

    def _check(self, frame: VideoFrame) -> None:
        if frame.pts is not None:
            # Before the first picture there may be some that build on what was cut off.
            told = self._started and (self._broken or self._one_for_one)
            while self._expected and self._expected[0] < frame.pts:
                time = heapq.heappop(self._expected)
                if told:
                    self._record.lost.add(time)
            if self._expected and self._expected[0] == frame.pts:
                heapq.heappop(self._expected)
        self._started = True
        # What builds on a lost picture may be lost as well; a key frame builds on nothing.
        self._broken = self._broken and not frame.key_frame


class _Deinterlacer:
    """Makes whole pictures of two half ones taken one after the other; any other picture passes untouched.

    FFmpeg's bwdif gives one picture for one, and looks at the next one first.
    """

    def __init__(self, record: DecodingRecord) -> None:
        self._record = record
        self._last: VideoFrame | None = None
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None
        # bwdif counts time in other units.
        self._times: deque[tuple[int | None, Fraction | None, int]] = deque()
        self._given_up = False

    def feed(self, frame: VideoFrame | None) -> list[VideoFrame]:
        """The pictures that are ready; None stands for the end."""
        ready: list[VideoFrame] = []
        if self._graph is not None and (frame is None or self._shape != _shape(frame)):
            # bwdif leaves the last picture of all as it is. It does not so with the first of several.
            assert self._last is not None
            self._start(self._last)
            self._graph.push(self._last)
            self._graph.push(self._last)
            ready = self._pull()
            self._graph = None
        if frame is None:
            return ready
        if self._graph is None and frame.interlaced_frame and not self._given_up:
            self._start(frame)
        if self._graph is None:
            return [*ready, frame]
        self._times.append((frame.pts, frame.time_base, frame.duration))
        self._last = frame
        self._graph.push(frame)
        return [*ready, *self._pull()]

    def _start(self, frame: VideoFrame) -> None:
        graph = Graph()
        try:
            nodes = (
                graph.add_buffer(
                    width=frame.width,
                    height=frame.height,
                    format=frame.format,
                    time_base=frame.time_base or Fraction(1, 1000),
                ),
                graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced"),
                graph.add("buffersink"),
            )
            graph.link_nodes(*nodes).configure()
        except av.FFmpegError:
            # Pictures of two lines, or of a kind that it does not know.
            self._given_up = True
            return
        self._graph, self._shape = graph, _shape(frame)
        self._record.deinterlaced = True

    def _pull(self) -> list[VideoFrame]:
        assert self._graph is not None
        frames: list[VideoFrame] = []
        while True:
            try:
                frame = self._graph.pull()
            except av.BlockingIOError:
                return frames
            assert isinstance(frame, VideoFrame)
            frame.pts, time_base, frame.duration = self._times.popleft()
            if time_base is not None:
                frame.time_base = time_base
            frames.append(frame)


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _preference(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
    decodable = _can_be_decoded(stream)
    area = stream.width * stream.height if decodable else 0
    default = bool(stream.disposition & Disposition.default)
    return decodable, not stream.disposition & _NO_FILM, default, area, -stream.index


def _can_be_decoded(stream: VideoStream) -> bool:
    # None where FFmpeg knows no decoder.
    return getattr(stream, "codec_context", None) is not None


def _square_width(frame: VideoFrame, pixel_aspect: Fraction | None) -> int:
    if not pixel_aspect or not 1 / _MOST_STRETCHED <= pixel_aspect <= _MOST_STRETCHED:
        return frame.width
    width = max(1, round(frame.width * pixel_aspect))
    return width if width * frame.height <= MOST_PIXELS else frame.width


def _upright(image: NDArray[np.uint8], axes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    right_x, right_y, down_x, down_y = axes
    if abs(right_y) + abs(down_x) > abs(right_x) + abs(down_y):
        image = np.asarray(cv2.transpose(image), np.uint8)
        right_x, down_y = down_x, right_y
    if right_x < 0 or down_y < 0:
        image = np.asarray(cv2.flip(image, -1 if right_x < 0 and down_y < 0 else int(right_x < 0)), np.uint8)
    return image


def _axes(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Directions of the frame's right and down on the screen: x and y of each."""
    try:
        matrix = cast(bytes | None, frame.side_data.get("DISPLAYMATRIX"))
    except ValueError:
        # PyAV does not know all kinds of side data; without them it knows the angle, counterclockwise.
        angle = np.deg2rad(frame.rotation)
        x, y = round(np.cos(angle)), round(np.sin(angle))
        return x, -y, y, x
    if matrix is None:
        return 1, 0, 0, 1
    right_x, right_y, _, down_x, down_y = np.frombuffer(matrix, np.int32)[:5].tolist()
    return right_x, right_y, down_x, down_y
