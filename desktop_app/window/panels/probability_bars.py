"""Labelled horizontal bars in palette colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

ROW_GAP: Final = 6
COLUMN_GAP: Final = 10
BAR_HEIGHT: Final = 8.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One row.

    Attributes:
        label: text before the bar.
        fraction: length of the bar, 0 to 1.
        text: the value, written behind the bar.
        strong: drawn in the full accent colour and bold.
        colour: the bar's own colour instead of the accent colour.
    """

    label: str
    fraction: float
    text: str
    strong: bool = False
    colour: QColor | None = None


def blended(one: QColor, other: QColor, share: float) -> QColor:
    """A colour between two: `share` (0 to 1) of the other."""
    keep = 1 - share
    return QColor.fromRgbF(
        one.redF() * keep + other.redF() * share,
        one.greenF() * keep + other.greenF() * share,
        one.blueF() * keep + other.blueF() * share,
    )


def muted(palette: QPalette) -> QColor:
    """The colour of secondary text."""
    return palette.color(QPalette.ColorRole.PlaceholderText)


def trough(palette: QPalette) -> QColor:
    """The colour of the empty part of a bar."""
    return blended(palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.Text), 0.12)


def accent(palette: QPalette, *, strong: bool = True) -> QColor:
    """The colour of the full part of a bar."""
    colour = palette.color(QPalette.ColorRole.Highlight)
    return colour if strong else blended(colour, palette.color(QPalette.ColorRole.Window), 0.38)


def paint_bar(painter: QPainter, area: QRectF, fraction: float, full: QColor, empty: QColor) -> None:
    """Paint a bar with round ends; the painter should have antialiasing on."""
    radius = area.height() / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(empty)
    painter.drawRoundedRect(area, radius, radius)
    if fraction > 0:
        # Never shorter than high, or the round ends would turn into a thin lens.
        length = max(area.width() * min(fraction, 1.0), area.height())
        painter.setBrush(full)
        painter.drawRoundedRect(QRectF(area.left(), area.top(), length, area.height()), radius, radius)


class Chart(QWidget):
    """A drawing as high as its rows, in the colours and the font of the moment."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Paint anew in other colours, and take another height with another font."""
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        elif event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
        super().changeEvent(event)


class BarChart(Chart):
    """Rows of label, bar and value; as high as its rows.

    Args:
        widest_text: the longest value to expect, so that bars keep their length while values change.
    """

    def __init__(self, parent: QWidget | None = None, *, widest_text: str = "100%") -> None:
        super().__init__(parent)
        self._widest_text = widest_text
        self._bars: tuple[Bar, ...] = ()
        self._least_label_width = 0

    def set_bars(self, bars: Sequence[Bar]) -> None:
        """Show these rows."""
        previous, self._bars = self._bars, tuple(bars)
        if previous == self._bars:
            return
        if [bar.label for bar in previous] != [bar.label for bar in self._bars]:
            self.updateGeometry()
        self.setAccessibleDescription(", ".join(f"{bar.label} {bar.text}" for bar in self._bars))
        self.update()

    def set_label_width(self, width: int) -> None:
        """Keep at least this much room for labels, so that charts above each other align."""
        if width != self._least_label_width:
            self._least_label_width = width
            self.updateGeometry()
            self.update()

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The rows that are shown."""
        return self._bars

    @property
    def natural_label_width(self) -> int:
        """What the widest label takes, in pixels."""
        # Any row may become the strong one, and bold is wider.
        metrics = QFontMetrics(_bold(self.font()))
        return max((metrics.horizontalAdvance(bar.label) for bar in self._bars), default=0)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Wide enough for a bar that can be read, as high as the rows."""
        metrics = self.fontMetrics()
        width = self._label_width() + metrics.horizontalAdvance(self._widest_text) + 2 * COLUMN_GAP + 80
        return QSize(width, len(self._bars) * self._row_height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Bars may shrink to half, rows not at all."""
        hint = self.sizeHint()
        return QSize(hint.width() - 40, hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint all rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette, metrics = self.palette(), self.fontMetrics()
        label_width = self._label_width()
        text_width = metrics.horizontalAdvance(self._widest_text) + 4
        left = label_width + COLUMN_GAP
        length = self.width() - left - COLUMN_GAP - text_width
        row_height = self._row_height()
        for row, bar in enumerate(self._bars):
            top = row * row_height
            colour = bar.colour or accent(palette, strong=bar.strong)
            bar_area = QRectF(left, top + (row_height - BAR_HEIGHT) / 2, length, BAR_HEIGHT)
            paint_bar(painter, bar_area, bar.fraction, colour, trough(palette))
            painter.setFont(_bold(self.font()) if bar.strong else self.font())
            painter.setPen(palette.color(QPalette.ColorRole.WindowText) if bar.strong else muted(palette))
            side = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, top, label_width, row_height), side | Qt.AlignmentFlag.AlignLeft, bar.label)
            value_area = QRectF(self.width() - text_width, top, text_width, row_height)
            painter.drawText(value_area, side | Qt.AlignmentFlag.AlignRight, bar.text)

    def _row_height(self) -> int:
        return self.fontMetrics().height() + ROW_GAP

    def _label_width(self) -> int:
        return max(self.natural_label_width, self._least_label_width)


def align_labels(*charts: BarChart) -> None:
    """Let the bars of several charts start at the same distance."""
    width = max(chart.natural_label_width for chart in charts)
    for chart in charts:
        chart.set_label_width(width)


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold
