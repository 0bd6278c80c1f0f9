"""Plots of the last minute, by pyqtgraph, in palette colours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QPalette, QShowEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from desktop_app.window.panels.probability_bars import blended, muted, trough

WINDOW_S: Final = 60.0
"""Seconds of history that are shown."""

PLOT_HEIGHT: Final = 120

_ON_LIGHT: Final = ("#1f5fd8", "#b4540a", "#12804a", "#8a3fc4", "#b3265e", "#0e7c86")
_ON_DARK: Final = ("#74a9ff", "#ffb05c", "#5fd39a", "#c99bff", "#ff8fb4", "#5fd0dc")


def series_colours(palette: QPalette) -> tuple[QColor, ...]:
    """Six colours that can be told apart and read on the palette's background."""
    dark = palette.color(QPalette.ColorRole.Base).lightnessF() < 0.5
    return tuple(QColor(name) for name in (_ON_DARK if dark else _ON_LIGHT))


class HistoryPlot(QWidget):
    """Curves of several figures over the last minute, with a legend that holds their newest values.

    pyqtgraph is imported when the plot is first shown: it takes half a second, which a start without plots shall not
    pay. A thread must not do it, as it completes Qt's classes beside the GUI thread.

    Args:
        series: number of curves.
        least_top: the value axis reaches at least to here.
    """

    def __init__(self, parent: QWidget | None = None, *, series: int, least_top: float) -> None:
        super().__init__(parent)
        self._least_top = least_top
        self._top = 0.0
        self._names: tuple[str, ...] = ("",) * series
        self._latest: tuple[str, ...] = ("",) * series
        self._asked_for = False
        self._plot: Any = None
        self._curves: list[Any] = []
        self._title, self._legend = QLabel(self), QLabel(self)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._title)
        layout.addWidget(self._legend)
        place = QWidget(self)
        # As high as the plot from the start, so that nothing jumps when it comes.
        place.setFixedHeight(PLOT_HEIGHT)
        self._place = QVBoxLayout(place)
        self._place.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(place)
        font = self._title.font()
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)

    def set_names(self, title: str, names: Sequence[str]) -> None:
        """Name the plot and its curves."""
        self._names = tuple(names)
        self._title.setText(title)
        self.setAccessibleName(title)
        self._write_legend()

    def show_history(self, ages_s: NDArray[np.float64], values: NDArray[np.float64], latest: Sequence[str]) -> None:
        """Draw the curves; does nothing until the plot is there.

        Args:
            ages_s: N moments, in seconds before now, so 0 or less.
            values: N×series.
            latest: the newest values as texts with their units.
        """
        if self._plot is None:
            return
        for curve, column in zip(self._curves, values.T, strict=True):
            curve.setData(ages_s, column)
        self._fit_top(float(values.max(initial=0.0)))
        if tuple(latest) != self._latest:
            self._latest = tuple(latest)
            self._write_legend()

    def clear(self) -> None:
        """Draw no curves."""
        series = len(self._names)
        self.show_history(np.zeros(0), np.zeros((0, series)), ["–"] * series)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Get the plot, the first time."""
        if not self._asked_for:
            self._asked_for = True
            QTimer.singleShot(0, self, self._make_plot)
        super().showEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the palette."""
        if event.type() == QEvent.Type.PaletteChange and self._plot is not None:
            self._colour()
        super().changeEvent(event)

    @property
    def is_ready(self) -> bool:
        """Whether there is a plot to draw into."""
        return self._plot is not None

    @Slot()
    def _make_plot(self) -> None:
        # On this thread, although it takes a moment: PySide completes its classes when they are first looked at, and
        # crashes where a second thread does so, as an import of pyqtgraph would.
        os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"
        import pyqtgraph

        pyqtgraph.setConfigOptions(antialias=True)
        self._plot = pyqtgraph.PlotWidget(self)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        item = self._plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.disableAutoRange()
        item.setXRange(-WINDOW_S, 0, padding=0)
        # A little inside the range: pyqtgraph leaves out ticks that rounding puts outside.
        item.getAxis("bottom").setTicks([[(-59.9, "−60 s"), (-45, "−45"), (-30, "−30"), (-15, "−15"), (-0.1, "0")]])
        item.getAxis("left").setWidth(34)
        item.layout.setContentsMargins(0, 6, 14, 0)
        for side in ("bottom", "left"):
            item.getAxis(side).setStyle(tickLength=0, tickTextOffset=6, hideOverlappingLabels=40)
        self._curves = [item.plot() for _ in self._names]
        # The wheel must scroll the panel, not zoom the plot.
        self._plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._place.addWidget(self._plot)
        self._fit_top(0.0)
        self._colour()

    def _colour(self) -> None:
        import pyqtgraph

        palette = self.palette()
        self._plot.setBackground(palette.color(QPalette.ColorRole.Window))
        item = self._plot.getPlotItem()
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.setPen(trough(palette))
            axis.setTextPen(muted(palette))
        item.showGrid(y=True, alpha=0.9)
        for curve, colour in zip(self._curves, series_colours(palette), strict=False):
            curve.setPen(pyqtgraph.mkPen(colour, width=1))
        self._write_legend()

    def _fit_top(self, highest: float) -> None:
        """Round the top up, and take it back only when it is far too high, so that the axis does not pump."""
        wanted = max(_round_up(highest * 1.05), self._least_top)
        if wanted > self._top or wanted < self._top / 2:
            self._top = wanted
            item = self._plot.getPlotItem()
            # Room for the labels at both ends, which pyqtgraph leaves out where they do not fit.
            item.setYRange(-0.1 * wanted, 1.1 * wanted, padding=0)
            item.getAxis("left").setTicks([[(value, _format_tick(value)) for value in (0.0, wanted / 2, wanted)]])

    def _write_legend(self) -> None:
        palette = self.palette()
        faint = blended(muted(palette), palette.color(QPalette.ColorRole.WindowText), 0.2).name()
        entries = (
            f'<span style="color:{colour.name()}">●</span>&nbsp;'
            f'<span style="color:{faint}">{name.replace(" ", "&nbsp;")}</span>&nbsp;<b>{value}</b>'
            for name, value, colour in zip(self._names, self._latest, series_colours(palette), strict=False)
        )
        self._legend.setText("&nbsp;&nbsp; ".join(entries))
        described = zip(self._names, self._latest, strict=False)
        self.setAccessibleDescription(", ".join(f"{name} {value}" for name, value in described))


def _format_tick(value: float) -> str:
    """A value in few characters: pyqtgraph leaves out what is wider than the axis."""
    return f"{value:g}" if value < 1000 else f"{value / 1000:g}k"


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** np.floor(np.log10(value))
    return float(next(step * unit for step in (1, 2, 3, 4, 5, 6, 8, 10, 20) if step * unit >= value))
