"""Main window: creates bars, panels and controllers and connects them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QMainWindow, QToolBar

from desktop_app.engine.types import RecordingStatus, RenderedFrame
from desktop_app.messages import Message
from desktop_app.settings import Settings, SettingsError, SettingsStore
from desktop_app.terminal import say
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bars.control_bar import ControlBar
from desktop_app.window.bars.menus import Menus
from desktop_app.window.bars.playback_bar import PlaybackBar
from desktop_app.window.bars.source_bar import SourceBar
from desktop_app.window.bars.source_names import display_name
from desktop_app.window.bars.status_line import StatusLine
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.controllers.camera_controller import CameraController
from desktop_app.window.controllers.capture_controller import CaptureController
from desktop_app.window.controllers.dialog_controller import DialogController
from desktop_app.window.controllers.gallery_controller import GalleryController
from desktop_app.window.controllers.line_controller import LineController
from desktop_app.window.controllers.picture_controller import PictureController
from desktop_app.window.controllers.source_controller import SourceController
from desktop_app.window.panels.side_panels import Panels
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.theme import apply_theme
from desktop_app.window.style.translation import install_language, translated

TICK_MS: Final = 200


class MainWindow(QMainWindow):
    """Shows one session at a time.

    Args:
        settings: to start with.
        store: where changed settings are kept.
    """

    def __init__(self, settings: Settings, store: SettingsStore) -> None:
        super().__init__()
        self._store = store
        self._notice: Message | None = None
        self.bridge = SessionBridge(self)
        self._background = Background("files", self, finish_at_exit=True)
        self.settings = SettingsModel(settings, store, self._background, self)
        self.stage = PictureArea()
        self.actions_ = Actions(self, self.stage.view)
        self.source_bar = SourceBar(self.actions_)
        self.tool_bar = QToolBar()
        self.menus = Menus(self, self.actions_, self.source_bar.recent_menu)
        self.playback_bar = PlaybackBar(self.actions_)
        self.control_bar = ControlBar(self.actions_, self.menus.privacy)
        self.status_line = StatusLine()
        self.panels = Panels(self, self.actions_)
        self.options = PictureController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            view=self.stage.view,
            panels=self.panels,
            parent=self,
        )
        self.capture = CaptureController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            control_bar=self.control_bar,
            guard=self.options.guarded,
            held=lambda: self.panels.audience.held,
            parent=self,
        )
        self.sources = SourceController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            source_bar=self.source_bar,
            playback_bar=self.playback_bar,
            background=self._background,
            style=lambda: self.options.style,
            window=self,
        )
        self.camera = CameraController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            background=self._background,
            window=self,
        )
        self.lines = LineController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            panel=self.panels.audience,
            parent=self,
        )
        self.gallery = GalleryController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            panel=self.panels.gallery,
            background=self._background,
            window=self,
        )
        self.dialogs = DialogController(
            settings=self.settings,
            bridge=self.bridge,
            actions=self.actions_,
            stage=self.stage,
            background=self._background,
            window=self,
        )
        self._tick = QTimer(self)
        self._build()
        self._connect()
        self._restore()
        self._on_status()

    def begin(self) -> None:
        """Start with the source of the settings, or with the first page where it was never accepted."""
        if self._store.problem:
            self._note_message(self._store.problem)
        self.sources.begin()

    def toggle_full_screen(self, wanted: bool) -> None:
        """Give the picture the whole screen, or give it back."""
        if wanted == self.isFullScreen():
            return
        bars = (self.menuBar(), self.tool_bar, self.status_line)
        self.actions_["full_screen"].setChecked(wanted)
        if wanted:
            # Before the bars go: what is kept here is put back later.
            self.panels.hide_all()
            self.setWindowState(self.windowState() | Qt.WindowState.WindowFullScreen)
        else:
            # Not `showNormal`: a window that was maximised is so again.
            self.setWindowState(self.windowState() & ~Qt.WindowState.WindowFullScreen)
            self.panels.restore()
        for bar in bars:
            bar.setVisible(not wanted)
        self.stage.set_floating(wanted)
        self.options.refresh_full_screen(wanted)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._refresh()
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Stop everything, finish a recording, keep the settings."""
        # A system that shuts down, or a signal, is not to wait for an answer.
        if event.spontaneous() and self.gallery.ask_before_leaving(self.close):
            event.ignore()
            return
        self._tick.stop()
        if self.isFullScreen():
            self.toggle_full_screen(False)
        self.settings.change(geometry=bytes(self.saveGeometry().data()), layout=bytes(self.saveState().data()))
        self.gallery.close()
        self.sources.close()
        self.capture.close()
        self._background.close()
        self.panels.close()
        self.bridge.close()
        try:
            self.settings.close()
        except SettingsError as error:
            say(str(error))
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take files and addresses."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open what was dropped: all files, else the first address."""
        urls = event.mimeData().urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if urls:
            event.acceptProposedAction()
        if paths:
            self.sources.open_files(paths)
        elif urls:
            self.sources.open(urls[0].toString())

    def _build(self) -> None:
        self.setWindowTitle("Agelens")
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AnimatedDocks)
        self.tool_bar.setObjectName("toolBar")
        self.tool_bar.setMovable(False)
        self.tool_bar.addWidget(self.source_bar)
        self.addToolBar(self.tool_bar)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setCentralWidget(self.stage)
        self.setStatusBar(self.status_line)
        self.stage.set_bars(self.playback_bar, self.control_bar)
        self.stage.want_bar(self.playback_bar, False)
        room = self.screen().availableSize()
        self.resize(min(1280, int(room.width() * 0.92)), min(800, int(room.height() * 0.9)))
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.activated.connect(self._on_escape)

    def _connect(self) -> None:
        actions, view = self.actions_, self.stage.view
        self.bridge.picture_arrived.connect(self._on_picture)
        self.bridge.status_changed.connect(self._on_status)
        self.bridge.failed.connect(self._note_message)
        self.settings.changed.connect(self._on_settings)
        self.settings.failed.connect(self._note_message)
        self.sources.opening.connect(self._on_opening)
        self.gallery.model_made.connect(self.sources.look_for_models)
        self.gallery.model_chosen.connect(self.sources.choose_model)
        self.sources.models_found.connect(self.panels.set_models)
        self.panels.noted.connect(lambda text, path: self.stage.note(text, path=path))
        view.painted.connect(self.bridge.painted)
        view.face_clicked.connect(self.options.select)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(lambda at: self.menus.picture.popup(view.mapToGlobal(at)))
        view.stepped.connect(lambda frames: actions["step" if frames > 0 else "step_back"].trigger())
        view.double_clicked.connect(actions["full_screen"].trigger)
        self.panels.faces.face_selected.connect(self.options.select)
        self.stage.message.asked.connect(lambda name: actions[name].trigger())
        self.stage.welcome.accepted.connect(self._on_welcomed)
        actions["full_screen"].triggered.connect(self.toggle_full_screen)
        actions["zoom_in"].triggered.connect(view.zoom_in)
        actions["zoom_out"].triggered.connect(view.zoom_out)
        actions["zoom_fit"].triggered.connect(view.fit)
        actions["quit"].triggered.connect(self._on_quit)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_color_scheme)
        self._tick.timeout.connect(self._on_tick)
        self._tick.start(TICK_MS)

    def _restore(self) -> None:
        settings = self.settings.value
        if settings.geometry:
            self.restoreGeometry(QByteArray(settings.geometry))
        if settings.layout:
            self.restoreState(QByteArray(settings.layout))

    def _apply_looks(self) -> None:
        """Use the theme and the language of the settings."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, self.settings.value.theme)
        install_language(app, self.settings.value.language)
        self._refresh()

    def _refresh(self) -> None:
        self.actions_.retranslate()
        self.actions_.refresh_icons()
        self.menus.retranslate()
        self.source_bar.retranslate()
        self.playback_bar.show_play_action()
        self.control_bar.refresh()
        self.options.refresh_full_screen(self.isFullScreen())
        self.options.refresh_style()
        self.options.refresh_privacy()
        self.panels.retranslate()
        self._on_status()

    @Slot(object)
    def _on_picture(self, rendered: RenderedFrame) -> None:
        first = self.stage.view.rendered is None
        rendered = self.options.guarded(rendered)
        self.stage.view.show_composed(rendered)
        if first:
            self._on_status()
        self.panels.show_composed(rendered)

    @Slot()
    def _on_status(self) -> None:
        status = self.sources.status
        self.sources.show_status(status)
        self.status_line.show_status(status)
        self.stage.message.show_state(status.state, status.message)
        if status.state in {"stopped", "failed", "connecting"}:
            self.stage.view.clear()
            self.panels.clear()
        self.stage.view.set_dimmed(status.state in {"reconnecting", "ended"})
        session = self.bridge.session
        self.panels.set_package(session.package() if session is not None else None)
        self.capture.show_recording(session.recording() if session is not None else RecordingStatus())
        if status.notice != self._notice:
            self._notice = status.notice
            if status.notice is not None:
                self._note_message(status.notice)

    @Slot()
    def _on_tick(self) -> None:
        session, state = self.bridge.session, self.sources.status.state
        if session is None or state in {"stopped", "failed", "idle", "connecting"}:
            self.status_line.show_statistics(None)
            return
        snapshot = session.statistics()
        # Nothing flows while a source is awaited, nor from a picture that stands alone.
        position = session.position()
        flows = state != "reconnecting" and (position.frame_count != 1 or bool(position.entries))
        self.status_line.show_statistics(snapshot if flows else None)
        self.panels.show_statistics(snapshot, session.audience)
        self.options.show_figures(snapshot)
        self.sources.show_position(position)
        self.panels.show_pictures(position.pictures)
        self.capture.show_recording(session.recording())

    @Slot()
    def _on_color_scheme(self) -> None:
        if self.settings.value.theme == "system":
            self._apply_looks()

    @Slot(object)
    def _on_settings(self, before: Settings) -> None:
        now = self.settings.value
        if (now.theme, now.language) != (before.theme, before.language):
            self._apply_looks()
        if now.language != before.language:
            self.dialogs.retranslate()

    @Slot(str)
    def _on_opening(self, spec: str) -> None:
        self.options.select(None)
        self.panels.clear()
        self.stage.view.clear()
        # The system shows the program's name itself where it does.
        self.setWindowTitle(f"{display_name(spec)} · Agelens" if spec else "Agelens")

    @Slot()
    def _on_quit(self) -> None:
        if not self.gallery.ask_before_leaving(self.close):
            self.close()

    @Slot()
    def _on_escape(self) -> None:
        if not self.stage.welcome.isHidden():
            if self.settings.value.welcomed:
                self._on_welcomed()
        elif self.lines.is_drawing:
            self.lines.cancel()
        elif self.isFullScreen():
            self.toggle_full_screen(False)
        else:
            self.options.select(None)

    @Slot()
    def _on_welcomed(self) -> None:
        self.stage.welcome.hide()
        self.stage.view.setFocus()
        first = not self.settings.value.welcomed
        self.settings.change(welcomed=True)
        if first and self.bridge.session is None:
            self.sources.begin()

    @Slot(object)
    def _note_message(self, message: Message) -> None:
        self.stage.note(translated(message))
