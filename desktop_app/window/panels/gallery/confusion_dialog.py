"""Dialog that sets the user's corrections against the model's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop_app.analytics.corrections import StillFace, age_pairs, confusion, gender_pairs
from desktop_app.catalogue.catalogue import Labels
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.window.panels.probability_bars import accent, blended
from desktop_app.window.style.translation import label_word, tr
from desktop_app.window.style.widgets import fit_wrapped, make_label, make_strong_label

ROW_HEIGHT = 26
COLUMN_WIDTH = 58
NOTE_WIDTH = 560


class ConfusionDialog(QDialog):
    """How often each age group and gender was taken for which: rows are the user's word, columns the model's.

    Args:
        faces: those that the user said something of.
        labels: the classes of the model in use.
        parent: the window.
    """

    def __init__(self, faces: Sequence[StillFace], labels: Labels, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Your corrections against the model"))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(8)
        self._copied: list[str] = []
        ages, genders = [age.name for age in labels.ages], list(labels.genders)
        for title, pairs, classes, names in (
            (tr("Age groups"), age_pairs(faces), ages, [readable_age(name) for name in ages]),
            (tr("Perceived gender"), gender_pairs(faces), genders, [label_word(name) for name in genders]),
        ):
            counts = confusion(pairs, classes)
            label = make_strong_label()
            label.setText(title)
            column.addWidget(label)
            column.addWidget(make_label(_summary(counts)))
            if counts.any():
                column.addWidget(_table(self, counts, names))
                self._copied.append(_as_text(title, counts, classes))
            column.addSpacing(8)
        note = make_label(
            tr(
                "Rows: your corrections. Columns: the model’s most probable answer. To judge the model, correct or "
                "confirm all faces of some pictures, not only the wrong ones."
            ),
            role="muted",
            wrap=True,
        )
        fit_wrapped(note, NOTE_WIDTH)
        column.addWidget(note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.accept)
        copy = buttons.addButton(tr("Copy as table"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.setEnabled(bool(self._copied))
        copy.clicked.connect(self._on_copy)
        column.addWidget(buttons)

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText("\n".join(self._copied))


def _summary(counts: NDArray[np.int64]) -> str:
    total, right = int(counts.sum()), int(np.trace(counts))
    if not total:
        return tr("Nothing to compare yet.")
    return tr("{right} of {count} right ({share})", right=right, count=total, share=f"{right / total:.0%}")


def _as_text(title: str, counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Cells with tabs between them, as spreadsheets take them."""
    rows = [[title, *classes], *([name, *map(str, row)] for name, row in zip(classes, counts, strict=True))]
    return "".join("\t".join(row) + "\n" for row in rows)


def _table(parent: QWidget, counts: NDArray[np.int64], names: Sequence[str]) -> QTableWidget:
    size = len(names)
    table = QTableWidget(size, size, parent)
    table.setHorizontalHeaderLabels(list(names))
    table.setVerticalHeaderLabels(list(names))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    for header, side in ((table.horizontalHeader(), COLUMN_WIDTH), (table.verticalHeader(), ROW_HEIGHT)):
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setDefaultSectionSize(side)
    palette = parent.palette()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row in range(size):
        for column in range(size):
            item = QTableWidgetItem(str(counts[row, column]) if counts[row, column] else "")
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            base = palette.color(QPalette.ColorRole.Base)
            item.setBackground(blended(base, accent(palette), 0.6 * float(shares[row, column])))
            table.setItem(row, column, item)
    width = table.verticalHeader().sizeHint().width() + size * COLUMN_WIDTH + 2
    table.setFixedSize(width, table.horizontalHeader().sizeHint().height() + size * ROW_HEIGHT + 2)
    return table
