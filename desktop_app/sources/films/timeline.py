"""A film's packets with times that rise, though its clock started anew in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from desktop_app.sources.films.decoding import nominal_rate

# FFmpeg's own figures: a clock that goes back by more, or forward by more where the format lets it start anew at any
# time, has started anew.
_BACK_S: Final = 0.1
_FORWARD_S: Final = 10.0
# In other formats a picture may stand for long, as in a slide show; but not for that long.
_FORWARD_ELSEWHERE_S: Final = 3600.0
# FFmpeg gives up after some ten kilobytes of garbage; behind them the film may continue.
_MOST_FAILURES: Final = 100


class Timeline:
    """Moves the times of a film's packets so that they rise.

    Recordings that were joined, or that ran longer than their clock can count, start it anew in the middle.

    Args:
        container: the film, from its start on.
        stream: of it.

    Attributes:
        moved: whether some times were moved, so that the film cannot be sought by them.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        unit_s = float(stream.time_base or 1)
        forward_s = _FORWARD_S if container.format.flags & cast(int, Flags.ts_discont.value) else _FORWARD_ELSEWHERE_S
        self._back, self._forward = _BACK_S / unit_s, forward_s / unit_s
        # Of packets that do not say how long they last.
        self._period = max(1, round(1 / (nominal_rate(stream) or 25) / unit_s))
        self._shift = self._lead = 0
        self._last: int | None = None
        self._end: int | None = None
        self.moved = False

    def place(self, packet: Packet[VideoStream]) -> None:
        """Move the times of the next packet."""
        if packet.dts is not None:
            if packet.pts is not None:
                if -self._back <= packet.pts - packet.dts <= self._forward:
                    self._lead = packet.pts - packet.dts
                else:
                    # Where a clock started anew, FFmpeg mixes the time of the one with that of the other.
                    packet.pts = packet.dts + self._lead
                    self.moved = True
            moved = packet.dts + self._shift
            if (
                self._last is not None
                and self._end is not None
                and not self._last - self._back <= moved <= self._end + self._forward
            ):
                first = packet.pts if packet.pts is not None else packet.dts
                moved += self._end - first - self._shift
                self._shift = self._end - first
                self.moved = True
            self._last = packet.dts = moved
        if packet.pts is not None:
            packet.pts += self._shift
            end = packet.pts + (packet.duration or self._period)
            self._end = end if self._end is None else max(end, self._end)


def read_packets(
    container: InputContainer, stream: VideoStream, timeline: Timeline | None = None
) -> Iterator[Packet[VideoStream]]:
    """The packets of a film, past damaged places, in the order in which they are decoded.

    Args:
        container: the film; it is read from where it stands.
        stream: of it.
        timeline: moves their times.

    Raises:
        av.FFmpegError: the film cannot be read on.
    """
    failures = 0
    while True:
        try:
            for packet in container.demux(stream):
                failures = 0
                if timeline is not None:
                    timeline.place(packet)
                yield packet
            return
        except (av.error.InvalidDataError, av.error.BlockingIOError):
            failures += 1
            if failures > _MOST_FAILURES:
                raise
