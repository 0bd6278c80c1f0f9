"""Video files: every frame with its media time."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from desktop_app.errors import reason_of
from desktop_app.messages import Message, join_lines
from desktop_app.sources.base import SourceBase, SourceError, SourceInfo
from desktop_app.sources.films.decoding import DecodingRecord, PictureConverter, decode_frames, nominal_rate
from desktop_app.sources.films.frame_table import FrameTable, is_hollow, open_by_hardware, open_video, scan_frames
from desktop_app.sources.films.timeline import Timeline, read_packets
from desktop_app.sources.frame import Frame

_CLOSE_TIMEOUT_S: Final = 0.1
# Durations are stated roughly: only more than that is worth a word.
_MISSING_END_S: Final = 0.5
_MISSING_END_SHARE: Final = 0.05
# As far as decoding takes no longer than seeking.
_SOUGHT_S: Final = 10.0
_COUNT_LIMIT_BYTES: Final = 1 << 30
# FFmpeg guesses from the times that it finds at both ends.
_UNSTATED_LENGTH: Final = frozenset({"mpeg", "mpegts"})
# Their pictures are shown in another order than they are decoded in.
_SORTED_IN_AVI: Final = frozenset({"h264", "hevc"})


class VideoFileSource(SourceBase):
    """Every frame of a video file, upright, stamped with its media time (the first frame is at 0).

    Reading and seeking belong to one thread. A file that is broken half-way plays up to the break.

    Args:
        path: the file.
        spec: what the user called it; the path if not given.
        threads: of the decoder; 0 for as many as FFmpeg likes.
        hardware: let a device decode it, if one can; `notice` says where none can.

    Raises:
        SourceError: it is not a video, or no frame of it can be decoded.
    """

    def __init__(self, path: Path, *, spec: str | None = None, threads: int = 0, hardware: bool = False) -> None:
        self._path, self._threads = path, threads
        self._hardware, self._refused = hardware, False
        self._lock = threading.Lock()
        self._closed = False
        self._missing_s = 0.0
        self._break: Message | str | None = None
        self._record = DecodingRecord()
        self._table: FrameTable | None = None
        self._one_thread = False
        self._container, self._stream = self._open()
        self._frames = self._decode(self._packets())
        self._pending = next(self._frames, None)
        if self._pending is None and self._hardware:
            # A device that opens a film need not decode it.
            self._container.close()
            self._hardware, self._refused, self._record = False, True, DecodingRecord()
            self._container, self._stream = self._open()
            self._frames = self._decode(self._packets())
            self._pending = next(self._frames, None)
        if self._pending is None:
            self._container.close()
            raise SourceError(
                "Cannot open “{name}”: none of its pictures can be decoded, because it is damaged or empty. Choose "
                "another "
                "file.",
                name=path.name,
            )
        self._converter = PictureConverter(self._stream.sample_aspect_ratio)
        self._next_index = 0
        # The times of the first pictures, as far as they were read one after the other.
        self._met: list[int] = []
        self._start = self._pending.pts
        self._last_s = self._end_s = 0.0
        self._info = self._describe(spec or str(path))

    @property
    def info(self) -> SourceInfo:
        """What the file says about itself; counted rather than believed where that is cheap.

        Pictures that cannot be decoded leave the count when they are met, those of a missing end at the end.
        """
        lost, count = len(self._lost()), self._info.frame_count
        return self._info if not lost or count is None else replace(self._info, frame_count=max(count - lost, 1))

    @property
    def notice(self) -> Message | None:
        """Where the file turned out to be damaged, or no device decodes it that was asked to."""
        refused = Message("No device of this machine can decode this film: the processor does.")
        return join_lines(refused if self._refused else None, self._damage())

    def _damage(self) -> Message | None:
        name = self._path.name
        if self._break:
            return Message("“{name}” is damaged: it plays up to the break ({reason}).", name=name, reason=self._break)
        # Those at an end that is missing are part of it.
        lost = len(self._record.lost if self._missing_s else self._lost())
        lost += self._table.missing if self._table is not None else 0
        seconds = f"{self._missing_s:.1f}"
        if self._missing_s and lost:
            return Message(
                "“{name}” is damaged: it lacks %n picture(s) and its last {seconds} seconds.",
                None,
                lost,
                name=name,
                seconds=seconds,
            )
        if self._missing_s:
            return Message("“{name}” is damaged: it lacks its last {seconds} seconds.", name=name, seconds=seconds)
        return Message("“{name}” is damaged: it lacks %n picture(s).", None, lost, name=name) if lost else None

    def read(self) -> Frame | None:
        """The next frame; see `Source.read`."""
        with self._lock:
            while (frame := self._take()) is not None:
                try:
                    image = self._converter.to_bgr(frame)
                except (av.FFmpegError, ValueError):
                    # Damage can make a picture one of a kind that there is not.
                    self._next_index -= 1
                    self._record.lost.add(self._next_index if frame.pts is None else frame.pts)
                    continue
                return Frame(image, self._next_index - 1, self._last_s, self._path.name)
            self._note_end()
            self._release_if_closed()
            return None

    def skip(self, count: int) -> int:
        """Decode up to `count` frames without making pictures of them; returns how many there were."""
        passed = 0
        with self._lock:
            while passed < count and self._take() is not None:
                passed += 1
        return passed

    def skip_until(self, time_s: float) -> None:
        """Pass by the frames before a moment of media time; no pictures are made of them.

        A long way is not decoded but sought; that reads through the file once.

        Raises:
            SourceError: the file has gone or changed.
        """
        with self._lock:
            if time_s - self._last_s > _SOUGHT_S and not self._closed:
                self._seek_near(time_s)
            while (frame := self._take()) is not None:
                if self._last_s >= time_s:
                    self._pending = frame
                    self._next_index -= 1
                    return

    def seek(self, index: int) -> None:
        """Make exactly frame `index` the next one; an index outside the file is moved to its first or last frame.

        The first seek reads through the file once to learn where its frames are.

        Raises:
            SourceError: the file has gone or changed.
        """
        with self._lock:
            if not self._closed:
                self._seek(index)

    def close(self) -> None:
        """End the source; see `Source.close`."""
        self._closed = True
        # A read that hangs on a lost disk keeps the lock; it then closes the file itself.
        if self._lock.acquire(timeout=_CLOSE_TIMEOUT_S):
            try:
                self._release()
            finally:
                self._lock.release()

    def _seek(self, index: int) -> None:
        table = self._frame_table()
        times = self._shown(table)
        index = min(max(index, 0), max(len(times) - 1, 0))
        self._last_s = 0.0
        try:
            if table.keys and table.counted:
                self._count_to(table, times, index)
            elif table.keys:
                self._seek_picture(table, times, index)
            else:
                self._replay(index)
        except av.FFmpegError as error:
            raise SourceError(
                "Cannot continue with “{name}”: {reason}. Open it again.",
                name=self._path.name,
                reason=reason_of(error),
            ) from error
        self._next_index = index

    def _seek_near(self, time_s: float) -> None:
        """Seek a frame that is at most that late, and later than the newest one."""
        table = self._frame_table()
        times, unit_s = self._shown(table), float(self._stream.time_base or 0)
        # A picture early: the seconds were rounded.
        index = bisect_left(times, times[0] + time_s / unit_s) - 1 if table.keys and unit_s else 0
        if index > self._next_index:
            self._seek(index)

    def _comes_later(self, time: int) -> bool:
        return not self._met or time > self._met[-1]

    def _lost(self) -> set[int]:
        return self._record.lost | self._record.lost_at_end

    def _take(self) -> VideoFrame | None:
        if self._closed:
            return None
        frame, self._pending = self._pending, None
        if frame is None:
            frame = next(self._frames, None)
        if frame is not None:
            self._last_s = self._time_of(frame, self._next_index)
            if frame.pts is not None and self._next_index == len(self._met) and self._comes_later(frame.pts):
                self._met.append(frame.pts)
            # A last picture may stand for long.
            self._end_s = self._last_s + float((frame.duration or 0) * (frame.time_base or 0))
            self._next_index += 1
        return frame

    def _note_end(self) -> None:
        """Note the number of frames, and what is missing: a file that was cut off ends without an error."""
        if self._closed:
            return
        self._info = replace(self._info, frame_count=self._next_index + len(self._lost()))
        restarted = self._table is not None and not self._table.steady
        stated_s = None if restarted else _stated_duration(self._container, self._stream)
        if stated_s is not None and stated_s - self._end_s > max(_MISSING_END_S, _MISSING_END_SHARE * stated_s):
            self._missing_s = stated_s - self._end_s

    def _release_if_closed(self) -> None:
        if self._closed:
            self._release()

    def _release(self) -> None:
        # The iterator refers to this source: kept, the two would keep the decoder's threads and pictures as well,
        # until Python next looks for reference cycles.
        self._frames, self._pending = iter(()), None
        self._container.close()

    def _time_of(self, frame: VideoFrame, index: int) -> float:
        table = self._table
        if table is not None and table.counted and index < len(table.times) and self._stream.time_base:
            time_s = float((table.times[index] - table.times[0]) * self._stream.time_base)
        elif frame.pts is not None and self._start is not None and frame.time_base:
            time_s = float((frame.pts - self._start) * frame.time_base)
        else:
            time_s = index / self._info.rate if self._info.rate else float(index)
        # Damaged files jump back in time; the tracker must not.
        return max(time_s, self._last_s)

    def _open(self) -> tuple[InputContainer, VideoStream]:
        if self._hardware and not self._one_thread:
            opened = open_by_hardware(self._path)
            if opened is not None:
                return opened
            self._hardware, self._refused = False, True
        container, stream = open_video(self._path)
        stream.thread_type = "SLICE" if self._one_thread else "AUTO"
        stream.codec_context.thread_count = self._threads
        return container, stream

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The film's packets from its start; the container must be there."""
        return read_packets(self._container, self._stream, Timeline(self._container, self._stream))

    def _decode(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[VideoFrame]:
        last: int | None = None
        try:
            for frame in decode_frames(packets, self._stream, self._record):
                yield frame
                last = frame.pts
            if self._record.tail and last is not None:
                yield from self._decode_tail(last)
        except (av.error.ExitError, av.error.BlockingIOError):
            self._break = Message("nothing that can be read follows")
        except av.FFmpegError as error:
            self._break = reason_of(error)

    def _decode_tail(self, last: int) -> Iterator[VideoFrame]:
        """The pictures after `last`, which FFmpeg's threads do not return once one of them was damaged."""
        self._record.tail, self._one_thread = False, True
        table = self._frame_table()
        if table.keys:
            for frame in decode_frames(self._packets_before(table, last), self._stream, self._record):
                if frame.pts is not None and frame.pts > last:
                    yield frame

    def _shown(self, table: FrameTable) -> list[int]:
        """Times of the pictures: as decoded for those that were, as the packets state for the others."""
        if table.counted or not self._met:
            return table.times
        lost, rest = self._lost(), table.times[bisect_right(table.times, self._met[-1]) :]
        return self._met + [time for time in rest if time not in lost]

    def _count_to(self, table: FrameTable, times: list[int], index: int) -> None:
        """Position before picture `index` by counting from the last key frame with a unique time."""
        base, before = 0, times[0] - 1
        for key in reversed(table.keys[: table.keys_until(times[max(index - 1, 0)])]):
            place = bisect_left(times, key.time)
            if times[place : place + 2].count(key.time) == 1:
                base, before = place, key.time
                break
        self._frames = self._decode(self._packets_before(table, before))
        self._pending = None
        for _ in range(base, index):
            next(self._frames, None)

    def _seek_picture(self, table: FrameTable, times: list[int], index: int) -> None:
        # Deinterlacing looks at the picture before.
        time = times[max(index - 1, 0) if self._record.deinterlaced else index]
        if not table.steady or not self._seek_time(table, time):
            self._frames = self._decode(self._packets_before(table, time))
            self._pending = next(self._frames, None)
        while self._pending is not None and self._pending.pts is not None and self._pending.pts < times[index]:
            self._pending = next(self._frames, None)

    def _seek_time(self, table: FrameTable, time: int) -> bool:
        """Position at or before the picture that is shown at `time`; False where the container cannot."""
        # Some come out elsewhere, or with other times than in a row.
        known = {(key.time, key.size) for key in table.keys}
        for key in reversed(table.keys[: table.keys_until(time)]):
            self._container.seek(key.seek_time, stream=self._stream)
            packets = dropwhile(lambda packet: not packet.is_keyframe, read_packets(self._container, self._stream))
            first = next(packets, None)
            if first is None or (first.pts, first.size) not in known:
                return False
            if first.pts is not None and first.pts <= time:
                self._frames = self._decode(chain([first], packets))
                self._pending = next(self._frames, None)
                return True
        return False

    def _packets_before(self, table: FrameTable, time: int) -> Iterator[Packet[VideoStream]]:
        """The film's packets from the last key frame up to `time`, found by counting from its start."""
        place = table.keys_until(time)
        before = table.keys[place - 1].packets if place else 0
        self._container.close()
        self._container, self._stream = self._open()
        return islice(self._packets(), before, None)

    def _replay(self, index: int) -> None:
        """Position before frame `index` by decoding everything before it."""
        self._container.close()
        self._container, self._stream = self._open()
        self._frames = self._decode(self._packets())
        self._pending = None
        for _ in range(index):
            if next(self._frames, None) is None:
                return

    def _frame_table(self) -> FrameTable:
        if self._table is None:
            self._table = scan_frames(self._path, self._start)
        return self._table

    def _describe(self, spec: str) -> SourceInfo:
        assert self._pending is not None
        try:
            height, width = self._converter.to_bgr(self._pending).shape[:2]
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(
                "Cannot show “{name}”: its pictures are in a format that is not supported. Convert the file first.",
                name=self._path.name,
            ) from error
        rate = nominal_rate(self._stream)
        count = _stated_count(self._container, self._stream, rate)
        size_bytes = self._path.stat().st_size
        if count is not None and count > size_bytes:
            # No picture takes less than a byte.
            count = None
        if count is None and (size_bytes <= _COUNT_LIMIT_BYTES or is_hollow(self._path)):
            table = self._frame_table()
            count = len(table.times) or None
            if table.keys:
                rate = _checked_rate(table.times, float(self._stream.time_base or 0), rate)
        elif count is not None and self._container.format.name == "avi" and self._stream.duration:
            # Its rate is that of the moments, of which some bring no picture.
            rate = count / float(self._stream.duration * (self._stream.time_base or 1))
        elif count is None and self._container.duration:
            count = round(self._container.duration / av.time_base * rate) or None
        sound = bool(self._container.streams.audio)
        return SourceInfo("file", self._path.name, spec, width, height, rate, count, live=False, has_sound=sound)


def _stated_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Duration of the pictures in seconds, as the file states it; None where it does not."""
    if container.format.name in _UNSTATED_LENGTH:
        return None
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    # The whole may last longer than the pictures where there is more in it.
    alone = len(container.streams) == 1
    return container.duration / av.time_base if alone and container.duration is not None else None


def _stated_count(container: InputContainer, stream: VideoStream, rate: float) -> int | None:
    """Number of frames, as the container states it; None where it does not."""
    stated = stream.frames or None
    if container.format.name == "avi":
        # It counts moments at which nothing changes as well, and has no times for pictures that are sorted.
        pictures = sum(entry.size > 0 for entry in stream.index_entries)
        return None if stream.codec_context.name in _SORTED_IN_AVI else pictures or None
    if stated is None or stream.duration is None or not stream.time_base or rate <= 0:
        return stated
    if abs(stated / rate - float(stream.duration * stream.time_base)) <= 1 / rate:
        return stated
    # A clip that was cut without being encoded anew still holds, and counts, what was cut off.
    return sum(not entry.is_discard for entry in stream.index_entries) or stated


def _checked_rate(times: list[int], unit_s: float, stated: float) -> float:
    """The stated rate, or the measured one where they are more than 2 % apart."""
    if len(times) < 2 or times[-1] <= times[0] or not unit_s:
        return stated
    measured = (len(times) - 1) / ((times[-1] - times[0]) * unit_s)
    return stated if abs(stated - measured) <= 0.02 * measured else measured
