"""Benchmark results: data, JSON and text tables."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import psutil

from desktop_app.benchmark.archive import HOURS_PER_MS, ArchiveFigures
from desktop_app.benchmark.live import LiveFigures
from desktop_app.benchmark.offline import OfflineFigures
from desktop_app.benchmark.per_face_baseline import Comparison
from desktop_app.benchmark.recall import RecallPoint, by_scene, smallest_found
from desktop_app.engine.archive.archive import cores
from desktop_app.engine.statistics import Percentiles
from desktop_app.terminal import count_of, table

SCHEMA: Final = 1
"""Raised when a key of the JSON changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured.

    Attributes:
        system: operating system and processor architecture.
        python: version.
        cores: logical processors that this process may use.
        load: processes that wanted a processor in the last minute, on average: more than 0 to begin with means that
            others were at work.
    """

    system: str
    python: str
    cores: int
    load: float

    @staticmethod
    def here() -> Machine:
        """This machine, now."""
        return Machine(
            system=platform.platform(), python=platform.python_version(), cores=cores(), load=psutil.getloadavg()[0]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """What a clip with a number of faces costs at a frame size.

    Attributes:
        faces: in the clip.
        width: of its frames in pixels.
        height: of its frames in pixels.
        offline: throughput.
        live: at its own rate.
    """

    faces: int
    width: int
    height: int
    offline: OfflineFigures
    live: LiveFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport:
    """Everything that was measured; what was not asked for is empty, what cannot be measured is None.

    Attributes:
        schema: see `SCHEMA`.
        machine: where.
        source: what was measured.
        model: name of the model.
        provider: execution provider that ran it.
        offline: throughput; None for a live source, whose frames do not wait.
        live: at the source's own rate.
        by_faces: cost against the number of faces.
        by_size: cost against the size of the frame.
        compare: the app against the usual way.
        recall: faces found against their size.
        archive: pictures and films by the hundred; None where that was not asked for.
        notices: sentences to pass on.
    """

    schema: int = SCHEMA
    machine: Machine
    source: str
    model: str
    provider: str
    offline: OfflineFigures | None
    live: LiveFigures
    by_faces: Sequence[CostPoint] = ()
    by_size: Sequence[CostPoint] = ()
    compare: Sequence[Comparison] = ()
    recall: Sequence[RecallPoint] = ()
    archive: ArchiveFigures | None = None
    notices: Sequence[str] = ()

    def as_json(self) -> str:
        """The fields by their names, as JSON."""
        return json.dumps(asdict(self), indent=2)

    def as_text(self) -> str:
        """Tables."""
        return "\n".join(_lines(self))


def _lines(report: BenchmarkReport) -> Iterator[str]:
    machine = report.machine
    yield f"Agelens benchmark: {report.source}, model {report.model} on {report.provider}"
    cores = count_of(machine.cores, "core")
    yield f"{machine.system}, Python {machine.python}, {cores}, load {machine.load:.1f} before"
    yield from (f"Note: {notice}" for notice in report.notices)
    if report.offline is not None:
        yield from ("", "Offline: every frame, one after the other", *_offline_lines(report.offline))
    yield from ("", "Live: at the source's own rate", *_live_lines(report.live))
    yield from ("", "Milliseconds by stage", *_stage_lines(report.offline, report.live))
    if report.by_faces:
        yield from ("", "Cost against faces", *_cost_lines(report.by_faces))
    if report.by_size:
        yield from ("", "Cost against frame size", *_cost_lines(report.by_size))
    if report.compare:
        yield from ("", "Against the usual way (every face of every frame through the paper's two networks)")
        yield from _compare_lines(report.compare)
    if report.archive is not None:
        yield from ("", "Archive: many pictures and films", *_archive_lines(report.archive))
    if report.recall:
        yield from ("", "Faces found against their size (pixels of a 1280×720 picture)", *_recall_lines(report.recall))


def _offline_lines(figures: OfflineFigures) -> Iterator[str]:
    rounds = count_of(figures.rounds, "run")
    yield f"  {figures.fps:.1f} frames/s ({figures.ms_per_frame:.2f} ms a frame), median of {rounds}"
    yield (
        f"  over {count_of(figures.frames, 'frame')}, {figures.faces:g} {'face' if figures.faces == 1 else 'faces'} in "
        f"view, {figures.crops_per_frame:.2f} crops a frame"
    )


def _live_lines(live: LiveFigures) -> Iterator[str]:
    yield f"  {live.displayed_fps:.1f} of {live.source_fps:.1f} frames/s on screen for {live.seconds:.1f} s"
    yield (
        f"  {count_of(live.displayed, 'picture')} shown, {count_of(live.dropped, 'frame')} dropped, "
        f"{count_of(live.unpainted, 'picture')} not painted, {count_of(live.dropped_crops, 'crop')} dropped"
    )
    yield f"  capture to paint: {_percentiles(live.latency_ms)}"
    new_faces = count_of(live.new_faces, "new face")
    waited = f"{_percentiles(live.first_label_ms)}, {new_faces}, {live.unlabelled} without a label"
    yield f"  face to first label: {waited if live.first_label_ms is not None else 'no new face was labelled'}"
    yield f"  processor: {live.cpu_s_per_s:.2f} cores busy"
    yield (
        f"  memory: {live.memory_first_tenth_mb:.0f} → {live.memory_last_tenth_mb:.0f} MB ({live.memory_growth:+.1%}) "
        f"first to last tenth, {live.memory_peak_mb:.0f} MB at the most"
    )


def _stage_lines(offline: OfflineFigures | None, live: LiveFigures) -> list[str]:
    rows = [
        (
            name,
            f"{offline.stage_ms[name]:.2f}" if offline is not None else "–",
            f"{live.stage_ms[name]:.2f}" if name in live.stage_ms else "–",
        )
        for name in (offline.stage_ms if offline is not None else live.stage_ms)
    ]
    return table(("stage", "offline, over frames", "live, each time"), rows)


def _cost_lines(points: Sequence[CostPoint]) -> list[str]:
    head = ("faces", "found", "frame", "ms/frame", "frames/s", "live fps", "p95 ms", "dropped", "label ms", "cores")
    rows = [
        (
            str(point.faces),
            f"{point.offline.faces:g}",
            f"{point.width}×{point.height}",
            f"{point.offline.ms_per_frame:.2f}",
            f"{point.offline.fps:.1f}",
            f"{point.live.displayed_fps:.1f}",
            f"{point.live.latency_ms.p95:.1f}" if point.live.latency_ms is not None else "–",
            str(point.live.dropped + point.live.unpainted),
            f"{point.live.first_label_ms.p50:.0f}" if point.live.first_label_ms is not None else "–",
            f"{point.live.cpu_s_per_s:.2f}",
        )
        for point in points
    ]
    return table(head, rows)


def _compare_lines(comparisons: Sequence[Comparison]) -> list[str]:
    rows = [
        (str(one.faces), f"{one.fps:.1f}", f"{one.usual_fps:.2f}", f"{one.ratio:.1f}×", one.usual_runtime)
        for one in comparisons
    ]
    return table(("faces", "Agelens frames/s", "usual frames/s", "ratio", "usual way's runtime"), rows)


def _archive_lines(figures: ArchiveFigures) -> Iterator[str]:
    alone = figures.ways[0]
    usual = figures.usual_pictures_per_s
    head = (
        "way",
        "pictures/s",
        "×",
        "frames/s",
        "×",
        "core ms/picture",
        "core ms/frame",
        "core h/million",
        "MB/process",
    )
    rows: list[Sequence[str]] = [
        (
            way.name,
            f"{way.pictures_per_s:.1f}",
            f"{way.pictures_per_s / alone.pictures_per_s:.2f}",
            f"{way.frames_per_s:.1f}",
            f"{way.frames_per_s / alone.frames_per_s:.2f}",
            f"{way.core_ms_per_picture:.1f}",
            f"{way.core_ms_per_frame:.2f}",
            f"{way.core_ms_per_picture * HOURS_PER_MS:.1f}",
            f"{way.memory_mb:.0f}",
        )
        for way in figures.ways
    ]
    core_ms = figures.usual_core_ms_per_picture
    rows.append(
        (
            "the usual way",
            f"{usual:.1f}",
            f"{usual / alone.pictures_per_s:.2f}",
            "–",
            "–",
            f"{core_ms:.1f}",
            "–",
            f"{core_ms * HOURS_PER_MS:.1f}",
            "–",
        )
    )
    yield from table(head, rows)
    yield (
        f"  {figures.pictures} pictures, {figures.faces:.2f} faces in each ({figures.usual_faces:.2f} found by the "
        f"usual way, on {figures.usual_runtime}); {figures.frames} frames of 1280×720 with 2 faces"
    )


def _recall_lines(points: Sequence[RecallPoint]) -> list[str]:
    """A column for each kind of scene; those without a face tell only what was taken for one."""
    columns = by_scene(points)
    shown = {name: column for name, column in columns.items() if any(point.places for point in column)}
    sizes = sorted({point.size for column in shown.values() for point in column})
    recalls = {(name, point.size): f"{point.recall:.0%}" for name, column in shown.items() for point in column}
    rows = [(str(size), *(recalls.get((name, size), "–") for name in shown)) for size in sizes]
    smallest = [smallest_found(column) for column in shown.values()]
    rows.append(("90 % from", *(f"{size} px" if size is not None else "–" for size in smallest)))
    lines = table(("size", *shown), rows)
    wrong = {name: sum(point.false_faces for point in column) / len(column) for name, column in columns.items()}
    return [*lines, "", "False faces a picture: " + ", ".join(f"{name} {share:.2f}" for name, share in wrong.items())]


def _percentiles(values: Percentiles | None) -> str:
    if values is None:
        return "not measured"
    return f"p50 {values.p50:.1f} ms, p95 {values.p95:.1f} ms, p99 {values.p99:.1f} ms"
