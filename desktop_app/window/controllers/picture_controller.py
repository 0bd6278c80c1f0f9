"""Controller for the picture's options: mirror, privacy, overlay layers, selection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

from PySide6.QtCore import QObject, Slot

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.engine.types import RenderedFrame
from desktop_app.vision.drawing.overlay import OverlayStyle, draw_overlay
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, hides_enough
from desktop_app.window.bars.actions import DRAWN, PRIVACY_REACH, PROMISES
from desktop_app.window.bars.status_line import figure_texts
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import drawn_words, mark_text, tr

if TYPE_CHECKING:
    from desktop_app.window.main_window import MainWindow

BUTTON: Final[dict[PrivacyMode, tuple[str, str]]] = {
    "off": ("eye", mark_text("Privacy mode: nothing is hidden")),
    "faces": ("privacy", mark_text("Privacy mode: faces are hidden")),
    "picture": ("privacy-picture", mark_text("Privacy mode: the picture is hidden")),
}
"""Icon and name of the button in each mode."""


class PictureOptions(QObject):
    """Carries the actions that change the picture to the session and the settings.

    Args:
        window: whose picture it is.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        privacy = window.settings.style.privacy
        self._hidden_as: PrivacyMode = privacy if privacy != "off" else "faces"
        actions = window.actions_
        actions["mirror"].setChecked(window.settings.mirror)
        actions["mirror"].triggered.connect(self._on_mirror)
        actions["privacy"].triggered.connect(self._on_privacy)
        for mode in get_args(PrivacyMode):
            actions[f"privacy_{mode}"].triggered.connect(lambda _on=False, mode=mode: self.set_privacy(mode))
        for style in get_args(PrivacyStyle):
            actions[f"privacy_{style}"].triggered.connect(
                lambda _on=False, style=style: self.set_privacy(self._window.settings.style.privacy, style)
            )
        for name in DRAWN:
            action, layer = actions[name], name.removeprefix("show_")
            action.setChecked(getattr(window.settings.style, layer))
            action.triggered.connect(lambda wanted, layer=layer: self.change_style(**{layer: wanted}))
        self._figures: tuple[str, ...] = ()
        self.refresh_privacy()
        self._show_gender()

    @property
    def style(self) -> OverlayStyle:
        """What is drawn now: the settings' style, in the window's language and with the figures of this moment."""
        return replace(self._window.settings.style, words=drawn_words(), status=self._figures)

    @Slot(object)
    def select(self, track_id: int | None) -> None:
        """Select a face everywhere: in the picture, in the faces panel, in the network view."""
        self._window.panels.select(track_id)
        if track_id != self._window.settings.style.selected:
            self.change_style(selected=track_id)

    def set_privacy(self, mode: PrivacyMode, style: PrivacyStyle | None = None) -> None:
        """Hide nothing, faces, or the whole picture, from the next picture on; what is shown is hidden at once.

        Args:
            mode: what is hidden.
            style: how; None for as before.
        """
        if mode != "off":
            self._hidden_as = mode
        self.change_style(privacy=mode, privacy_style=style or self._window.settings.style.privacy_style)
        self.refresh_privacy()
        shown = self._window.stage.view.rendered
        guarded = self.guarded(shown) if shown is not None else None
        if guarded is not shown:
            assert guarded is not None
            self._window.stage.view.show_composed(guarded)
            self._window.panels.show_only(guarded)

    def guarded(self, rendered: RenderedFrame) -> RenderedFrame:
        """The picture as it may be shown now: hidden whole where it was drawn in a mode that hides less.

        It was on its way when the mode changed, and where a source falls silent no other one follows.
        """
        if hides_enough(rendered.privacy, self._window.settings.style.privacy):
            return rendered
        picture = rendered.picture.copy()
        # Without covers, which are those of the frame: the whole picture is hidden.
        draw_overlay(picture, rendered.tracks, rendered.labels, self.style)
        return replace(rendered, picture=picture, crops={}, privacy=self._window.settings.style.privacy)

    def refresh_privacy(self) -> None:
        """Show by the button, its icon and its tooltip what is hidden."""
        style, actions = self._window.settings.style, self._window.actions_
        actions["privacy"].setChecked(style.privacy != "off")
        actions[f"privacy_{style.privacy}"].setChecked(True)
        actions[f"privacy_{style.privacy_style}"].setChecked(True)
        (name, text), promise = BUTTON[style.privacy], PROMISES[style.privacy]
        actions.name_action("privacy", tr(text), f"{tr(promise)}\n{tr(PRIVACY_REACH)}" if promise else "")
        actions["privacy"].setIcon(icon(name))
        self._window.panels.set_privacy(style.privacy)

    def set_gender(self, gender: bool) -> None:
        """Compute and show perceived gender, or do without it everywhere."""
        self._window.sources.choose_model(gender=gender)
        self._show_gender()

    def change_style(self, **changes: Any) -> None:
        """Draw differently from now on."""
        window = self._window
        window.change(style=replace(window.settings.style, **changes))
        self.refresh_style()

    def refresh_style(self) -> None:
        """Draw in the window's language from now on."""
        if self._window.bridge.session is not None:
            self._window.bridge.session.set_style(self.style)

    def show_figures(self, snapshot: StatisticsSnapshot) -> None:
        """Write the status line's figures into the picture, where that is asked for."""
        texts = figure_texts(snapshot)
        figures = (" · ".join(texts[:2]), " · ".join(texts[2:]))
        if self._window.settings.style.statistics and figures != self._figures:
            self._figures = figures
            self.refresh_style()

    def refresh_full_screen(self, full_screen: bool) -> None:
        """Name the action after what it does next."""
        text = self.tr("Leave full screen") if full_screen else self.tr("Full screen")
        self._window.actions_.name_action("full_screen", text)
        self._window.actions_["full_screen"].setIcon(icon("fullscreen-exit" if full_screen else "fullscreen"))

    def _show_gender(self) -> None:
        gender = self._window.settings.gender
        self._window.actions_["show_genders"].setEnabled(gender)
        self._window.panels.set_gender(gender)

    @Slot(bool)
    def _on_mirror(self, mirror: bool) -> None:
        self._window.change(mirror=mirror)
        if self._window.bridge.session is not None:
            self._window.bridge.session.set_mirror(mirror)

    @Slot(bool)
    def _on_privacy(self, hidden: bool) -> None:
        self.set_privacy(self._hidden_as if hidden else "off")
