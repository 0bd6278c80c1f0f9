"""Recorder thread, so that a slow encoder does not slow the camera."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from desktop_app.engine.bounded_queue import BoundedQueue, ChannelClosedError
from desktop_app.engine.run_facts import RunFacts, facts_path
from desktop_app.engine.types import RecordingStatus, RenderedFrame
from desktop_app.engine.worker import Worker
from desktop_app.errors import AgelensError
from desktop_app.messages import Message
from desktop_app.output.atomic_files import ALMOST_FULL, has_room, numbered
from desktop_app.output.encoder import FORMATS
from desktop_app.output.late_file import LateFile
from desktop_app.output.predictions import PredictionFileError, PredictionWriter, face_rows
from desktop_app.output.recorder import NameTakenError, Recorder, RecordingError
from desktop_app.output.tables import TABLE_SUFFIXES

QUEUE_CAPACITY: Final = 24
"""Pictures that may wait for the encoder: under a second, about 66 MB at 720p."""
STILL_AFTER_S: Final = 0.25
"""A picture that nothing followed for so long is written again: a recording continues while it stands still."""
LATE_S: Final = 0.7
"""How much later than its predecessor a picture may come and still find its moment free. Together with `STILL_AFTER_S`
that is how far a recording may be behind what is shown, which a program that is killed loses: under a second."""
BEHIND_S: Final = 0.7
"""A picture that waited longer is left out if others wait behind it: an encoder that is too slow catches up by that."""
RESERVE_BYTES: Final = 64 * 2**20
"""Free space at which a recording ends: it is finished in order, and other programs still have room."""
SPACE_CHECK_S: Final = 1.0
_NO_PICTURE: Final = Message("Nothing was recorded: no picture came in that time.")
_UNFORESEEN: Final = Message("The recording ended: Agelens has a defect. Start again, and report it.")


class RecordingClock:
    """The monotonic clock without the pauses of a recording."""

    def __init__(self) -> None:
        self._paused_at: float | None = None
        self._resumed_at = float("-inf")
        self._paused_s = 0.0

    def pause(self, at: float) -> None:
        """Stand still from the moment `at`; no effect while it does."""
        if self._paused_at is None:
            self._paused_at = at

    def resume(self, at: float) -> None:
        """Continue at the moment `at`; no effect while it runs."""
        if self._paused_at is not None:
            self._paused_s += at - self._paused_at
            self._paused_at, self._resumed_at = None, at

    def runs_at(self, at: float) -> bool:
        """Whether the moment `at` is in no pause, as far as it is not before the last one."""
        return at >= self._resumed_at and (self._paused_at is None or at < self._paused_at)

    def time_of(self, at: float) -> float:
        """What this clock shows at the moment `at`, in seconds."""
        return (at if self._paused_at is None else min(at, self._paused_at)) - self._paused_s


class RecorderWorker(Worker):
    """Writes composed pictures, and the predictions in them, until it is finished.

    Args:
        path: the video file, `.mp4` or `.mkv`.
        predictions: a `.csv` or `.jsonl` file beside it, or None.
        facts: of the run, for a file beside the predictions; None for none.
        rate: the source's nominal frames per second.
        overwrite: replace existing files.
        numbered: take `film (2).mp4` and so on where a name, or that of a table beside it, is taken.
        reserve_bytes: free space at which the recording ends.
        on_change: called on this thread when the state changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        predictions: Path | None = None,
        facts: RunFacts | None = None,
        rate: float = 30.0,
        overwrite: bool = False,
        numbered: bool = False,
        reserve_bytes: int = RESERVE_BYTES,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__("recorder")
        self._pictures: BoundedQueue[tuple[float, RenderedFrame]] = BoundedQueue(QUEUE_CAPACITY, drop="newest")
        self._path, self._predictions, self._facts = path, predictions, facts
        self._rate = rate or 30.0
        self._overwrite, self._numbered = overwrite, numbered
        self._reserve_bytes = reserve_bytes
        self._on_change = on_change
        self._lock = threading.Lock()
        self._status = RecordingStatus(state="recording", path=path, started_at=time.monotonic())
        self._clock = RecordingClock()
        self._recorder: Recorder | None = None
        self._writer: PredictionWriter | None = None
        self._beside: LateFile | None = None
        self._last: tuple[float, RenderedFrame] | None = None
        self._delay_s = 0.0
        self._skipped = 0
        self._space_checked_at = float("-inf")

    @property
    def status(self) -> RecordingStatus:
        """How it is doing; safe from any thread."""
        with self._lock:
            return replace(self._status, dropped=self._pictures.dropped + self._skipped)

    def offer(self, rendered: RenderedFrame) -> None:
        """Hand in the picture that is shown now; returns at once. One that was taken in a pause is left out."""
        with self._lock:
            if self._status.state not in {"recording", "paused"} or not self._clock.runs_at(rendered.taken_at):
                return
            time_s = self._clock.time_of(rendered.taken_at)
        self._pictures.put((time_s, rendered))

    def pause(self, paused: bool, *, at: float) -> None:
        """Leave out what is shown from the moment `at` (monotonic seconds), or continue."""
        with self._lock:
            if paused and self._status.state == "recording":
                self._clock.pause(at)
                self._status = replace(self._status, state="paused")
            elif not paused and self._status.state == "paused":
                self._clock.resume(at)
                self._status = replace(self._status, state="recording")
        self._on_change()

    def stop(self) -> None:
        """Finish: what was handed in is still written."""
        super().stop()
        with self._lock:
            if self._status.state in {"recording", "paused"}:
                self._clock.pause(time.monotonic())
                self._status = replace(self._status, state="finishing")
        self._pictures.close()
        self._on_change()

    def run(self) -> None:
        """Write until stopped or until it goes wrong; what was written stays playable."""
        message: Message | None = _UNFORESEEN
        try:
            try:
                failure = self._record()
                if self._facts is not None:
                    self._facts.complete = failure is None
            finally:
                closing = self._close()
            message = failure or closing or (None if self.status.frames else _NO_PICTURE)
        finally:
            self._note(state="failed" if message else "idle", message=message)
            self._let_go()

    def _record(self) -> Message | None:
        """Write until stopped; returns the error, or None."""
        try:
            try:
                while True:
                    self._take(self._pictures.get(STILL_AFTER_S))
            except ChannelClosedError:
                self._repeat(self._now_s() - 1 / self._rate)
        except AgelensError as error:
            return error.message
        return None

    def _take(self, item: tuple[float, RenderedFrame] | None) -> None:
        if item is None:
            self._repeat(self._now_s(LATE_S))
            return
        self._delay_s = self._now_s() - item[0]
        if self._delay_s > BEHIND_S and self._pictures.fill and not self.stopping.is_set():
            with self._lock:
                self._skipped += 1
            return
        self._write(*item)

    def _now_s(self, ago_s: float = 0.0) -> float:
        with self._lock:
            return self._clock.time_of(time.monotonic() - ago_s)

    def _repeat(self, until_s: float) -> None:
        """Write the last picture again where no other was shown until that moment of the recording's clock."""
        # As late as the last one came: one that is on its way was taken after it.
        time_s = until_s - self._delay_s
        # Half of it: one that comes a little early is not put off to the next time.
        if self._last is not None and time_s >= self._last[0] + min(1 / self._rate, STILL_AFTER_S / 2):
            self._write(time_s, self._last[1])

    def _write(self, time_s: float, rendered: RenderedFrame) -> None:
        self._check_space()
        if self._recorder is None:
            self._recorder = self._begin(time_s, rendered)
        else:
            self._recorder.write(rendered.annotated(), time_s)
        recorder = self._recorder
        self._last = (time_s, rendered)
        if self._writer is not None:
            index, at_s = recorder.frames - 1, recorder.last_time_s
            rows = face_rows(index, at_s, rendered.frame.origin, rendered.tracks, rendered.labels)
            self._writer.write(rows)
            if self._facts is not None:
                self._facts.add(rendered, at_s, len(rows))
        self._note(frames=recorder.frames, duration_s=recorder.duration_s, size_bytes=recorder.size_bytes)

    def _begin(self, time_s: float, rendered: RenderedFrame) -> Recorder:
        """Create the files, now that there is something to write; another window may create the same names now."""
        height, width = rendered.picture.shape[:2]
        for path in self._names():
            try:
                recorder = Recorder(path, width=width, height=height, rate=self._rate, overwrite=self._overwrite)
                recorder.write(rendered.annotated(), time_s)
            except NameTakenError:
                if not self._numbered:
                    raise
                continue
            # Closed with this worker from here on, whatever becomes of the table.
            self._recorder = recorder
            try:
                self._writer = self._open_table(path)
            except PredictionFileError as error:
                if not (self._numbered and isinstance(error.__cause__, FileExistsError)):
                    raise
                recorder.discard()
                continue
            self._note(path=path)
            return recorder
        raise AssertionError("there is no last number")

    def _names(self) -> Iterator[Path]:
        """The requested name; with numbering, those names that are free with all suffixes."""
        if not self._numbered:
            return iter((self._path,))

        def others(path: Path) -> Iterator[Path]:
            for suffix in (*FORMATS, *TABLE_SUFFIXES):
                yield path.with_suffix(suffix)
                yield facts_path(path.with_suffix(suffix))

        return (path for path in numbered(self._path) if not any(map(os.path.lexists, others(path))))

    def _open_table(self, film: Path) -> PredictionWriter | None:
        if self._predictions is None:
            return None
        path = film.with_suffix(self._predictions.suffix) if self._numbered else self._predictions
        writer = PredictionWriter(path, overwrite=self._overwrite)
        if self._facts is not None:
            self._beside = self._facts.file(path, overwrite=self._overwrite)
        return writer

    def _check_space(self) -> None:
        """End in order rather than in the middle of a write.

        Raises:
            RecordingError: the disk is almost full.
        """
        now = time.monotonic()
        if now < self._space_checked_at + SPACE_CHECK_S:
            return
        self._space_checked_at = now
        if has_room(self._path, self._reserve_bytes):
            return
        if self._recorder is None:
            raise RecordingError("Cannot record to “{path}”: {reason}.", path=self._path, reason=ALMOST_FULL)
        raise RecordingError(
            "The recording ended: {reason}. {kept}.",
            reason=ALMOST_FULL,
            kept=Message("What was recorded before is “{path}”", path=self._path),
        )

    def _close(self) -> Message | None:
        """Finish both files; returns the error, or None."""
        message: Message | None = None
        if self._recorder is not None:
            try:
                self._recorder.close()
            except AgelensError as error:
                message = error.message
            # Closed for good, also after an error: the summary is final.
            summary = self._recorder.close()
            self._note(
                path=summary.path,
                frames=summary.frames,
                duration_s=summary.duration_s,
                # A film whose folder was moved or removed while it ran is not where it was.
                size_bytes=summary.size_bytes if summary.path.is_file() else 0,
            )
        if self._writer is not None:
            try:
                self._writer.close()
                if self._beside is not None:
                    self._beside.close()
            except AgelensError as error:
                message = message or error.message
        return message

    def _let_go(self) -> None:
        """Release pictures and encoder: the session keeps this worker until the next recording."""
        self._pictures.close()
        self._pictures.drain()
        self._recorder = self._writer = self._beside = self._facts = self._last = None

    def _note(self, **changes: object) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        if "state" in changes:
            self._on_change()
