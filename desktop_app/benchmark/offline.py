"""Offline benchmark: every frame of a clip, in order, at full speed."""

from __future__ import annotations

import statistics as averages
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Self

from desktop_app.engine.offline import OfflineAnalysis
from desktop_app.engine.statistics import STAGES, Statistics
from desktop_app.errors import CommandError
from desktop_app.sources.opening import Source, open_source
from desktop_app.vision.classification.classifier import Classifier
from desktop_app.vision.detection.face_detector import FaceDetector
from desktop_app.vision.detection.near_faces import DetectorMode

ROUNDS: Final = 3
"""Each figure is the median of so many runs over the same frames."""
WARM_UP_FRAMES: Final = 10
"""Analysed before the clock starts: first calls allocate, load and tune."""


class BenchmarkError(CommandError):
    """What was asked for cannot be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineFigures:
    """Throughput without drops.

    Attributes:
        frames: analysed in each round.
        rounds: runs over the same frames; the figures are their medians.
        fps: frames a second, decoding and drawing included.
        ms_per_frame: the same as milliseconds.
        faces: median number of faces found in a frame.
        crops_per_frame: crops classified over frames.
        stage_ms: milliseconds of each stage over frames. Reading, finding and finishing run beside each other, so
            together they are more than `ms_per_frame`.
    """

    frames: int
    rounds: int
    fps: float
    ms_per_frame: float
    faces: float
    crops_per_frame: float
    stage_ms: Mapping[str, float]


class StageTotals(Statistics):
    """Statistics that also add up the whole time of each stage and the number of each event."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.events: Counter[str] = Counter()

    def add_stage(self, name: str, seconds: float) -> None:
        """Note the time that a stage took."""
        super().add_stage(name, seconds)
        self.seconds[name] += seconds

    def count(self, event: str, amount: int = 1) -> None:
        """Note that something happened."""
        super().count(event, amount)
        self.events[event] += amount


@dataclass(frozen=True, slots=True)
class _Round:
    seconds: float
    faces: tuple[int, ...]
    totals: StageTotals


class OfflineBench:
    """A classifier and detectors that are warm, for runs over one clip after another.

    Not thread-safe; use it as a context manager.

    Args:
        classifier: the model.
        detector: which of the two detector models look.
    """

    def __init__(self, classifier: Classifier, *, detector: DetectorMode = "auto") -> None:
        self._classifier = classifier
        self._finder = FaceDetector(detector)

    def warm_up(self, spec: str) -> None:
        """Analyse a few frames and forget the time they took.

        Raises:
            SourceError: the source cannot be opened or read.
        """
        self._run(spec, WARM_UP_FRAMES)

    def measure(self, spec: str, *, frames: int, rounds: int = ROUNDS) -> OfflineFigures:
        """Analyse the first frames of a finite source.

        Args:
            spec: what `open_source` takes.
            frames: how many at the most; fewer where the source is shorter.
            rounds: how often.

        Raises:
            SourceError: the source cannot be opened or read.
            BenchmarkError: it holds no frame.
        """
        self.warm_up(spec)
        return _summarise([self._run(spec, frames) for _ in range(rounds)])

    def seconds_for(self, spec: str, *, frames: int) -> tuple[float, int]:
        """One run over the first frames: the seconds it took, and how many frames there were."""
        done = self._run(spec, frames)
        return done.seconds, len(done.faces)

    def close(self) -> None:
        """Free the detectors."""
        self._finder.close()

    def __enter__(self) -> Self:
        """Return the bench itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bench."""
        self.close()

    def _run(self, spec: str, frames: int) -> _Round:
        self._finder.reset()
        totals = StageTotals()
        analysis = OfflineAnalysis(self._classifier, self._finder, statistics=totals)
        with open_source(spec) as source:
            started = time.perf_counter()
            faces = tuple(_count_faces(analysis, source, frames))
            seconds = time.perf_counter() - started
        if not faces:
            raise BenchmarkError(
                "Cannot measure with “{source}”: it contains no picture that can be read. Choose another source.",
                source=spec,
            )
        return _Round(seconds, faces, totals)


def _count_faces(analysis: OfflineAnalysis, source: Source, frames: int) -> Iterator[int]:
    for rendered in islice(analysis.run(source), frames):
        yield sum(track.missed == 0 for track in rendered.tracks)


def _summarise(rounds: Sequence[_Round]) -> OfflineFigures:
    frames = len(rounds[0].faces)
    seconds = averages.median(one.seconds for one in rounds)
    return OfflineFigures(
        frames=frames,
        rounds=len(rounds),
        fps=frames / seconds,
        ms_per_frame=1000 * seconds / frames,
        faces=float(averages.median(rounds[0].faces)),
        crops_per_frame=rounds[0].totals.events["inference"] / frames,
        stage_ms={name: 1000 * averages.median(one.totals.seconds[name] for one in rounds) / frames for name in STAGES},
    )
