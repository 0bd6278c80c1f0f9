"""Rows in which the user says what is true of the faces of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from desktop_app.analytics.corrections import StillFace, Truth
from desktop_app.catalogue.catalogue import Labels
from desktop_app.vision.drawing.overlay import readable_age
from desktop_app.window.panels.crop_image import rounded_pixmap
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import answer_share, answer_word, label_word, tr
from desktop_app.window.style.widgets import make_label

CROP_SIDE = 48


class FaceRow(QWidget):
    """One face: its crop, what the model says, and what the user says.

    Args:
        parent: the Qt owner.
    """

    said = Signal(object)
    """The `Truth` that the user chose."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label_age = self._label_gender = ""
        self._crop = QLabel(self)
        self._crop.setFixedSize(CROP_SIDE, CROP_SIDE)
        self._answer = make_label()
        self._age, self._gender = QComboBox(self), QComboBox(self)
        self._right = QToolButton(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        grid.addWidget(self._crop, 0, 0, 2, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._answer, 0, 1, 1, 2)
        grid.addWidget(self._right, 0, 3)
        grid.addWidget(self._age, 1, 1)
        grid.addWidget(self._gender, 1, 2, 1, 2)
        for column in (1, 2):
            grid.setColumnStretch(column, 1)
        for box in (self._age, self._gender):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(5)
            box.currentIndexChanged.connect(self._on_choice)
        self._right.clicked.connect(self._on_right)

    @property
    def age_choice(self) -> QComboBox:
        """Chooses the true age group."""
        return self._age

    @property
    def gender_choice(self) -> QComboBox:
        """Chooses the perceived gender."""
        return self._gender

    @property
    def has_crop(self) -> bool:
        """Whether a crop is shown."""
        return not self._crop.pixmap().isNull()

    @property
    def right_button(self) -> QToolButton:
        """Says that the model is right."""
        return self._right

    def show_face(self, number: int, face: StillFace, crop: NDArray[np.uint8] | None, labels: Labels) -> None:
        """Show a face.

        Args:
            number: of its track.
            face: what is said of it.
            crop: S×S×3 uint8 BGR, or None before there is one.
            labels: the classes to choose from.
        """
        label = face.label
        self._label_age = label.age if label else ""
        self._label_gender = (label.gender or "") if label else ""
        parts = [f"#{number}"]
        if label is not None:
            parts += [" ".join(filter(None, (answer_word(one), answer_share(one)))) for one in label.answers]
        self._answer.setText("   ".join(parts))
        if crop is not None:
            self._crop.setPixmap(rounded_pixmap(crop, CROP_SIDE, ratio=self.devicePixelRatioF()))
        else:
            self._crop.clear()
        self._right.setIcon(icon("check"))
        self._right.setToolTip(tr("The model is right"))
        self._right.setAccessibleName(tr("The model is right"))
        self._right.setEnabled(label is not None)
        ages = [(readable_age(one.name), one.name) for one in labels.ages]
        genders = [(label_word(name), name) for name in labels.genders]
        _fill(self._age, tr("Age?"), ages, face.truth.age)
        _fill(self._gender, tr("Gender?"), genders, face.truth.gender)
        self._gender.setVisible(bool(self._label_gender) or face.truth.gender is not None)

    def _on_choice(self) -> None:
        self.said.emit(Truth(self._age.currentData(), self._gender.currentData()))

    def _on_right(self) -> None:
        self.said.emit(Truth(self._label_age or None, self._label_gender or None))


class FaceRows(QWidget):
    """The faces of the picture that is shown, one row each."""

    said = Signal(int, object)
    """The number of a row, and the `Truth` that the user chose there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[FaceRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addStretch()

    @property
    def rows(self) -> tuple[FaceRow, ...]:
        """The rows that are shown."""
        return tuple(self._rows)

    def show_faces(
        self, faces: Sequence[tuple[int, StillFace, NDArray[np.uint8] | None]], labels: Labels | None
    ) -> None:
        """Show these faces: number of the track, what is said, and the crop."""
        wanted = list(faces) if labels is not None else []
        while len(self._rows) > len(wanted):
            row = self._rows.pop()
            self._layout.removeWidget(row)
            row.deleteLater()
        while len(self._rows) < len(wanted):
            place, row = len(self._rows), FaceRow(self)
            row.said.connect(lambda truth, place=place: self.said.emit(place, truth))
            self._rows.append(row)
            self._layout.insertWidget(place, row)
        if labels is not None:
            for row, (number, face, crop) in zip(self._rows, wanted, strict=True):
                row.show_face(number, face, crop, labels)


def _fill(box: QComboBox, placeholder: str, choices: Sequence[tuple[str, str]], chosen: str | None) -> None:
    with QSignalBlocker(box):
        wanted = [(placeholder, None), *choices]
        if [(box.itemText(row), box.itemData(row)) for row in range(box.count())] != wanted:
            box.clear()
            for text, data in wanted:
                box.addItem(text, data)
        box.setAccessibleName(placeholder)
        box.setCurrentIndex(max(box.findData(chosen), 0) if chosen is not None else 0)
