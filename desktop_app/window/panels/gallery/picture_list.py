"""List of the pictures of a folder: item model and delegate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPainterPath, QPalette, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop_app.window.panels.gallery.thumbnails import Thumbnails
from desktop_app.window.panels.probability_bars import accent, blended, muted, trough
from desktop_app.window.style.theme import icon

ITEM_ROLE: Final = Qt.ItemDataRole.UserRole + 1
TILE: Final = 88
GAP: Final = 4
MARK: Final = 16

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class PictureItem:
    """A picture of a folder.

    Attributes:
        path: the file.
        said: what is said of its faces, in few words; empty before it was looked at.
        corrected: whether the user said something of a face of it.
    """

    path: Path
    said: str = ""
    corrected: bool = False


class PictureListModel(QAbstractListModel):
    """The pictures, one an item; thumbnails are read when they are painted.

    Args:
        thumbnails: gives them.
        parent: the Qt owner.
    """

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: list[PictureItem] = []
        self._rows: dict[Path, int] = {}
        self._thumbnails = thumbnails
        thumbnails.arrived.connect(self._on_thumbnail)

    @property
    def items(self) -> tuple[PictureItem, ...]:
        """All items."""
        return tuple(self._items)

    def set_items(self, items: Sequence[PictureItem]) -> None:
        """Show these; where the pictures are the same, only what is said of them changes."""
        same = [one.path for one in items] == [one.path for one in self._items]
        if not same:
            self.beginResetModel()
        before, self._items = self._items, list(items)
        if not same:
            self._rows = {item.path: row for row, item in enumerate(self._items)}
            self.endResetModel()
            return
        for row, (old, new) in enumerate(zip(before, self._items, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(row), self.index(row))

    def refresh(self) -> None:
        """Have all items painted again."""
        if self._items:
            self.dataChanged.emit(self.index(0), self.index(len(self._items) - 1))

    def index_of(self, path: Path | None) -> QModelIndex:
        """Where a picture is; an invalid index where it is not."""
        row = self._rows.get(path) if path is not None else None
        return self.index(row) if row is not None else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """The number of pictures."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The item itself, its thumbnail, or its name with what is said as text."""
        if not index.isValid() or not 0 <= index.row() < len(self._items):
            return None
        item = self._items[index.row()]
        if role == ITEM_ROLE:
            return item
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(item.path)
        if role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.AccessibleTextRole,
            Qt.ItemDataRole.ToolTipRole,
        ):
            return f"{item.path.name}: {item.said}" if item.said else item.path.name
        return None

    @Slot(object)
    def _on_thumbnail(self, path: Path) -> None:
        index = self.index_of(path)
        if index.isValid():
            self.dataChanged.emit(index, index)


class PictureDelegate(QStyledItemDelegate):
    """Paints a tile: thumbnail, name, and what is said."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        """All tiles are alike, so that the list need not measure each."""
        return QSize(TILE + 2 * GAP, TILE + 2 * option.fontMetrics.height() + 3 * GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one tile."""
        item = index.data(ITEM_ROLE)
        if not isinstance(item, PictureItem):
            return
        # Not the list's own, whose background is transparent.
        palette, line = QGuiApplication.palette(), option.fontMetrics.height()
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        tile = QRectF(option.rect.center().x() - TILE / 2, option.rect.top() + GAP, TILE, TILE)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            highlight = palette.color(QPalette.ColorRole.Highlight)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(blended(palette.color(QPalette.ColorRole.Window), highlight, 0.35 if selected else 0.12))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -1), 8, 8)
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        _paint_picture(painter, tile, picture if isinstance(picture, QPixmap) else None, trough(palette))
        if selected:
            painter.setPen(accent(palette))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(tile.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        if item.corrected:
            _paint_mark(painter, tile, accent(palette))
        texts = QRect(option.rect.left() + 3, round(tile.bottom()) + GAP, option.rect.width() - 6, line)
        for text, colour in (
            (item.path.name, palette.color(QPalette.ColorRole.WindowText)),
            (item.said, muted(palette)),
        ):
            painter.setPen(colour)
            shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideMiddle, texts.width())
            painter.drawText(texts, Qt.AlignmentFlag.AlignCenter, shown)
            texts.translate(0, line)
        painter.restore()


def _paint_picture(painter: QPainter, tile: QRectF, picture: QPixmap | None, empty: QColor) -> None:
    """The middle of a picture that fills the tile, or an empty tile."""
    outline = QPainterPath()
    outline.addRoundedRect(tile, 6, 6)
    painter.fillPath(outline, empty)
    if picture is None or picture.isNull():
        return
    painter.setClipPath(outline)
    side = min(picture.width(), picture.height())
    middle = QRectF((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
    painter.drawPixmap(tile, picture, middle)
    painter.setClipping(False)


def _paint_mark(painter: QPainter, tile: QRectF, colour: QColor) -> None:
    """A tick in the corner."""
    area = QRectF(tile.right() - MARK - 4, tile.top() + 4, MARK, MARK)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(area)
    icon("check", "#ffffff").paint(painter, area.adjusted(3, 3, -3, -3).toRect())
