"""List of the faces in view: item model and delegate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop_app.window.panels.crop_image import rounded_pixmap
from desktop_app.window.panels.probability_bars import accent, blended, muted, paint_bar, trough

FACE_ROLE: Final = Qt.ItemDataRole.UserRole + 1

_MARGIN: Final = 8
_CROP_SIDE: Final = 56
_CHART_WIDTH: Final = 76
_LINE_GAP: Final = 3
_ROW_HEIGHT: Final = _CROP_SIDE + 2 * _MARGIN

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Face:
    """One person in view, with the texts ready to be shown.

    Attributes:
        id: the track's number.
        crop: S×S×3 uint8 BGR, or None before the first one.
        seen: how long, as in "12 s"; "" in a picture that stands alone.
        visible: False while the track coasts through frames in which the face was not found.
        summary: all of it in one line, for screen readers and tooltips.
        age: name of the age group or span of groups, "" before the first answer.
        age_text: its confidence, as in "62%".
        gender: name of the perceived gender, or that it is unsure; "" before the first answer.
        gender_text: its confidence.
        ages: float32 probabilities of all age groups; empty before the first answer.
        shown_ages: indices of the age groups that are shown.
        shown_genders: index of the gender that is shown; none where it is unsure.
        gender_share: probability of the gender that is shown, 0 to 1; 0 where it is unsure.
        seen_s: how long it has been in view, in seconds.
    """

    id: int
    crop: NDArray[np.uint8] | None
    seen: str
    visible: bool
    summary: str
    age: str = ""
    age_text: str = ""
    gender: str = ""
    gender_text: str = ""
    ages: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    shown_ages: tuple[int, ...] = ()
    shown_genders: tuple[int, ...] = ()
    gender_share: float = 0.0
    seen_s: float = 0.0

    def as_gone(self) -> Face:
        """The face once it has left."""
        return replace(self, visible=False)


class FaceListModel(QAbstractListModel):
    """The faces, one a row."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._faces: list[Face] = []

    @property
    def faces(self) -> tuple[Face, ...]:
        """All rows."""
        return tuple(self._faces)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """The number of faces."""
        return 0 if parent.isValid() else len(self._faces)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The face itself, or its summary as text."""
        if not index.isValid() or not 0 <= index.row() < len(self._faces):
            return None
        face = self._faces[index.row()]
        if role == FACE_ROLE:
            return face
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return face.summary
        return None

    def set_faces(self, faces: Sequence[Face]) -> None:
        """Show these faces in this order; selection and current row stay with their faces."""
        wanted = list(faces)
        ids = {face.id for face in wanted}
        for row in reversed(range(len(self._faces))):
            if self._faces[row].id not in ids:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._faces[row]
                self.endRemoveRows()
        self._reorder([face.id for face in wanted])
        for row, face in enumerate(wanted):
            if row < len(self._faces) and self._faces[row].id == face.id:
                self._faces[row] = face
            else:
                self.beginInsertRows(QModelIndex(), row, row)
                self._faces.insert(row, face)
                self.endInsertRows()
        if wanted:
            self.dataChanged.emit(self.index(0), self.index(len(wanted) - 1))

    def _reorder(self, wanted: Sequence[int]) -> None:
        """Bring the rows that there are into the order of these ids."""
        places = {track_id: place for place, track_id in enumerate(wanted)}
        ordered = sorted(self._faces, key=lambda face: places[face.id])
        if all(one is other for one, other in zip(ordered, self._faces, strict=True)):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        ids = [self._faces[index.row()].id for index in before]
        self._faces = ordered
        self.changePersistentIndexList(before, [self.index_of(track_id) for track_id in ids])
        self.layoutChanged.emit()

    def index_of(self, track_id: int | None) -> QModelIndex:
        """Where a face is; an invalid index where it is not."""
        for row, face in enumerate(self._faces):
            if face.id == track_id:
                return self.index(row)
        return QModelIndex()


class FaceDelegate(QStyledItemDelegate):
    """Paints a row: crop, number and age group, gender with its bar, time in view, and the ages' distribution."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # The array itself is kept beside its pixmap: as long as it is the same object, so is the picture.
        self._pixmaps: dict[int, tuple[NDArray[np.uint8], float, QPixmap]] = {}
        self._genders: tuple[str, ...] = ()

    def set_genders(self, names: Sequence[str]) -> None:
        """Leave room for these names in each row, so that the bars below each other begin at one place."""
        self._genders = tuple(names)

    def forget(self, keep: set[int]) -> None:
        """Drop the pictures of all faces but these."""
        self._pixmaps = {key: value for key, value in self._pixmaps.items() if key in keep}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        """All rows are alike, so that the list need not measure each."""
        text_height = 3 * option.fontMetrics.height() + 2 * _LINE_GAP
        return QSize(240, max(_ROW_HEIGHT, text_height + 2 * _MARGIN))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        face = index.data(FACE_ROLE)
        if not isinstance(face, Face):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = option.rect.adjusted(4, 2, -4, -2)
        _paint_background(painter, option, area)
        painter.setOpacity(1.0 if face.visible else 0.45)
        self._paint_crop(painter, face, area, trough(option.palette))
        left = area.left() + _MARGIN + _CROP_SIDE + 12
        right = area.right() - _MARGIN
        if len(face.ages) and right - left > _CHART_WIDTH + 120:
            chart = QRectF(right - _CHART_WIDTH, area.top() + 14, _CHART_WIDTH, area.height() - 28)
            _paint_ages(painter, face, chart, option.palette)
            right -= _CHART_WIDTH + 14
        column = max(map(option.fontMetrics.horizontalAdvance, self._genders), default=0)
        _paint_texts(painter, face, QRect(left, area.top(), right - left, area.height()), option, column)
        painter.restore()

    def _paint_crop(self, painter: QPainter, face: Face, area: QRect, empty: QColor) -> None:
        top = area.top() + (area.height() - _CROP_SIDE) // 2
        place = QPoint(area.left() + _MARGIN, top)
        if face.crop is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(empty)
            painter.drawRoundedRect(QRect(place, QSize(_CROP_SIDE, _CROP_SIDE)), 8, 8)
            return
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        kept = self._pixmaps.get(face.id)
        if kept is None or kept[0] is not face.crop or kept[1] != ratio:
            pixmap = rounded_pixmap(face.crop, _CROP_SIDE, ratio=ratio)
            kept = self._pixmaps[face.id] = (face.crop, ratio, pixmap)
        painter.drawPixmap(place, kept[2])


def _paint_background(painter: QPainter, option: QStyleOptionViewItem, area: QRect) -> None:
    base = option.palette.color(QPalette.ColorRole.Base)
    highlight = option.palette.color(QPalette.ColorRole.Highlight)
    selected = bool(option.state & QStyle.StateFlag.State_Selected)
    hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
    if selected or hovered:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(blended(base, highlight, 0.28 if selected else 0.1))
        painter.drawRoundedRect(area, 8, 8)
    if selected and option.state & QStyle.StateFlag.State_HasFocus:
        painter.setPen(highlight)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(area).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)


def _paint_texts(painter: QPainter, face: Face, area: QRect, option: QStyleOptionViewItem, column: int) -> None:
    palette, metrics = option.palette, option.fontMetrics
    line = metrics.height()
    step = line + _LINE_GAP
    lines = 2 + bool(face.seen)
    top = area.top() + (area.height() - lines * step + _LINE_GAP) // 2
    bold = QFont(option.font)
    bold.setWeight(QFont.Weight.DemiBold)
    text, secondary = palette.color(QPalette.ColorRole.Text), muted(palette)
    first, second, third = (QRect(area.left(), top + number * step, area.width(), line) for number in range(3))
    unsure = bool(face.age) and len(face.shown_ages) != 1
    age = f"#{face.id}   {face.age or '…'}"
    _paint_pair(painter, first, age, face.age_text, bold, secondary if unsure else text, secondary)
    if not face.gender:
        _paint_pair(painter, second, face.seen, "", option.font, secondary, secondary)
        return
    _paint_pair(painter, second, face.gender, face.gender_text, option.font, secondary, secondary)
    left = max(column, metrics.horizontalAdvance(face.gender)) + 8
    right = metrics.horizontalAdvance("100%") + 8
    bar = QRectF(second.left() + left, second.center().y() - 1, second.width() - left - right, 4)
    if face.gender_text and bar.width() > 12:
        paint_bar(painter, bar, face.gender_share, accent(palette), trough(palette))
    _paint_pair(painter, third, face.seen, "", option.font, secondary, secondary)


def _paint_pair(
    painter: QPainter, area: QRect, left: str, right: str, font: QFont, colour: QColor, right_colour: QColor
) -> None:
    painter.setFont(font)
    metrics = painter.fontMetrics()
    room = area.width() - metrics.horizontalAdvance(right) - 8
    middle = Qt.AlignmentFlag.AlignVCenter
    painter.setPen(colour)
    shown = metrics.elidedText(left, Qt.TextElideMode.ElideRight, room)
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft, shown)
    painter.setPen(right_colour)
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, right)


def _paint_ages(painter: QPainter, face: Face, area: QRectF, palette: QPalette) -> None:
    """One upright bar an age group, youngest on the left, on a common floor; those that are shown in full colour."""
    step = area.width() / len(face.ages)
    width = max(step - 2, 1.0)
    # A sure answer fills the height; an unsure one stays lower, yet high enough to be read.
    full = max(float(face.ages.max()), 0.6)
    painter.setPen(Qt.PenStyle.NoPen)
    for place, probability in enumerate(face.ages):
        height = max(float(probability) / full * area.height(), 2.0)
        painter.setBrush(accent(palette, strong=place in face.shown_ages) if probability > 0.01 else trough(palette))
        bar = QRectF(area.left() + place * step, area.bottom() - height, width, height)
        painter.drawRoundedRect(bar, 1.5, 1.5)
