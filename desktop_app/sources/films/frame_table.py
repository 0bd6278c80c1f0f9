"""Opens a film and learns, without decoding it, when its frames are shown."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.video.stream import VideoStream

from desktop_app.errors import reason_of
from desktop_app.sources.base import SourceError
from desktop_app.sources.films.decoding import MOST_PIXELS, choose_video_stream
from desktop_app.sources.films.timeline import Timeline, read_packets

# Neither a file's name ("file:" before it, and no pattern in it) nor its content may lead anywhere else.
_OPTIONS: Final = {
    "protocol_whitelist": "file,crypto,data",
    "pattern_type": "none",
    "max_pixels": str(MOST_PIXELS),
}
# FFmpeg plays text files as the screen of an old terminal.
_TEXT_FORMATS: Final = frozenset({"tty", "bin", "xbin", "adf", "idf"})
# FFmpeg looks for a film's next picture to the end of the file, through any number of zeros that take no place on disk.
_HOLLOW_TIMEOUT_S: Final = 0.25
# More than a day at 30 pictures a second.
_MOST_PACKETS: Final = 4_000_000
# Here the order of packets in the file may differ from that of their times.
_INDEXED_FORMATS: Final = frozenset({"mov,mp4,m4a,3gp,3g2,mj2"})
_STEADY_SHARE: Final = 0.9


class KeyFrame(NamedTuple):
    """A frame that decoding can start at.

    Attributes:
        time: when it is shown, in units of the stream's time base.
        packets: how many of the stream come before it.
        seek_time: what the container knows it by.
        size: of its packet, in bytes.
    """

    time: int
    packets: int
    seek_time: int
    size: int


@dataclass(frozen=True, slots=True)
class FrameTable:
    """When the frames of a file are shown, in units of the stream's time base.

    Attributes:
        times: of all frames, ascending.
        keys: those of the frames that decoding can start at, ascending; empty where the file states no times, and
            `times` then only count.
        steady: the file can be sought by these times: they are its own, and FFmpeg does not get lost in emptiness.
        counted: frames do not carry these times, though they come in this order: some share a time, or the container
            knows only when they are decoded.
        missing: how many frames stood where the file is destroyed.
    """

    times: list[int]
    keys: list[KeyFrame]
    steady: bool
    counted: bool
    missing: int

    def keys_until(self, time: int) -> int:
        """How many of the key frames are shown at `time` or before."""
        return bisect_right(self.keys, time, key=lambda key: key.time)


def open_video(path: Path, *, hwaccel: HWAccel | None = None) -> tuple[InputContainer, VideoStream]:
    """Open a file's film.

    Args:
        path: the file.
        hwaccel: the device that is to decode it; none for the processor.

    Raises:
        SourceError: there is none.
    """
    try:
        timeout_s = _HOLLOW_TIMEOUT_S if is_hollow(path) else None
        container = av.open(
            f"file:{path}", options=_OPTIONS, timeout=timeout_s, metadata_errors="replace", hwaccel=hwaccel
        )
    except (av.error.InvalidDataError, av.error.ExitError, av.error.EOFError):
        raise SourceError(
            "Cannot open “{name}”: it is damaged or is not a video. Choose another file.", name=path.name
        ) from None
    except (av.FFmpegError, OSError) as error:
        raise SourceError(
            "Cannot open “{name}”: {reason}. Check the file and its disk.",
            name=path.name,
            reason=reason_of(error),
        ) from error
    stream = choose_video_stream(container)
    if container.format.name in _TEXT_FORMATS:
        stream = None
    if stream is None:
        container.close()
        raise SourceError(
            "Cannot open “{name}”: it contains no video. Choose a file with moving pictures.", name=path.name
        )
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return container, stream


def open_by_hardware(path: Path) -> tuple[InputContainer, VideoStream] | None:
    """Open a file's film so that a device decodes it; None where no device of this machine can."""
    for device in hwdevices_available():
        with suppress(SourceError, RuntimeError, NotImplementedError, ValueError):
            container, stream = open_video(path, hwaccel=HWAccel(device, allow_software_fallback=False))
            if stream.codec_context.is_hwaccel:
                return container, stream
            container.close()
    return None


def is_hollow(path: Path) -> bool:
    """Whether parts of the file are not on disk: a disk image, a download in progress, or a trap.

    Raises:
        OSError: the file cannot be opened.
    """
    # Where the system does not say, as on Windows, none is.
    if not hasattr(os, "SEEK_HOLE") or not path.is_file():
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        return size > 0 and os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size


def scan_frames(path: Path, start: int | None) -> FrameTable:
    """Read through a film without decoding it.

    Args:
        path: the film.
        start: when its first frame is shown; frames before it do not count.
    """
    container, stream = open_video(path)
    times: list[int] = []
    keys: list[KeyFrame] = []
    places = _Places()
    complete = sorted_already = True
    with container:
        timeline = Timeline(container, stream)
        try:
            for number, packet in enumerate(read_packets(container, stream, timeline)):
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None and packet.pos is not None:
                    places.add(time, packet.pos, packet.size)
                if packet.size == 0 or packet.is_discard:
                    continue
                complete = complete and packet.pts is not None
                if time is not None and start is not None and time < start:
                    continue
                sorted_already = sorted_already and (time is None or not times or time > times[-1])
                times.append(len(times) if time is None else time)
                if packet.is_keyframe:
                    seek_time = packet.dts if packet.dts is not None else times[-1]
                    keys.append(KeyFrame(times[-1], number, seek_time, packet.size))
                if number > _MOST_PACKETS:
                    break
        except av.FFmpegError:
            pass
        indexed = container.format.name in _INDEXED_FORMATS
    missing = 0 if indexed else places.count_missing()
    steady = not timeline.moved and not is_hollow(path)
    # Where pictures are decoded before others that are shown first, their times cannot come in order.
    reordered = stream.codec_context.has_b_frames
    counted = len(set(times)) < len(times) or (reordered and sorted_already and container.format.name == "avi")
    return FrameTable(sorted(times), sorted(keys) if complete else [], steady, counted, missing)


class _Places:
    """Byte positions of a film's packets, to distinguish a destroyed part from a picture that is shown for long."""

    def __init__(self) -> None:
        self._times, self._places, self._sizes = array("q"), array("q"), array("q")

    def add(self, time: int, place: int, size: int) -> None:
        """Take the next packet, in the order of the file."""
        self._times.append(time)
        self._places.append(place)
        self._sizes.append(size)

    def count_missing(self) -> int:
        """How many pictures are missing where time jumps and there are bytes in which nothing was found."""
        times, places, sizes = (np.array(values) for values in (self._times, self._places, self._sizes))
        shown = np.unique(times)
        steps = np.diff(shown)
        period = float(np.median(steps)) if len(steps) > 2 else 0.0
        # Where the pace changes all the time nothing is known.
        if period <= 0 or np.mean(np.abs(steps - period) <= 0.5 * period) < _STEADY_SHARE:
            return 0
        missing = np.rint(steps / period) - 1
        # The first packet from behind each step, and the bytes between it and the one before it.
        first = np.searchsorted(np.maximum.accumulate(times), shown[1:])
        between = places[first] - places[first - 1] - sizes[first - 1]
        # Sound and the like take their part of each second; half of the pictures' own share is enough to be sure.
        usual = missing < 1
        others = float(between[usual].sum() / steps[usual].sum())
        destroyed = ~usual & (between - others * steps > 0.5 * missing * float(sizes.mean()))
        return int(missing[destroyed].sum())
