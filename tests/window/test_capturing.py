"""What the window saves, opened again."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel

from desktop_app.output.snapshots import read_snapshot_rows
from tests.helpers.desk import Desk
from tests.helpers.films import write_film_with_sound
from tests.helpers.network_camera import network_camera
from tests.helpers.portrait import astronaut_bgr


def video_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.slow
def test_recording_plays_and_has_its_length(desk: Desk) -> None:
    desk.open_demo()
    desk.press(Qt.Key.Key_R)
    session = desk.window.bridge.session
    assert session is not None
    desk.wait(lambda: session.recording().frames >= 15)
    desk.wait(lambda: desk.window.control_bar.elapsed_text != "")
    assert desk.window.control_bar.record_button.isChecked()
    QTest.mouseClick(desk.window.control_bar.record_button, Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved Agelens "))
    (path,) = desk.files(".mp4")
    assert path.parent.name == "films"
    assert path.name in desk.window.stage.toast.text
    assert video_frames(path) >= 15
    assert desk.window.stage.toast.button.text() == "Show in folder"


@pytest.mark.slow
def test_recording_has_predictions_beside_it_when_wanted(desk: Desk) -> None:
    desk.window.settings.change(recording_predictions="jsonl", container="mkv")
    desk.open_demo()
    desk.wait_for_faces()
    desk.trigger("record")
    session = desk.window.bridge.session
    assert session is not None
    desk.wait(lambda: session.recording().frames >= 5)
    desk.trigger("record")
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved "))
    (film,), (table,) = desk.files(".mkv"), desk.files(".jsonl")
    assert film.stem == table.stem
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert rows
    assert {"track", "age", "gender"} <= set(rows[0])


def test_recording_a_film_says_that_its_sound_is_left_out(desk: Desk, tmp_path: Path) -> None:
    desk.open(str(write_film_with_sound(tmp_path / "talk.mp4")))
    desk.wait(lambda: desk.window.actions_["record"].isEnabled() and desk.window.bridge.status.info is not None)
    desk.trigger("record")
    assert desk.window.stage.toast.text == "The sound of “talk.mp4” is not recorded."


@pytest.mark.slow
def test_closing_while_recording_keeps_a_playable_file(desk: Desk) -> None:
    desk.open_demo()
    desk.trigger("record")
    session = desk.window.bridge.session
    assert session is not None
    desk.wait(lambda: session.recording().frames >= 10)
    desk.window.close()
    (path,) = desk.files(".mp4")
    assert video_frames(path) >= 10


@pytest.mark.slow
def test_another_source_finishes_the_recording(desk: Desk, clip: Path) -> None:
    desk.open_demo()
    desk.trigger("record")
    session = desk.window.bridge.session
    assert session is not None
    desk.wait(lambda: session.recording().frames >= 5)
    desk.open(str(clip))
    desk.wait(lambda: "The source changed, so the recording ended: Agelens " in desk.window.stage.toast.text)
    films = [path for path in desk.files(".mp4") if path != clip]
    assert video_frames(films[0]) >= 5


def test_unwritable_folder_is_said_in_one_sentence(desk: Desk) -> None:
    blocked = desk.folder / "a file"
    blocked.write_text("not a folder")
    desk.window.settings.change(burst_count=2)
    desk.open_demo()
    for folder in (blocked, blocked / "inside"):
        desk.window.settings.change(screenshots_folder=folder, recordings_folder=folder)
        for name in ("screenshot", "burst", "record"):
            desk.window.stage.toast.hide()
            desk.trigger(name)
            desk.wait(lambda: desk.window.stage.toast.isVisible())
            assert desk.window.stage.toast.text == (
                f"Cannot save in “{folder}”: a part of the path is not a folder. Choose another folder."
            )


def test_the_shutter_waits_for_its_delay_and_can_be_called_off(desk: Desk) -> None:
    desk.open_demo()
    desk.window.settings.change(shutter_delay_s=3)
    countdown = desk.window.stage.findChild(QLabel, "countdown")
    assert isinstance(countdown, QLabel)
    # Time is the test's own.
    timer = desk.window.capture._countdown._timer
    desk.trigger("screenshot")
    assert (countdown.isVisible(), countdown.text()) == (True, "3")
    desk.trigger("screenshot")
    assert not countdown.isVisible()
    desk.trigger("screenshot")
    for left in ("3", "2", "1"):
        assert countdown.text() == left
        timer.timeout.emit()
    assert not countdown.isVisible()
    desk.wait(lambda: len(desk.files(".png")) == 1)


def test_screenshot_holds_picture_and_predictions(desk: Desk) -> None:
    desk.open_demo()
    desk.wait_for_faces()
    desk.press(Qt.Key.Key_S)
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved Agelens "))
    (path,) = desk.files(".png")
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == desk.shown().picture.shape
    rows = read_snapshot_rows(path)
    assert rows
    assert all(row.age for row in rows)


@pytest.mark.slow
def test_burst_saves_several_pictures(desk: Desk) -> None:
    desk.window.settings.change(burst_count=3, snapshot_json=True)
    desk.open_demo()
    desk.trigger("burst")
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved 3 pictures"))
    assert len(desk.files(".png")) == 3
    assert all(path.with_suffix(".json").exists() for path in desk.files(".png"))


def test_a_burst_of_a_picture_that_stands_still_is_one_picture(desk: Desk, clip: Path) -> None:
    desk.window.settings.change(burst_count=2)
    desk.open(str(clip))
    desk.pause()
    desk.wait(lambda: desk.window.stage.view.rendered is not None and desk.window.actions_["burst"].isEnabled())
    desk.trigger("burst")
    desk.wait(lambda: desk.window.stage.toast.text.startswith("Saved Agelens "))
    assert len(desk.files(".png")) == 1
    desk.trigger("burst")
    desk.window.close()
    desk.wait(lambda: len(desk.files(".png")) == 2)


@pytest.mark.slow
def test_a_recording_that_fails_at_once_is_said_every_time(desk: Desk) -> None:
    wide = desk.folder / "wide.png"
    cv2.imwrite(str(wide), np.zeros((10, 20_000, 3), np.uint8))
    desk.open(str(wide))
    desk.wait(lambda: desk.state == "ended" and desk.window.actions_["record"].isEnabled())
    for _ in range(4):
        desk.window.stage.toast.hide()
        desk.trigger("record")
        desk.wait(lambda: desk.window.stage.toast.isVisible())
        assert "Cannot record pictures of 20000×10 pixels" in desk.window.stage.toast.text


@pytest.mark.slow
def test_times_in_screenshots_of_a_stream_begin_with_the_first(desk: Desk) -> None:
    desk.window.settings.change(burst_count=2)
    with network_camera() as camera:
        desk.open(camera.address)
        desk.wait_for_faces()
        desk.trigger("burst")
        desk.wait(lambda: len(desk.files(".png")) == 2 and desk.window.stage.toast.text.startswith("Saved "))
    first, second = (read_snapshot_rows(path)[0].time_s for path in sorted(desk.files(".png")))
    assert first == 0
    assert 0 < second < 60


def test_copied_picture_is_on_the_clipboard(desk: Desk) -> None:
    desk.open_demo()
    desk.press(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    image = QGuiApplication.clipboard().image()
    assert (image.width(), image.height()) == (1280, 720)


def test_a_session_is_summed_up_without_a_picture(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    portrait = tmp_path / "portrait.png"
    portrait.write_bytes(cv2.imencode(".png", astronaut_bgr())[1].tobytes())
    assert not desk.window.actions_["save_summary"].isEnabled()
    desk.open(str(portrait))
    desk.wait_for_faces()

    def save_as(name: str, kind: str = "Report (*.html)") -> str:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / name), kind))
        before = desk.window.stage.toast.text
        desk.trigger("save_summary")
        desk.wait(lambda: desk.window.stage.toast.text != before)
        return desk.window.stage.toast.text

    assert save_as("report.html") == "Saved report.html"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "portrait.png" in page
    assert "<img" not in page
    assert save_as("values.json", "Counts (*.json)") == "Saved values.json"
    values = json.loads((tmp_path / "values.json").read_text(encoding="utf-8"))
    assert (values["visits"], values["unanswered"], values["frames"]) == (1, 0, 1)
    assert save_as("visits", "Table of visits (*.csv *.jsonl *.parquet)") == "Saved visits.csv"
    assert len((tmp_path / "visits.csv").read_text(encoding="utf-8").splitlines()) == 2
    assert save_as("visits.jsonl", "Table of visits (*.csv *.jsonl *.parquet)") == "Saved visits.jsonl"
    desk.window.settings.change(language="zh_CN")
    assert save_as("报告.html").endswith("报告.html")
    assert "<h1>观众报告</h1>" in (tmp_path / "报告.html").read_text(encoding="utf-8")
    desk.window.settings.change(language="en")
    assert save_as("report.pdf") == (
        "Cannot save the summary as “report.pdf”: the name must end in .html, .json, .csv, .jsonl or "
        ".parquet. Choose another name."
    )
