"""Charts of the audience: a pyramid of age groups and genders, and arrivals over the last minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from desktop_app.analytics.audience import GroupCount
from desktop_app.window.panels.plots import series_colours
from desktop_app.window.panels.probability_bars import Chart, blended, muted, trough

ROW_GAP: Final = 5
TEXT_GAP: Final = 6
MINUTES: Final = 15
COLUMNS_HEIGHT: Final = 56
PALE: Final = 0.58
"""Share of the background in what is unsure."""


@dataclass(frozen=True, slots=True)
class PyramidRow:
    """An age group.

    Attributes:
        name: of the age group.
        left: how many of it are of the first gender.
        right: how many are of the second.
        tip: what the tooltip says of it.
    """

    name: str
    left: GroupCount
    right: GroupCount
    tip: str


class PyramidChart(Chart):
    """Age groups from old to young, one gender to each side; pale is unsure, and a line is the 95 % interval."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._titles = ("", "")
        self._rows: tuple[PyramidRow, ...] = ()

    @property
    def rows(self) -> tuple[PyramidRow, ...]:
        """What is shown, from old to young."""
        return self._rows

    def set_rows(self, titles: tuple[str, str], rows: Sequence[PyramidRow]) -> None:
        """Show counts.

        Args:
            titles: names of the genders.
            rows: from old to young.
        """
        if (titles, tuple(rows)) == (self._titles, self._rows):
            return
        if len(rows) != len(self._rows):
            self.updateGeometry()
        self._titles, self._rows = titles, tuple(rows)
        self.setAccessibleDescription("; ".join(row.tip for row in rows))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """As high as the rows and their titles."""
        return QSize(260, (len(self._rows) + 1) * self._row_height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Bars may shrink, rows not."""
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint titles and rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette, metrics = self.palette(), self.fontMetrics()
        height = self._row_height()
        names = max((metrics.horizontalAdvance(row.name) for row in self._rows), default=0) + 2 * TEXT_GAP
        inner_left, inner_right = (self.width() - names) / 2, (self.width() + names) / 2
        counts = [group for row in self._rows for group in (row.left, row.right)]
        most = max((max(_total(group), group.high or 0) for group in counts), default=0)
        numbers = metrics.horizontalAdvance(str(max(map(_total, counts), default=0))) + 2 * TEXT_GAP
        unit = max(inner_left - numbers, 1) / max(most, 1)
        painter.setPen(muted(palette))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, 0, inner_left, height), vertical | Qt.AlignmentFlag.AlignRight, self._titles[0])
        right_title = QRectF(inner_right, 0, self.width() - inner_right, height)
        painter.drawText(right_title, vertical | Qt.AlignmentFlag.AlignLeft, self._titles[1])
        for index, row in enumerate(self._rows, 1):
            top = index * height
            painter.setPen(palette.color(QPalette.ColorRole.WindowText))
            painter.drawText(QRectF(inner_left, top, names, height), Qt.AlignmentFlag.AlignCenter, row.name)
            for group, colour, origin, sign in zip(
                (row.left, row.right), series_colours(palette)[:2], (inner_left, inner_right), (-1, 1), strict=True
            ):
                self._paint_bar(painter, group, colour, origin, sign * unit, top)

    def event(self, event: QEvent) -> bool:
        """Say the numbers of the row under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = int(event.pos().y() // self._row_height()) - 1
            if 0 <= row < len(self._rows):
                QToolTip.showText(event.globalPos(), self._rows[row].tip, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def _paint_bar(
        self, painter: QPainter, group: GroupCount, colour: QColor, origin: float, unit: float, top: int
    ) -> None:
        """Paint one side of a row; `unit` is a visit's length in pixels, below 0 to the left."""
        palette = self.palette()
        bar_top, bar_height = top + ROW_GAP / 2 + 1, self._row_height() - ROW_GAP - 2
        pale = blended(colour, palette.color(QPalette.ColorRole.Window), PALE)
        for begin, count, fill in ((0, group.sure, colour), (group.sure, group.unsure, pale)):
            area = QRectF(origin + begin * unit, bar_top, count * unit, bar_height).normalized()
            painter.fillRect(area, fill)
        painter.fillRect(QRectF(origin - (unit < 0), bar_top, 1, bar_height), trough(palette))
        reach = max(_total(group), group.high or 0)
        if group.low is not None and group.high:
            middle = round(bar_top + bar_height / 2) + 0.5
            low, high = origin + group.low * unit, origin + group.high * unit
            painter.setPen(QPen(palette.color(QPalette.ColorRole.WindowText), 1))
            painter.drawLine(QLineF(low, middle, high, middle))
            for end in (low, high):
                painter.drawLine(QLineF(end, middle - 3, end, middle + 3))
        if _total(group):
            painter.setPen(muted(palette))
            end, room = origin + reach * unit, 100.0
            side = Qt.AlignmentFlag.AlignLeft if unit > 0 else Qt.AlignmentFlag.AlignRight
            left = end + TEXT_GAP if unit > 0 else end - TEXT_GAP - room
            area = QRectF(left, top, room, self._row_height())
            painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, str(_total(group)))

    def _row_height(self) -> int:
        return self.fontMetrics().height() + ROW_GAP


class ArrivalsChart(Chart):
    """A column a minute for the last quarter of an hour; the last one is the minute that runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: tuple[int, ...] = ()
        self._ends = ("", "")

    @property
    def counts(self) -> tuple[int, ...]:
        """Arrivals by minute, the newest last."""
        return self._counts

    def set_counts(self, counts: Sequence[int]) -> None:
        """Show arrivals by minute, the newest last, at most a quarter of an hour."""
        self._counts = tuple(counts)[-MINUTES:]
        self.setAccessibleDescription(", ".join(map(str, self._counts)))
        self.update()

    def set_ends(self, first: str, last: str) -> None:
        """Name the first and the last minute."""
        self._ends = first, last
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Columns, the numbers over them, and a line of text below."""
        return QSize(260, COLUMNS_HEIGHT + 2 * self.fontMetrics().height() + 4)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Columns may shrink, texts not."""
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint columns from the right, their numbers, and a line below."""
        painter = QPainter(self)
        palette, text = self.palette(), self.fontMetrics().height()
        step = self.width() / MINUTES
        most = max(self._counts, default=0)
        bottom = text + COLUMNS_HEIGHT
        colour = series_colours(palette)[3]
        for place, count in enumerate(self._counts, MINUTES - len(self._counts)):
            left, right = round(place * step), round((place + 1) * step)
            height = round(COLUMNS_HEIGHT * count / max(most, 1))
            running = place == MINUTES - 1
            fill = blended(colour, palette.color(QPalette.ColorRole.Window), PALE) if running else colour
            painter.fillRect(left + 1, bottom - height, right - left - 2, height, fill)
            painter.fillRect(left, bottom, right - left, 1, trough(palette))
            if count:
                painter.setPen(muted(palette))
                area = QRectF(left - step, bottom - height - text, right - left + 2 * step, text)
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, str(count))
        painter.setPen(muted(palette))
        area = QRectF(0, bottom + 4, self.width(), text)
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft, self._ends[0])
        painter.drawText(area, Qt.AlignmentFlag.AlignRight, self._ends[1])


def _total(group: GroupCount) -> int:
    return group.sure + group.unsure
