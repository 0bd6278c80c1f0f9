"""The benchmark's curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2

from desktop_app.engine.benchmark_chart import Chart, Series, draw_picture, draw_svg
from desktop_app.engine.benchmark_offline import BenchmarkError
from desktop_app.engine.benchmark_recall import RecallPoint
from desktop_app.engine.benchmark_report import BenchmarkReport, CostPoint
from desktop_app.engine.benchmark_usual import Comparison

PLOT_SUFFIXES: Final = (".svg", ".png")


def plot_report(report: BenchmarkReport, path: Path) -> None:
    """Draw the curves that a report holds, side by side.

    Args:
        report: with at least one of `by_faces`, `by_size`, `compare` and `recall`.
        path: `.svg` or `.png`; replaced where it exists.

    Raises:
        BenchmarkError: there is no curve, or the file cannot be written.
    """
    charts = charts_of(report)
    if not charts:
        raise BenchmarkError("there is no curve to draw; add --faces, --compare or --recall")
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(draw_svg(charts), encoding="utf-8")
        else:
            path.write_bytes(cv2.imencode(".png", draw_picture(charts))[1].tobytes())
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error


def charts_of(report: BenchmarkReport) -> list[Chart]:
    """One chart for each curve that was measured."""
    charts: list[Chart] = []
    if report.by_faces or report.compare:
        charts.append(_faces_chart(report.by_faces, report.compare))
    if report.by_size:
        charts.append(_size_chart(report.by_size))
    if report.recall:
        charts.append(_recall_chart(report.recall))
    return charts


def _faces_chart(points: Sequence[CostPoint], comparisons: Sequence[Comparison]) -> Chart:
    ours = [(float(point.faces), point.offline.ms_per_frame) for point in points]
    ours = ours or [(float(one.faces), 1000 / one.fps) for one in comparisons]
    usual = [(float(one.faces), 1000 / one.usual_fps) for one in comparisons]
    faces = sorted({x for x, _ in (*ours, *usual)})
    return Chart(
        title="Cost against faces (720p)",
        x_title="faces in view",
        y_title="ms/frame",
        series=[Series("Agelens", ours)] + ([Series("usual way", usual)] if usual else []),
        x_ticks=[(count, f"{count:g}") for count in faces],
        logarithmic=bool(usual),
    )


def _size_chart(points: Sequence[CostPoint]) -> Chart:
    return Chart(
        title=f"Cost against frame size ({points[0].faces} faces)",
        x_title="frame height, placed by megapixels",
        y_title="ms/frame",
        series=[Series("Agelens", [(_megapixels(point), point.offline.ms_per_frame) for point in points])],
        x_ticks=[(_megapixels(point), str(point.height)) for point in points],
    )


def _recall_chart(points: Sequence[RecallPoint]) -> Chart:
    modes = dict.fromkeys(point.mode for point in points)
    sizes = dict.fromkeys(point.size for point in points)
    return Chart(
        title="Faces found against their size",
        x_title="side of the face in pixels of 1280×720",
        y_title="found",
        series=[Series(mode, [(point.size, point.recall) for point in points if point.mode == mode]) for mode in modes],
        x_ticks=[(size, str(size)) for size in sizes],
        x_logarithmic=True,
        percent=True,
    )


def _megapixels(point: CostPoint) -> float:
    return point.width * point.height / 1e6
