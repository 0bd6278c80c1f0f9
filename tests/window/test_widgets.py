"""Small things that several bars and messages are built from."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop_app.messages import Message
from desktop_app.window.picture.empty_state import TEXT_WIDTH, PictureMessage
from desktop_app.window.style.widgets import fit_wrapped, make_label, plain_text


def test_a_label_is_as_large_as_its_present_text_needs(qtbot: QtBot) -> None:
    label = make_label("word " * 60, wrap=True)
    qtbot.addWidget(label)
    fit_wrapped(label, 200)
    tall = label.height()
    label.setText("word")
    fit_wrapped(label, 200)
    assert label.width() < 100
    assert label.height() < tall / 4


def test_names_that_are_wider_than_their_place_are_broken_and_not_cut(qtbot: QtBot) -> None:
    sentence = f"There is no file /films/{'2026-11-24_a_meeting' * 8}.mp4; check its spelling"
    label = make_label(sentence, wrap=True)
    qtbot.addWidget(label)
    fit_wrapped(label, 200)
    area = QRect(0, 0, label.width(), 10_000)
    needed = label.fontMetrics().boundingRect(area, Qt.TextFlag.TextWordWrap, label.text())
    assert needed.width() <= label.width()
    assert needed.height() <= label.height()
    assert plain_text(label) == sentence
    fit_wrapped(label, 10_000)
    assert label.text() == sentence


def test_chinese_breaks_by_its_own_rules(qtbot: QtBot) -> None:
    sentence = "年龄段和性别只是网络对面部外观的猜测，它们经常出错。" * 3
    label = make_label(sentence, wrap=True)
    qtbot.addWidget(label)
    fit_wrapped(label, 200)
    assert label.text() == sentence


def test_a_message_wraps_anew_in_a_narrow_window(qtbot: QtBot) -> None:
    stage = QWidget()
    qtbot.addWidget(stage)
    message = PictureMessage(stage)
    message.resize(1000, 600)
    message.show_state("failed", Message("Cannot open “/a/rather/long/path/to/a/film.mp4”: there is no such file."))
    stage.show()
    label = message.findChildren(type(make_label()))[2]
    assert label.text() == message.text
    assert label.width() <= TEXT_WIDTH
    low = label.height()
    message.resize(320, 600)
    assert label.width() <= 320
    assert label.height() > low
    message.resize(1000, 600)
    assert label.height() == low
