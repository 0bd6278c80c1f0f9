"""Card of the selected face with probability bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFont, QPalette
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from desktop_app.vision.classification.label import Label
from desktop_app.window.panels.crop_image import rounded_pixmap
from desktop_app.window.panels.face_list import Face
from desktop_app.window.panels.probability_bars import Bar, BarChart, align_labels
from desktop_app.window.style.translation import tr

CROP_SIDE: Final = 96
SHOWN_AGES: Final = 3
"""So many age groups, the most probable ones, are shown until all are asked for."""
_STEADY: Final = 0.03
"""So much more probable than one of these another group must be to take its place."""


class FaceCard(QWidget):
    """The face that is in the foreground: crop, answers, and all probabilities."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._face: Face | None = None
        self._shown_crop: NDArray[np.uint8] | None = None
        self._picture = QLabel(self)
        self._picture.setFixedSize(CROP_SIDE, CROP_SIDE)
        self._number, self._age, self._gender, self._seen = (QLabel(self) for _ in range(4))
        self._ages, self._genders = BarChart(self), BarChart(self)
        self._all_ages = QToolButton(self)
        self._all_ages.setCheckable(True)
        self._all_ages.setProperty("role", "link")
        self._all_ages.toggled.connect(self._on_all_ages)
        self._bars: list[Bar] = []
        self._top: tuple[int, ...] = ()
        self._build()
        self._retranslate()

    def show_face(self, face: Face, label: Label | None, ages: Sequence[str], genders: Sequence[str]) -> None:
        """Show a face.

        Args:
            face: the texts and the crop.
            label: its probabilities, or None before the first answer.
            ages: names of the age groups, in the order of the probabilities; where they do not fit (while the
                model is being changed), the bars have no names.
            genders: names of the genders, likewise.
        """
        if self._face is None or self._face.id != face.id:
            self._top = ()
        self._face = face
        self._number.setText(f"#{face.id}")
        self._age.setText(face.age or "…")
        self._gender.setText(" · ".join(filter(None, (face.gender, face.gender_text))))
        _mute(self._age, label is not None and label.age_answer.unsure)
        self._seen.setText(tr("seen for {time}", time=face.seen) if face.seen else "")
        age, gender = (label.prediction.age, label.prediction.gender) if label else ((), ())
        self._bars = probability_bars(ages, age, face.shown_ages)
        self._top = top_ages([float(one) for one in age], self._top)
        self._show_ages()
        answer = label.gender_answer if label else None
        _mute(self._gender, answer is not None and answer.unsure)
        self._genders.set_bars(probability_bars(genders, gender, answer.members if answer else ()))
        align_labels(self._ages, self._genders)
        self._show_crop()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _on_all_ages(self) -> None:
        self._retranslate()
        self._show_ages()

    def _show_ages(self) -> None:
        """All age groups, or the most probable ones in the order of their years, so that no row moves."""
        self._all_ages.setVisible(len(self._bars) > SHOWN_AGES + 1)
        if self._all_ages.isChecked() or len(self._bars) <= SHOWN_AGES + 1:
            self._ages.set_bars(self._bars)
        else:
            self._ages.set_bars([self._bars[place] for place in self._top])

    def _build(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(12, 12, 12, 4)
        layout.setHorizontalSpacing(14)
        layout.setVerticalSpacing(10)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        head = QHBoxLayout()
        head.addWidget(self._number, 1)
        head.addWidget(self._all_ages)
        texts.addStretch()
        texts.addLayout(head)
        for label in (self._age, self._gender, self._seen):
            texts.addWidget(label)
        texts.addStretch()
        self._age.setFont(_scaled(self._age.font(), 1.7))
        for label in (self._number, self._seen):
            label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        layout.addWidget(self._picture, 0, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(texts, 0, 1)
        layout.addWidget(self._ages, 1, 0, 1, 2)
        layout.addWidget(self._genders, 2, 0, 1, 2)
        layout.setColumnStretch(1, 1)

    def _retranslate(self) -> None:
        self.setAccessibleName(tr("Selected face"))
        self._ages.setAccessibleName(tr("Age distribution"))
        self._genders.setAccessibleName(tr("Gender probability"))
        self._all_ages.setText(tr("Fewer ages") if self._all_ages.isChecked() else tr("All ages"))

    def _show_crop(self) -> None:
        crop = self._face.crop if self._face is not None else None
        if crop is None:
            self._picture.clear()
        elif crop is not self._shown_crop:
            ratio = self.devicePixelRatioF()
            self._picture.setPixmap(rounded_pixmap(crop, CROP_SIDE, radius=12, ratio=ratio))
        self._shown_crop = crop


def probability_bars(
    names: Sequence[str], probabilities: NDArray[np.float32] | Sequence[float], shown: Collection[int]
) -> list[Bar]:
    """Bars for the classes of an answer; those that are shown as the answer are strong.

    Args:
        names: of the classes; left empty where their number differs.
        probabilities: 0 to 1, one a class.
        shown: indices of the classes shown as the answer.
    """
    fitting = names if len(names) == len(probabilities) else [""] * len(probabilities)
    values = [float(value) for value in probabilities]
    return [
        # What is written as 0% has no bar either.
        Bar(name, value if value >= 0.005 else 0.0, f"{value:.0%}", strong=place in shown)
        for place, (name, value) in enumerate(zip(fitting, values, strict=True))
    ]


def top_ages(probabilities: Sequence[float], before: Sequence[int]) -> tuple[int, ...]:
    """The indices of the most probable age groups, from young to old.

    Those that were shown before stay while they are about as probable as others.

    Args:
        probabilities: of all groups.
        before: what this gave last.
    """
    kept = set(before) if len(before) and max(before) < len(probabilities) else set()
    worth = [value + (_STEADY if place in kept else 0.0) for place, value in enumerate(probabilities)]
    best = sorted(range(len(worth)), key=lambda place: (-worth[place], place))
    return tuple(sorted(best[:SHOWN_AGES]))


def _mute(text: QLabel, muted: bool) -> None:
    """Write what is unsure as the picture does: less bright than a plain answer."""
    text.setForegroundRole(QPalette.ColorRole.PlaceholderText if muted else QPalette.ColorRole.WindowText)


def _scaled(font: QFont, factor: float) -> QFont:
    large = QFont(font)
    if font.pointSizeF() > 0:
        large.setPointSizeF(font.pointSizeF() * factor)
    else:
        large.setPixelSize(round(font.pixelSize() * factor))
    large.setWeight(QFont.Weight.DemiBold)
    return large
