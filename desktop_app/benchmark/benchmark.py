"""`benchmark`: measures offline throughput and live latency on this machine."""

from __future__ import annotations

import gc
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from desktop_app.benchmark.archive import ArchiveFigures, ArchiveSize, measure_archive
from desktop_app.benchmark.clip import CLIP_RATE, write_crowd_clip, write_demo_clip
from desktop_app.benchmark.live import WARM_UP_S, LiveFigures, measure_live
from desktop_app.benchmark.offline import BenchmarkError, OfflineBench, OfflineFigures
from desktop_app.benchmark.per_face_baseline import Comparison, PerFaceBaseline, compare
from desktop_app.benchmark.plot import PLOT_SUFFIXES, plot_report
from desktop_app.benchmark.recall import measure_recall
from desktop_app.benchmark.report import BenchmarkReport, CostPoint, Machine
from desktop_app.catalogue.catalogue import ModelChoice
from desktop_app.engine.memory import keep_few_arenas, return_freed_memory
from desktop_app.engine.types import SessionSettings
from desktop_app.sources.opening import CameraOptions, classify_spec, open_source, redact_source, source_path
from desktop_app.vision.classification.classifier import Classifier

__all__ = ["BenchmarkError", "BenchmarkReport", "BenchmarkRequest", "run_benchmark"]

FACES: Final = (1, 2, 5, 10, 20, 34, 60)
SIZES: Final = ((854, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
SIZE_FACES: Final = 5
COMPARED_FACES: Final = (1, 5, 20)
QUICK_S: Final = 1.0
QUICK_FACES: Final = (1, 15, 60)
QUICK_SIZES: Final = ((1280, 720), (1920, 1080), (3840, 2160))
"""For curves that are there in a minute."""
LONGEST_CURVE_S: Final = 5.0
"""Each point of a cost curve is measured for no longer than this, offline and live."""
LONGEST_SIZE_S: Final = 2.0
"""A clip of large frames takes long to make."""
DEMO_LOOP_FRAMES: Final = 600
_DEFAULT_RATE: Final = 30.0
# Measured on two cores.
_START_S: Final = 2.0
_COMPARED_SHARE: Final = 4.0
_RECALL_S: Final = 420.0
# By all ways together.
_PICTURE_S: Final = 0.3
_FRAME_S: Final = 0.04
_MINUTES_FROM_S: Final = 100

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRequest:
    """What to measure.

    Attributes:
        source: what `open_source` takes. The demo is first written to a video, so that decoding is measured and not
            the drawing of the demo.
        seconds: of live use to measure, and of the source to analyse offline.
        choice: the model, and how it runs.
        faces: whether to measure the cost against the number of faces and the size of the frame.
        compare: whether to compare with the usual way.
        recall: whether to measure how small a face may be, alone, in crowds, turned, dark, covered and cut by an edge.
        recall_faces: a folder or zip file of pictures of one face each for that; None for the app's own portrait.
        archive: how many pictures and films to go through by all ways; the pictures are those of `source` where that is
            a folder. None for none.
        plot: where to draw the curves (`.svg`, `.png`); None for nowhere. Where no curve was asked for, `faces` is.
        overwrite: replace a plot that exists.
        camera: format asked of a camera.
        warm_up_s: seconds of live use before it is measured.
        face_counts: points of the curve.
        frame_sizes: points of the curve, width and height in pixels.
        compared_faces: in the clips on which the usual way runs.
    """

    source: str = "demo"
    seconds: float = 10.0
    choice: ModelChoice = field(default_factory=ModelChoice)
    faces: bool = False
    compare: bool = False
    recall: bool = False
    recall_faces: Path | None = None
    archive: ArchiveSize | None = None
    plot: Path | None = None
    overwrite: bool = False
    camera: CameraOptions = field(default_factory=CameraOptions)
    warm_up_s: float = WARM_UP_S
    face_counts: Sequence[int] = FACES
    frame_sizes: Sequence[tuple[int, int]] = SIZES
    compared_faces: Sequence[int] = COMPARED_FACES

    @property
    def wants_faces(self) -> bool:
        """Whether the cost against the number of faces and the size of the frame is measured."""
        has_curve = self.faces or self.compare or self.recall
        return self.faces or (self.plot is not None and not has_curve)


def expected_seconds(request: BenchmarkRequest) -> float:
    """How long a benchmark takes on an ordinary computer, to be told before it begins; a slow one needs twice that."""
    seconds = request.seconds
    # Live use lasts as long as was asked for; the same frames are analysed three times, each time faster than that.
    points = [_START_S + request.warm_up_s + 2 * seconds]
    if request.wants_faces:
        for width, height in [(1280, 720)] * len(request.face_counts):
            points.append(_point_seconds(min(seconds, LONGEST_CURVE_S), width, height))
        for width, height in request.frame_sizes:
            points.append(_point_seconds(min(seconds, LONGEST_SIZE_S), width, height))
    if request.compare:
        points += [_COMPARED_SHARE * seconds + _START_S for _ in request.compared_faces]
    if request.recall:
        points.append(_RECALL_S)
    if (size := request.archive) is not None:
        points.append(size.turns * (size.pictures * _PICTURE_S + size.films * size.film_frames * _FRAME_S))
    return sum(points)


def _point_seconds(seconds: float, width: int, height: int) -> float:
    return _START_S + WARM_UP_S + seconds * (1 + width * height / (1280 * 720))


def _about(seconds: float) -> str:
    return f"{math.ceil(seconds / 5) * 5} seconds" if seconds < _MINUTES_FROM_S else f"{round(seconds / 60)} minutes"


def _silence(_: str) -> None:
    """Report nothing."""


def run_benchmark(request: BenchmarkRequest, *, tell: Tell = _silence) -> BenchmarkReport:
    """Measure what was asked for; a plot that was asked for is written.

    The input is the same each time, a warm-up comes first, and figures are medians or percentiles. Nothing is left on
    the disk but the plot.

    Args:
        request: what to measure.
        tell: called with a few words before each part.

    Raises:
        AgelensError: source, model or provider cannot be used, or the plot cannot be written.
    """
    _check_plot(request)
    keep_few_arenas()
    machine = Machine.here()
    with tempfile.TemporaryDirectory(prefix="agelens-benchmark-") as folder:
        report = _Benchmark(request, Path(folder), tell).run(machine)
    if request.plot is not None:
        plot_report(report, request.plot)
    return report


class _Benchmark:
    def __init__(self, request: BenchmarkRequest, folder: Path, tell: Tell) -> None:
        self._request, self._folder, self._tell = request, folder, tell
        classifier = Classifier.of(request.choice)
        self._model, self._provider = classifier.package.name, classifier.provider
        self._notices = [str(classifier.notice)] if classifier.notice else []

    def run(self, machine: Machine) -> BenchmarkReport:
        """Measure part after part."""
        request = self._request
        spec = self._prepare_source()
        offline = self._measure_source(spec)
        self._tell(f"live use for {request.seconds:g} s")
        live = self._measure_live(spec, request.seconds)
        by_faces = list(self._by_faces()) if request.wants_faces else []
        by_size = list(self._by_size()) if request.wants_faces else []
        comparisons = list(self._compare()) if request.compare else []
        archive = self._measure_archive(request.archive) if request.archive is not None else None
        if request.recall:
            self._tell("recall against face size")
        return BenchmarkReport(
            machine=machine,
            source=redact_source(request.source),
            model=self._model,
            provider=self._provider,
            offline=offline,
            live=live,
            by_faces=by_faces,
            by_size=by_size,
            compare=comparisons,
            recall=measure_recall(faces=request.recall_faces) if request.recall else [],
            archive=archive,
            notices=self._notices,
        )

    def _prepare_source(self) -> str:
        source, kind = self._request.source, classify_spec(self._request.source)
        if kind not in {"demo", "camera", "stream"}:
            # What cannot be opened is to be said alone.
            open_source(source).close()
        self._tell(f"about {_about(expected_seconds(self._request))}, more on a slow or busy machine")
        if kind != "demo":
            return source
        self._tell("writing the demo to a video")
        frames = min(_frames(CLIP_RATE, self._request.seconds), DEMO_LOOP_FRAMES)
        return str(write_demo_clip(self._folder / "demo.mkv", frames=frames))

    def _measure_source(self, spec: str) -> OfflineFigures | None:
        if classify_spec(spec) in {"camera", "stream"}:
            self._notices.append("Cannot measure the offline throughput: it needs frames that wait. Name a file.")
            return None
        with open_source(spec) as source:
            rate = source.info.rate
        self._tell("offline throughput")
        return self._measure_offline(spec, _frames(rate, self._request.seconds))

    def _by_faces(self) -> Iterator[CostPoint]:
        seconds = min(self._request.seconds, LONGEST_CURVE_S)
        for faces in self._request.face_counts:
            yield self._point(faces, 1280, 720, seconds)

    def _by_size(self) -> Iterator[CostPoint]:
        seconds = min(self._request.seconds, LONGEST_SIZE_S)
        for width, height in self._request.frame_sizes:
            yield self._point(SIZE_FACES, width, height, seconds)

    def _point(self, faces: int, width: int, height: int, seconds: float) -> CostPoint:
        self._tell(f"cost at {width}×{height} with faces: {faces}")
        clip = self._folder / f"{faces}-{width}x{height}.mkv"
        frames = _frames(CLIP_RATE, seconds)
        write_crowd_clip(clip, faces=faces, frames=frames, width=width, height=height)
        point = CostPoint(
            faces=faces,
            width=width,
            height=height,
            offline=self._measure_offline(str(clip), frames),
            live=self._measure_live(str(clip), seconds),
        )
        clip.unlink()
        return point

    def _compare(self) -> Iterator[Comparison]:
        frames = _frames(CLIP_RATE, self._request.seconds)
        with PerFaceBaseline() as usual, self._offline_bench() as bench:
            for faces in self._request.compared_faces:
                self._tell(f"comparison with the usual way with faces: {faces}")
                clip = write_crowd_clip(self._folder / f"compare-{faces}.mkv", faces=faces, frames=frames)
                yield compare(bench, usual, str(clip), faces=faces, frames=frames)
                clip.unlink()

    def _measure_archive(self, size: ArchiveSize) -> ArchiveFigures:
        source = self._request.source
        pictures = source_path(source) if classify_spec(source) == "folder" else None
        return measure_archive(self._folder, self._request.choice, pictures=pictures, size=size, tell=self._tell)

    def _offline_bench(self) -> OfflineBench:
        return OfflineBench(Classifier.of(self._request.choice))

    def _measure_offline(self, spec: str, frames: int) -> OfflineFigures:
        with self._offline_bench() as bench:
            return bench.measure(spec, frames=frames)

    def _measure_live(self, spec: str, seconds: float) -> LiveFigures:
        """Live use alone: nothing of what was measured before is kept, or it would count as its memory."""
        gc.collect()
        return_freed_memory()
        request = self._request
        settings = SessionSettings(source=spec, choice=request.choice, camera=request.camera)
        return measure_live(settings, seconds=seconds, warm_up_s=request.warm_up_s)


def _frames(rate: float, seconds: float) -> int:
    return max(round((rate or _DEFAULT_RATE) * seconds), 1)


def _check_plot(request: BenchmarkRequest) -> None:
    """Refuse a plot that cannot be written, before minutes are spent on measuring."""
    path = request.plot
    if path is None:
        return
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise BenchmarkError(
            "Cannot draw “{name}”: the name must end in .svg or .png. Choose another name.", name=path.name
        )
    if not path.parent.is_dir():
        raise BenchmarkError(
            "Cannot write “{path}”: the folder does not exist. Create it or choose another one.", path=path
        )
    if path.exists() and not request.overwrite:
        raise BenchmarkError(
            "Cannot write “{path}”: it exists already. Choose another name or add --overwrite.", path=path
        )
    if not os.access(path.parent, os.W_OK):
        raise BenchmarkError(
            "Cannot write “{path}”: writing in that folder is not allowed. Choose another one.", path=path
        )
