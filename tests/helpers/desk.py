"""A window at work, for the tests that use it as a person does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop_app.engine.types import RenderedFrame
from desktop_app.settings import Settings, SettingsStore
from desktop_app.window.main_window import MainWindow

LIVE_MS = 20_000


class Desk:
    """One window with folders of its own."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.folder = qtbot, folder
        self.store = SettingsStore(folder / "agelens.settings")
        self.window = MainWindow(
            Settings(
                provider="cpu",
                welcomed=True,
                language="en",
                recordings_folder=folder / "films",
                screenshots_folder=folder / "pictures",
            ),
            self.store,
        )
        self.window.resize(1100, 760)
        self.window.show()
        qtbot.waitExposed(self.window)

    @property
    def state(self) -> str:
        return self.window.bridge.status.state

    def trigger(self, name: str) -> None:
        self.window.actions_[name].trigger()

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.window.stage.view, key, modifiers)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=LIVE_MS)

    def open(self, spec: str) -> None:
        self.window.sources.open(spec)

    def open_demo(self) -> None:
        self.open("demo")
        self.wait(lambda: self.state == "live" and self.window.stage.view.rendered is not None)

    def shown(self) -> RenderedFrame:
        rendered = self.window.stage.view.rendered
        assert rendered is not None
        return rendered

    def pause(self) -> None:
        self.wait(lambda: self.window.actions_["play"].isEnabled())
        self.trigger("play")
        self.wait(lambda: self.state == "paused")

    def wait_for_faces(self) -> None:
        def labelled() -> bool:
            rendered = self.window.stage.view.rendered
            return rendered is not None and bool(rendered.labels)

        self.wait(labelled)

    def files(self, suffix: str) -> list[Path]:
        return sorted(self.folder.rglob(f"*{suffix}"))
