"""Plays a finite source at its own rate: pause, step, seek, loop, speed."""

from __future__ import annotations

import enum
import threading
import time
from dataclasses import dataclass, replace
from typing import Final

from desktop_app.engine.types import PlaybackPosition
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import Source, SourceInfo

STILL_RATE: Final = 1.0
"""Pictures a second of a folder, whose pictures have no rate of their own."""
LATE_FRAMES: Final = 1.5
"""A picture that is later than this many frame times is skipped rather than shown."""
LONG_HOLD_UP_S: Final = 10.0
"""After this long nothing is caught up."""
SLOW_PERIOD_S: Final = 0.15
"""Pictures that come less often than this are drawn again when their labels change."""
MIN_SPEED: Final = 0.1
MAX_SPEED: Final = 16.0


class PlaybackEvent(enum.Enum):
    """What `Playback.next_event` says where it has no frame."""

    REDRAW = enum.auto()
    """The picture stands still and what is drawn on it changed."""
    PLAYING = enum.auto()
    """The source plays again."""
    PAUSED = enum.auto()
    """The picture that came last is held, until it is asked otherwise."""
    ENDED = enum.auto()
    """The source has no more frames; the next call waits for a seek or `play`."""
    STOPPED = enum.auto()
    """Playing is over for good."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A frame of an entry of a playlist; other sources have one entry."""

    entry: int
    index: int


class Playback:
    """Reads frames when they are due.

    The methods are requests; `next_event` reports when they are fulfilled, on the thread that shows the pictures. It
    belongs to the capture thread; every other method may be called from any thread and returns at once.
    Live sources are read as they come; `pause` then holds the picture.

    Args:
        loop: start again at the end.
        paused: show the first frame, and hold it.
    """

    def __init__(self, *, loop: bool = True, paused: bool = False) -> None:
        self._changed = threading.Condition()
        self._loop = loop
        self._speed = 1.0
        self._paused = paused
        self._stopped = False
        self._ended = False
        self._told = PlaybackEvent.PLAYING
        self._redraw = False
        self._steps = int(paused)
        self._seek_to: _Place | None = None
        self._entry = 0
        self._chosen: int | None = None
        self._pending: Frame | None = None
        self._period_s = 0.0
        self._late = 0
        self._anchor: tuple[float, float] | None = None
        self._last: PlaybackPosition | None = None
        self.skipped = 0
        """Frames that were skipped so far, to keep up."""
        self.read_s = 0.0
        """Seconds that reading the newest frame took, without the wait until it was due."""
        self.generation = 0
        """Counts the jumps in time: seeks, loops and the beginnings of further entries."""

    @property
    def is_paused(self) -> bool:
        """Whether playing shall stand still."""
        return self._paused

    @property
    def position(self) -> PlaybackPosition:
        """Where the source is now."""
        with self._changed:
            last = self._last or PlaybackPosition()
            # Whoever goes on twice in a row goes on from what was chosen first.
            entry = last.entry if self._chosen is None else self._chosen
            return replace(last, paused=self._paused or self._ended, speed=self._speed, loop=self._loop, entry=entry)

    def play(self) -> None:
        """Continue; from the beginning where the end was reached."""
        with self._changed:
            if self._ended:
                self._seek_to = _Place(0, 0)
            self._steps = 0
            self._paused = False
            self._anchor = None
            self._changed.notify_all()

    def pause(self) -> None:
        """Stand still."""
        with self._changed:
            self._paused = True
            self._changed.notify_all()

    def step(self) -> None:
        """Stand still and show the next frame; no effect at the end, after which there is none."""
        with self._changed:
            if self._ended:
                return
            self._paused = True
            self._steps += 1
            self._changed.notify_all()

    def seek(self, index: int) -> None:
        """Show the frame of that index, of the entry that is shown, next, paused or not."""
        with self._changed:
            self._seek_to = _Place(self._last.entry if self._last else 0, max(index, 0))
            self._changed.notify_all()

    def choose(self, entry: int) -> None:
        """Show the first frame of an entry of a playlist next, paused or not."""
        with self._changed:
            self._chosen = max(entry, 0)
            self._seek_to = _Place(self._chosen, 0)
            self._changed.notify_all()

    def set_speed(self, speed: float) -> None:
        """Play at a multiple of the source's own speed, kept between 0.1 and 16."""
        with self._changed:
            self._speed = min(max(speed, MIN_SPEED), MAX_SPEED)
            self._anchor = None
            self._changed.notify_all()

    def set_loop(self, loop: bool) -> None:
        """Start again at the end, or stand still there."""
        with self._changed:
            self._loop = loop
            self._changed.notify_all()

    def redraw(self) -> None:
        """Have the picture drawn again if it stands still, or comes to do so before the next one."""
        with self._changed:
            self._redraw = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Make `next_event` say STOPPED from now on."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def reopen(self) -> None:
        """Begin anew with a source that was opened again."""
        with self._changed:
            self._pending = self._anchor = None
            self._ended = False
            self._told = PlaybackEvent.PLAYING
            self.generation += 1

    def let_go(self) -> None:
        """Keep no frame after the end."""
        self._pending = None

    def next_event(self, source: Source) -> Frame | PlaybackEvent:
        """Wait for what comes next: a frame that is due, or something else to do.

        Args:
            source: the open source; after another one was opened call `reopen` first.

        Raises:
            SourceError: the source cannot be read on.
        """
        info = source.info
        while True:
            with self._changed:
                self._changed.wait_for(self._has_turn)
                if self._stopped:
                    return PlaybackEvent.STOPPED
                changed = self._change()
                if changed is not None:
                    self._told = changed
                    return changed
                if self._is_redraw_due() and self._seek_to is None:
                    self._redraw = False
                    return PlaybackEvent.REDRAW
                seeking, self._seek_to = self._seek_to, None
                at_once = self._steps > 0 or seeking is not None
            if seeking is not None and not info.live:
                self._jump(source, seeking)
            frame = self._pending or self._read(source)
            if frame is None:
                return self._end()
            self._pending = frame
            # Another entry may have another rate.
            info = source.info
            if info.live or at_once or self._is_due(frame, info):
                self._pending = None
                # A folder knows by now what it could not read.
                self._note(frame, source.info, at_once=at_once)
                return frame
            if self._late > 0:
                self._catch_up(source)

    def _has_turn(self) -> bool:
        if self._stopped or self._is_redraw_due() or self._seek_to is not None or self._change() is not None:
            return True
        return not self._ended and (not self._paused or self._steps > 0)

    def _change(self) -> PlaybackEvent | None:
        """The event that was not reported yet (playing, paused, ended); None where a picture comes first."""
        jumps = self._seek_to is not None or self._steps > 0
        if (self._ended or self._paused) and jumps:
            # A picture comes first.
            return None
        wanted = PlaybackEvent.ENDED if self._ended else PlaybackEvent.PAUSED if self._paused else PlaybackEvent.PLAYING
        return wanted if wanted is not self._told else None

    def _end(self) -> PlaybackEvent:
        with self._changed:
            if self._stopped:
                return PlaybackEvent.STOPPED
            self._ended = True
            self._steps = 0
            self._chosen = None
            self._told = PlaybackEvent.ENDED
            return PlaybackEvent.ENDED

    def _is_redraw_due(self) -> bool:
        """Whether a redraw is requested that cannot wait for the next picture."""
        is_slow = self._pending is not None and self._period_s > SLOW_PERIOD_S
        return self._redraw and (self._paused or self._ended or is_slow)

    def _read(self, source: Source) -> Frame | None:
        """The next frame; the first one again after the last, where the source loops."""
        started = time.perf_counter()
        frame, due = source.read(), None
        if frame is None and self._loops(source.info) and not self._stopped:
            due = self._due_after_last()
            self._jump(source, _Place(0, 0))
            frame = source.read()
        if frame is not None and frame.entry != self._entry:
            due = due or self._due_after_last()
            # Opening a film takes a moment, and no picture of it is skipped for that.
            due = due and max(due, time.monotonic())
            self._entry = frame.entry
            self.generation += 1
        if frame is not None and due is not None:
            self._anchor = (due, frame.captured_at)
        self.read_s = time.perf_counter() - started
        return frame

    def _loops(self, info: SourceInfo) -> bool:
        # A picture that stands alone has nothing to show again, whatever kind of file it is in.
        return self._loop and not info.live and (info.frame_count != 1 or len(info.entries) > 1)

    def _due_after_last(self) -> float | None:
        """The moment at which the last frame was shown as long as the others."""
        with self._changed:
            if self._anchor is None or self._last is None:
                return None
            return self._due(self._last.time_s) + self._period_s

    def _jump(self, source: Source, place: _Place) -> None:
        if place.entry != self._entry:
            source.choose(place.entry)
        if place.index or place.entry == self._entry:
            source.seek(place.index)
        with self._changed:
            self._pending = None
            self._anchor = None
            self._ended = False
            self.generation += 1

    def _due(self, media_time: float) -> float:
        started_at, from_media = self._anchor or (time.monotonic(), media_time)
        return started_at + (media_time - from_media) / self._speed

    def _is_due(self, frame: Frame, info: SourceInfo) -> bool:
        """Wait for the frame's moment; False where another event came first, or where the moment has passed."""
        media_time = frame.captured_at
        with self._changed:
            now = time.monotonic()
            if self._anchor is None:
                self._anchor = (now, media_time)
            due = self._due(media_time)
            self._period_s = 1 / ((info.rate or STILL_RATE) * self._speed)
            late = (now - due) / self._period_s
            if late > LATE_FRAMES:
                return self._accept_late(late, info, frame)
            disturbed = self._changed.wait_for(
                lambda: (
                    self._stopped
                    or self._paused
                    or self._is_redraw_due()
                    or self._seek_to is not None
                    or self._anchor is None
                ),
                max(due - now, 0.0),
            )
            return not disturbed

    def _accept_late(self, late: float, info: SourceInfo, frame: Frame) -> bool:
        """Whether to show a frame that is late by so many frame times; otherwise `_late` counts frames to skip."""
        rate = info.rate or STILL_RATE
        if frame.alone or info.kind == "folder" or late > LONG_HOLD_UP_S * rate:
            # Every picture that stands alone counts; and after a hold-up (a suspended machine) time starts anew.
            self._anchor = None
            return True
        self._late = int(late)
        return False

    def _catch_up(self, source: Source) -> None:
        """Skip late frames, including the one that was read, so that the next one is in time.

        Not under the lock: skipping decodes, and a request to pause must not wait for it.
        """
        self._pending = None
        self.skipped += 1 + source.skip(self._late - 1)
        self._late = 0
        frame = self._read(source)
        with self._changed:
            self._pending = frame
            now, media_time = time.monotonic(), 0.0 if frame is None else frame.captured_at
            if frame is None:
                self._anchor = None
            elif now - self._due(media_time) > LATE_FRAMES * self._period_s:
                # Late again, and shown all the same: a slow machine must show something. Time continues from here.
                self._anchor = (now, media_time)

    def _note(self, frame: Frame, info: SourceInfo, *, at_once: bool) -> None:
        with self._changed:
            self._steps = max(self._steps - 1, 0)
            self._redraw = False
            if self._seek_to is None:
                self._chosen = None
            if at_once:
                # Time continues from the frame that was jumped to, which is shown as long as any other.
                self._anchor = (time.monotonic(), frame.captured_at)
            self._last = PlaybackPosition(
                index=frame.index,
                time_s=0.0 if info.live else frame.captured_at,
                frame_count=info.frame_count,
                duration_s=info.duration_s,
                seekable=not info.live,
                pictures=info.pictures,
                entry=frame.entry,
                entries=info.entries,
            )
