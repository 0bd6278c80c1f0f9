"""Video recorder: H.264 with the true time of every frame; the file stays playable after a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from desktop_app.closeable import Closeable
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.output.atomic_files import NewFile, explain
from desktop_app.output.encoder import (
    DEFAULT_RATE,
    FORMATS,
    KEYFRAME_INTERVAL_S,
    LONGEST_FRAME_S,
    FileSink,
    FrameConverter,
    open_container,
    single_fragment,
)

_ENCODER_FAILED: Final = Message("the video encoder failed. Try again with another resolution")


class RecordingError(AgelensError):
    """A recording cannot be started or continued."""


class NameTakenError(RecordingError):
    """A recording cannot be started because there is a file of that name."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What a recording came to.

    Attributes:
        path: where the file is.
        frames: frames in the file; 0 if no file was left.
        duration_s: seconds from the first frame to the end of the last.
        size_bytes: size of the file.
    """

    path: Path
    frames: int
    duration_s: float
    size_bytes: int


class Recorder(Closeable):
    """Writes pictures to an H.264 file, each with its own time. Not thread-safe: one thread uses it.

    The file appears under its final name with the first picture, playable, and never takes the place of another
    one: with `overwrite`, an existing file stays until the recording was closed well, and meanwhile the new one is
    called `film.part.mp4`. Killed at any moment, all pictures play whose `write` had returned. An error (full
    disk, lost folder) ends the recording with the file cut to its last whole fragment. A recording without
    a single frame leaves no file.

    Colours are BT.709, limited range, and tagged so. H.264 needs even sides: an odd picture is extended by
    one row or column.

    Args:
        path: `.mp4` or `.mkv`.
        width: of the recording, pixels; usually the first picture's.
        height: of the recording, pixels.
        rate: nominal frames per second, for the length of the last frame; 0 if unknown.
        overwrite: replace an existing file.

    Raises:
        RecordingError: the suffix is another one, or the file cannot be made.
    """

    def __init__(
        self, path: Path, *, width: int, height: int, rate: float = DEFAULT_RATE, overwrite: bool = False
    ) -> None:
        container_format = FORMATS.get(path.suffix.lower())
        if container_format is None:
            raise RecordingError(
                "Cannot record to “{name}”: the name must end in .mp4 or .mkv. Choose another name.", name=path.name
            )
        self._rate = rate if rate > 0 else DEFAULT_RATE
        self._format = container_format
        self._time_base = container_format.time_base
        self._started_at: float | None = None
        self._last_pts = -1
        self._keyframe_pts = 0
        self._frames = 0
        # Frames that are on the disk for good, and where they end.
        self._whole = (0, 0)
        self._finished = False
        self._failure: RecordingError | None = None
        self._summary: RecordingSummary | None = None
        try:
            self._file = NewFile(path, overwrite=overwrite, deferred=True)
        except OSError as error:
            raise _cannot_record(path, error) from error
        self._sink = FileSink(self._file)
        self._converter = FrameConverter(width, height)
        try:
            self._container, self._stream = open_container(
                self._sink,
                container_format,
                width=self._converter.coded_width,
                height=self._converter.coded_height,
                rate=self._rate,
            )
        except (av.FFmpegError, ValueError, OverflowError) as error:
            self._file.discard()
            raise RecordingError(
                "Cannot record pictures of {width}×{height} pixels: the encoder does not support that. Choose another "
                "resolution.",
                width=width,
                height=height,
            ) from error
        self._file.mark()

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return self._frames if self._summary is None else self._summary.frames

    @property
    def last_time_s(self) -> float:
        """The moment of the newest frame, in seconds from the first."""
        return self._seconds(max(self._last_pts, 0))

    @property
    def duration_s(self) -> float:
        """Seconds recorded so far, the last frame's included."""
        return self._seconds(self._end_pts) if self._summary is None else self._summary.duration_s

    @property
    def size_bytes(self) -> int:
        """Bytes on the disk so far."""
        return self._file.size if self._summary is None else self._summary.size_bytes

    def write(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Append a picture.

        Args:
            image: H×W×3 uint8, BGR; of another size than the recording it is fitted in, with black bars.
            time_s: its moment in seconds, of any clock: the first picture's becomes 0. One that is not after
                its predecessor's is moved behind it by the shortest step of the file format, one more than 12
                hours after it is moved up to there with all that follow.

        Raises:
            RecordingError: the disk is full, gone or broken, or the recording ended already.
        """
        if self._failure is not None:
            raise self._failure
        if self._summary is not None or self._finished:
            raise RecordingError(
                "Cannot record to “{name}”: that recording is closed. Start a new one.", name=self._file.path.name
            )
        frame = self._converter.convert(image)
        frame.pts = self._next_pts(time_s)
        frame.time_base = self._time_base
        if frame.pts - self._keyframe_pts >= KEYFRAME_INTERVAL_S / self._time_base:
            frame.pict_type = PictureType.I
            self._keyframe_pts = frame.pts
        try:
            for packet in self._stream.encode(frame):
                self._mux(packet)
        except av.FFmpegError as error:
            raise self._fail(_ENCODER_FAILED) from error

    def close(self) -> RecordingSummary:
        """Write what is left and close the file; every further call only returns the summary.

        Raises:
            RecordingError: the end could not be written; the file is kept up to there.
        """
        return self._end(self._commit)

    def keep(self) -> RecordingSummary:
        """Close the file, but leave one that it should have replaced, and this one as a part file beside it.

        Raises:
            RecordingError: as `close`.
        """
        return self._end(self._file.keep)

    def discard(self) -> None:
        """End the recording and leave no file."""
        self._sink.stop()
        with suppress(av.FFmpegError):
            self._container.close()
        self._file.discard()
        self._summary = self._summarise(0, 0)

    def finish(self) -> None:
        """Write what is left; the file is closed and gets its name by `close` or `keep`.

        Raises:
            RecordingError: the end could not be written; the file is kept up to there.
        """
        if self._summary is not None or self._finished:
            return
        try:
            for packet in self._stream.encode(None):
                self._mux(packet)
            self._container.close()
        except av.FFmpegError as error:
            raise self._fail(_ENCODER_FAILED) from error
        self._sink.check_present()
        self._check_sink()
        self._finished = True

    def _end(self, name: Callable[[], None]) -> RecordingSummary:
        self.finish()
        if self._summary is None:
            try:
                if self._frames == 0:
                    self._file.discard()
                else:
                    name()
            finally:
                self._summary = self._summarise(self._frames, self._end_pts)
        return self._summary

    @property
    def _end_pts(self) -> int:
        return self._last_pts + self._frame_pts if self._frames else 0

    @property
    def _frame_pts(self) -> int:
        """Duration of a frame that no other follows, in units of the time base."""
        return max(round(1 / self._rate / self._time_base), 1)

    def _seconds(self, pts: int) -> float:
        return float(pts * self._time_base)

    def _next_pts(self, time_s: float) -> int:
        if self._started_at is None:
            self._started_at = time_s
        previous_s = self._seconds(max(self._last_pts, 0))
        excess_s = time_s - self._started_at - previous_s - LONGEST_FRAME_S
        if excess_s > 0:
            # A laptop that slept for a day: what follows moves up as well.
            self._started_at += excess_s
        pts = max(round((time_s - self._started_at) / self._time_base), self._last_pts + 1)
        self._last_pts = pts
        return pts

    def _mux(self, packet: av.Packet[VideoStream]) -> None:
        packet.duration = self._frame_pts
        size = self._file.size
        self._container.mux(packet)
        if self._file.size > size:
            # FFmpeg wrote the fragment of the frame before this one.
            self._sink.check_present()
            self._check_sink()
            self._whole = (self._frames, packet.pts or 0)
            self._file.mark()
        # This frame's own fragment comes with the next frame, which may be long in coming.
        self._sink.write_tail(single_fragment(packet, self._stream, self._format, number=self._frames + 1))
        self._check_sink()
        self._frames += 1

    def _check_sink(self) -> None:
        if self._sink.error is not None:
            raise self._fail(explain(self._sink.error)) from self._sink.error

    def _fail(self, reason: Message) -> RecordingError:
        """End the recording, cut the file to its whole fragments, and return the error to raise."""
        # What the muxer would still write would follow a gap.
        self._sink.stop()
        with suppress(av.FFmpegError):
            self._container.close()
        frames, end_pts = self._whole
        if self._frames == 0 and self._sink.error is not None:
            self._file.discard()
            self._summary = self._summarise(0, 0)
            self._failure = _cannot_record(self._file.path, self._sink.error)
            return self._failure
        if frames == 0:
            self._file.discard()
            kept = Message("Nothing was recorded")
        else:
            self._file.roll_back()
            present = self._file.is_present
            self._file.keep()
            kept = (
                Message("What was recorded before is “{path}”", path=self._file.path)
                if present
                else Message("What was recorded went with it")
            )
        self._summary = self._summarise(frames, end_pts)
        self._failure = RecordingError("The recording ended: {reason}. {kept}.", reason=reason, kept=kept)
        return self._failure

    def _commit(self) -> None:
        try:
            self._file.commit()
        except OSError as error:
            self._file.keep()
            raise RecordingError(
                "The recording is complete but is called “{name}”: {reason}.",
                name=self._file.path.name,
                reason=explain(error),
            ) from error

    def _summarise(self, frames: int, end_pts: int) -> RecordingSummary:
        size = self._file.size if frames else 0
        return RecordingSummary(self._file.path, frames, self._seconds(end_pts), size)


def _cannot_record(path: Path, error: OSError) -> RecordingError:
    kind = NameTakenError if isinstance(error, FileExistsError) else RecordingError
    return kind.from_message(Message("Cannot record to “{path}”: {reason}.", path=path, reason=explain(error)))
