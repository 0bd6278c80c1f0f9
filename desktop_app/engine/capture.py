"""Capture thread: opens and reads the source, drives the pipeline, queues crops and publishes pictures."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.inference import InferenceWorker, ModelInUse
from desktop_app.engine.playback import Playback, PlaybackEvent
from desktop_app.engine.session_board import SessionBoard
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import SessionSettings
from desktop_app.engine.worker import Worker
from desktop_app.messages import Message
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import Source, SourceError, SourceInfo, SourceStalledError, open_source
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.detection.near_faces import DetectorMode
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Box
from desktop_app.vision.tracking.tracker import Track

log = logging.getLogger(__name__)

RECONNECT_AFTER_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Waits between attempts to open a live source again; the last one is repeated."""


class CaptureWorker(Worker):
    """Owns the source and the detectors; publishes composed pictures.

    Args:
        settings: source, detector, mirror and style to start with.
        pipeline: finds the faces, chooses crops and draws, on this thread; closed at the end.
        inference: takes the crops, and gives the pipeline the answers.
        playback: paces the source.
        statistics: where to note rates and times.
        board: receives each finished picture, then the state that holds after it.
    """

    def __init__(
        self,
        settings: SessionSettings,
        *,
        pipeline: FacePipeline,
        inference: InferenceWorker,
        playback: Playback,
        statistics: Statistics,
        board: SessionBoard,
    ) -> None:
        super().__init__("capture", on_end=board.take_end)
        self.style: OverlayStyle = settings.style
        self.mirror = settings.mirror
        self._settings = settings
        self._pipeline = pipeline
        self._inference, self._playback, self._statistics = inference, playback, statistics
        self._board = board
        self._info: SourceInfo | None = None
        self._noticed: Message | None = None
        self._source_lock = threading.Lock()
        self._source: Source | None = None
        self.wanted_detector: tuple[DetectorMode, float] = (settings.detector, settings.min_score)
        self._detector: tuple[DetectorMode, float] | None = None
        self._finder: FaceDetector | None = None
        self._model: ModelInUse | None = None
        self._generation = 0
        self._opened = False
        self._entry = 0
        self._dropped = 0
        self._last: tuple[Frame, tuple[Track, ...]] | None = None
        self._covers: tuple[Box, ...] | None = None

    def set_detector(self, mode: DetectorMode, min_score: float) -> None:
        """Look for faces differently from the next frame on."""
        self.wanted_detector = (mode, min_score)

    def stop(self) -> None:
        """Ask the worker to end; a source that waits for a frame is released."""
        super().stop()
        self._playback.stop()
        with self._source_lock:
            if self._source is not None:
                self._source.close()

    def run(self) -> None:
        """Show the source until stopped; open a live one again when it breaks off."""
        attempt, opened_once = 0, False
        try:
            while not self.stopping.is_set():
                self._board.take_state("reconnecting" if opened_once else "connecting")
                try:
                    with self._open() as source:
                        # One that begins paused is live until its first picture is there.
                        if not (opened_once and self._playback.is_paused):
                            self._board.take_state("live")
                        opened_once, attempt = True, 0
                        self._show(source)
                    return
                except SourceError as error:
                    message = error.message
                    # The source keeps the error, and the error the frames that it passed through: a cycle.
                    error.__traceback__ = None
                if self.stopping.is_set():
                    return
                if not (opened_once and self._info is not None and self._info.live):
                    self._board.take_state("failed", message)
                    return
                self._board.take_state("reconnecting", message)
                self.stopping.wait(RECONNECT_AFTER_S[min(attempt, len(RECONNECT_AFTER_S) - 1)])
                attempt += 1
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Release source, picture and detector, however long the session is kept."""
        if self._finder is not None:
            self._finder.close()
            self._finder = None
        self._pipeline.close()
        with self._source_lock:
            self._source = None
        self._playback.let_go()
        self._last = None

    def _open(self) -> Source:
        source = open_source(self._settings.source, camera=self._settings.camera, cancel=self.stopping)
        with self._source_lock:
            self._source = source
        self._info = source.info
        self._board.take_source(source.info)
        if self.stopping.is_set():
            source.close()
        self._dropped = self._playback.skipped
        if self._opened:
            self._playback.reopen()
        self._opened = True
        return source

    def _show(self, source: Source) -> None:
        """Show frames until stopped; returns then.

        Raises:
            SourceError: the source broke off.
        """
        while not self.stopping.is_set():
            event = self._playback.next_event(source)
            now = time.monotonic()
            # Whoever goes from picture to picture sees at once that one is left out.
            if event is PlaybackEvent.ENDED or (
                isinstance(event, Frame) and (event.index == 0 or self._playback.is_paused)
            ):
                self._tell_notice(source)
            if isinstance(event, Frame):
                self._count(source)
                # A live frame may have waited in its source: the picture is as old as its capture.
                self._process(event, event.captured_at if source.info.live else now)
                if event.entry != self._entry:
                    self._entry = event.entry
                    self._board.take_source(source.info)
            elif event is PlaybackEvent.REDRAW:
                self._draw_again(now)
            elif event is PlaybackEvent.PLAYING:
                self._board.take_state("live")
            elif event is PlaybackEvent.PAUSED:
                self._board.take_state("paused")
            elif event is PlaybackEvent.STOPPED:
                return
            elif source.info.live:
                raise SourceStalledError(
                    "Cannot continue with “{name}”: it sends no more pictures. Check that it is still connected.",
                    name=source.info.name,
                )
            else:
                # Labels that came before it stood still had no picture to be drawn on.
                self._catch_up()
                self._publish(now)
                self._board.take_state("ended")

    def _tell_notice(self, source: Source) -> None:
        """Say once what the source could not read; it knows all of that at its end."""
        notice = source.notice
        if notice is not None and notice != self._noticed:
            self._noticed = notice
            self._board.take_notice(notice)

    def _count(self, source: Source) -> None:
        self._statistics.add_stage("read", self._playback.read_s)
        self._statistics.count("capture")
        dropped = self._playback.skipped + source.dropped_count
        self._statistics.drop_frames(dropped - self._dropped)
        self._dropped = dropped

    def _process(self, frame: Frame, taken_at: float) -> None:
        generation = self._playback.generation
        if generation != self._generation:
            self._generation = generation
            self._forget()
        tracks = self._pipeline.locate(frame, self._ready_finder())
        self._statistics.count("detection")
        self._offer_crops(frame, tracks, standing=frame.alone)
        self._covers = self._pipeline.cover(frame, tracks, self.style.privacy)
        self._last = (frame, tracks)
        self._publish(taken_at)

    def _offer_crops(self, frame: Frame, tracks: tuple[Track, ...], *, standing: bool) -> None:
        model = self._inference.model
        spec = model.spec
        if spec is None:
            return
        if model is not self._model:
            self._model = model
            self._pipeline.choose_anew()
        if self._inference.crops.fill and not standing:
            # It has more to do than it can: which faces are the most urgent is decided when it can take them. Crops
            # that wait would be dropped, or keep those of new faces waiting.
            return
        batch = self._pipeline.choose(frame, tracks, spec, standing=standing)
        if batch is not None:
            self._inference.crops.put(batch)

    def _draw_again(self, now: float) -> None:
        """Draw the picture that stands still in the present style."""
        if self._last is not None and self.wanted_detector != self._detector:
            # Otherwise the choice would show with the next picture only, which may never come.
            self._forget()
            self._process(self._last[0], now)
        else:
            self._catch_up()
            if self._last is not None and self._covers is None:
                # While faces were not to be hidden, none were looked for.
                self._covers = self._pipeline.cover(*self._last, self.style.privacy, thorough=True)
            self._publish(now)

    def _catch_up(self) -> None:
        """Have those faces of a picture that stands still classified that no answer came for.

        They were too many for one batch, or the model came after the picture.
        """
        if self._last is not None:
            self._offer_crops(*self._last, standing=True)

    def _publish(self, taken_at: float) -> None:
        if self._last is None:
            return
        frame, tracks = self._last
        rendered = self._pipeline.draw(
            frame, tracks, self.style, covers=self._covers, mirror=self.mirror, taken_at=taken_at
        )
        self._board.take_picture(rendered)

    def _ready_finder(self) -> FaceDetector:
        if self._finder is None or self.wanted_detector != self._detector:
            if self._finder is not None:
                self._finder.close()
            self._detector = self.wanted_detector
            mode, min_score = self._detector
            self._finder = FaceDetector(mode, min_score=min_score, live=True)
        return self._finder

    def _forget(self) -> None:
        """Drop all tracks at a cut."""
        self._pipeline.reset()
        if self._finder is not None:
            self._finder.reset()
