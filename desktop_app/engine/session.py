"""The one object that a front end talks to: builds, wires, starts, stops and joins the threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from desktop_app.engine.capture import CaptureWorker
from desktop_app.engine.flow import (
    UNFINISHED,
    Composed,
    PlaybackPosition,
    RecordingStatus,
    SessionSettings,
    SessionStatus,
    SourceState,
)
from desktop_app.engine.inference import InferenceWorker, ModelChoice
from desktop_app.engine.playback import Playback
from desktop_app.engine.recording import RecorderWorker
from desktop_app.engine.statistics import Statistics, StatisticsSnapshot
from desktop_app.engine.worker import Worker
from desktop_app.vision.finder import DetectorMode
from desktop_app.vision.overlay import OverlayStyle
from models.catalogue import ModelPackage

__all__ = [
    "Composed",
    "PlaybackPosition",
    "RecordingStatus",
    "Session",
    "SessionSettings",
    "SessionStatus",
]

log = logging.getLogger(__name__)

STOP_S: Final = 0.8
"""How long `stop` waits for a thread before it is left behind (a camera driver may hang)."""
FINISH_S: Final = 5.0
"""How long `stop` waits for a recording to be finished: the user's work comes before a prompt end."""
_REMEMBERED_PICTURES: Final = 16


def _nothing() -> None:
    """Ring no bell."""


class Session:
    """Live use of one source, from start to stop.

    Every method is thread-safe and returns at once, `stop` in under a second (later only where a recording must
    still be written). A session is used once.

    Args:
        settings: source, model and looks to start with.
        on_picture: called on an engine thread when `latest` has a new picture.
        on_status: called on an engine thread when `status` or `recording` changed.
    """

    def __init__(
        self,
        settings: SessionSettings,
        *,
        on_picture: Callable[[], None] = _nothing,
        on_status: Callable[[], None] = _nothing,
    ) -> None:
        self._on_picture, self._on_status = on_picture, on_status
        self._lock = threading.Lock()
        self._status = SessionStatus()
        self._latest: Composed | None = None
        self._taken: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED_PICTURES)
        self._recorder: RecorderWorker | None = None
        self._over = False
        self._statistics = Statistics()
        self._playback = Playback(loop=settings.loop)
        self._inference = InferenceWorker(
            ModelChoice(settings.model, settings.provider, settings.oversample, settings.gender),
            statistics=self._statistics,
            on_labels=self._playback.redraw,
            on_model=self._take_model,
            on_end=self._take_end,
        )
        self._capture = CaptureWorker(
            settings,
            inference=self._inference,
            playback=self._playback,
            statistics=self._statistics,
            on_picture=self._take_picture,
            on_state=self._take_state,
            on_notice=self._take_notice,
            on_end=self._take_end,
        )

    def start(self) -> None:
        """Open the source and the model, in the background."""
        self._inference.start()
        self._capture.start()

    def stop(self) -> None:
        """End everything; a running recording is finished first."""
        with self._lock:
            self._over = True
        self._capture.stop()
        joined = self._capture.join(STOP_S)
        self._inference.stop()
        with self._lock:
            recorder = self._recorder
        if recorder is not None:
            recorder.stop()
        joined = self._inference.join(STOP_S) and joined
        if recorder is not None and not recorder.join(FINISH_S):
            log.warning("the recording could not be finished in %s s; what is on disk stays playable", FINISH_S)
        if not joined:
            log.warning("a thread did not end in time and was left behind")
        self._take_state("stopped", "")

    def latest(self) -> Composed | None:
        """The newest finished picture."""
        return self._latest

    def status(self) -> SessionStatus:
        """How the session is doing."""
        with self._lock:
            return replace(self._status, info=self._capture.info)

    def recording(self) -> RecordingStatus:
        """How the recording is doing: the running one, or the last."""
        with self._lock:
            recorder = self._recorder
        return recorder.status if recorder is not None else RecordingStatus()

    def position(self) -> PlaybackPosition:
        """Where the source is."""
        return self._playback.position

    def statistics(self) -> StatisticsSnapshot:
        """The figures of this moment."""
        latest, info = self._latest, self._capture.info
        model = self._inference.model
        return self._statistics.snapshot(
            source_fps=info.rate if info is not None else 0.0,
            queue_fill=self._inference.crops.fill,
            dropped_crops=self._inference.crops.dropped,
            recorder_dropped=self.recording().dropped,
            faces=sum(track.missed == 0 for track in latest.tracks) if latest is not None else 0,
            provider=model.provider,
            model=model.package.name if model.package is not None else "",
        )

    def package(self) -> ModelPackage | None:
        """The model in use; None while the first one loads."""
        return self._inference.model.package

    def set_style(self, style: OverlayStyle) -> None:
        """Draw differently from the next picture on."""
        self._capture.style = style
        self._playback.redraw()

    def set_mirror(self, mirror: bool) -> None:
        """Show the picture as a mirror does, or not."""
        self._capture.mirror = mirror
        self._playback.redraw()

    def set_detector(self, mode: DetectorMode, min_score: float) -> None:
        """Look for faces differently from now on, also in a picture that stands still."""
        self._capture.set_detector(mode, min_score)
        self._playback.redraw()

    def set_model(self, model: str, provider: str = "auto", oversample: bool = False, *, gender: bool = True) -> None:
        """Use another model; if it cannot be used the present one stays and `status().notice` says why.

        What is said of gender ends at once where `gender` is False.
        """
        self._inference.choose(ModelChoice(model, provider, oversample, gender))

    def play(self) -> None:
        """Go on after a pause or from the end."""
        self._playback.play()
        self._turn("live", after={"live", "paused", "ended"})

    def pause(self) -> None:
        """Hold the picture."""
        self._playback.pause()
        self._turn("paused", after={"live", "paused"})

    def step(self) -> None:
        """Show the next frame and hold it."""
        self._playback.step()
        self._turn("paused", after={"live", "paused"})

    def seek(self, index: int) -> None:
        """Go to a frame of a finite source."""
        self._playback.seek(index)
        if self.status().state == "ended":
            self._take_state("paused" if self._playback.is_paused else "live", "")

    def set_speed(self, speed: float) -> None:
        """Play a finite source at a multiple of its own speed."""
        self._playback.set_speed(speed)

    def set_loop(self, loop: bool) -> None:
        """Start a finite source again at its end, or not."""
        self._playback.set_loop(loop)

    def start_recording(self, path: Path, *, predictions: Path | None = None, overwrite: bool = False) -> None:
        """Record what is shown from now on; no effect while a recording runs, nor after `stop`."""
        info = self._capture.info
        with self._lock:
            # By its state rather than its thread, which lives a moment longer than the front end is told.
            if self._over or (self._recorder is not None and self._recorder.status.state in UNFINISHED):
                return
            self._recorder = RecorderWorker(
                path,
                predictions=predictions,
                rate=info.rate if info is not None else 0.0,
                overwrite=overwrite,
                on_change=self._on_status,
            )
            self._recorder.start()
        self._on_status()
        self._playback.redraw()

    def pause_recording(self, paused: bool) -> None:
        """Leave out what is shown, or go on."""
        with self._lock:
            recorder = self._recorder
        if recorder is not None:
            recorder.pause(paused, at=time.monotonic())

    def stop_recording(self) -> None:
        """Finish the recording, in the background; `recording` says when it is done."""
        with self._lock:
            recorder = self._recorder
        if recorder is not None and recorder.is_alive:
            recorder.stop()

    def painted(self, composed_at: float) -> None:
        """Note that the picture that was finished at that moment is on the screen now."""
        self._statistics.count("display")
        with self._lock:
            taken_at = next((taken for composed, taken in self._taken if composed == composed_at), None)
        if taken_at is not None:
            self._statistics.add_latency(time.monotonic() - taken_at, painted=True)

    def _take_picture(self, composed: Composed) -> None:
        self._latest = composed
        with self._lock:
            self._taken.append((composed.composed_at, composed.taken_at))
            recorder = self._recorder
        self._statistics.add_latency(composed.composed_at - composed.taken_at, painted=False)
        if recorder is not None:
            recorder.offer(composed)
        self._on_picture()

    def _turn(self, state: SourceState, *, after: Collection[SourceState]) -> None:
        """Follow a press of a button; a source that is not open yet, or not again, will tell its state by itself."""
        with self._lock:
            ready = self._status.state in after
        if ready:
            self._take_state(state, "")

    def _take_state(self, state: SourceState, message: str) -> None:
        with self._lock:
            # A source that failed or was stopped does not come back to life by a press of a button.
            if self._status.state in {"failed", "stopped"} and state != "stopped":
                return
            self._status = replace(self._status, state=state, message=message)
        self._on_status()

    def _take_notice(self, notice: str) -> None:
        with self._lock:
            self._status = replace(self._status, notice=notice)
        self._on_status()

    def _take_end(self, worker: Worker) -> None:
        if worker.error is not None:
            self._take_state(
                "failed",
                f"the {worker.name} thread ended by an error ({worker.error}); start again, and please report it",
            )

    def _take_model(self) -> None:
        model = self._inference.model
        with self._lock:
            self._status = replace(
                self._status,
                model=model.package.name if model.package is not None else "",
                model_title=model.package.title if model.package is not None else "",
                provider=model.provider,
                notice=model.notice,
            )
        self._on_status()
        self._playback.redraw()
