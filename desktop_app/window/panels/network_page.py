"""Layout of the network view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.vision.explanation.activations import Layer
from desktop_app.window.panels.probability_bars import BarChart
from desktop_app.window.panels.tiles import SquareView, TileGrid
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import scrolled

LEFT_WIDTH: Final = 236
NARROW_BELOW: Final = 800
LARGEST_IN_NARROW: Final = 300
MARGIN: Final = 16
GAP: Final = 20
SCROLL_BAR_WIDTH: Final = 14
QWIDGETSIZE_MAX: Final = (1 << 24) - 1


class NetworkPage(QWidget):
    """Input and heat map on the left; filters, maps and below them the probabilities on the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.title, self.model = QLabel(self), QLabel(self)
        self.heads, self.layer_names = QComboBox(self), QComboBox(self)
        self.hold = QCheckBox(self)
        self.input, self.heat = SquareView(self), SquareView(self)
        self.filters, self.maps = TileGrid(self), TileGrid(self)
        self.ages, self.genders = BarChart(self), BarChart(self)
        self.others = QComboBox(self)
        self.other_ages, self.other_genders = BarChart(self), BarChart(self)
        self.explanation, self.message = QLabel(self), QLabel(self)
        self.input_caption, self.heat_caption, self.legend = (QLabel(self) for _ in range(3))
        self.filters_caption, self.maps_caption, self.answers_caption = (QLabel(self) for _ in range(3))
        self._head_label, self._layer_label, self._others_label = (QLabel(self) for _ in range(3))
        self._style()
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._left = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._right = QGridLayout()
        self._stack = QStackedLayout()
        self._stack.addWidget(self.message)
        self._stack.addWidget(self._build())
        self.setLayout(self._stack)
        outer = QVBoxLayout(parent)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self)

    def retranslate(self) -> None:
        """Write all fixed texts in the language in use."""
        self._head_label.setText(tr("&Explain"))
        chosen = max(self.heads.currentIndex(), 0)
        self.heads.blockSignals(True)
        self.heads.clear()
        self.heads.addItems([tr("Age group"), tr("Gender")])
        self.heads.setCurrentIndex(chosen)
        self.heads.blockSignals(False)
        self._layer_label.setText(tr("&Layer"))
        self.hold.setText(tr("&Hold picture"))
        self.hold.setToolTip(tr("Keep this crop while you look at it"))
        self.input_caption.setText(tr("Input as the network sees it"))
        self.input.setToolTip(tr("Press and drag to cover a place and watch the answer"))
        self.heat_caption.setText(tr("What the answer rests on"))
        self.heat.set_text(tr("Computing…"))
        self.legend.setText(tr("Orange supports the answer, blue speaks against it."))
        self._others_label.setText(tr("&Beside it"))
        self.others.setToolTip(tr("Ask another model about the same face"))
        if self.others.count():
            self.others.setItemText(0, tr("No other model"))
        self.filters_caption.setText(tr("First filters"))
        self.filters.setToolTip(
            tr("All filters share one scale, as in the demo of Levi and Hassner (2015): weak ones look grey.")
        )
        self.maps.setToolTip(
            tr("All maps share one scale, as in the demo of Levi and Hassner (2015): weak answers look dark.")
        )
        self.maps_caption.setText(tr("Feature maps"))
        for widget, name in (
            (self.input, self.input_caption.text()),
            (self.heat, self.heat_caption.text()),
            (self.filters, self.filters_caption.text()),
            (self.maps, self.maps_caption.text()),
            (self.ages, tr("Age distribution")),
            (self.genders, tr("Gender probability")),
            (self.other_ages, tr("Age distribution of the other model")),
            (self.other_genders, tr("Gender probability of the other model")),
        ):
            widget.setAccessibleName(name)

    def set_gender(self, gender: bool) -> None:
        """Offer perceived gender beside age, or age alone."""
        if not gender:
            self.heads.setCurrentIndex(0)
        for widget in (self._head_label, self.heads, self.genders, self.other_genders):
            widget.setVisible(gender)

    def show_message(self, text: str) -> None:
        """Show a sentence in place of everything, or everything where it is empty."""
        self.message.setText(text)
        self._stack.setCurrentIndex(0 if text else 1)

    def set_layers(self, layers: Sequence[Layer], chosen: Layer | None) -> None:
        """Offer other layers."""
        self.layer_names.blockSignals(True)
        self.layer_names.clear()
        self.layer_names.addItems([f"{layer.name}  {'×'.join(map(str, layer.shape))}" for layer in layers])
        if chosen is not None:
            self.layer_names.setCurrentIndex(list(layers).index(chosen))
        self.layer_names.blockSignals(False)

    def set_others(self, titles: Sequence[str], chosen: int) -> None:
        """Offer models to ask as well; the first entry, 0, is none of them."""
        self.others.blockSignals(True)
        self.others.clear()
        self.others.addItems([tr("No other model"), *titles])
        self.others.setCurrentIndex(chosen)
        self.others.blockSignals(False)
        for widget in (self._others_label, self.others):
            widget.setVisible(bool(titles))

    def forget(self) -> None:
        """Empty everything, for another model."""
        nothing = np.zeros((0, 1, 1, 3), np.uint8)
        for view in (self.input, self.heat):
            view.set_picture(None)
        for grid in (self.filters, self.maps):
            grid.set_tiles(nothing)
        for chart in (self.ages, self.genders, self.other_ages, self.other_genders):
            chart.set_bars(())
        self.explanation.clear()

    def _style(self) -> None:
        large = QFont(self.title.font())
        large.setPointSizeF(max(large.pointSizeF(), 9.0) * 1.35)
        large.setWeight(QFont.Weight.DemiBold)
        self.title.setFont(large)
        strong = QFont(self.font())
        strong.setWeight(QFont.Weight.DemiBold)
        for caption in (
            self.input_caption,
            self.heat_caption,
            self.filters_caption,
            self.maps_caption,
            self.answers_caption,
        ):
            caption.setFont(strong)
        for quiet in (self.model, self.legend, self.message):
            quiet.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        for text in (self.explanation, self.legend, self.message):
            text.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setContentsMargins(24, 24, 24, 24)
        self._head_label.setBuddy(self.heads)
        self._layer_label.setBuddy(self.layer_names)
        self._others_label.setBuddy(self.others)
        self.input.setCursor(Qt.CursorShape.CrossCursor)
        self.answers_caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.layer_names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.layer_names.setMinimumContentsLength(6)
        self.layer_names.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.layer_names.setMaximumWidth(260)
        for caption in (self.filters_caption, self.maps_caption):
            caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for text in (self.explanation, self.legend):
            text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Stand in two columns side by side, or, in a narrow place, below each other."""
        super().resizeEvent(event)
        narrow = event.size().width() < NARROW_BELOW
        direction = QBoxLayout.Direction
        self._body.setDirection(direction.TopToBottom if narrow else direction.LeftToRight)
        self._left.setDirection(direction.LeftToRight if narrow else direction.TopToBottom)
        room = event.size().width() - 2 * MARGIN - SCROLL_BAR_WIDTH - GAP
        side = min(room // 2, LARGEST_IN_NARROW) if narrow else LEFT_WIDTH
        for view in (self.input, self.heat):
            view.setFixedSize(side, side)
        for text in (self.explanation, self.legend):
            text.setFixedWidth(side)
        for grid in (self.filters, self.maps):
            grid.setMinimumHeight(room // 2 if narrow else 200)
            grid.setMaximumHeight(room // 2 if narrow else QWIDGETSIZE_MAX)
        # Room that is left over belongs below everything where the maps cannot use it.
        self._right.setRowStretch(1, 0 if narrow else 1)
        self._right.setRowStretch(6, 1 if narrow else 0)

    def _build(self) -> QScrollArea:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(MARGIN, 14, MARGIN, MARGIN)
        layout.setSpacing(12)
        layout.addLayout(_in_row(self.title, self.model, stretched=0))
        layout.addLayout(
            _in_row(self._head_label, self.heads, self._layer_label, self.layer_names, self.hold, stretched=3)
        )
        self._left.setSpacing(GAP)
        self._left.addLayout(_in_column(self.input_caption, self.input))
        self._left.addLayout(_in_column(self.heat_caption, self.heat, self.explanation, self.legend))
        self._left.addStretch()
        self._body.setSpacing(GAP + 8)
        self._body.addLayout(self._left)
        self._fill_right()
        self._body.addLayout(self._right, 1)
        layout.addLayout(self._body, 1)
        return scrolled(content)

    def _fill_right(self) -> None:
        right = self._right
        right.setHorizontalSpacing(GAP)
        right.setVerticalSpacing(8)
        right.addWidget(self.filters_caption, 0, 0)
        right.addWidget(self.maps_caption, 0, 1)
        right.addWidget(self.filters, 1, 0)
        right.addWidget(self.maps, 1, 1)
        right.addWidget(self.answers_caption, 2, 0, 1, 2)
        right.addWidget(self.ages, 3, 0)
        right.addWidget(self.genders, 3, 1, Qt.AlignmentFlag.AlignTop)
        right.addLayout(_in_row(self._others_label, self.others, stretched=2), 4, 0, 1, 2)
        right.addWidget(self.other_ages, 5, 0)
        right.addWidget(self.other_genders, 5, 1, Qt.AlignmentFlag.AlignTop)
        right.setColumnStretch(0, 1)
        right.setColumnStretch(1, 1)


def _in_row(*widgets: QWidget, stretched: int) -> QHBoxLayout:
    """Widgets next to each other; the free room goes to one of them, and behind the last where that is full."""
    row = QHBoxLayout()
    row.setSpacing(8)
    for place, widget in enumerate(widgets):
        row.addWidget(widget, 1 if place == stretched else 0)
    row.addStretch()
    return row


def _in_column(*widgets: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(8)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    return column
