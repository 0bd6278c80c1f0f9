"""Source bar: source, model and provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QSizePolicy, QToolButton

from desktop_app.catalogue.catalogue import ModelPackage
from desktop_app.sources.cameras import CameraDevice
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bars.source_names import display_name, guess_kind
from desktop_app.window.style.theme import current_theme, icon
from desktop_app.window.style.translation import tr
from desktop_app.window.style.widgets import literal, make_button, make_picker, make_separator

PROVIDER_NAMES: Final = {
    "cpu": "CPU",
    "cuda": "CUDA",
    "directml": "DirectML",
    "coreml": "CoreML",
    "openvino": "OpenVINO",
}


class SourceBar(QFrame):
    """Source picker, start and stop, model and provider pickers, and the panels' buttons.

    Args:
        actions: the window's actions.
    """

    source_chosen = Signal(str)
    """A source as `open_source` takes it."""
    model_chosen = Signal(str)
    """Name of a model of the catalogue."""
    provider_chosen = Signal(str)
    """`auto` or the short name of an execution provider."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("sourceBar")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._actions = actions
        self._source = ""
        self._cameras: Sequence[CameraDevice] = ()
        self._recent: Sequence[str] = ()
        self._models: Sequence[ModelPackage] = ()
        self._model = ""
        self._providers: Sequence[str] = ("cpu",)
        self._provider = "auto"
        self._active_provider = ""
        self._source_button = make_picker()
        self._source_button.setMinimumWidth(176)
        self._source_menu = QMenu(self)
        self._source_button.setMenu(self._source_menu)
        self._recent_menu = QMenu(self)
        self._model_button = make_picker()
        self._model_menu = QMenu(self)
        self._model_button.setMenu(self._model_menu)
        self._provider_button = make_picker()
        self._provider_menu = QMenu(self)
        self._provider_button.setMenu(self._provider_menu)
        self._start = make_button(actions["start"], role="primary", icon_size=18)
        self._start.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(8)
        row.addWidget(self._source_button)
        row.addWidget(self._start)
        row.addStretch(1)
        row.addWidget(self._model_button)
        row.addWidget(self._provider_button)
        row.addWidget(make_separator())
        for name in ("faces", "audience", "gallery", "statistics", "network"):
            row.addWidget(make_button(actions[name]))
        self.retranslate()

    @property
    def source_button(self) -> QToolButton:
        """The source picker."""
        return self._source_button

    @property
    def source_menu(self) -> QMenu:
        """The source picker's menu."""
        return self._source_menu

    @property
    def recent_menu(self) -> QMenu:
        """The sources that were opened lately."""
        return self._recent_menu

    def show_source(self, spec: str, recent: Sequence[str]) -> None:
        """Show what is watched and what was watched before."""
        self._source, self._recent = spec, recent
        self.retranslate()

    def show_cameras(self, cameras: Sequence[CameraDevice]) -> None:
        """Show the cameras that are plugged in."""
        self._cameras = cameras
        self._fill_sources()

    def show_models(self, models: Sequence[ModelPackage], model: str) -> None:
        """Show the models there are and the one in use."""
        # Filled anew only where something changed: the menu may be open.
        if (models, model) != (self._models, self._model):
            self._models, self._model = models, model
            self._fill_models()

    def show_model(self, model: str) -> None:
        """Show which of the models is in use."""
        self.show_models(self._models, model)

    def show_providers(self, providers: Sequence[str], chosen: str, active: str) -> None:
        """Show the execution providers there are, the chosen one and the one in use."""
        shown = (self._providers, self._provider, self._active_provider)
        if (providers, chosen, active) != shown:
            self._providers, self._provider, self._active_provider = providers, chosen, active
            self._fill_providers()

    def open_source_menu(self) -> None:
        """Drop the source picker's menu down."""
        self._source_menu.popup(self._source_button.mapToGlobal(QPoint(0, self._source_button.height())))

    def retranslate(self) -> None:
        """Set texts and icons in the window's language and theme."""
        self._fill_sources()
        self._fill_models()
        self._fill_providers()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)

    def _fill_sources(self) -> None:
        menu, button = self._source_menu, self._source_button
        menu.clear()
        for camera in self._cameras:
            self._add_choice(menu, camera.name, camera.name, "camera")
        if not self._cameras:
            menu.addAction(tr("No camera found")).setEnabled(False)
        else:
            menu.addAction(self._actions["camera_controls"])
        menu.addSeparator()
        for name in ("open_file", "open_folder", "open_stream", "open_demo"):
            menu.addAction(self._actions[name])
        self._recent_menu.clear()
        self._recent_menu.setTitle(tr("Recent"))
        self._recent_menu.setIcon(icon("recent"))
        for spec in self._recent:
            self._add_choice(self._recent_menu, display_name(spec), spec, guess_kind(spec))
        self._recent_menu.setEnabled(bool(self._recent))
        menu.addMenu(self._recent_menu)
        name = display_name(self._source) if self._source else tr("Choose a source")
        width = button.fontMetrics().averageCharWidth() * 28
        button.setText(literal(button.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, width)))
        button.setIcon(icon(guess_kind(self._source) if self._source else "camera"))
        button.setToolTip(tr("What to look at: {name}", name=name))
        button.setAccessibleName(button.toolTip())
        self._start.setIconSize(self._start.iconSize())

    def _add_choice(self, menu: QMenu, text: str, spec: str, kind: str) -> QAction:
        action = menu.addAction(icon(kind), literal(text))
        action.setCheckable(True)
        action.setChecked(spec == self._source)
        action.setData(spec)
        action.triggered.connect(lambda: self.source_chosen.emit(spec))
        return action

    def _fill_models(self) -> None:
        menu, button = self._model_menu, self._model_button
        menu.clear()
        group = QActionGroup(menu)
        title = self._model or tr("Model")
        for package in self._models:
            action = menu.addAction(literal(package.title))
            action.setCheckable(True)
            action.setData(package.name)
            action.setToolTip(package.manifest.description)
            group.addAction(action)
            if package.name == self._model:
                action.setChecked(True)
                title = package.title
            action.triggered.connect(lambda _on=False, name=package.name: self.model_chosen.emit(name))
        menu.setToolTipsVisible(True)
        button.setText(literal(title))
        button.setIcon(icon("model"))
        button.setToolTip(tr("The network that guesses age and gender"))
        button.setAccessibleName(tr("Model: {name}", name=title))

    def _fill_providers(self) -> None:
        menu, button = self._provider_menu, self._provider_button
        menu.clear()
        group = QActionGroup(menu)
        for name in ("auto", *self._providers):
            text = tr("Automatic") if name == "auto" else PROVIDER_NAMES.get(name, name)
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(name == self._provider)
            action.setData(name)
            group.addAction(action)
            action.triggered.connect(lambda _on=False, name=name: self.provider_chosen.emit(name))
        active = PROVIDER_NAMES.get(self._active_provider, self._active_provider)
        button.setText(active or tr("Automatic"))
        button.setToolTip(tr("What the network runs on"))
        button.setAccessibleName(tr("Provider: {name}", name=button.text()))

    def show_started(self, started: bool) -> None:
        """Show whether the source runs: the main button starts it or stops it."""
        action = self._actions["start"]
        action.setChecked(started)
        if started:
            self._actions.name_action("start", tr("Stop"), tr("Stop the source"))
        else:
            self._actions.name_action("start", tr("Start"), tr("Start the source"))
        action.setIcon(icon("stop" if started else "play", None if started else current_theme().accent_text))
        role = "plain" if started else "primary"
        if self._start.property("role") != role:
            self._start.setProperty("role", role)
            self._start.style().unpolish(self._start)
            self._start.style().polish(self._start)
