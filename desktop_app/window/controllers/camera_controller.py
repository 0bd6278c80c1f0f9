"""Controller for exposure, focus and white balance of the camera that is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from desktop_app.engine.types import SessionStatus
from desktop_app.messages import Message
from desktop_app.sources.base import SourceError
from desktop_app.sources.camera_controls import CameraControl, CameraControls, ControlName, KeptControl
from desktop_app.sources.cameras import CameraBackend, find_camera
from desktop_app.window.background import Background
from desktop_app.window.bars.actions import Actions
from desktop_app.window.bridge import SessionBridge
from desktop_app.window.dialogs.camera_controls import CameraControlsDialog
from desktop_app.window.picture.picture_area import PictureArea
from desktop_app.window.settings_model import SettingsModel
from desktop_app.window.style.translation import translated


class CameraController(QObject):
    """Gives a camera what the user chose for it, each time that it is opened, and lets the user choose.

    Args:
        settings: hold what was chosen for each camera.
        bridge: whose session shows a camera.
        actions: the one that opens the dialog.
        stage: where notes are shown.
        background: asks the camera.
        window: the dialog's parent.
    """

    def __init__(
        self,
        *,
        settings: SettingsModel,
        bridge: SessionBridge,
        actions: Actions,
        stage: PictureArea,
        background: Background,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._settings, self._bridge, self._actions = settings, bridge, actions
        self._stage, self._background, self._window = stage, background, window
        self._camera = ""
        self._device: CameraControls | None = None
        self._controls: Sequence[CameraControl] = ()
        self._wanted: dict[ControlName, KeptControl] = {}
        self._busy = False
        self.dialog: CameraControlsDialog | None = None
        actions["camera_controls"].setEnabled(False)
        actions["camera_controls"].triggered.connect(self._on_open)
        bridge.status_changed.connect(self._on_status)

    @Slot(object)
    def _on_status(self, status: SessionStatus) -> None:
        info = status.info
        is_shown = info is not None and info.kind == "camera" and status.state in {"live", "paused"}
        camera = info.name if info is not None and is_shown else ""
        if camera == self._camera:
            return
        self._camera, self._device, self._controls = camera, None, ()
        self._wanted.clear()
        self._actions["camera_controls"].setEnabled(False)
        if self.dialog is not None:
            self.dialog.reject()
        if info is not None and camera:
            # A camera that was unplugged has forgotten what it was told.
            spec, backend, kept = info.spec, self._settings.value.camera.backend, self._kept()
            self._background.submit(
                lambda: _set_up(spec, backend, kept), lambda found: self._on_found(camera, *found), self._on_failed
            )

    def _kept(self) -> list[KeptControl]:
        return [one for one in self._settings.value.camera_controls if one.camera == self._camera]

    def _on_found(self, camera: str, device: CameraControls, controls: Sequence[CameraControl]) -> None:
        if camera == self._camera:
            self._device, self._controls = device, controls
            self._actions["camera_controls"].setEnabled(bool(controls))

    @Slot()
    def _on_open(self) -> None:
        if self.dialog is not None:
            self.dialog.raise_()
            return
        dialog = self.dialog = CameraControlsDialog(self._camera, self._window)
        dialog.show_controls(self._controls)
        dialog.changed.connect(self._on_changed)
        dialog.reset.connect(self._on_reset)
        dialog.finished.connect(self._on_closed)
        # Not modal: its effect is seen in the picture.
        dialog.show()
        # The camera may have moved the values meanwhile.
        self._ask()

    @Slot()
    def _on_closed(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()

    @Slot(str, object, object)
    def _on_changed(self, name: ControlName, automatic: bool | None, value: int | None) -> None:
        wanted = KeptControl(self._camera, name, automatic, value)
        self._settings.put(self._settings.value.with_control(wanted))
        self._wanted[name] = wanted
        self._ask()

    @Slot()
    def _on_reset(self) -> None:
        self._settings.put(self._settings.value.without_controls(self._camera))
        for one in self._controls:
            default = one.default if one.value is not None else None
            automatic = None if one.automatic is None else True
            self._wanted[one.name] = KeptControl(self._camera, one.name, automatic, default)
        self._ask()

    def _ask(self) -> None:
        """Tell the camera what is wanted and read what it made of it; what comes meanwhile is told afterwards."""
        device = self._device
        if device is None or self._busy:
            return
        wanted = list(self._wanted.values())
        self._wanted.clear()

        def work() -> tuple[CameraControl, ...]:
            device.apply(wanted)
            return device.read()

        def done(controls: tuple[CameraControl, ...]) -> None:
            self._busy = False
            if device is self._device:
                self._controls = controls
                if self._wanted:
                    self._ask()
                elif self.dialog is not None:
                    self.dialog.show_controls(controls)

        def failed(message: Message) -> None:
            self._busy = False
            # What a camera refuses is not tried again at each start.
            kept = tuple(one for one in self._settings.value.camera_controls if one not in wanted)
            self._settings.change(camera_controls=kept)
            if self.dialog is not None:
                self.dialog.show_controls(self._controls)
            self._on_failed(message)

        self._busy = self._background.submit(work, done, failed)

    def _on_failed(self, message: Message) -> None:
        self._stage.note(translated(message))


def _set_up(
    spec: str, backend: CameraBackend, kept: Sequence[KeptControl]
) -> tuple[CameraControls, tuple[CameraControl, ...]]:
    """The controls of a camera, after it got what was chosen for it."""
    try:
        path = find_camera(spec, backend=backend).path
    except SourceError:
        # Unplugged this moment, which the session says.
        path = ""
    device = CameraControls(path)
    device.apply(kept)
    return device, device.read()
