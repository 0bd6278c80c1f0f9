"""Lines whose crossings are counted, painted over the picture in the window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPolygonF, QRegion

COLOUR: Final = QColor("#ffd24a")
ON_COLOUR: Final = QColor("#17191d")
HALO: Final = QColor(0, 0, 0, 150)
WIDTH: Final = 3.0
ARROW: Final = 16.0
"""How far the arrow that points forward reaches, in logical pixels."""
PLATE: Final = 10.0
"""Radius of the plate with the number."""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line where it lies in the widget.

    Attributes:
        start: in logical pixels.
        end: in logical pixels.
        name: its number; empty while it is being drawn.
    """

    start: QPointF
    end: QPointF
    name: str = ""


def paint_lines(painter: QPainter, lines: Sequence[ShownLine], faces: Iterable[QRect], area: QRect) -> None:
    """Paint lines with an arrow that points forward; they go behind the faces.

    Args:
        painter: on the widget.
        lines: in logical pixels.
        faces: boxes of the faces, in logical pixels.
        area: the widget.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    visible = QRegion(area)
    for face in faces:
        visible -= QRegion(face)
    painter.setClipRegion(visible)
    for line in lines:
        _paint(painter, line)
    painter.restore()


def _paint(painter: QPainter, line: ShownLine) -> None:
    along = line.end - line.start
    length = math.hypot(along.x(), along.y())
    if length < 1:
        return
    ahead = QPointF(-along.y(), along.x()) / length
    # Near its beginning, as people walk over its middle.
    foot = line.start + along / length * min(PLATE + ARROW, length / 2)
    shaft = QPainterPath(line.start)
    shaft.lineTo(line.end)
    tip = foot + ahead * ARROW
    half = along / length * ARROW / 2
    shaft.moveTo(foot)
    shaft.lineTo(tip)
    head = QPolygonF([tip + ahead * ARROW / 2, tip - half, tip + half])
    for colour, width in ((HALO, WIDTH + 3), (COLOUR, WIDTH)):
        painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(shaft)
        painter.setPen(
            QPen(colour, width - WIDTH, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        )
        painter.setBrush(colour)
        painter.drawPolygon(head)
    if line.name:
        _paint_name(painter, line.name, line.start)


def _paint_name(painter: QPainter, name: str, at: QPointF) -> None:
    plate = QRectF(at.x() - PLATE, at.y() - PLATE, 2 * PLATE, 2 * PLATE)
    painter.setPen(QPen(HALO, 1.5))
    painter.setBrush(COLOUR)
    painter.drawEllipse(plate)
    font = QFont(painter.font())
    font.setPixelSize(13)
    font.setWeight(QFont.Weight.Bold)
    painter.setFont(font)
    painter.setPen(ON_COLOUR)
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, name)
