"""Controller that opens, starts, stops and seeks sources and chooses the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop_app.catalogue.catalogue import DEFAULT_MODEL, Catalogue, ModelError, ModelPackage
from desktop_app.engine.types import PlaybackPosition, SessionSettings, SessionStatus
from desktop_app.settings import Settings
from desktop_app.sources.cameras import CameraDevice
from desktop_app.sources.opening import VIDEO_SUFFIXES, classify_spec, join_files, source_path, split_files
from desktop_app.sources.pictures.stills import IMAGE_SUFFIXES, natural_key
from desktop_app.vision.classification.providers import available_providers
from desktop_app.vision.drawing.overlay import OverlayStyle
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bars.playback_bar import PlaybackBar
from desktop_app.window.bars.source_bar import SourceBar
from desktop_app.window.bars.source_names import display_name, guess_kind
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.controllers.camera_watcher import CameraWatcher
from desktop_app.window.dialogs.stream_dialog import StreamDialog
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import tr

RUNNING: Final = frozenset({"connecting", "live", "paused", "reconnecting"})
SEEK_ACTIONS: Final = ("play", "step", "step_back", "slower", "faster", "loop")
REMEMBERED: Final = frozenset({"file", "image", "folder", "stream"})


def as_shown(status: SessionStatus, *, has_picture: bool) -> SessionStatus:
    """What the window says of a session.

    Args:
        status: what the session says of itself.
        has_picture: whether a picture of it is shown.
    """
    if status.state == "live" and not has_picture:
        # The source is open, its first picture is on its way.
        return replace(status, state="connecting")
    if status.state == "ended" and status.info is not None and status.info.kind == "image" and not status.info.entries:
        # A picture that stands alone is there to be looked at: nothing is over.
        return replace(status, state="live")
    return status


class SourceController(QObject):
    """What the source bar, the playback bar and their actions do.

    Args:
        settings: hold the source, the model and how files play.
        bridge: opens sessions.
        actions: those that choose and lead a source.
        stage: the picture and the notes.
        source_bar: shows and chooses source, model and provider.
        playback_bar: shows and chooses the place in a file.
        background: looks for models and providers.
        style: gives what is drawn now.
        window: the dialogs' parent.
    """

    opening = Signal(str)
    """Another source is about to be shown: what was shown of the last one can go."""

    models_found = Signal(object)
    """The models that can be chosen, a list of `ModelPackage`."""

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        source_bar: SourceBar,
        playback_bar: PlaybackBar,
        background: Background,
        style: Callable[[], OverlayStyle],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._settings, self._bridge, self._actions, self._stage = settings, bridge, actions, stage
        self._source_bar, self._playback_bar = source_bar, playback_bar
        self._background, self._style, self._window = background, style, window
        self._watcher = CameraWatcher(self)
        self._watching = False
        self._awaiting_camera = False
        self._cameras: Sequence[CameraDevice] | None = None
        self._providers: Sequence[str] = ("cpu",)
        self._connect()
        source_bar.show_source(settings.value.source, settings.value.recent)
        source_bar.show_providers(self._providers, settings.value.provider, "")
        self.show_position(PlaybackPosition())

    @property
    def status(self) -> SessionStatus:
        """The session's status as the window shows it."""
        return as_shown(self._bridge.status, has_picture=self._stage.view.rendered is not None)

    @property
    def cameras(self) -> Sequence[CameraDevice] | None:
        """The cameras that are plugged in; None until they were looked for."""
        return self._cameras

    def begin(self) -> None:
        """Start with the source of the settings, else the first camera, else the demo; after the first page."""
        self.watch_cameras()
        if not self._settings.value.welcomed:
            self._stage.show_welcome(accepted=False)
            # The button that was pressed shows what is so again.
            self.show_status(self.status)
        elif self._settings.value.source:
            self.open(self._settings.value.source)
        else:
            self._awaiting_camera = True
            self._open_first_camera()

    def watch_cameras(self) -> None:
        """Begin to look for cameras, models and providers, on threads."""
        if not self._watching:
            self._watching = True
            self._watcher.start()
            self.look_for_models()
            self._background.submit(available_providers, self._on_providers)

    def look_for_models(self) -> None:
        """Offer the models that there are now."""
        self._background.submit(Catalogue().packages, self._on_models)

    def choose_model(self, name: str) -> None:
        """Use a model of the catalogue."""
        self._choose_model(model=name)

    def open(self, spec: str) -> None:
        """Show another source and remember it."""
        self._awaiting_camera = False
        path = source_path(spec)
        if path is not None:
            # The next start may be in another folder.
            spec = str(path.absolute())
        self._settings.change(source=spec)
        if not self._settings.value.welcomed:
            # Whatever asked for it. It is what comes once the page is accepted.
            self.begin()
            self._stage.note(tr("Accept the notice first; then {name} opens.", name=display_name(spec)))
            return
        if guess_kind(spec) in REMEMBERED:
            self._settings.change(recent=self._settings.value.with_recent(spec).recent)
        self._stage.welcome.hide()
        self.opening.emit(spec)
        self._source_bar.show_source(spec, self._settings.value.recent)
        self._bridge.open(self._session_settings())
        self._stage.view.setFocus()

    def open_files(self, paths: Sequence[Path]) -> None:
        """Show one file, or several in the order of their names."""
        self.open(join_files(sorted(paths, key=natural_key)) if len(paths) > 1 else str(paths[0]))

    def close(self) -> None:
        """Stop looking for cameras."""
        self._watcher.stop()

    def show_status(self, status: SessionStatus) -> None:
        """Show what the session says of itself in the source bar."""
        settings = self._settings.value
        self._source_bar.show_started(status.state in RUNNING)
        self._source_bar.show_providers(self._providers, settings.provider, status.provider)
        self._source_bar.show_model(status.model or settings.model or DEFAULT_MODEL)
        if status.state in {"stopped", "failed", "idle"}:
            self.show_position(PlaybackPosition())

    def show_position(self, position: PlaybackPosition) -> None:
        """Show where the source is; one that cannot be wound has no bar for it."""
        entries = len(position.entries)
        is_seekable = position.seekable and (position.frame_count != 1 or entries > 1)
        for name in SEEK_ACTIONS:
            self._actions[name].setEnabled(is_seekable)
        self._actions["previous_entry"].setEnabled(position.entry > 0)
        self._actions["next_entry"].setEnabled(position.entry + 1 < entries or (entries > 1 and position.loop))
        self._stage.want_bar(self._playback_bar, is_seekable)
        if is_seekable:
            rendered = self._stage.view.rendered
            name = rendered.frame.origin if position.pictures and rendered is not None else ""
            self._playback_bar.show_position(position, name)

    def _session_settings(self) -> SessionSettings:
        settings = self._settings.value
        return SessionSettings(
            source=settings.source,
            camera=settings.camera,
            choice=settings.choice,
            mirror=settings.mirror,
            detector=settings.detector,
            min_score=settings.min_score,
            style=replace(self._style(), selected=None),
            lines=settings.lines,
            loop=settings.loop,
            # Who opens a folder looks at its pictures one by one.
            paused=classify_spec(settings.source) == "folder",
        )

    def _connect(self) -> None:
        actions, bar, playback = self._actions, self._source_bar, self._playback_bar
        self._settings.changed.connect(self._on_changed)
        self._watcher.cameras_changed.connect(self._on_cameras)
        bar.source_chosen.connect(self.open)
        bar.model_chosen.connect(lambda name: self._choose_model(model=name))
        bar.provider_chosen.connect(lambda name: self._choose_model(provider=name))
        actions["choose_camera"].triggered.connect(bar.open_source_menu)
        actions["open_file"].triggered.connect(self._on_open_file)
        actions["open_folder"].triggered.connect(self._on_open_folder)
        actions["open_stream"].triggered.connect(self._on_open_stream)
        actions["open_demo"].triggered.connect(lambda: self.open("demo"))
        actions["start"].triggered.connect(self._on_start)
        actions["play"].triggered.connect(self._on_play)
        actions["step"].triggered.connect(lambda: self._step(1))
        actions["step_back"].triggered.connect(lambda: self._step(-1))
        actions["previous_entry"].triggered.connect(lambda: self._go_on(-1))
        actions["next_entry"].triggered.connect(lambda: self._go_on(1))
        actions["loop"].triggered.connect(lambda loop: self._settings.change(loop=loop))
        actions["slower"].triggered.connect(lambda: self._on_speed(playback.next_speed(-1)))
        actions["faster"].triggered.connect(lambda: self._on_speed(playback.next_speed(1)))
        playback.seek_requested.connect(self._on_seek)
        playback.entry_chosen.connect(self._on_entry)
        playback.speed_chosen.connect(self._on_speed)

    @Slot(object)
    def _on_changed(self, before: Settings) -> None:
        now, session = self._settings.value, self._bridge.session
        if now.choice != before.choice:
            self._use_model()
        if session is None:
            return
        if (now.detector, now.min_score) != (before.detector, before.min_score):
            session.set_detector(now.detector, now.min_score)
        if now.loop != before.loop:
            session.set_loop(now.loop)
        if now.camera != before.camera:
            self._reopen_camera()

    def _choose_model(self, **changes: object) -> None:
        if not self._settings.change(**changes):
            # Chosen again: it may have failed, and the bar shows what is used.
            self._use_model()

    def _use_model(self) -> None:
        self.show_status(self.status)
        if self._bridge.session is not None:
            self._bridge.session.set_model(self._settings.value.choice)

    def _reopen_camera(self) -> None:
        """Start a camera again with another format."""
        info = self._bridge.status.info
        if info is not None and info.kind == "camera" and self._bridge.status.state in RUNNING:
            self._bridge.open(self._session_settings())

    @Slot(object)
    def _on_cameras(self, cameras: Sequence[CameraDevice]) -> None:
        self._cameras = cameras
        self._source_bar.show_cameras(cameras)
        self._open_first_camera()

    def _open_first_camera(self) -> None:
        """Open the first camera, else the demo, once the cameras are known and if that is awaited."""
        if not self._awaiting_camera or self._cameras is None:
            return
        if self._cameras:
            self.open(self._cameras[0].name)
            return
        self.open("demo")
        # Not kept: a camera that is plugged in by the next start comes first.
        self._settings.change(source="")
        self._stage.note(tr("No camera was found, so this is the demo."))

    def _on_models(self, found: tuple[list[ModelPackage], list[ModelError]]) -> None:
        packages, _ = found
        self._source_bar.show_models(packages, self._settings.value.model or DEFAULT_MODEL)
        self.models_found.emit(packages)

    def _on_providers(self, providers: list[str]) -> None:
        self._providers = providers
        self.show_status(self.status)

    def _last_folder(self) -> str:
        """Where the last file was, for the dialogs; "" where there was none or it is gone."""
        recent = self._settings.value.recent
        paths = (path for spec in recent for path in (*split_files(spec)[:1], source_path(spec)) if path is not None)
        return next((str(path.parent) for path in paths if path.parent.is_dir()), "")

    @Slot()
    def _on_open_file(self) -> None:
        files = tr("Videos and pictures")
        every = tr("All files")
        patterns = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        paths, _ = QFileDialog.getOpenFileNames(
            self._window, tr("Open files"), self._last_folder(), f"{files} ({patterns});;{every} (*)"
        )
        if paths:
            self.open_files([Path(path) for path in paths])

    @Slot()
    def _on_open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self._window, tr("Open folder"), self._last_folder())
        if path:
            self.open(path)

    @Slot()
    def _on_open_stream(self) -> None:
        recent = [spec for spec in self._settings.value.recent if guess_kind(spec) == "stream"]
        dialog = StreamDialog(recent, self._window)
        dialog.address_entered.connect(self.open)
        dialog.open()

    @Slot()
    def _on_start(self) -> None:
        state = self.status.state
        if state in RUNNING:
            self._bridge.stop()
        elif state == "ended" and self._bridge.session is not None:
            self._bridge.session.play()
        else:
            self.begin()

    @Slot()
    def _on_play(self) -> None:
        session = self._bridge.session
        if session is None:
            return
        if session.position().paused or self._bridge.status.state == "ended":
            session.play()
        else:
            session.pause()

    def _step(self, frames: int) -> None:
        session = self._bridge.session
        if session is None:
            return
        if frames > 0:
            session.step()
            return
        session.pause()
        position = session.position()
        if position.index or not position.entry:
            session.seek(max(position.index - 1, 0))
        else:
            session.choose_entry(position.entry - 1)

    def _go_on(self, entries: int) -> None:
        """Go so many entries of a playlist on; from the last one to the first."""
        session = self._bridge.session
        if session is not None:
            position = session.position()
            count = max(len(position.entries), 1)
            session.choose_entry((position.entry + entries) % count)

    @Slot(int)
    def _on_entry(self, entry: int) -> None:
        if self._bridge.session is not None:
            self._bridge.session.choose_entry(entry)

    @Slot(float)
    def _on_speed(self, speed: float) -> None:
        if self._bridge.session is not None:
            self._bridge.session.set_speed(speed)

    @Slot(int)
    def _on_seek(self, index: int) -> None:
        if self._bridge.session is not None:
            self._bridge.session.seek(index)
