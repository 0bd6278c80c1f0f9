"""Dialog for exposure, focus and white balance of a camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QSlider, QVBoxLayout, QWidget

from desktop_app.messages import Message
from desktop_app.sources.camera_controls import CameraControl, ControlName
from desktop_app.window.style.translation import tr, translated
from desktop_app.window.style.widgets import make_label

NAMES: Final[dict[ControlName, Message]] = {
    "exposure": Message("Exposure"),
    "focus": Message("Focus"),
    "white_balance": Message("White balance"),
}
PLACES: Final = 240
"""Of a slider: as fine as a hand is."""


class ControlRow:
    """One control: a switch between automatic and manual, a slider, and the value.

    Attributes:
        automatic: hidden where there is nothing to choose.
        slider: hidden where the camera has no value for it.

    Args:
        name: which control.
    """

    def __init__(self, name: ControlName) -> None:
        self._control = CameraControl(name, None)
        self.title = QLabel(translated(NAMES[name]))
        self.automatic = QCheckBox(tr("Automatic"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, PLACES)
        self.slider.setMinimumWidth(220)
        self.shown = make_label()
        self.shown.setMinimumWidth(64)
        self.shown.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.automatic.setAccessibleName(f"{self.title.text()}: {tr('Automatic')}")
        self.slider.setAccessibleName(self.title.text())

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """From left to right."""
        return self.title, self.automatic, self.slider, self.shown

    @property
    def name(self) -> ControlName:
        """Which control."""
        return self._control.name

    def show_control(self, control: CameraControl) -> None:
        """Show what the camera says; what is being dragged stays where it is."""
        self._control = control
        has_value = control.value is not None
        self.automatic.setVisible(control.automatic is not None)
        self.slider.setVisible(has_value)
        self.shown.setVisible(has_value)
        with QSignalBlocker(self.automatic), QSignalBlocker(self.slider):
            self.automatic.setChecked(bool(control.automatic))
            self.slider.setEnabled(not control.automatic)
            # One press of an arrow key is one step of the camera.
            self.slider.setSingleStep(max(round(PLACES * control.step / max(control.high - control.low, 1)), 1))
            if control.value is not None and not self.slider.isSliderDown():
                self.slider.setValue(place_of(control, control.value))
        self.show_value(control.value or 0)

    def chosen(self) -> int | None:
        """The value that the slider shows: the camera's own as long as the slider was not moved; None without one."""
        value = self._control.value
        if value is None or self.slider.value() == place_of(self._control, value):
            return value
        return value_at(self._control, self.slider.value())

    def show_value(self, value: int) -> None:
        """Show a value in words; none while the camera decides by itself."""
        name = self._control.name
        text = f"{value / 10:g} ms" if name == "exposure" else f"{value} K" if name == "white_balance" else str(value)
        self.shown.setText("" if self._control.automatic else text)


class CameraControlsDialog(QDialog):
    """Shows what a camera offers, and says what the user wants of it.

    Args:
        camera: its name.
        parent: the window.
    """

    changed = Signal(str, object, object)
    """Name of a control, whether it is to be automatic (None where that cannot be chosen), and its value or None."""
    reset = Signal()
    """All is to be as its maker chose."""

    def __init__(self, camera: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Camera controls: {name}", name=camera))
        self.rows = {name: ControlRow(name) for name in NAMES}
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(2, 1)
        for line, row in enumerate(self.rows.values()):
            for place, widget in enumerate(row.widgets):
                grid.addWidget(widget, line, place)
            row.automatic.toggled.connect(lambda _on, row=row: self._tell(row))
            row.slider.valueChanged.connect(lambda _place, row=row: self._tell(row))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        defaults = buttons.addButton(tr("Use defaults"), QDialogButtonBox.ButtonRole.ResetRole)
        defaults.clicked.connect(self.reset)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(16)
        column.addLayout(grid)
        column.addWidget(make_label(tr("Kept for this camera, and used again when it is opened."), role="muted"))
        column.addWidget(buttons)

    def show_controls(self, controls: Sequence[CameraControl]) -> None:
        """Show what the camera offers now."""
        offered = {one.name: one for one in controls}
        for name, row in self.rows.items():
            for widget in row.widgets:
                widget.setVisible(name in offered)
            if name in offered:
                row.show_control(offered[name])

    def _tell(self, row: ControlRow) -> None:
        automatic = None if row.automatic.isHidden() else row.automatic.isChecked()
        value = row.chosen()
        if value is not None:
            row.show_value(value)
        row.slider.setEnabled(not automatic)
        self.changed.emit(row.name, automatic, value)


def place_of(control: CameraControl, value: int) -> int:
    """Where a value is on a slider of `PLACES`."""
    low, high = control.low, control.high
    if _is_logarithmic(control):
        return round(PLACES * math.log(value / low) / math.log(high / low))
    return round(PLACES * (value - low) / max(high - low, 1))


def value_at(control: CameraControl, place: int) -> int:
    """The value at a place of a slider, in the camera's steps."""
    low, high = control.low, control.high
    share = place / PLACES
    value = low * (high / low) ** share if _is_logarithmic(control) else low + share * (high - low)
    return min(low + round((value - low) / control.step) * control.step, high)


def _is_logarithmic(control: CameraControl) -> bool:
    """Whether twice as much is as far everywhere, as it looks: of exposures from 0.1 ms to 1 s most would be long."""
    return control.name == "exposure" and control.low > 0
