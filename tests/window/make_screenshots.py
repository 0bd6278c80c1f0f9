"""Makes a picture of every state of the window, in both themes and both languages.

Run as `python -m tests.window.make_screenshots FOLDER [COMBINATION…] [--size 3840x2160] [--scale 2]`, for example with
the combinations `dark-en light-zh_CN` (offscreen, or on a display with AGELENS_TEST_DISPLAY=1).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
    os.environ.pop(_name, None)

from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QComboBox, QWidget  # noqa: E402

from desktop_app.paths import resource_path  # noqa: E402
from desktop_app.settings import Settings, SettingsStore, ThemeChoice  # noqa: E402
from desktop_app.vision.geometry import Line  # noqa: E402
from desktop_app.window.dialogs.stream_dialog import StreamDialog  # noqa: E402
from desktop_app.window.main_window import MainWindow  # noqa: E402
from desktop_app.window.panels.gallery.fine_tune_dialog import FineTuneDialog  # noqa: E402
from desktop_app.window.panels.tiles import SquareView  # noqa: E402
from desktop_app.window.style.theme import apply_theme  # noqa: E402
from desktop_app.window.style.translation import install_language  # noqa: E402
from tests.helpers.network_camera import network_camera  # noqa: E402

THEMES: tuple[ThemeChoice, ...] = ("dark", "light")
LANGUAGES: tuple[str, ...] = ("en", "zh_CN")


class Photographer:
    """Drives one window and saves what it looks like."""

    def __init__(
        self, app: QApplication, folder: Path, theme: ThemeChoice, language: str, size: tuple[int, int]
    ) -> None:
        self._app, self._folder, self._prefix = app, folder, f"{theme}-{language}"
        self._work = Path(tempfile.mkdtemp())
        settings = Settings(
            theme=theme,
            language=language,
            recordings_folder=self._work,
            screenshots_folder=self._work,
            provider="cpu",
        )
        apply_theme(app, theme)
        install_language(app, language)
        store = SettingsStore(self._work / "settings.json")
        self.window = MainWindow(settings, store)
        self.window.resize(*size)
        self.window.show()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let the window run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._app.processEvents()
            time.sleep(0.005)

    def take(self, name: str, *, over: QWidget | None = None) -> None:
        """Save a picture of the window, and of a dialog or menu over it if there is one."""
        self.wait(0.3)
        picture = self.window.grab()
        over = over or self.window.dialogs.current
        picture.save(str(self._folder / f"{self._prefix}-{name}.png"))
        if over is not None and over.isVisible():
            over.grab().save(str(self._folder / f"{self._prefix}-{name}-over.png"))

    def state_is(self, *states: str) -> Callable[[], bool]:
        """Whether the source is in one of these states."""
        return lambda: self.window.bridge.status.state in states

    def tour(self) -> None:
        """Go through the states."""
        window, actions = self.window, self.window.actions_
        window.begin()
        self.take("welcome")
        window.stage.welcome.hide()
        window.stage.view.setFocus()
        window.settings.change(welcomed=True)
        self.take("empty")
        window.sources.open("demo")
        self.wait(0.02)
        self.take("connecting")
        self.wait(8, self.state_is("live"))
        # By then labels are sure, and no face is cut by the edge yet.
        self.wait(1.7)
        self.take("live")
        self._capturing()
        window.settings.change(lines=(Line(0.45, 0.1, 0.45, 0.95), Line(0.95, 0.35, 0.6, 0.8)))
        for name in ("audience", "statistics", "network"):
            actions[name].trigger()
            self.wait(8)
            self.take(name)
            if name == "network":
                self._compare()
            actions[name].trigger()
        actions["remove_lines"].trigger()
        actions["privacy"].trigger()
        self.wait(0.5)
        self.take("privacy")
        actions["privacy"].trigger()
        actions["play"].trigger()
        self.take("paused")
        actions["play"].trigger()
        self._menus_and_dialogs()
        actions["start"].trigger()
        self.wait(2, self.state_is("stopped"))
        self.take("stopped")
        window.sources.open(str(self._work / "missing.mp4"))
        self.wait(5, self.state_is("failed"))
        self.take("failed")
        window.sources.open(str(resource_path("demo_portrait.jpg")))
        self.wait(3)
        self.take("still")
        self._gallery()
        self._end_of_file()
        self._reconnecting()
        window.close()

    def _compare(self) -> None:
        """Two models beside each other, and a covered place."""
        view = self.window.panels.network
        assert view is not None
        view.findChildren(QComboBox)[2].setCurrentIndex(1)
        square = view.findChildren(SquareView)[0]
        QTest.mousePress(square, Qt.MouseButton.LeftButton, pos=square.rect().center())
        self.wait(4)
        self.take("network-covered")
        QTest.mouseRelease(square, Qt.MouseButton.LeftButton, pos=square.rect().center())

    def _capturing(self) -> None:
        window, actions = self.window, self.window.actions_
        actions["record"].trigger()
        actions["show_statistics"].trigger()
        self.wait(3)
        self.take("recording")
        actions["record"].trigger()
        actions["show_statistics"].trigger()
        self.wait(1.5)
        self.take("saved")
        actions["record"].trigger()
        window.toggle_full_screen(True)
        self.wait(1.5)
        self.take("full-screen-bars")
        self.wait(3)
        self.take("full-screen")
        window.toggle_full_screen(False)
        actions["record"].trigger()
        self.wait(7)

    def _menus_and_dialogs(self) -> None:
        actions, dialogs = self.window.actions_, self.window.dialogs
        self.window.source_bar.open_source_menu()
        self.take("source-menu", over=self.window.source_bar.source_menu)
        self.window.source_bar.source_menu.close()
        actions["preferences"].trigger()
        preferences = dialogs.current
        assert preferences is not None
        for page in range(preferences.tabs.count()):  # type: ignore[attr-defined]
            preferences.tabs.setCurrentIndex(page)  # type: ignore[attr-defined]
            self.take(f"preferences-{page}")
        preferences.accept()
        actions["shortcuts"].trigger()
        self.take("shortcuts")
        if dialogs.current is not None:
            dialogs.current.accept()
        actions["about"].trigger()
        self.wait(1)
        self.take("about")
        if dialogs.current is not None:
            dialogs.current.accept()
        dialogs.current = None
        actions["open_stream"].trigger()
        dialog = self.window.findChild(StreamDialog)
        assert isinstance(dialog, StreamDialog)
        self.take("open-stream", over=dialog)
        dialog.reject()

    def _gallery(self) -> None:
        window, panel = self.window, self.window.panels.gallery
        folder = self._work / "album"
        folder.mkdir()
        portrait = cv2.imread(str(resource_path("demo_portrait.jpg")))
        assert portrait is not None
        for number in range(1, 9):
            side = 200 + 40 * number
            cv2.imwrite(str(folder / f"IMG_{number}.jpg"), portrait[:side, :side])
        window.sources.open(str(folder))
        self.wait(8, self.state_is("paused"))
        self.wait(1)
        for _ in range(5):
            window.actions_["step"].trigger()
            self.wait(1)
            for row in panel.rows.rows:
                row.right_button.click()
        self.take("gallery")
        window.actions_["compare_corrections"].trigger()
        self.take("corrections", over=window.gallery.current)
        if window.gallery.current is not None:
            window.gallery.current.accept()
        window.actions_["fine_tune"].trigger()
        dialog = window.findChild(FineTuneDialog)
        if isinstance(dialog, FineTuneDialog):
            self.take("fine-tune", over=dialog)
            dialog.reject()

    def _end_of_file(self) -> None:
        path = self._work / "picture.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (1280, 720))
        for index in range(10):
            writer.write(np.full((720, 1280, 3), 60 + 5 * index, np.uint8))
        writer.release()
        self.window.settings.change(loop=False)
        self.window.sources.open(str(path))
        self.wait(5, self.state_is("ended"))
        self.take("ended")
        self.window.settings.change(loop=True)
        self.window.sources.open_files([path, resource_path("demo_portrait.jpg")])
        self.wait(8, lambda: bool(self.window.playback_bar.entry_button.text()))
        self.wait(1)
        self.take("playlist")

    def _reconnecting(self) -> None:
        with network_camera(frames=90) as camera:
            self.window.sources.open(camera.address)
            self.wait(8, self.state_is("live"))
            self.wait(2)
            camera.off.set()
            self.wait(
                8,
                lambda: (
                    self.window.bridge.status.state == "reconnecting" and self.window.bridge.status.message is not None
                ),
            )
            self.take("reconnecting")


def main(folder: Path, combinations: Sequence[str], size: tuple[int, int]) -> None:
    """Make the pictures.

    Args:
        folder: where they go.
        combinations: such as `dark-en`; empty for all four.
        size: width and height of the window in device-independent pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    for theme in THEMES:
        for language in LANGUAGES:
            if not combinations or f"{theme}-{language}" in combinations:
                Photographer(app, folder, theme, language, size).tour()


def parse_options() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description="Make a picture of every state of the window.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("combinations", nargs="*", help="such as dark-en; all four without any")
    parser.add_argument("--size", default="1280x800", help="of the window, in device-independent pixels")
    parser.add_argument("--scale", default="1", help="device pixels a device-independent one")
    return parser.parse_args()


def prepare_screen(size: tuple[int, int], scale: str) -> None:
    """Have Qt draw without a display, on a screen that is as large as the window."""
    os.environ["QT_SCALE_FACTOR"] = scale
    if os.environ.get("AGELENS_TEST_DISPLAY") == "1":
        return
    width, height = (round(side * float(scale)) for side in size)
    screen = {"name": "screen", "x": 0, "y": 0, "width": width, "height": height, "logicalDpi": 96, "dpr": 1}
    path = Path(tempfile.mkdtemp()) / "screens.json"
    path.write_text(json.dumps({"screens": [screen]}), encoding="utf-8")
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={path}"


if __name__ == "__main__":
    options = parse_options()
    columns, rows = (int(side) for side in options.size.split("x"))
    prepare_screen((columns, rows), options.scale)
    main(options.folder, options.combinations, (columns, rows))
