"""The recorder thread: a slow encoder must not slow the camera."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from desktop_app.engine.channel import Channel, ChannelClosedError
from desktop_app.engine.flow import Composed, RecordingStatus
from desktop_app.engine.worker import Worker
from desktop_app.errors import AgelensError
from desktop_app.media.recorder import Recorder
from desktop_app.vision.predictions import PredictionWriter, face_rows

CHANNEL_CAPACITY: Final = 24
"""Pictures that may wait for the encoder: under a second, about 66 MB at 720p."""


class RecorderWorker(Worker):
    """Writes composed pictures, and the predictions in them, until it is finished.

    Args:
        path: the video file, `.mp4` or `.mkv`.
        predictions: a `.csv` or `.jsonl` file beside it, or None.
        rate: the source's nominal frames per second.
        overwrite: replace existing files.
        on_change: called on this thread when the state changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        predictions: Path | None = None,
        rate: float = 30.0,
        overwrite: bool = False,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__("recorder")
        self._pictures: Channel[Composed] = Channel(CHANNEL_CAPACITY, drop="newest")
        self._predictions = predictions
        self._rate = rate or 30.0
        self._overwrite = overwrite
        self._on_change = on_change
        self._lock = threading.Lock()
        self._status = RecordingStatus(state="recording", path=path)
        self._paused_at: float | None = None
        self._paused_s = 0.0

    @property
    def status(self) -> RecordingStatus:
        """How it is doing; safe from any thread."""
        with self._lock:
            return replace(self._status, dropped=self._pictures.dropped)

    def offer(self, composed: Composed) -> None:
        """Hand in the picture that is shown now; returns at once."""
        if self.status.state == "recording":
            self._pictures.put(composed)

    def pause(self, paused: bool, *, at: float) -> None:
        """Leave out what is shown from the moment `at` (monotonic seconds), or go on."""
        with self._lock:
            if paused and self._status.state == "recording":
                self._paused_at = at
                self._status = replace(self._status, state="paused")
            elif not paused and self._status.state == "paused":
                self._paused_s += at - (self._paused_at or at)
                self._paused_at = None
                self._status = replace(self._status, state="recording")
        self._on_change()

    def stop(self) -> None:
        """Finish: what was handed in is still written."""
        super().stop()
        with self._lock:
            if self._status.state in {"recording", "paused"}:
                self._status = replace(self._status, state="finishing")
        self._pictures.close()
        self._on_change()

    def run(self) -> None:
        """Write until stopped or until it goes wrong; what was written stays playable."""
        recorder: Recorder | None = None
        writer: PredictionWriter | None = None
        message = ""
        try:
            if self._predictions is not None:
                writer = PredictionWriter(self._predictions, overwrite=self._overwrite)
            while True:
                composed = self._pictures.get()
                if composed is None:
                    continue
                if recorder is None:
                    recorder = self._open(composed)
                self._write(recorder, writer, composed)
        except ChannelClosedError:
            pass
        except AgelensError as error:
            message = str(error)
        message = self._close(recorder, writer) or message
        self._note(state="failed" if message else "idle", message=message)

    def _open(self, composed: Composed) -> Recorder:
        path = self.status.path
        assert path is not None
        height, width = composed.picture.shape[:2]
        return Recorder(path, width=width, height=height, rate=self._rate, overwrite=self._overwrite)

    def _write(self, recorder: Recorder, writer: PredictionWriter | None, composed: Composed) -> None:
        index = recorder.frames
        recorder.write(composed.picture, composed.taken_at - self._paused_s)
        if writer is not None:
            rows = face_rows(index, recorder.duration_s, composed.frame.origin, composed.tracks, composed.labels)
            writer.write(rows)
        self._note(frames=recorder.frames, duration_s=recorder.duration_s, size_bytes=recorder.size_bytes)

    def _close(self, recorder: Recorder | None, writer: PredictionWriter | None) -> str:
        """Finish both files; returns what went wrong, or nothing."""
        message = ""
        if recorder is not None:
            try:
                summary = recorder.close()
                self._note(frames=summary.frames, duration_s=summary.duration_s, size_bytes=summary.size_bytes)
            except AgelensError as error:
                message = str(error)
        if writer is not None:
            try:
                writer.close()
            except AgelensError as error:
                message = message or str(error)
        return message

    def _note(self, **changes: object) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        if "state" in changes:
            self._on_change()
