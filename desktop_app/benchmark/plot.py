"""Plots of a benchmark report, drawn by pyqtgraph."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desktop_app.benchmark.offline import BenchmarkError
from desktop_app.benchmark.per_face_baseline import Comparison
from desktop_app.benchmark.recall import RecallPoint, by_scene
from desktop_app.benchmark.report import BenchmarkReport, CostPoint
from desktop_app.errors import reason_of

PLOT_SUFFIXES: Final = (".svg", ".png")
PANEL_WIDTH: Final = 460
PANEL_HEIGHT: Final = 360
PNG_SCALE: Final = 2
"""Pixels of a PNG for each unit of the drawing."""

# Okabe and Ito's colours: distinguishable with any colour vision.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_INK: Final = "#1f2430"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One panel.

    Attributes:
        title: what it shows.
        x_title: name and unit of the horizontal axis.
        y_title: name and unit of the vertical axis.
        series: name and points of each line.
        x_ticks: values and texts of the horizontal axis.
        x_logarithmic: whether the horizontal axis is logarithmic, for values above 0.
        y_logarithmic: whether the vertical axis is logarithmic, for values above 0.
    """

    title: str
    x_title: str
    y_title: str
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    x_ticks: Sequence[tuple[float, str]]
    x_logarithmic: bool = False
    y_logarithmic: bool = False


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
        raise BenchmarkError("Cannot draw a plot: there is no curve. Add --faces, --compare or --recall.")
    data = _export(charts, path.suffix.lower())
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BenchmarkError(
            "Cannot write “{path}”: {reason}. Choose another place.", path=path, reason=reason_of(error)
        ) from error


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


def _export(charts: Sequence[Chart], suffix: str) -> bytes:
    # A plot needs Qt but no screen. Nothing else of a benchmark uses Qt.
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"
    import pyqtgraph
    from PySide6.QtCore import QBuffer, QIODevice, QRect, QRectF, QSize, Qt
    from PySide6.QtGui import QImage, QImageWriter, QPainter
    from PySide6.QtSvg import QSvgGenerator, QSvgRenderer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    pyqtgraph.setConfigOptions(antialias=True, background="w", foreground=_INK)
    size = QSize(PANEL_WIDTH * len(charts), PANEL_HEIGHT)
    layout = pyqtgraph.GraphicsLayoutWidget(size=(size.width(), size.height()))
    layout.ci.setContentsMargins(12, 12, 18, 12)
    layout.ci.setSpacing(18)
    for column, chart in enumerate(charts):
        legend = pyqtgraph.LegendItem(colCount=len(_COLOURS), labelTextColor=_INK)
        layout.addItem(legend, row=1, col=column)
        _draw(layout.addPlot(row=0, col=column), legend, chart)
        layout.ci.layout.setColumnPreferredWidth(column, PANEL_WIDTH)
    # Panels take their sizes when they are shown, though not on a screen.
    layout.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    layout.show()
    application.processEvents()

    svg, drawing = QBuffer(), QRect(0, 0, size.width(), size.height())
    svg.open(QIODevice.OpenModeFlag.WriteOnly)
    # Qt's own SVG generator: pyqtgraph's SVGExporter fails on the paths that Qt 6.11 writes.
    generator = QSvgGenerator()
    generator.setOutputDevice(svg)
    generator.setSize(size)
    generator.setViewBox(QRectF(drawing))
    # Axes are kept as pictures with the resolution of the widget.
    generator.setResolution(layout.logicalDpiX())
    painter = QPainter(generator)
    layout.render(painter, QRectF(drawing), drawing)
    painter.end()
    layout.close()
    if suffix == ".svg":
        return bytes(svg.data().data())
    image, png = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32), QBuffer()
    painter = QPainter(image)
    QSvgRenderer(svg.data()).render(painter)
    painter.end()
    png.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(png, b"png").write(image)
    return bytes(png.data().data())


def _draw(plot: Any, legend: Any, chart: Chart) -> None:
    plot.setTitle(chart.title, color=_INK, size="11pt")
    plot.setLabel("bottom", chart.x_title)
    plot.setLabel("left", chart.y_title)
    for side in ("bottom", "left"):
        plot.getAxis(side).enableAutoSIPrefix(False)
    plot.setLogMode(chart.x_logarithmic, chart.y_logarithmic)
    values = [y for _, points in chart.series for _, y in points]
    ticks = list(chart.x_ticks)
    if chart.x_logarithmic:
        ticks = [(math.log10(value), text) for value, text in ticks]
    plot.getAxis("bottom").setTicks([ticks])
    if chart.y_logarithmic:
        steps = [base * 10.0**power for power in range(-3, 7) for base in (1, 2, 5)]
        inside = [step for step in steps if min(values) / 2 <= step <= 2 * max(values)]
        plot.getAxis("left").setTicks([[(math.log10(step), f"{step:g}") for step in inside]])
    else:
        plot.setYRange(0, max(values) or 1.0)
    plot.showGrid(y=True, alpha=0.2)
    for (name, points), colour in zip(chart.series, _COLOURS, strict=False):
        xs, ys = zip(*points, strict=True)
        pen = {"color": colour, "width": 2}
        # Symbols as shapes, not as cached pixels, which an SVG cannot scale.
        line = plot.plot(xs, ys, pen=pen, symbol="o", symbolSize=6, symbolBrush=colour, symbolPen=None, useCache=False)
        legend.addItem(line, name)


def _faces_chart(points: Sequence[CostPoint], comparisons: Sequence[Comparison]) -> Chart:
    ours = [(float(point.faces), point.offline.ms_per_frame) for point in points]
    ours = ours or [(float(one.faces), 1000 / one.fps) for one in comparisons]
    usual = [(float(one.faces), 1000 / one.usual_fps) for one in comparisons]
    faces = sorted({x for x, _ in (*ours, *usual)})
    return Chart(
        title="Cost against faces (720p)",
        x_title="faces in view",
        y_title="ms/frame",
        series=[("Agelens", ours)] + ([("usual way", usual)] if usual else []),
        x_ticks=[(count, f"{count:g}") for count in faces],
        y_logarithmic=bool(usual),
    )


def _size_chart(points: Sequence[CostPoint]) -> Chart:
    return Chart(
        title=f"Cost against frame size ({points[0].faces} faces)",
        x_title="frame height, placed by megapixels",
        y_title="ms/frame",
        series=[("Agelens", [(_megapixels(point), point.offline.ms_per_frame) for point in points])],
        x_ticks=[(_megapixels(point), str(point.height)) for point in points],
    )


def _recall_chart(points: Sequence[RecallPoint]) -> Chart:
    # As many lines as there are colours: the upright faces.
    columns = {name: column for name, column in by_scene(points).items() if column[0].scene in ("alone", "crowd")}
    sizes = dict.fromkeys(point.size for point in points)
    return Chart(
        title="Faces found against their size",
        x_title="side of the face in pixels of 1280×720",
        y_title="found (%)",
        series=[(name, [(point.size, 100 * point.recall) for point in column]) for name, column in columns.items()],
        x_ticks=[(size, str(size)) for size in sizes],
        x_logarithmic=True,
    )


def _megapixels(point: CostPoint) -> float:
    return point.width * point.height / 1e6
