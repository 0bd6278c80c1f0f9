"""The engine's interface for front ends: builds, starts, stops and joins the threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from desktop_app.catalogue.catalogue import ModelChoice, ModelPackage
from desktop_app.engine.capture import CaptureWorker
from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.inference import InferenceWorker
from desktop_app.engine.memory import keep_few_arenas, return_freed_memory
from desktop_app.engine.playback import Playback
from desktop_app.engine.recording import RecorderWorker
from desktop_app.engine.run_facts import RunFacts
from desktop_app.engine.session_audience import SessionAudience
from desktop_app.engine.session_board import SessionBoard
from desktop_app.engine.statistics import Statistics, StatisticsSnapshot
from desktop_app.engine.types import (
    PlaybackPosition,
    RecordingStatus,
    RenderedFrame,
    SessionSettings,
    SessionStatus,
)
from desktop_app.errors import reason_of
from desktop_app.messages import Message
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.drawing.overlay import OverlayStyle

__all__ = [
    "RenderedFrame",
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


def _noop() -> None:
    """Do nothing."""


class Session:
    """Live use of one source, from start to stop.

    Every method is thread-safe and returns at once, `stop` in under a second (later only where a recording must
    still be written). A session is used once.

    Attributes:
        audience: counts who is shown; may be read after `stop`.

    Args:
        settings: source, model and looks to start with.
        on_picture: called on an engine thread when `latest` has a new picture.
        on_status: called on an engine thread when `status` or `recording` changed.
    """

    def __init__(
        self,
        settings: SessionSettings,
        *,
        on_picture: Callable[[], None] = _noop,
        on_status: Callable[[], None] = _noop,
    ) -> None:
        keep_few_arenas()
        self._settings, self._choice = settings, settings.choice
        self._on_status = on_status
        self._statistics = Statistics()
        self._playback = Playback(loop=settings.loop, paused=settings.paused)
        self.audience = SessionAudience(settings.lines)
        self._board = SessionBoard(self._statistics, audience=self.audience, on_picture=on_picture, on_status=on_status)
        pipeline = FacePipeline(self._statistics)
        self._inference = InferenceWorker(
            settings.choice,
            pipeline=pipeline,
            on_labels=self._playback.redraw,
            on_model=self._board.take_model,
            on_end=self._board.take_end,
        )
        self._capture = CaptureWorker(
            settings,
            pipeline=pipeline,
            inference=self._inference,
            playback=self._playback,
            statistics=self._statistics,
            board=self._board,
        )

    def start(self) -> None:
        """Open the source and the model, in the background; where that cannot begin, the state is `failed`."""
        try:
            self._inference.start()
            self._capture.start()
        except (RuntimeError, MemoryError) as error:
            log.exception("the session's threads cannot be started")
            self._board.take_state(
                "failed",
                Message(
                    "Cannot start the source: {reason}. Close other programs, and start again.", reason=reason_of(error)
                ),
            )

    def stop(self) -> None:
        """End everything; a running recording is finished first."""
        recorder = self._board.close()
        self._capture.stop()
        self._inference.stop()
        until = time.monotonic() + STOP_S
        joined = self._capture.join(STOP_S)
        if recorder is not None:
            recorder.stop()
        joined = self._inference.join(max(until - time.monotonic(), 0.0)) and joined
        if recorder is not None and not recorder.join(FINISH_S):
            log.warning("the recording could not be finished in %s s; what is on disk stays playable", FINISH_S)
        if not joined:
            log.warning("a thread did not end in time and was left behind")
        self._board.finish()
        return_freed_memory()

    def latest(self) -> RenderedFrame | None:
        """The newest finished picture; None after `stop`."""
        return self._board.latest

    def status(self) -> SessionStatus:
        """How the session is doing."""
        return self._board.status

    def recording(self) -> RecordingStatus:
        """How the recording is doing: the running one, or the last."""
        return self._board.recording

    def position(self) -> PlaybackPosition:
        """Where the source is."""
        return self._playback.position

    def statistics(self) -> StatisticsSnapshot:
        """The figures of this moment."""
        latest, info = self._board.latest, self._board.status.info
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

    def set_model(self, choice: ModelChoice) -> None:
        """Use another model; if it cannot be used the present one stays and `status().notice` says why.

        What is said of gender ends at once where the choice is to do without it.
        """
        self._choice = choice
        self._inference.choose(choice)

    def play(self) -> None:
        """Continue after a pause or from the end; `status` says when it does."""
        self._playback.play()

    def pause(self) -> None:
        """Hold the picture; `status` says so once the last one is shown."""
        self._playback.pause()

    def step(self) -> None:
        """Show the next frame and hold it."""
        self._playback.step()

    def seek(self, index: int) -> None:
        """Go to a frame of a finite source; of a playlist, of the entry that is shown."""
        self._playback.seek(index)

    def choose_entry(self, entry: int) -> None:
        """Go to the beginning of an entry of a playlist."""
        self._playback.choose(entry)

    def set_speed(self, speed: float) -> None:
        """Play a finite source at a multiple of its own speed."""
        self._playback.set_speed(speed)

    def set_loop(self, loop: bool) -> None:
        """Start a finite source again at its end, or not."""
        self._playback.set_loop(loop)

    def start_recording(
        self, path: Path, *, predictions: Path | None = None, overwrite: bool = False, numbered: bool = False
    ) -> None:
        """Record what is shown from now on; no effect while a recording runs, nor after `stop`.

        Args:
            path: the film, `.mp4` or `.mkv`.
            predictions: the table beside it, `.csv` or `.jsonl`; beside that, a file says how it came about.
            overwrite: replace existing files.
            numbered: take the next free number where a name is taken; `recording` holds the name.
        """
        info, model = self._board.status.info, self._inference.model
        rate = info.rate if info is not None else 0.0
        facts = RunFacts(self._settings_now(), model.package, model.provider, info) if info is not None else None
        # Not this session's own method: a recorder outlives it.
        on_change = self._on_status

        def make() -> RecorderWorker:
            return RecorderWorker(
                path,
                predictions=predictions,
                facts=facts,
                rate=rate,
                overwrite=overwrite,
                numbered=numbered,
                on_change=on_change,
            )

        if not self._board.start_recorder(make):
            return
        self._on_status()
        self._playback.redraw()

    def _settings_now(self) -> SessionSettings:
        mode, min_score = self._capture.wanted_detector
        return replace(
            self._settings,
            choice=self._choice,
            style=self._capture.style,
            mirror=self._capture.mirror,
            detector=mode,
            min_score=min_score,
        )

    def pause_recording(self, paused: bool) -> None:
        """Leave out what is shown, or continue."""
        recorder = self._board.recorder
        if recorder is not None:
            recorder.pause(paused, at=time.monotonic())

    def stop_recording(self) -> None:
        """Finish the recording, in the background; `recording` says when it is done."""
        recorder = self._board.recorder
        if recorder is not None and recorder.is_alive:
            recorder.stop()

    def painted(self, rendered_at: float, draw_s: float) -> None:
        """Note that the picture that was finished at that moment is on the screen now.

        Args:
            rendered_at: that moment.
            draw_s: seconds that it took to scale the picture and to draw over it.
        """
        self._statistics.count("display")
        self._statistics.add_stage("draw", draw_s)
        self._board.painted(rendered_at)
