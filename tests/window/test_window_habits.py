"""What people expect of any window: shortcuts, preferences, full screen, a prompt end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.settings import Settings, SettingsStore
from desktop_app.window.application import DisplayError, check_display
from desktop_app.window.main_window import MainWindow
from desktop_app.window.preferences import PreferencesDialog
from desktop_app.window.source_names import display_name, guess_kind
from desktop_app.window.theme import DARK, LIGHT, apply_theme, current_theme, resolve_theme
from tests.window.desk import LIVE_MS, Desk


def test_full_screen_and_back(desk: Desk) -> None:
    desk.open_demo()
    desk.press(Qt.Key.Key_F11)
    desk.wait(lambda: desk.window.isFullScreen())
    assert not desk.window.menuBar().isVisible()
    assert not desk.window.source_bar.isVisible()
    desk.press(Qt.Key.Key_Escape)
    desk.wait(lambda: not desk.window.isFullScreen())
    assert desk.window.menuBar().isVisible()
    assert desk.window.source_bar.isVisible()
    assert desk.window.panels.dock("faces").isVisible()


def test_a_maximised_window_is_so_again_after_full_screen(desk: Desk) -> None:
    desk.window.showMaximized()
    desk.wait(lambda: desk.window.isMaximized())
    desk.press(Qt.Key.Key_F11)
    desk.wait(lambda: desk.window.isFullScreen())
    desk.press(Qt.Key.Key_F11)
    desk.wait(lambda: not desk.window.isFullScreen())
    assert desk.window.isMaximized()


def test_a_panel_behind_another_comes_to_the_front_before_it_closes(desk: Desk) -> None:
    faces = desk.window.panels.dock("faces")
    desk.trigger("statistics")
    desk.wait(lambda: faces.visibleRegion().isEmpty())
    desk.trigger("faces")
    desk.wait(lambda: not faces.visibleRegion().isEmpty())
    assert desk.window.actions_["faces"].isChecked()
    desk.trigger("faces")
    assert faces.isHidden()
    assert not desk.window.actions_["faces"].isChecked()


def test_what_cannot_be_seen_never_has_the_keyboard(desk: Desk) -> None:
    window = desk.window
    desk.trigger("welcome")
    start = window.stage.welcome.start_button
    desk.wait(lambda: QApplication.focusWidget() is start)
    desk.wait(lambda: not window.findChildren(QTabBar) or window.findChildren(QTabBar)[0].accessibleName() != "")
    seen: list[QWidget] = []
    focused: QWidget | None = start
    while focused is not None and focused not in seen:
        seen.append(focused)
        middle = focused.mapTo(window, focused.rect().center())
        top = window.childAt(middle)
        assert top is not None, focused
        assert top is focused or focused.isAncestorOf(top), (focused.accessibleName(), top)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
    assert len(seen) > 5
    start.click()
    assert QApplication.focusWidget() is window.stage.view


def test_panels_open_and_close(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    for name in ("statistics", "network"):
        desk.trigger(name)
        desk.wait(lambda name=name: desk.window.panels.dock(name).isVisible())  # type: ignore[misc]
        assert desk.window.actions_[name].isChecked()
    assert desk.window.panels.network is not None
    desk.trigger("network")
    assert not desk.window.panels.dock("network").isVisible()


def test_preferences_work_at_once(desk: Desk) -> None:
    desk.press(Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = desk.window.dialogs.current
    assert isinstance(dialog, PreferencesDialog)

    def choose(name: str, index: int) -> None:
        current = desk.window.dialogs.current
        assert current is not None
        box = current.findChild(QComboBox, name)
        assert isinstance(box, QComboBox)
        box.setCurrentIndex(index)
        box.activated.emit(index)

    choose("theme", 1)
    assert current_theme() == LIGHT
    choose("theme", 2)
    assert current_theme() == DARK
    choose("container", 1)
    assert desk.window.settings.container == "mkv"
    choose("language", 2)
    desk.wait(lambda: desk.window.actions_["record"].text() == "录制")
    assert desk.window.status_line.state_text == "就绪"
    choose("language", 1)
    assert desk.window.actions_["record"].text() == "Record"


def test_the_window_follows_the_system_into_light_and_dark(desk: Desk, qapp: QApplication) -> None:
    system = resolve_theme("system")
    other = LIGHT if system == DARK else DARK
    # Without a desktop the system never changes: the window is given other colours, and told that the system's changed.
    told = QGuiApplication.styleHints().colorSchemeChanged
    desk.window.change(theme="system")
    apply_theme(qapp, "light" if other == LIGHT else "dark")
    told.emit(Qt.ColorScheme.Unknown)
    assert current_theme() == system
    assert desk.window.palette().window().color().name() == system.window
    desk.window.change(theme=other.name)
    desk.window.apply_looks()
    told.emit(Qt.ColorScheme.Unknown)
    assert current_theme() == other


def test_about_shows_model_and_licences(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.press(Qt.Key.Key_F1)
    desk.wait(lambda: desk.window.dialogs.current is not None)
    dialog = desk.window.dialogs.current
    assert dialog is not None
    assert "20–29" in dialog.card.toPlainText()  # type: ignore[attr-defined]
    assert "Apache" in dialog.licences.toPlainText()  # type: ignore[attr-defined]


def test_first_start_shows_privacy_before_any_camera(qtbot: QtBot, tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "a.json")
    window = MainWindow(Settings(provider="cpu", language="en"), store)
    qtbot.addWidget(window)
    window.show()
    window.begin()
    assert window.stage.welcome.isVisible()
    qtbot.waitUntil(lambda: window.sources.cameras is not None, timeout=LIVE_MS)
    assert window.bridge.session is None
    QTest.keyClick(window.stage.welcome.start_button, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.bridge.session is not None, timeout=LIVE_MS)
    assert not window.stage.welcome.isVisible()
    window.close()
    assert store.load().welcomed


def test_window_closes_promptly_and_remembers(desk: Desk) -> None:
    desk.open_demo()
    desk.press(Qt.Key.Key_B)
    started = time.monotonic()
    desk.window.close()
    # The promise is one second; a machine that is busy gets some more.
    assert time.monotonic() - started < 3
    kept = desk.store.load()
    assert kept.source == "demo"
    assert not kept.style.boxes
    assert kept.geometry


def test_every_action_has_a_shortcut_of_its_own(desk: Desk) -> None:
    seen: dict[str, str] = {}
    for action in desk.window.actions_:
        assert action.shortcuts(), action.text()
        assert action.shortcut().toString() in action.toolTip()
        for shortcut in action.shortcuts():
            keys = shortcut.toString()
            assert keys not in seen, f"{keys}: {action.text()} and {seen[keys]}"
            seen[keys] = action.text()


def test_names_hide_passwords() -> None:
    assert display_name("rtsp://user:secret@host:554/live") == "host:554/live"
    assert display_name("http://user:se/cret@host/live") == "host/live"
    assert display_name("http:/user:secret@host/live") == "host/live"
    assert display_name("http://[::1") == "…"
    assert guess_kind("holiday.avif") == "image"
    assert guess_kind("rtsp://user:secret@host/live") == "stream"
    assert guess_kind("/videos/film.mp4") == "file"
    assert guess_kind("/videos/holiday") == "folder"
    assert guess_kind("FaceTime HD Camera") == "camera"


def test_without_a_display_the_sentence_names_annotate() -> None:
    with pytest.raises(DisplayError, match="annotate"):
        check_display({})
    with pytest.raises(DisplayError, match="does not answer"):
        check_display({"DISPLAY": ":987"})


def test_missing_libraries_are_named_as_packages() -> None:
    def load(name: str) -> object:
        if "icccm" in name or "EGL" in name:
            raise OSError(name)
        return object()

    with pytest.raises(DisplayError, match=r"apt install libegl1 libxcb-icccm4`"):
        check_display({"DISPLAY": ":0"}, load)
    check_display({"QT_QPA_PLATFORM": "offscreen"}, lambda _: object())
