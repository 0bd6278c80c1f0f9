"""The words on the picture are those of the window; what is kept for other programs stays English."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt

from desktop_app.engine.analysis import render_frame
from desktop_app.output.snapshots import read_snapshot_rows
from desktop_app.paths import resource_path
from desktop_app.vision.drawing.label_layout import LabelPlaces
from desktop_app.vision.drawing.overlay import OverlayStyle
from tests.helpers.desk import Desk

Words = tuple[tuple[str, str], ...]
ENGLISH: Words = ()
CHINESE: Words = (("Male", "男"), ("Female", "女"), ("M", "男"), ("F", "女"))


def speak(desk: Desk, language: str) -> None:
    desk.window.settings.change(language=language)


def drawn_anew(desk: Desk, style: OverlayStyle) -> NDArray[np.uint8]:
    """What is shown now, in another style."""
    shown = desk.shown()
    return render_frame(shown.frame, shown.tracks, shown.labels, {}, style).annotated()


def shows(desk: Desk, words: Words) -> bool:
    style = replace(desk.window.settings.value.style, words=words)
    shown = replace(desk.shown(), places=LabelPlaces())
    return bool(shown.labels) and np.array_equal(shown.annotated(), drawn_anew(desk, style))


@pytest.fixture
def paused(desk: Desk) -> Desk:
    desk.open_demo()
    desk.wait_for_faces()
    desk.pause()
    desk.wait(lambda: shows(desk, ENGLISH))
    return desk


def test_words_follow_the_language_while_the_picture_stands(paused: Desk) -> None:
    assert not shows(paused, CHINESE)
    speak(paused, "zh_CN")
    paused.wait(lambda: shows(paused, CHINESE))
    assert {label.gender for label in paused.shown().labels.values()} <= {"Male", "Female"}
    speak(paused, "en")
    paused.wait(lambda: shows(paused, ENGLISH))


def test_a_window_that_starts_in_chinese_draws_chinese_and_keeps_no_words(desk: Desk) -> None:
    speak(desk, "zh_CN")
    desk.open_demo()
    desk.wait_for_faces()
    assert shows(desk, CHINESE)
    desk.window.close()
    assert desk.store.load().style.words == ENGLISH


def test_screenshots_show_the_windows_words_and_keep_english_predictions(paused: Desk) -> None:
    paused.window.settings.change(snapshot_json=True)
    speak(paused, "zh_CN")
    paused.wait(lambda: shows(paused, CHINESE))
    shown = paused.shown().annotated()
    paused.press(Qt.Key.Key_S)
    paused.wait(lambda: paused.window.stage.toast.text.startswith("已保存"))
    (path,), (table,) = paused.files(".png"), paused.files(".json")
    assert np.array_equal(np.asarray(cv2.imread(str(path)), np.uint8), shown)
    assert {row.gender for row in read_snapshot_rows(path)} <= {"Male", "Female", ""}
    assert "女" not in table.read_text(encoding="utf-8")
    assert json.loads(table.read_text(encoding="utf-8"))


def test_recordings_show_the_windows_words_and_keep_english_predictions(desk: Desk) -> None:
    desk.window.settings.change(recording_predictions="csv")
    speak(desk, "zh_CN")
    desk.open(str(resource_path("demo_portrait.jpg")))
    session = desk.window.bridge.session
    assert session is not None
    desk.wait(lambda: desk.window.stage.view.rendered is not None and shows(desk, CHINESE))
    desk.press(Qt.Key.Key_R)
    desk.wait(lambda: session.recording().frames > 0)
    desk.press(Qt.Key.Key_R)
    desk.wait(lambda: desk.window.stage.toast.text.startswith("已保存"))
    film = cv2.VideoCapture(str(desk.files(".mp4")[0]))
    read, frame = film.read()
    film.release()
    assert read
    style = desk.window.settings.value.style
    english, chinese = (drawn_anew(desk, replace(style, words=words)) for words in (ENGLISH, CHINESE))
    differs = (english != chinese).any(axis=2)
    far, near = (float(np.abs(frame.astype(int) - one)[differs].mean()) for one in (english, chinese))
    assert near < far / 4
    table = desk.files(".csv")[0].read_text(encoding="utf-8")
    assert "Female" in table or "Male" in table


def test_figures_are_written_into_the_picture_where_wanted(paused: Desk) -> None:
    speak(paused, "zh_CN")
    paused.press(Qt.Key.Key_T)

    def writes(*texts: str) -> bool:
        style = paused.window.options.style
        corner = np.s_[:60, :300]
        with_figures, without = (drawn_anew(paused, one)[corner] for one in (style, replace(style, status=())))
        said = "\n".join(style.status)
        written = np.array_equal(paused.shown().annotated()[corner], with_figures)
        return all(text in said for text in texts) and written and not np.array_equal(with_figures, without)

    paused.wait(lambda: writes("帧/秒", "张人脸"))
    speak(paused, "en")
    paused.wait(lambda: writes("fps", "face"))
    paused.press(Qt.Key.Key_T)
    paused.wait(lambda: shows(paused, ENGLISH))
