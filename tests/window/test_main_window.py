"""The window as a person uses it: real widgets, the real pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from desktop_app.paths import resource_path
from tests.helpers.desk import Desk
from tests.helpers.films import write_plain_film


@pytest.mark.slow
def test_demo_runs_stops_and_starts_again(desk: Desk) -> None:
    assert desk.window.stage.message.state == "idle"
    desk.open_demo()
    desk.wait_for_faces()
    first = desk.shown().rendered_at
    desk.wait(lambda: desk.shown().rendered_at > first)
    assert not desk.window.stage.message.isVisible()
    assert desk.window.status_line.state_text == "Playing"
    assert desk.window.actions_["start"].text() == "Stop"
    desk.trigger("start")
    desk.wait(lambda: desk.window.stage.message.state == "stopped")
    assert desk.window.stage.view.rendered is None
    assert desk.window.actions_["start"].text() == "Start"
    QTest.mouseClick(desk.window.stage.message.button("start"), Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.window.stage.view.rendered is not None)


def test_mirror_flips_the_picture(desk: Desk) -> None:
    desk.window.settings.change_style(
        boxes=False, names=False, ages=False, genders=False, confidences=False, statistics=False
    )
    desk.open_demo()
    desk.pause()
    desk.wait(lambda: np.array_equal(desk.shown().annotated(), desk.shown().frame.image))
    desk.press(Qt.Key.Key_M)
    desk.wait(lambda: np.array_equal(desk.shown().annotated(), desk.shown().frame.image[:, ::-1]))
    assert desk.window.settings.value.mirror


def test_privacy_hides_faces_in_picture_and_screenshot(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.pause()

    def sharpness(picture: NDArray[np.uint8] | None = None) -> float:
        rendered = desk.shown()
        picture = rendered.picture if picture is None else picture
        box = max((track.detection.box for track in rendered.tracks), key=lambda one: one.area)
        x, y = int(box.x + box.width * 0.25), int(box.y + box.height * 0.25)
        inner = picture[max(y, 0) : y + int(box.height / 2), max(x, 0) : x + int(box.width / 2)]
        return float(cv2.Laplacian(cv2.cvtColor(inner, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())

    clear = sharpness()
    desk.press(Qt.Key.Key_P)
    desk.wait(lambda: sharpness() < clear / 4)
    desk.press(Qt.Key.Key_S)
    desk.wait(lambda: bool(desk.files(".png")) and desk.window.stage.toast.text.startswith("Saved "))
    assert sharpness(np.asarray(cv2.imread(str(desk.files(".png")[0])), np.uint8)) < clear / 4
    assert desk.window.actions_["privacy_faces"].isChecked()
    desk.trigger("privacy_picture")
    desk.trigger("privacy_pixelate")
    assert desk.window.settings.value.style.privacy == "picture"
    assert desk.window.settings.value.style.privacy_style == "pixelate"
    assert desk.window.actions_["privacy"].isChecked()
    desk.wait(lambda: desk.shown().privacy == "picture" and sharpness() < clear / 4)
    assert "Nobody can be recognised" in desk.window.actions_["privacy"].toolTip()
    desk.press(Qt.Key.Key_P)
    desk.wait(lambda: sharpness() > clear / 2)
    desk.press(Qt.Key.Key_P)
    assert desk.window.settings.value.style.privacy == "picture"


def test_click_on_a_face_selects_it_everywhere(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.pause()
    view = desk.window.stage.view
    left, top, _, _ = view.viewport.target
    track = desk.shown().tracks[0]
    middle = track.detection.box.center
    point = QPointF(left + middle.x * view.viewport.scale, top + middle.y * view.viewport.scale)
    wanted = view.track_at(point)
    assert wanted is not None
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=point.toPoint())
    assert desk.window.settings.value.style.selected == wanted
    assert desk.window.panels.faces.selected == wanted
    desk.press(Qt.Key.Key_Escape)
    assert desk.window.settings.value.style.selected is None


def test_bad_source_says_so_in_the_picture(desk: Desk) -> None:
    missing = desk.folder / "missing.mp4"
    desk.open(str(missing))
    desk.wait(lambda: desk.window.stage.message.state == "failed")
    assert str(missing) in desk.window.stage.message.text
    assert "Traceback" not in desk.window.stage.message.text
    assert not desk.window.actions_["screenshot"].isEnabled()
    QTest.mouseClick(desk.window.stage.message.button("open_demo"), Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.state == "live" and not desk.window.stage.message.isVisible())


def test_file_can_be_wound_and_ends(desk: Desk, clip: Path) -> None:
    desk.window.settings.change(loop=False)
    desk.open(str(clip))
    bar = desk.window.playback_bar
    desk.wait(lambda: bar.isVisible())
    session = desk.window.bridge.session
    assert session is not None
    desk.press(Qt.Key.Key_Space)
    desk.wait(lambda: session.position().paused)
    QTest.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=QPoint(bar.slider.width() // 2, 10))
    desk.wait(lambda: abs(session.position().index - 24) <= 2)
    index = session.position().index
    desk.press(Qt.Key.Key_Period)
    desk.wait(lambda: session.position().index == index + 1)
    desk.press(Qt.Key.Key_Comma)
    desk.wait(lambda: session.position().index == index)
    desk.press(Qt.Key.Key_BracketRight)
    desk.wait(lambda: session.position().speed == 1.5)
    desk.press(Qt.Key.Key_Space)
    desk.wait(lambda: desk.window.stage.message.state == "ended")
    assert desk.window.settings.value.recent == (str(clip),)


def test_a_source_is_remembered_wherever_the_next_start_is(
    desk: Desk, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    desk.open(clip.name)
    desk.wait(lambda: desk.state == "live")
    assert desk.window.settings.value.source == str(clip)
    assert desk.window.settings.value.recent == (str(clip),)


def test_pictures_that_cannot_be_read_are_told_of(desk: Desk) -> None:
    folder = desk.folder / "album"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((64, 64, 3), np.uint8))
    (folder / "b.png").write_bytes(b"no picture")
    desk.window.settings.change(loop=False)
    desk.open(str(folder))
    desk.wait(lambda: desk.state == "paused" and desk.window.actions_["play"].isEnabled())
    desk.trigger("play")
    desk.wait(lambda: "Skipped 1 unreadable picture: b.png" in desk.window.stage.toast.text)


def drop(desk: Desk, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    desk.window.dropEvent(event)


def test_dropped_file_is_opened(desk: Desk, clip: Path) -> None:
    drop(desk, clip)
    desk.wait(lambda: desk.state in {"live", "ended"})
    assert desk.window.windowTitle() == "clip.mp4 · Agelens"


def test_several_dropped_pictures_are_a_gallery_that_arrow_keys_lead_through(desk: Desk, tmp_path: Path) -> None:
    for name, level in (("a.png", 10), ("b.png", 60), ("c.png", 120)):
        cv2.imwrite(str(tmp_path / name), np.full((120, 160, 3), level, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    drop(desk, *(tmp_path / name for name in ("c.png", "a.png", "b.png")))
    desk.wait(lambda: desk.state == "paused")
    assert desk.window.windowTitle() == "3 pictures · Agelens"

    def shows(name: str, number: str) -> Callable[[], bool]:
        texts = [label.text for label in desk.window.playback_bar.findChildren(QLabel)]
        return lambda: desk.shown().frame.origin == name and {name, number} <= {text() for text in texts}

    desk.wait(shows("a.png", "1 of 3"))
    desk.press(Qt.Key.Key_Right)
    desk.wait(shows("c.png", "2 of 2"))
    desk.wait(lambda: "Skipped 1 unreadable picture: b.png" in desk.window.stage.toast.text)
    desk.press(Qt.Key.Key_Left)
    desk.wait(shows("a.png", "1 of 2"))
    assert desk.state == "paused"


def test_dropped_films_are_a_list_that_buttons_and_a_menu_lead_through(desk: Desk, clip: Path) -> None:
    short, broken = write_plain_film(clip.with_name("a 1.mp4"), frames=4), clip.with_name("a 2.mp4")
    broken.write_bytes(b"no film")
    drop(desk, clip, broken, short)
    desk.wait(lambda: desk.state == "live" and desk.shown().frame.origin == "clip.mp4")
    desk.wait(lambda: "Skipped a file. Cannot open “a 2.mp4”: " in desk.window.stage.toast.text)
    assert desk.window.windowTitle() == "3 files · Agelens"
    desk.pause()
    entry = desk.window.playback_bar.entry_button
    desk.wait(lambda: entry.accessibleName() == "3 of 3: clip.mp4" and desk.window.playback_bar.slider.maximum() == 49)
    desk.press(Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    desk.wait(lambda: entry.accessibleName() == "1 of 3: a 1.mp4" and desk.window.playback_bar.slider.maximum() == 3)
    assert (desk.shown().frame.index, desk.state) == (0, "paused")
    assert not desk.window.actions_["previous_entry"].isEnabled()
    menu = entry.menu()
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions() if action.isChecked()] == ["1  a 1.mp4"]
    menu.actions()[2].trigger()
    desk.wait(lambda: entry.accessibleName() == "3 of 3: clip.mp4")
    desk.press(Qt.Key.Key_Left)
    desk.wait(lambda: desk.shown().frame.origin == "a 1.mp4")
    desk.trigger("record")
    desk.wait(lambda: "The recording continues from file to file" in desk.window.stage.toast.text)
    desk.trigger("next_entry")
    desk.wait(lambda: desk.shown().frame.origin == "clip.mp4")
    assert desk.window.bridge.session is not None
    assert desk.window.bridge.session.recording().state == "recording"
    desk.open("demo")
    desk.wait(lambda: "The source changed, so the recording ended" in desk.window.stage.toast.text)
    desk.wait(lambda: not entry.isVisible())


def test_names_are_shown_as_they_are(desk: Desk) -> None:
    name = "Tom & <i>Jerry.mp4"
    desk.open(str(desk.folder / name))
    desk.wait(lambda: desk.window.stage.message.state == "failed")
    button = desk.window.source_bar.source_button
    assert button.text() == name.replace("&", "&&")
    assert button.shortcut().isEmpty()
    label = next(label for label in desk.window.stage.message.findChildren(QLabel) if "Jerry" in label.text())
    assert label.textFormat() == Qt.TextFormat.PlainText


def test_a_still_picture_is_shown_undimmed_and_without_a_playback_bar(desk: Desk) -> None:
    desk.open(str(resource_path("demo_portrait.jpg")))
    desk.wait(lambda: desk.state == "ended")
    desk.wait(lambda: desk.window.status_line.state_text == "Still picture")
    assert not desk.window.stage.message.isVisible()
    assert not desk.window.playback_bar.isVisible()
    assert not desk.window.actions_["step"].isEnabled()
    view = desk.window.stage.view
    left, top, width, height = view.viewport.target
    # The mean of the whole picture: single pixels lie at edges in one size of the view and not in another.
    image = view.grab(QRect(round(left), round(top), round(width), round(height))).toImage()
    pixel = image.scaled(1, 1, mode=Qt.TransformationMode.SmoothTransformation).pixelColor(0, 0)
    expected = desk.shown().picture.mean(axis=(0, 1))
    assert np.abs(expected - (pixel.blue(), pixel.green(), pixel.red())).max() < 12
    desk.trigger("start")
    desk.wait(lambda: desk.window.stage.message.state == "stopped")
