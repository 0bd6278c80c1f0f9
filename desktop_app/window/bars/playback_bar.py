"""Playback bar for seekable sources: seek, pause, step, loop, speed."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QActionGroup, QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QWidget,
)

from desktop_app.engine.types import PlaybackPosition
from desktop_app.window.bars.actions import Actions
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import (
    ElidedLabel,
    format_time,
    literal,
    make_button,
    make_label,
    make_picker,
)

NAME_WIDTH: Final = 180
ENTRY_WIDTHS: Final = (116, 240)
"""Least and most room for the number and the name of a file of a playlist, in pixels."""
ROOMY: Final = 160
"""In less room than this the number stands alone."""
PICKER_ROOM: Final = 76
"""What a picker's icon, arrow and edges take of its width, in pixels."""
SPEEDS: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)


class SeekSlider(QSlider):
    """A slider whose handle jumps to where it is clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Jump, then drag as usual."""
        if event.button() == Qt.MouseButton.LeftButton:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            handle = self.style().pixelMetric(QStyle.PixelMetric.PM_SliderLength, option, self)
            offset = round(event.position().x()) - handle // 2
            room = max(self.width() - handle, 1)
            value = QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), offset, room)
            self.setSliderPosition(value)
            self.sliderMoved.emit(value)
        super().mousePressEvent(event)


class PlaybackBar(QFrame):
    """Where the source is, and the means to go elsewhere.

    Args:
        actions: the window's actions.
    """

    seek_requested = Signal(int)
    """A frame's index."""
    speed_chosen = Signal(float)
    entry_chosen = Signal(int)
    """The place of a file in a playlist."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("playbackBar")
        self._actions = actions
        self._position = PlaybackPosition()
        self._slider = SeekSlider()
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.sliderMoved.connect(self.seek_requested)
        self._slider.actionTriggered.connect(self._on_slider_action)
        self._now = make_label("0:00")
        self._length = make_label("0:00", role="muted")
        self._name = ElidedLabel()
        self._name.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._name.setFixedWidth(NAME_WIDTH)
        self._name.hide()
        self._speed_button = make_picker()
        self._speed_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._speed_menu = QMenu(self)
        self._speed_button.setMenu(self._speed_menu)
        self._fill_speeds()
        self._around = [make_button(actions[name], icon_size=18) for name in ("previous_entry", "next_entry")]
        self._entry_button = make_picker()
        self._entry_menu = QMenu(self)
        self._entry_menu.aboutToShow.connect(self._fill_entries)
        self._entry_button.setMenu(self._entry_menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(8)
        row.addWidget(self._around[0])
        row.addWidget(make_button(actions["play"]))
        row.addWidget(self._around[1])
        row.addWidget(make_button(actions["step_back"], icon_size=18))
        row.addWidget(make_button(actions["step"], icon_size=18))
        row.addWidget(self._entry_button)
        row.addWidget(self._now)
        row.addWidget(self._name)
        row.addWidget(self._slider, 1)
        row.addWidget(self._length)
        row.addWidget(make_button(actions["loop"], icon_size=18))
        row.addWidget(self._speed_button)
        self._retranslate()

    @property
    def slider(self) -> QSlider:
        """The seek slider; its value is a frame's index."""
        return self._slider

    @property
    def entry_button(self) -> QToolButton:
        """Shows which file of a playlist is shown, and opens a menu of all."""
        return self._entry_button

    def show_position(self, position: PlaybackPosition, name: str = "") -> None:
        """Show where the source is; what the user drags stays where it is dragged.

        Args:
            position: of the source.
            name: of the picture that is shown, where the source has several; its number takes the place of the time.
        """
        before, self._position = self._position, position
        if not self._slider.isSliderDown():
            self._slider.setMaximum(max((position.frame_count or 1) - 1, 0))
            self._slider.setValue(position.index)
        self._name.setVisible(bool(name))
        if name:
            self._name.set_text(name)
            self._now.setText(tr("{number} of {count}", number=position.index + 1, count=position.frame_count or 0))
        else:
            self._now.setText(format_time(position.time_s))
        self._length.setText("" if name else format_time(position.duration_s or 0))
        self._show_entry(position)
        self._actions["loop"].setChecked(position.loop)
        if position.paused != before.paused:
            self.show_play_action()
        if position.speed != before.speed:
            self._fill_speeds()

    def _show_entry(self, position: PlaybackPosition) -> None:
        """Show which file of a playlist is shown; one that has one frame has no place to go to."""
        count = len(position.entries)
        for widget in (*self._around, self._entry_button):
            widget.setVisible(count > 1)
        self._slider.setEnabled(position.frame_count != 1)
        if count <= 1:
            return
        name = position.entries[min(position.entry, count - 1)].name
        text = tr("{number} of {count}: {name}", number=position.entry + 1, count=count, name=name)
        least, most = ENTRY_WIDTHS
        width = min(max(self.width() // 5, least), most)
        metrics = self._entry_button.fontMetrics()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - PICKER_ROOM)
        if width < ROOMY and len(shown) < len(text):
            # The number says more than the beginning of a name.
            shown = f"{position.entry + 1} / {count}"
        self._entry_button.setFixedWidth(width)
        self._entry_button.setText(literal(shown))
        self._entry_button.setIcon(icon("image" if position.frame_count == 1 else "file"))
        self._entry_button.setToolTip(tr("The file that is shown: {name}", name=name))
        self._entry_button.setAccessibleName(text)

    def _fill_entries(self) -> None:
        """List the files of the playlist."""
        self._entry_menu.clear()
        group = QActionGroup(self._entry_menu)
        for place, path in enumerate(self._position.entries):
            action = self._entry_menu.addAction(literal(f"{place + 1}  {path.name}"))
            action.setCheckable(True)
            action.setChecked(place == self._position.entry)
            group.addAction(action)
            action.triggered.connect(lambda _on=False, place=place: self.entry_chosen.emit(place))

    def show_play_action(self) -> None:
        """Name and draw the action that pauses or goes on."""
        action, paused = self._actions["play"], self._position.paused
        action.setChecked(paused)
        self._actions.name_action("play", tr("Play") if paused else tr("Pause"))
        action.setIcon(icon("play" if paused else "pause"))

    def next_speed(self, step: int) -> float:
        """The speed `step` places faster (or slower, below 0) than the present one."""
        nearest = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - self._position.speed))
        return SPEEDS[min(max(nearest + step, 0), len(SPEEDS) - 1)]

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _retranslate(self) -> None:
        self._slider.setAccessibleName(tr("Position"))
        self._slider.setToolTip(tr("Position in the video"))
        self._speed_button.setToolTip(tr("Speed  ([ and ])"))
        self._speed_button.setAccessibleName(tr("Speed"))
        self.show_play_action()

    def _fill_speeds(self) -> None:
        self._speed_menu.clear()
        group = QActionGroup(self._speed_menu)
        for speed in SPEEDS:
            action = self._speed_menu.addAction(f"{speed:g}×")
            action.setCheckable(True)
            action.setChecked(speed == self._position.speed)
            group.addAction(action)
            action.triggered.connect(lambda _on=False, speed=speed: self.speed_chosen.emit(speed))
        self._speed_button.setText(f"{self._position.speed:g}×")

    def _on_slider_action(self, action: int) -> None:
        # Keys and the wheel; a drag is told by `sliderMoved`.
        if action != QSlider.SliderAction.SliderMove.value:
            self.seek_requested.emit(self._slider.sliderPosition())
