"""Controller for the lines whose crossings are counted."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from desktop_app.analytics.crossings import MAX_LINES
from desktop_app.settings import Settings
from desktop_app.vision.geometry import Line
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.panels.audience_panel import AudiencePanel
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import tr


class LineController(QObject):
    """Has lines drawn, keeps them in the settings, and hands them to the session, the picture and the audience panel.

    Args:
        settings: hold the lines.
        bridge: whose session counts.
        actions: `draw_line` and `remove_lines`.
        stage: where lines are drawn.
        panel: shows the counts.
        parent: the Qt owner.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        panel: AudiencePanel,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._settings, self._bridge, self._actions = settings, bridge, actions
        self._stage, self._panel = stage, panel
        actions["draw_line"].triggered.connect(self._on_draw)
        actions["remove_lines"].triggered.connect(lambda: settings.change(lines=()))
        stage.view.line_drawn.connect(self._on_drawn)
        settings.changed.connect(self._on_changed)
        self._show()

    @property
    def is_drawing(self) -> bool:
        """Whether the next drag over the picture draws a line."""
        return self._actions["draw_line"].isChecked()

    def cancel(self) -> None:
        """Draw no line after all."""
        self._actions["draw_line"].setChecked(False)
        self._stage.view.set_drawing(False)

    @Slot(bool)
    def _on_draw(self, wanted: bool) -> None:
        self._stage.view.set_drawing(wanted)
        if wanted:
            self._stage.note(tr("Drag over the picture, from one end of the line to the other. Esc ends it."))

    @Slot(object)
    def _on_drawn(self, line: Line) -> None:
        if not line.is_valid:
            self._stage.note(tr("That line is too short. Drag from one end to the other."))
            return
        self.cancel()
        self._settings.change(lines=(*self._settings.value.lines, line)[-MAX_LINES:])

    @Slot(object)
    def _on_changed(self, before: Settings) -> None:
        now = self._settings.value
        if now.lines != before.lines and self._bridge.session is not None:
            self._bridge.session.audience.use_lines(now.lines)
            self._panel.recount()
        if (now.lines, now.mirror) != (before.lines, before.mirror):
            self._show()

    def _show(self) -> None:
        settings = self._settings.value
        self._stage.view.set_lines(settings.lines)
        self._panel.set_mirrored(settings.mirror)
        self._actions["draw_line"].setEnabled(len(settings.lines) < MAX_LINES)
        self._actions["remove_lines"].setEnabled(bool(settings.lines))
