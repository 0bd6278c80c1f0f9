"""Rates, stage times, latency and drops; observed only, never used by the pipeline."""

from __future__ import annotations

import platform
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

STAGES: Final[tuple[str, ...]] = ("read", "detect", "track", "crop", "classify", "draw")
_RATE_WINDOW_S: Final = 2.0
_RECENT: Final = 240


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of recent latencies, in milliseconds."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsSnapshot:
    """The state of the pipeline at one moment.

    Attributes:
        capture_fps: frames a second that left the source.
        detection_fps: frames a second that were searched for faces.
        inference_fps: crops a second that were classified.
        display_fps: pictures a second that were painted.
        source_fps: the source's own rate; 0 where unknown.
        stage_ms: recent median milliseconds of each stage in `STAGES`.
        latency_ms: capture to paint (capture to finished picture while nothing is painted).
        queue_fill: of the crop channel, 0 to 1.
        dropped_frames: frames of the source that were skipped to keep up.
        dropped_crops: crops that the classifier had no time for.
        recorder_dropped: pictures that the encoder had no time for.
        faces: in view now.
        provider: execution provider in use.
        model: name of the model in use.
        uptime_s: seconds since the session started.
    """

    capture_fps: float = 0.0
    detection_fps: float = 0.0
    inference_fps: float = 0.0
    display_fps: float = 0.0
    source_fps: float = 0.0
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    latency_ms: Percentiles = field(default_factory=Percentiles)
    queue_fill: float = 0.0
    dropped_frames: int = 0
    dropped_crops: int = 0
    recorder_dropped: int = 0
    faces: int = 0
    provider: str = ""
    model: str = ""
    uptime_s: float = 0.0

    def as_text(self) -> str:
        """All figures as lines of text, for a bug report."""
        stages = ", ".join(f"{name} {value:.2f}" for name, value in self.stage_ms.items())
        latency = self.latency_ms
        return "\n".join(
            (
                f"Agelens on {platform.platform()}, Python {platform.python_version()}",
                f"model {self.model}, provider {self.provider}, up {self.uptime_s:.0f} s, faces {self.faces}",
                f"rates (per s): source {self.source_fps:.1f}, capture {self.capture_fps:.1f}, "
                f"detection {self.detection_fps:.1f}, crops {self.inference_fps:.1f}, display {self.display_fps:.1f}",
                f"stages (ms): {stages}",
                f"capture to screen (ms): p50 {latency.p50:.1f}, p95 {latency.p95:.1f}, p99 {latency.p99:.1f}",
                f"dropped: frames {self.dropped_frames}, crops {self.dropped_crops}, "
                f"recorder {self.recorder_dropped}; crop queue {self.queue_fill:.0%} full",
            )
        )


class Statistics:
    """Collects figures from every thread; each call is cheap and thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_at = time.monotonic()
        self._events: dict[str, deque[tuple[float, int]]] = {}
        self._stages: dict[str, deque[float]] = {}
        self._latencies: deque[float] = deque(maxlen=_RECENT)
        self._painted = False
        self._dropped_frames = 0

    def count(self, event: str, amount: int = 1) -> None:
        """Note that something happened: `capture`, `detection`, `inference` or `display`."""
        now = time.monotonic()
        with self._lock:
            events = self._events.setdefault(event, deque())
            events.append((now, amount))
            while events[0][0] < now - _RATE_WINDOW_S:
                events.popleft()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the pipeline."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add_stage(name, time.perf_counter() - started)

    def add_stage(self, name: str, seconds: float) -> None:
        """Note the time that a stage of the pipeline took."""
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=_RECENT)).append(seconds * 1000)

    def add_latency(self, seconds: float, *, painted: bool) -> None:
        """Note the age of a picture when it was painted, or finished where nothing paints."""
        with self._lock:
            if painted and not self._painted:
                self._painted = True
                self._latencies.clear()
            if painted == self._painted:
                self._latencies.append(seconds * 1000)

    def drop_frames(self, amount: int) -> None:
        """Count frames of the source that were skipped."""
        with self._lock:
            self._dropped_frames += amount

    def snapshot(
        self,
        *,
        source_fps: float = 0.0,
        queue_fill: float = 0.0,
        dropped_crops: int = 0,
        recorder_dropped: int = 0,
        faces: int = 0,
        provider: str = "",
        model: str = "",
    ) -> StatisticsSnapshot:
        """The figures of this moment, joined with what only the session knows."""
        now = time.monotonic()
        with self._lock:
            rates = {name: _rate(events, now) for name, events in self._events.items()}
            stages = {name: median(self._stages[name]) for name in STAGES if name in self._stages}
            latencies = np.array(self._latencies)
            dropped_frames = self._dropped_frames
        p50, p95, p99 = (
            (float(value) for value in np.percentile(latencies, (50, 95, 99))) if latencies.size else (0.0,) * 3
        )
        return StatisticsSnapshot(
            capture_fps=rates.get("capture", 0.0),
            detection_fps=rates.get("detection", 0.0),
            inference_fps=rates.get("inference", 0.0),
            display_fps=rates.get("display", 0.0),
            source_fps=source_fps,
            stage_ms=stages,
            latency_ms=Percentiles(p50, p95, p99),
            queue_fill=queue_fill,
            dropped_frames=dropped_frames,
            dropped_crops=dropped_crops,
            recorder_dropped=recorder_dropped,
            faces=faces,
            provider=provider,
            model=model,
            uptime_s=now - self._started_at,
        )


def _rate(events: deque[tuple[float, int]], now: float) -> float:
    """Events per second over the window; the first event only starts the clock."""
    recent = [(at, amount) for at, amount in events if at >= now - _RATE_WINDOW_S]
    if len(recent) < 2:
        return 0.0
    # A source that fell silent must be seen to slow down: the time since the last event counts once it is long.
    span = recent[-1][0] - recent[0][0]
    silence = now - recent[-1][0]
    mean_gap = span / (len(recent) - 1)
    if silence > 2 * mean_gap:
        span += silence
    return sum(amount for _, amount in recent[1:]) / span if span > 0 else 0.0
