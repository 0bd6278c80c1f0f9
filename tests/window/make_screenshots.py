"""Makes a picture of every state of the window, in both themes and both languages.

Run as `python -m tests.window.make_screenshots FOLDER` (offscreen, or on a display with AGELENS_TEST_DISPLAY=1).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

for _name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
    os.environ.pop(_name, None)
if os.environ.get("AGELENS_TEST_DISPLAY") != "1":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QSettings  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from desktop_app.settings import LanguageChoice, Settings, SettingsStore, ThemeChoice  # noqa: E402
from desktop_app.window.main_window import MainWindow  # noqa: E402
from desktop_app.window.theme import apply_theme  # noqa: E402
from desktop_app.window.translation import install_language  # noqa: E402


class Photographer:
    """Drives one window and saves what it looks like."""

    def __init__(self, app: QApplication, folder: Path, theme: ThemeChoice, language: LanguageChoice) -> None:
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
        store = SettingsStore(QSettings(str(self._work / "settings.ini"), QSettings.Format.IniFormat))
        self.window = MainWindow(settings, store)
        self.window.resize(1280, 800)
        self.window.show()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let the window run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._app.processEvents()
            time.sleep(0.005)

    def take(self, name: str) -> None:
        """Save a picture of the window, with the dialog over it if there is one."""
        self.wait(0.3)
        picture = self.window.grab()
        dialog = self.window.dialogs.current
        picture.save(str(self._folder / f"{self._prefix}-{name}.png"))
        if dialog is not None and dialog.isVisible():
            dialog.grab().save(str(self._folder / f"{self._prefix}-{name}-dialog.png"))

    def state_is(self, *states: str) -> Callable[[], bool]:
        """Whether the source is in one of these states."""
        return lambda: self.window.bridge.status.state in states

    def tour(self) -> None:
        """Go through the states."""
        window, actions = self.window, self.window.actions_
        window.begin()
        self.take("welcome")
        window.stage.welcome.hide()
        window.change(welcomed=True)
        self.take("empty")
        window.sources.open("demo")
        self.wait(0.02)
        self.take("connecting")
        self.wait(8, self.state_is("live"))
        self.wait(4)
        self.take("live")
        actions["record"].trigger()
        self.wait(3)
        self.take("recording")
        actions["record"].trigger()
        self.wait(1.5)
        self.take("saved")
        for name in ("statistics", "network"):
            actions[name].trigger()
            self.wait(8)
            self.take(name)
            actions[name].trigger()
        actions["privacy"].trigger()
        self.wait(0.5)
        self.take("privacy")
        actions["privacy"].trigger()
        actions["play"].trigger()
        self.take("paused")
        actions["play"].trigger()
        actions["record"].trigger()
        window.toggle_full_screen(True)
        self.wait(3.5)
        self.take("full-screen")
        window.toggle_full_screen(False)
        actions["record"].trigger()
        self._dialogs()
        actions["start"].trigger()
        self.wait(2, self.state_is("stopped"))
        self.take("stopped")
        window.sources.open(str(self._work / "missing.mp4"))
        self.wait(5, self.state_is("failed"))
        self.take("failed")
        self._end_of_file()
        window.close()

    def _dialogs(self) -> None:
        actions, dialogs = self.window.actions_, self.window.dialogs
        actions["preferences"].trigger()
        self.take("preferences")
        if dialogs.current is not None:
            dialogs.current.accept()
        actions["about"].trigger()
        self.wait(1)
        self.take("about")
        if dialogs.current is not None:
            dialogs.current.accept()
        dialogs.current = None

    def _end_of_file(self) -> None:
        path = self._work / "picture.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (1280, 720))
        for index in range(10):
            writer.write(np.full((720, 1280, 3), 60 + 5 * index, np.uint8))
        writer.release()
        self.window.change(loop=False)
        self.window.sources.open(str(path))
        self.wait(5, self.state_is("ended"))
        self.take("ended")


def main(folder: Path, combinations: list[str]) -> None:
    """Make the pictures.

    Args:
        folder: where they go.
        combinations: such as `dark-en`; empty for all four.
    """
    folder.mkdir(parents=True, exist_ok=True)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    themes: tuple[ThemeChoice, ...] = ("dark", "light")
    languages: tuple[LanguageChoice, ...] = ("en", "zh_CN")
    for theme in themes:
        for language in languages:
            if not combinations or f"{theme}-{language}" in combinations:
                Photographer(app, folder, theme, language).tour()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
