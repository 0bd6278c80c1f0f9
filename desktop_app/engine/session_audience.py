"""Who was shown in a session, counted while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from desktop_app.analytics.audience import Audience, summarise
from desktop_app.analytics.visits import Visit, VisitLog
from desktop_app.catalogue.manifest import Manifest
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.vision.classification.label import Label
from desktop_app.vision.geometry import Line
from desktop_app.vision.tracking.tracker import Track


@dataclass(frozen=True, slots=True)
class SessionCount:
    """What was counted up to a moment.

    Attributes:
        visits: brief ones included.
        audience: the counts.
        manifest: of the model that made the labels.
        began_at: when a live source gave its first picture, in local time; None for files.
    """

    visits: tuple[Visit, ...]
    audience: Audience
    manifest: Manifest
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Seen:
    index: int
    entry: int
    captured_at: float
    file: str
    still: bool
    tracks: tuple[Track, ...]
    labels: Mapping[int, Label]
    width: int
    height: int
    mirrored: bool

    def is_same(self, rendered: RenderedFrame) -> bool:
        frame = rendered.frame
        return (self.entry, self.index, self.captured_at) == (frame.entry, frame.index, frame.captured_at)


@dataclass(slots=True)
class _Tally:
    """What was counted since the beginning.

    Attributes:
        log: the visits, without those of the newest picture.
        newest: the newest picture; it may still get labels.
        shown: for each frame of a file, by its entry in a playlist, whether it was counted.
        starts: when each entry began, in seconds from the beginning: after all that was counted before it.
        end_s: the latest moment that was counted.
        zero_at: what times are counted from.
        began_at: when a live source gave its first picture.
        followed: ids of the faces that the next picture may show again.
    """

    log: VisitLog
    newest: _Seen | None = None
    shown: dict[int, bytearray] = field(default_factory=dict)
    starts: dict[int, float] = field(default_factory=dict)
    end_s: float = 0.0
    zero_at: float = 0.0
    began_at: datetime | None = None
    followed: tuple[int, ...] = ()

    def begin_frame(self, frame: Frame, *, live: bool) -> None:
        """Take note of a frame that was not counted before."""
        if live:
            if self.began_at is None:
                self.zero_at, self.began_at = frame.captured_at, datetime.now().astimezone()
            return
        shown = self.shown.setdefault(frame.entry, bytearray())
        shown.extend(bytes(max(frame.index + 1 - len(shown), 0)))
        shown[frame.index] = 1
        start_s = self.starts.setdefault(frame.entry, self.end_s)
        self.end_s = max(self.end_s, start_s + frame.captured_at)

    def is_shown(self, frame: Frame) -> bool:
        """Whether a frame of a file was counted."""
        shown = self.shown.get(frame.entry, b"")
        return frame.index < len(shown) and bool(shown[frame.index])

    def add_newest(self, log: VisitLog) -> None:
        """Enter the newest picture into a log."""
        seen = self.newest
        if seen is not None:
            time_s = seen.captured_at - self.zero_at + self.starts.get(seen.entry, 0.0)
            log.add(
                seen.index,
                time_s,
                seen.file,
                seen.tracks,
                seen.labels,
                still=seen.still,
                width=seen.width,
                height=seen.height,
                mirrored=seen.mirrored,
            )


class SessionAudience:
    """Counts the frames that a session shows; keeps no picture, and little of each visit.

    Each frame of a file counts once, however often it is shown: a film that starts again at its end, or is wound back,
    brings no new visits. A picture that stands still is counted with the labels that it has in the end. Another model
    begins the count anew.

    All methods are thread-safe.

    Args:
        lines: whose crossings are counted, in the picture as the source gives it.
    """

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self._lock = threading.Lock()
        self._manifest: Manifest | None = None
        self._lines = tuple(lines)
        self._tally = self._new_tally()

    def use(self, manifest: Manifest) -> None:
        """Take note of the model that makes the labels from now on."""
        with self._lock:
            if self._manifest is not None and manifest != self._manifest:
                self._tally = self._new_tally()
            self._manifest = manifest

    def reset(self) -> None:
        """Forget all that was counted."""
        with self._lock:
            self._tally = self._new_tally()

    def use_lines(self, lines: Sequence[Line]) -> None:
        """Count crossings of other lines from now on; those of a line that stays in its place are kept."""
        with self._lock:
            self._lines = tuple(lines)
            self._tally.log.use_lines(lines)

    def add(self, rendered: RenderedFrame, *, live: bool) -> None:
        """Take in a picture that is shown, also one that is drawn again.

        Args:
            rendered: the picture.
            live: it is of a camera or a stream.
        """
        frame = rendered.frame
        with self._lock:
            tally = self._tally
            tally.followed = tuple(track.id for track in rendered.tracks)
            if tally.newest is None or not tally.newest.is_same(rendered):
                tally.add_newest(tally.log)
                tally.newest = None
                if not live and tally.is_shown(frame):
                    return
                tally.begin_frame(frame, live=live)
            height, width = rendered.picture.shape[:2]
            tally.newest = _Seen(
                frame.index,
                frame.entry,
                frame.captured_at,
                frame.origin,
                frame.alone,
                rendered.tracks,
                rendered.labels,
                width,
                height,
                rendered.mirrored,
            )

    def count(self) -> SessionCount | None:
        """What was counted so far; None where there is no model or no picture yet."""
        with self._lock:
            tally, manifest = self._tally, self._manifest
            if manifest is None or (tally.newest is None and tally.log.frames == 0):
                return None
            # The newest picture may still get labels: here it is counted in a copy alone. What is not followed any more
            # does not change, and is read while pictures go on: of thousands of visits that takes a second.
            log = tally.log.fork(tally.followed)
            tally.add_newest(log)
            began_at, lines = tally.began_at, self._lines
        visits = log.visits(manifest.labels)
        audience = summarise(visits, manifest, frames=log.frames, duration_s=log.duration_s, lines=lines)
        return SessionCount(visits, audience, manifest, began_at)

    def _new_tally(self) -> _Tally:
        return _Tally(VisitLog(self._lines))
