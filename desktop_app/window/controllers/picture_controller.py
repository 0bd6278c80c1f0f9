"""Controller for the picture's options: mirror, privacy, overlay layers, selection."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

from PySide6.QtCore import QObject, Slot

from desktop_app.engine.statistics import StatisticsSnapshot
from desktop_app.engine.types import RenderedFrame
from desktop_app.messages import Message
from desktop_app.settings import Settings
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.vision.privacy.concealment import PrivacyMode, PrivacyStyle, conceal, hides_enough
from desktop_app.vision.privacy.promises import PRIVACY_REACH, PROMISES
from desktop_app.window.bars.actions import DRAWN, Actions
from desktop_app.window.bars.status_line import figure_texts
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.panels.side_panels import Panels
from desktop_app.window.picture.video_view import VideoView
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.theme import icon
from desktop_app.window.style.translation import drawn_words, tr, translated

BUTTON: Final[dict[PrivacyMode, tuple[str, Message]]] = {
    "off": ("eye", Message("Privacy mode: nothing is hidden")),
    "faces": ("privacy", Message("Privacy mode: faces are hidden")),
    "picture": ("privacy-picture", Message("Privacy mode: the picture is hidden")),
}
"""Icon and name of the button in each mode."""


class PictureController(QObject):
    """Carries the actions that change the picture to the settings, and the settings to the session and the widgets.

    Args:
        settings: hold the picture's options.
        bridge: whose session draws.
        actions: those that change the picture.
        view: shows it.
        panels: show parts of it.
        parent: the Qt owner.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        view: VideoView,
        panels: Panels,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._settings, self._bridge, self._actions = settings, bridge, actions
        self._view, self._panels = view, panels
        privacy = settings.value.style.privacy
        self._hidden_as: PrivacyMode = privacy if privacy != "off" else "faces"
        self._figures: tuple[str, ...] = ()
        actions["mirror"].triggered.connect(lambda mirror: settings.change(mirror=mirror))
        actions["privacy"].triggered.connect(self._on_privacy)
        for mode in get_args(PrivacyMode):
            actions[f"privacy_{mode}"].triggered.connect(
                lambda _on=False, mode=mode: settings.change_style(privacy=mode)
            )
        for style in get_args(PrivacyStyle):
            actions[f"privacy_{style}"].triggered.connect(
                lambda _on=False, style=style: settings.change_style(privacy_style=style)
            )
        for name in DRAWN:
            actions[name].triggered.connect(lambda wanted, name=name: settings.change_style(**{_layer(name): wanted}))
        settings.changed.connect(self._on_changed)
        self.refresh_privacy()
        self._show_actions()

    @property
    def style(self) -> OverlayStyle:
        """What is drawn now: the settings' style, in the window's language and with the figures of this moment."""
        return replace(self._settings.value.style, words=drawn_words(), status=self._figures)

    @Slot(object)
    def select(self, track_id: int | None) -> None:
        """Select a face everywhere: in the picture, in the faces panel, in the network view."""
        self._panels.select(track_id)
        if track_id != self._settings.value.style.selected:
            self._settings.change_style(selected=track_id)

    def guarded(self, rendered: RenderedFrame) -> RenderedFrame:
        """The picture as it may be shown now: hidden whole where it was drawn in a mode that hides less.

        It was on its way when the mode changed, and where a source falls silent no other one follows.
        """
        if hides_enough(rendered.privacy, self._settings.value.style.privacy):
            return rendered
        picture = rendered.picture.copy()
        style = self.style
        # Without covers, which are those of the frame: the whole picture is hidden.
        privacy = conceal(picture, style.privacy, style.privacy_style, None)
        return replace(rendered, picture=picture, crops={}, privacy=privacy, style=style)

    def refresh_privacy(self) -> None:
        """Show by the button, its icon and its tooltip what is hidden."""
        style, actions = self._settings.value.style, self._actions
        actions["privacy"].setChecked(style.privacy != "off")
        actions[f"privacy_{style.privacy}"].setChecked(True)
        actions[f"privacy_{style.privacy_style}"].setChecked(True)
        (name, text), promise = BUTTON[style.privacy], PROMISES[style.privacy]
        actions.name_action(
            "privacy", translated(text), f"{translated(promise)}\n{translated(PRIVACY_REACH)}" if promise else ""
        )
        actions["privacy"].setIcon(icon(name))
        self._panels.set_privacy(style.privacy)

    def refresh_style(self) -> None:
        """Draw in the window's language from now on."""
        if self._bridge.session is not None:
            self._bridge.session.set_style(self.style)

    def show_figures(self, snapshot: StatisticsSnapshot) -> None:
        """Write the status line's figures into the picture, where that is asked for."""
        texts = figure_texts(snapshot)
        figures = (" · ".join(texts[:2]), " · ".join(texts[2:]))
        if self._settings.value.style.statistics and figures != self._figures:
            self._figures = figures
            self.refresh_style()

    def refresh_full_screen(self, full_screen: bool) -> None:
        """Name the action after what it does next."""
        text = tr("Leave full screen") if full_screen else tr("Full screen")
        self._actions.name_action("full_screen", text)
        self._actions["full_screen"].setIcon(icon("fullscreen-exit" if full_screen else "fullscreen"))

    def _show_actions(self) -> None:
        """Show by the actions what is on."""
        settings = self._settings.value
        self._actions["mirror"].setChecked(settings.mirror)
        for name in DRAWN:
            self._actions[name].setChecked(getattr(settings.style, _layer(name)))
        self._actions["show_genders"].setEnabled(settings.gender)
        self._panels.set_gender(settings.gender)

    @Slot(object)
    def _on_changed(self, before: Settings) -> None:
        now = self._settings.value
        self._show_actions()
        if now.mirror != before.mirror and self._bridge.session is not None:
            self._bridge.session.set_mirror(now.mirror)
        if now.style == before.style:
            return
        self.refresh_style()
        style, old = now.style, before.style
        if (style.privacy, style.privacy_style) != (old.privacy, old.privacy_style):
            self._hide()

    def _hide(self) -> None:
        """Hide what is to be hidden from the next picture on; what is shown is hidden at once."""
        if self._settings.value.style.privacy != "off":
            self._hidden_as = self._settings.value.style.privacy
        self.refresh_privacy()
        shown = self._view.rendered
        guarded = self.guarded(shown) if shown is not None else None
        if guarded is not shown:
            assert guarded is not None
            self._view.show_composed(guarded)
            self._panels.show_only(guarded)

    @Slot(bool)
    def _on_privacy(self, hidden: bool) -> None:
        self._settings.change_style(privacy=self._hidden_as if hidden else "off")


def _layer(name: str) -> str:
    """The field of `OverlayStyle` that an action of `DRAWN` changes."""
    return name.removeprefix("show_")
