"""Offline analysis: every frame, no drops, the same output for the same input."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from desktop_app.engine.analysis import CropSpec
from desktop_app.engine.face_pipeline import FacePipeline
from desktop_app.engine.statistics import Statistics
from desktop_app.engine.types import RenderedFrame
from desktop_app.sources.frame import Frame
from desktop_app.sources.opening import Source, SourceError
from desktop_app.stopping import StopRequest
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.geometry import Box
from desktop_app.vision.tracking.tracker import Track

MANY: Final = 1 << 16
AHEAD: Final = 2
"""How many frames may wait to be looked at, and how many to be finished: bounds the memory."""


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: Frame
    tracks: tuple[Track, ...]
    covers: tuple[Box, ...] | None
    taken_at: float


class OfflineAnalysis:
    """Analyses frames one after the other; a face is classified as often as in live use, by media time.

    Args:
        classifier: the model.
        detector: the detectors.
        style: what is drawn.
        mirror: flip the pictures.
        annotated: draw each picture's overlay ahead, for `RenderedFrame.annotated`.
        statistics: where to note rates and times.
        threaded: otherwise all steps of a frame run on the caller's thread, one after the other, which costs less in
            all where other processes keep the other cores busy.
    """

    def __init__(
        self,
        classifier: Classifier,
        detector: FaceDetector,
        *,
        style: OverlayStyle | None = None,
        mirror: bool = False,
        annotated: bool = True,
        statistics: Statistics | None = None,
        threaded: bool = True,
    ) -> None:
        self._classifier, self._finder, self._threaded = classifier, detector, threaded
        self._style, self._mirror, self._annotated = style or OverlayStyle(), mirror, annotated
        self._statistics = statistics or Statistics()
        self._spec = CropSpec.of(classifier)
        self._pipeline = FacePipeline(self._statistics, max_batch=MANY)
        self._pipeline.use_labels(classifier.labels)

    def run(self, source: Source, stop: StopRequest | None = None) -> Generator[RenderedFrame, None, None]:
        """Analyse a source to its end.

        While faces are looked for in one frame, the next ones are read on a second thread, and the faces of the last
        ones are classified and drawn on a third. Each step sees the frames one by one and in order, so how the threads
        run does not change the result.

        Args:
            source: the open source; of a live one every frame that it gives.
            stop: ends the run; the frames that were begun still come out.

        Yields:
            One finished picture a frame, in order.

        Raises:
            SourceError: the source cannot be read on; all that was read before has come out.
        """
        stop = stop or StopRequest()
        if not self._threaded:
            with self._pipeline:
                yield from map(self._finish, self._look(source, stop))
            return
        waiting: deque[Future[RenderedFrame]] = deque()
        with self._pipeline, ThreadPoolExecutor(1, thread_name_prefix="finish") as finisher:
            try:
                for seen in self._look(source, stop):
                    waiting.append(finisher.submit(self._finish, seen))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
            except SourceError:
                yield from _results(waiting)
                raise
            yield from _results(waiting)

    def _look(self, source: Source, stop: StopRequest) -> Iterator[_Seen]:
        """Read, detect and track, on the thread that made the detector."""
        for frame in self._read_ahead(source, stop) if self._threaded else self._read(source, stop):
            taken_at = time.monotonic()
            tracks = self._pipeline.locate(frame, self._finder)
            covers = self._pipeline.cover(frame, tracks, self._style.privacy, thorough=True)
            yield _Seen(frame, tracks, covers, taken_at)

    def _read(self, source: Source, stop: StopRequest) -> Iterator[Frame]:
        while not stop.is_set():
            with self._statistics.stage("read"):
                frame = source.read()
            if frame is None:
                return
            self._statistics.count("capture")
            yield frame

    def _read_ahead(self, source: Source, stop: StopRequest) -> Iterator[Frame]:
        """The frames of a source, read ahead on a daemon thread, which is abandoned where a read hangs."""
        asked, over = SimpleQueue[Future[Frame | None] | None](), threading.Event()

        def read_ahead() -> None:
            while (future := asked.get()) is not None and not over.is_set():
                try:
                    with self._statistics.stage("read"):
                        frame = source.read()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(frame)

        def ask() -> Future[Frame | None]:
            asked.put(future := Future[Frame | None]())
            return future

        threading.Thread(target=read_ahead, name="read", daemon=True).start()
        try:
            coming = deque(ask() for _ in range(AHEAD))
            while not stop.comes_before(coming[0]) and (frame := coming.popleft().result()) is not None:
                coming.append(ask())
                self._statistics.count("capture")
                yield frame
        finally:
            over.set()
            asked.put(None)

    def _finish(self, seen: _Seen) -> RenderedFrame:
        frame, tracks = seen.frame, seen.tracks
        batch = self._pipeline.choose(frame, tracks, self._spec, standing=frame.alone)
        if batch is not None:
            self._pipeline.take([batch], self._pipeline.classify([batch], self._classifier))
        self._pipeline.keep({track.id for track in tracks})
        rendered = self._pipeline.draw(
            frame, tracks, self._style, covers=seen.covers, mirror=self._mirror, taken_at=seen.taken_at
        )
        if self._annotated:
            with self._statistics.stage("draw"):
                rendered.annotated()
        return rendered


def _results(waiting: deque[Future[RenderedFrame]]) -> Iterator[RenderedFrame]:
    while waiting:
        yield waiting.popleft().result()
