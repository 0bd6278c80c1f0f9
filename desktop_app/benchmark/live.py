"""Live benchmark: runs a session at the source's own rate and samples every picture shown."""

from __future__ import annotations

import statistics as averages
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

from desktop_app.benchmark.offline import BenchmarkError
from desktop_app.benchmark.timing import FirstLabels, FrameTimes
from desktop_app.engine.bounded_queue import BoundedQueue
from desktop_app.engine.session import Session
from desktop_app.engine.statistics import Percentiles
from desktop_app.engine.types import RenderedFrame, SessionSettings
from desktop_app.vision.drawing.canvas import Canvas
from desktop_app.vision.drawing.label_layout import LabelPlaces

READY_S: Final = 60.0
"""How long source and model may take to start."""
WARM_UP_S: Final = 1.5
"""How long pictures flow with the model loaded before the clock starts."""
VIEW_SIDE: Final = 960
"""Longer side of the view, as in a window of usual size, in pixels."""
_LOOK_EVERY_S: Final = 0.25
_SAMPLE_EVERY_S: Final = 0.2
_MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """How live use went.

    Attributes:
        seconds: measured, after a warm-up.
        source_fps: the source's own rate; 0 where it has none.
        displayed_fps: pictures painted a second.
        displayed: pictures painted.
        dropped: frames of the source that were skipped to keep up.
        unpainted: finished pictures that a newer one replaced before they were painted.
        dropped_crops: crops that the classifier had no time for.
        latency_ms: from the moment a frame was captured to the moment its picture was painted. A camera's frame is
            captured when it arrives; a file's when it is due by the file's clock, so that falling behind counts.
            None where too few pictures came.
        first_label_ms: from the capture of the frame in which a face first appears to the painting of its first label;
            None where no face appeared.
        new_faces: faces that appeared.
        unlabelled: of these, how many stayed for half a second without a label.
        cpu_s_per_s: processor seconds of this process a second, painting included: 1.0 is one core.
        memory_peak_mb: largest resident memory, in megabytes of a million bytes.
        memory_first_tenth_mb: mean resident memory in the first tenth of the time.
        memory_last_tenth_mb: mean resident memory in the last tenth.
        memory_growth: the last tenth over the first, less one: over a long time, more than a trifle is a leak.
        faces: median number of faces in view.
        stage_ms: median milliseconds of each stage, each time it runs.
    """

    seconds: float
    source_fps: float
    displayed_fps: float
    displayed: int
    dropped: int
    unpainted: int
    dropped_crops: int
    latency_ms: Percentiles | None
    first_label_ms: Percentiles | None
    new_faces: int
    unlabelled: int
    cpu_s_per_s: float
    memory_peak_mb: float
    memory_first_tenth_mb: float
    memory_last_tenth_mb: float
    memory_growth: float
    faces: float
    stage_ms: Mapping[str, float]


def measure_live(settings: SessionSettings, *, seconds: float, warm_up_s: float = WARM_UP_S) -> LiveFigures:
    """Run a session and measure it; a finite source starts at its first frame when the clock does.

    The engine may not use Qt, so painting is what the window does with each picture before Qt's own drawing: scaling it
    to a view of `VIEW_SIDE` pixels and drawing over it, as BGRA for a `Format_RGB32` image. Qt then copies that to the
    screen.

    Args:
        settings: what the session is started with.
        seconds: how long to measure.
        warm_up_s: how long pictures flow with the model loaded before the clock starts.

    Raises:
        BenchmarkError: source or model did not start, or broke off.
    """
    with _running(settings) as onlooker:
        onlooker.wait_until_ready()
        onlooker.watch_for(warm_up_s)
        began_again = onlooker.restart_source()
        return onlooker.measure(seconds, from_start=began_again)


@contextmanager
def _running(settings: SessionSettings) -> Iterator[_Onlooker]:
    onlooker = _Onlooker(settings)
    onlooker.session.start()
    try:
        yield onlooker
    finally:
        onlooker.session.stop()


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counters since the start of a session, and the moment they were read."""

    at: float
    cpu_s: float
    painted: int
    unpainted: int
    dropped: int
    dropped_crops: int


class _Onlooker:
    """Stands in for the window: takes the newest picture, paints it, and reports that to the session."""

    def __init__(self, settings: SessionSettings) -> None:
        # One picture may wait; a newer one takes its place and is counted, as in the window's slot.
        self._pictures: BoundedQueue[RenderedFrame] = BoundedQueue(1)
        self._painted = 0
        self._places = LabelPlaces()
        self._last: RenderedFrame | None = None
        self._process = psutil.Process()
        self.session = Session(settings, on_picture=self._on_picture)

    def wait_until_ready(self) -> None:
        """Paint until the model is loaded and a picture came.

        Raises:
            BenchmarkError: that did not happen in time.
        """
        deadline = time.monotonic() + READY_S
        while self._last is None or not self.session.status().model:
            if time.monotonic() > deadline:
                raise BenchmarkError(
                    "Cannot measure: no {missing} within {seconds:.0f} seconds. Choose another source or model.",
                    missing="picture came" if self._last is None else "model was ready",
                    seconds=READY_S,
                )
            self._paint_next()

    def watch_for(self, seconds: float) -> None:
        """Paint for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._paint_next()

    def restart_source(self) -> bool:
        """Have a source that moves and ends begin again, so that the input is the same and every face new.

        Returns:
            Whether it did; its first picture was then painted last.

        Raises:
            BenchmarkError: its seek to the start failed.
        """
        info = self.session.status().info
        before = self._last
        if info is None or info.live or info.kind == "image" or before is None:
            return False
        self.session.seek(0)
        deadline = time.monotonic() + READY_S
        while self._last is None or self._last.frame is before.frame or self._last.frame.index > before.frame.index:
            if time.monotonic() > deadline:
                raise BenchmarkError("Cannot measure: the source does not go back to its start. Choose another one.")
            before = self._last or before
            self._paint_next()
        return True

    def measure(self, seconds: float, *, from_start: bool) -> LiveFigures:
        """Paint for so long and say how it went; the picture painted last is the first that counts.

        Args:
            seconds: how long.
            from_start: that picture is the source's first, and the faces in it are new.
        """
        info = self.session.status().info
        times, memory = FrameTimes(info), _MemorySamples(self._process)
        labels = FirstLabels(self._last.tracks if self._last is not None and not from_start else ())
        faces: Counter[int] = Counter()
        before, rendered, painted_at = self._counts(), self._last, time.monotonic()
        while True:
            if rendered is not None:
                times.add(rendered, painted_at)
                labels.add(rendered, painted_at)
                faces[sum(track.missed == 0 for track in rendered.tracks)] += 1
            memory.look(painted_at)
            if painted_at - before.at >= seconds:
                break
            rendered = self._paint_next()
            painted_at = time.monotonic()
        done, statistics = self._counts(), self.session.statistics()
        wall_s = done.at - before.at
        return LiveFigures(
            seconds=wall_s,
            source_fps=statistics.source_fps,
            displayed_fps=(done.painted - before.painted) / wall_s,
            displayed=done.painted - before.painted,
            dropped=done.dropped - before.dropped,
            unpainted=done.unpainted - before.unpainted,
            dropped_crops=done.dropped_crops - before.dropped_crops,
            latency_ms=times.latency_ms(),
            first_label_ms=labels.delays_ms(),
            new_faces=labels.appeared,
            unlabelled=labels.unlabelled,
            cpu_s_per_s=(done.cpu_s - before.cpu_s) / wall_s,
            memory_peak_mb=max(memory.megabytes),
            memory_first_tenth_mb=memory.first_tenth,
            memory_last_tenth_mb=memory.last_tenth,
            memory_growth=memory.last_tenth / memory.first_tenth - 1,
            faces=float(averages.median(faces.elements())),
            stage_ms=statistics.stage_ms,
        )

    def _on_picture(self) -> None:
        rendered = self.session.latest()
        if rendered is not None:
            self._pictures.put(rendered)

    def _counts(self) -> _Counts:
        statistics, cpu = self.session.statistics(), self._process.cpu_times()
        return _Counts(
            at=time.monotonic(),
            cpu_s=cpu.user + cpu.system,
            painted=self._painted,
            unpainted=self._pictures.dropped,
            dropped=statistics.dropped_frames,
            dropped_crops=statistics.dropped_crops,
        )

    def _paint_next(self) -> RenderedFrame | None:
        """Wait for a new picture and paint it; None where none came.

        Raises:
            BenchmarkError: the session broke off.
        """
        rendered = self._pictures.get(timeout_s=_LOOK_EVERY_S)
        if rendered is None:
            status = self.session.status()
            if status.state == "failed":
                assert status.message is not None
                raise BenchmarkError.from_message(status.message)
            return None
        height, width = rendered.picture.shape[:2]
        scale = VIEW_SIDE / max(height, width)
        canvas = Canvas.of_view(max(round(width * scale), 1), max(round(height * scale), 1), scale=scale)
        started = time.perf_counter()
        rendered.view(canvas, self._places)
        self.session.painted(rendered.rendered_at, time.perf_counter() - started)
        self._painted += 1
        self._last = rendered
        return rendered


class _MemorySamples:
    """Resident memory, sampled at intervals."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._looked_at = float("-inf")
        # Compact, so that an hour of them does not look like a leak.
        self.megabytes = array("f")

    def look(self, at: float) -> None:
        """Take a sample where the last one is old enough."""
        if at - self._looked_at >= _SAMPLE_EVERY_S:
            self._looked_at = at
            self.megabytes.append(self._process.memory_info().rss / _MEGABYTE)

    @property
    def first_tenth(self) -> float:
        """The mean of the first tenth of the samples."""
        return averages.fmean(self.megabytes[: self._tenth])

    @property
    def last_tenth(self) -> float:
        """The mean of the last tenth of the samples."""
        return averages.fmean(self.megabytes[-self._tenth :])

    @property
    def _tenth(self) -> int:
        return max(len(self.megabytes) // 10, 1)
