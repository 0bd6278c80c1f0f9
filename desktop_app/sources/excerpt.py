"""A part of a source: from one moment to another, or a frame at intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from desktop_app.messages import Message
from desktop_app.sources.base import Source, SourceBase, SourceError, SourceInfo
from desktop_app.sources.films.video_files import VideoFileSource
from desktop_app.sources.frame import Frame

_SLACK_S = 1e-6
"""Moments are sums of fractions: a frame that is due now may be so much early."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Which frames of a source are read; all of them as it stands.

    Attributes:
        start_s: the first one is the first from this moment on, in seconds since the first frame of the source.
        end_s: the last one is the last before this moment; None for the end of the source.
        every_s: from each one to the next it is as long as this, or as little longer as the frames allow.
    """

    start_s: float = 0.0
    end_s: float | None = None
    every_s: float = 0.0

    def sentences(self) -> list[Message]:
        """What is left out, a sentence each."""
        sentences = []
        start, end = f"{self.start_s:g}", f"{self.end_s or 0:g}"
        if self.end_s is not None:
            sentences.append(Message("Only the time from {start} s to {end} s was looked at.", start=start, end=end))
        elif self.start_s:
            sentences.append(Message("Only the time from {start} s on was looked at.", start=start))
        if self.every_s:
            sentences.append(Message("One frame every {every} s was looked at.", every=f"{self.every_s:g}"))
        return sentences

    def __bool__(self) -> bool:
        """Whether something is left out."""
        return self != Excerpt()


class ExcerptSource(SourceBase):
    """Reads a part of another source, which it closes at its end. Frames keep their index and their time.

    Pictures, which have no times, are read whole.

    Args:
        source: the whole, not read yet.
        excerpt: what is to be read of it.

    Raises:
        SourceError: the source ends before the part begins.
    """

    def __init__(self, source: Source, excerpt: Excerpt) -> None:
        info = source.info
        if info.kind in {"image", "folder"}:
            excerpt = Excerpt()
        if info.duration_s is not None and excerpt.start_s >= max(info.duration_s, _SLACK_S):
            raise SourceError(
                "Cannot read “{name}” from {start} s on: it lasts {duration} s. Begin earlier.",
                name=info.name,
                start=f"{excerpt.start_s:g}",
                duration=f"{info.duration_s:.1f}",
            )
        self._source, self._excerpt = source, excerpt
        self._due_s = excerpt.start_s
        self._zero_at: float | None = None if info.live else 0.0
        self.is_over = False
        """Whether the end of the part was reached."""
        if excerpt.start_s and info.kind == "demo":
            source.seek(math.ceil(excerpt.start_s * info.rate - _SLACK_S))

    @property
    def info(self) -> SourceInfo:
        """What is known of the whole; the number of frames is about that of the part."""
        info, excerpt = self._source.info, self._excerpt
        if not excerpt:
            return info
        ends = [one for one in (excerpt.end_s, info.duration_s) if one is not None]
        rate = 1 / excerpt.every_s if excerpt.every_s * info.rate > 1 else info.rate
        count = max(math.ceil((min(ends) - excerpt.start_s) * rate - _SLACK_S), 1) if ends and rate else None
        return replace(info, frame_count=count, length_s=info.duration_s)

    @property
    def zero_at(self) -> float:
        """What the times of the frames are counted from; known once one was read."""
        return self._zero_at or 0.0

    @property
    def dropped_count(self) -> int:
        """As of the whole."""
        return self._source.dropped_count

    @property
    def notice(self) -> Message | None:
        """As of the whole."""
        return self._source.notice

    def read(self) -> Frame | None:
        """The next frame of the part; see `Source.read`."""
        while not self.is_over:
            if self._excerpt and isinstance(self._source, VideoFileSource):
                self._source.skip_until(self._due_s - _SLACK_S)
            frame = self._source.read()
            if frame is None:
                return None
            if self._zero_at is None:
                self._zero_at = frame.captured_at
            time_s = frame.captured_at - self._zero_at
            if self._excerpt.end_s is not None and time_s >= self._excerpt.end_s - _SLACK_S:
                self.is_over = True
            elif time_s >= self._due_s - _SLACK_S:
                self._due_s = self._after(time_s)
                return frame
        return None

    def _after(self, time_s: float) -> float:
        """When the next frame is due."""
        every_s, start_s = self._excerpt.every_s, self._excerpt.start_s
        if not every_s:
            return start_s
        # On a grid, so that what comes late does not shift all that follow.
        return start_s + (math.floor((time_s - start_s) / every_s + _SLACK_S) + 1) * every_s

    def skip(self, count: int) -> int:
        """Read up to `count` frames and leave them; returns how many there were."""
        passed = 0
        while passed < count and self.read() is not None:
            passed += 1
        return passed

    def seek(self, index: int) -> None:
        """Do nothing: a part is read from its beginning to its end."""

    def close(self) -> None:
        """End the whole."""
        self._source.close()
