"""What people expect of any window: shortcuts, preferences, full screen, a prompt end."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.errors import describe_error
from desktop_app.settings import Settings, SettingsStore
from desktop_app.system_libraries import ALWAYS_NEEDED, missing_library, missing_packages
from desktop_app.vision.privacy.promises import PROMISES
from desktop_app.window.application import DisplayError, check_display
from desktop_app.window.bars.source_names import display_name, guess_kind
from desktop_app.window.dialogs.preferences import PreferencesDialog
from desktop_app.window.main_window import MainWindow
from desktop_app.window.style.colours import DARK, LIGHT
from desktop_app.window.style.theme import apply_theme, current_theme, resolve_theme
from tests.helpers.desk import LIVE_MS, Desk


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


def test_file_dialogs_begin_where_the_last_file_was(
    desk: Desk, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_at: list[str] = []

    def choose(*arguments: object) -> tuple[list[str], str]:
        begun_at.append(str(arguments[2]))
        return [], ""

    monkeypatch.setattr(QFileDialog, "getOpenFileNames", choose)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: "".join(choose(*arguments)[0]))
    desk.trigger("open_file")
    desk.open(str(clip))
    desk.open("demo")
    desk.trigger("open_file")
    desk.trigger("open_folder")
    assert begun_at == ["", str(clip.parent), str(clip.parent)]


def test_chosen_files_play_in_the_order_of_their_names(desk: Desk, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["film 10.mp4", "film 2.mp4"]
    chosen = [str(clip.replace(clip.with_name(names[0]))), str(clip.with_name(names[1]))]
    shutil.copy(*chosen)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (chosen, ""))
    desk.trigger("open_file")
    desk.wait(lambda: desk.window.playback_bar.entry_button.accessibleName() == "1 of 2: film 2.mp4")
    assert desk.window.settings.value.recent == ("\n".join(reversed(chosen)),)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (chosen[:1], ""))
    desk.trigger("open_file")
    desk.wait(lambda: desk.window.windowTitle() == "film 10.mp4 · Agelens")


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
    assert desk.window.settings.value.container == "mkv"
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
    desk.window.settings.change(theme="system")
    apply_theme(qapp, "light" if other == LIGHT else "dark")
    told.emit(Qt.ColorScheme.Unknown)
    assert current_theme() == system
    assert desk.window.palette().window().color().name() == system.window
    desk.window.settings.change(theme=other.name)
    told.emit(Qt.ColorScheme.Unknown)
    assert current_theme() == other


def test_about_shows_model_and_licences(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.trigger("about")
    desk.wait(lambda: desk.window.dialogs.current is not None)
    dialog = desk.window.dialogs.current
    assert dialog is not None
    assert "20–29" in dialog.card.toPlainText()  # type: ignore[attr-defined]
    assert "Apache" in dialog.licences.toPlainText()  # type: ignore[attr-defined]


def test_f1_lists_the_keys_of_all_actions(desk: Desk) -> None:
    desk.press(Qt.Key.Key_F1)
    dialog = desk.window.dialogs.current
    assert dialog is not None
    shown = {label.text() for label in dialog.findChildren(QLabel)}
    keyed = [action for action in desk.window.actions_ if not action.shortcut().isEmpty()]
    # What P switches is listed by the modes.
    assert {action.objectName() for action in keyed if action.text().rstrip("…") not in shown} == {"privacy"}
    assert {"File", "Space", "F or F11"} <= shown
    dialog.accept()


def test_the_picture_has_a_context_menu(desk: Desk) -> None:
    desk.open_demo()
    view = desk.window.stage.view
    view.customContextMenuRequested.emit(view.rect().center())
    menu = desk.window.menus.picture
    assert menu.isVisible()
    names = [action.objectName() for action in menu.actions() if action.objectName()]
    assert names == [
        "screenshot",
        "copy",
        "record",
        "mirror",
        "zoom_fit",
        "full_screen",
        "camera_controls",
        "preferences",
    ]
    assert all(desk.window.actions_[name].isEnabled() for name in names[:3])
    menu.close()


def test_a_folder_that_does_not_exist_yet_is_said(desk: Desk, tmp_path: Path) -> None:
    desk.window.settings.change(recordings_folder=tmp_path / "none")
    desk.trigger("open_recordings")
    assert "nothing was saved there yet" in desk.window.stage.toast.text


def unwelcomed(qtbot: QtBot, folder: Path, source: str = "") -> MainWindow:
    window = MainWindow(Settings(provider="cpu", language="en", source=source), SettingsStore(folder / "settings.json"))
    qtbot.addWidget(window)
    window.show()
    window.begin()
    return window


def accept(window: MainWindow) -> None:
    QTest.keyClick(window.stage.welcome.start_button, Qt.Key.Key_Return)


def test_first_start_says_what_the_program_does_before_any_camera(qtbot: QtBot, tmp_path: Path) -> None:
    window = unwelcomed(qtbot, tmp_path)
    assert window.stage.welcome.isVisible()
    texts = [label.text() for label in window.stage.welcome.findChildren(QLabel) if label.text()]
    assert texts[0] == "Welcome to Agelens"
    assert "shows the age group and perceived gender" in texts[1].replace("\n", " ")
    qtbot.waitUntil(lambda: window.sources.cameras is not None, timeout=LIVE_MS)
    assert window.bridge.session is None
    accept(window)
    qtbot.waitUntil(lambda: window.bridge.session is not None, timeout=LIVE_MS)
    assert not window.stage.welcome.isVisible()
    window.close()
    assert SettingsStore(tmp_path / "settings.json").load().welcomed


def test_a_source_of_the_command_line_waits_for_the_notice(qtbot: QtBot, clip: Path, tmp_path: Path) -> None:
    window = unwelcomed(qtbot, tmp_path, str(clip))
    assert window.stage.welcome.isVisible()
    assert window.bridge.session is None
    accept(window)
    qtbot.waitUntil(lambda: window.bridge.status.state == "live", timeout=LIVE_MS)
    info = window.bridge.status.info
    assert info is not None
    assert info.name == clip.name
    window.close()


def test_nothing_skips_the_notice(qtbot: QtBot, clip: Path, tmp_path: Path) -> None:
    window = unwelcomed(qtbot, tmp_path)
    welcome = window.stage.welcome
    for name in ("start", "open_demo", "play"):
        window.actions_[name].trigger()
    QTest.keyClick(window, Qt.Key.Key_F5)
    QTest.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(welcome.start_button, Qt.Key.Key_Escape)
    window.stage.message.asked.emit("start")
    window.sources.open(str(clip))
    assert welcome.isVisible()
    assert window.bridge.session is None
    assert not window.actions_["start"].isChecked()
    assert window.stage.toast.text == f"Accept the notice first; then {clip.name} opens."
    accept(window)
    qtbot.waitUntil(lambda: window.bridge.session is not None, timeout=LIVE_MS)
    assert window.settings.value.source == str(clip)
    window.close()


@pytest.mark.parametrize("way", ["escape", "button"])
def test_a_notice_that_was_accepted_can_be_left_and_what_ran_runs_on(desk: Desk, way: str) -> None:
    desk.open_demo()
    session = desk.window.bridge.session
    desk.trigger("welcome")
    welcome = desk.window.stage.welcome
    assert welcome.isVisible()
    assert welcome.start_button.text() == "Close"
    if way == "escape":
        QTest.keyClick(welcome.start_button, Qt.Key.Key_Escape)
    else:
        QTest.mouseClick(welcome.start_button, Qt.MouseButton.LeftButton)
    assert not welcome.isVisible()
    assert desk.window.bridge.session is session
    assert desk.state == "live"
    desk.wait(lambda: QApplication.focusWidget() is desk.window.stage.view)


def test_the_promises_are_the_same_everywhere(desk: Desk) -> None:
    promises = [str(text) for text in PROMISES.values() if text]
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    page = " ".join(" ".join(label.text().split()) for label in desk.window.stage.welcome.findChildren(QLabel))
    for promise in promises:
        assert promise in readme
        assert promise in page
    desk.trigger("preferences")
    dialog = desk.window.dialogs.current
    assert dialog is not None
    box = dialog.findChild(QComboBox, "style_privacy")
    assert isinstance(box, QComboBox)
    for row, mode in enumerate(("off", "faces", "picture")):
        box.setCurrentIndex(row)
        box.activated.emit(row)
        assert desk.window.settings.value.style.privacy == mode
        shown = " ".join(label.text() for label in dialog.findChildren(QLabel))
        assert [promise in shown for promise in promises] == [mode == "faces", mode == "picture"]
        assert str(PROMISES[mode] or "") in desk.window.actions_["privacy"].toolTip()
    dialog.accept()


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


@pytest.mark.parametrize("library", [*ALWAYS_NEEDED, "libother.so.7"])
def test_a_library_that_opencv_or_mediapipe_lack_is_named_whoever_reports_it(library: str) -> None:
    lacking = f"{library}: cannot open shared object file: No such file or directory"
    packed = OSError("Failed to load dynlib/dll. Most likely this was not found when the application was frozen.")
    packed.__cause__ = OSError(lacking)
    for error in (ImportError(lacking), OSError(lacking), packed):
        assert missing_library(error) == library
        assert f"the system lacks the library “{library}”. Install" in str(describe_error(error))
    assert missing_library(OSError(28, "No space left on device")) is None
    assert missing_packages(ALWAYS_NEEDED, _refuse) == list(ALWAYS_NEEDED.values())


def _refuse(name: str) -> object:
    raise OSError(name)
